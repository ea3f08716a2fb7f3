//! Jobs that many machines share: `facemark annotate --list` and `facemark status`.
//!
//! Machines do not talk to each other. Each reads the same list, deals it out in the same way and takes its shard. What
//! they share is the folder with the outputs: an output that is there is complete, and each video's state is a small file
//! beside it. No lock is needed: unfinished files have names of their own, complete ones are renamed into place, and who
//! annotates a video twice writes the same bytes twice.

mod assign;
mod claim;
mod index;
mod list;
mod note;
mod process;
mod range;
mod run;
mod state;
mod status;
mod unit;

use std::env;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result};
use serde_json::json;

use super::common::{Settings, print};
use super::crew::{Crew, Tally};
use crate::cli::Annotate;
use crate::error::{Fault, tell};
use crate::output::target::FileTarget;
use crate::output::{Board, MadeFolder};
use crate::source::Part;
use run::Runner;
pub use status::status;
use unit::Unit;

/// Annotates a shard of the videos in `list`, or `part` of each of them.
///
/// # Errors
/// What is wrong with the list, the shard or the folders; after all videos, the fault of the first one that failed.
pub(super) fn annotate(
    list: &Path,
    args: &Annotate,
    part: Part,
    settings: Settings,
    stop: &AtomicBool,
) -> Result<()> {
    let place = index::which(args.sharding.shard, |name| env::var(name).ok())?;
    let videos = list::read(list)?;
    let folders: Vec<&PathBuf> = args.output.iter().chain(args.data.files()).collect();
    if folders.iter().any(|folder| folder.as_os_str() == "-") {
        return Err(Fault::Usage.error("outputs of --list are folders; standard output is not one"));
    }
    let units = unit::units(videos, args)?;
    let weights: Vec<u64> = units.iter().map(|unit| unit.weight).collect();
    let shards = assign::assign(&weights, place.count as usize);
    let _made = make(&folders)?;
    let folder = folders.first().map_or_else(PathBuf::new, |folder| folder.to_path_buf());
    if list != Path::new("-") {
        note::write(&units, args, &folder)?;
    }
    if args.sharding.plan {
        return show(&units, &shards, args);
    }
    let ours = |(unit, &shard): (Unit, &usize)| (shard == place.index as usize).then_some(unit);
    let mut units: Vec<Unit> = units.into_iter().zip(&shards).filter_map(ours).collect();
    // Long ones first: with several at once, the last one to end ends earlier.
    units.sort_by_key(|unit| std::cmp::Reverse(unit.weight));
    let board = Board::new(!settings.quiet);
    let crew = Crew { args, settings, stop, board: &board };
    let ends = Runner { crew, part, folder }.run(&units)?;
    drop(board);
    let tally = Tally::of(ends);
    if !settings.quiet {
        tell(format_args!("shard {}/{}: {}", place.index, place.count, tally.summary()));
    }
    tally.verdict()
}

/// Makes the folders, and refuses those in which nothing can be written.
fn make(folders: &[&PathBuf]) -> Result<Vec<MadeFolder>> {
    let make = |folder: &&PathBuf| {
        let made = MadeFolder::new(folder).context("outputs of --list are folders")?;
        FileTarget::new(&folder.join(note::NAME), &[], true)?;
        Ok(made)
    };
    folders.iter().map(make).collect()
}

/// Prints which shard takes what, and what is done.
fn show(units: &[Unit], shards: &[usize], args: &Annotate) -> Result<()> {
    let line = |(unit, shard): (&Unit, &usize)| {
        let video = unit.video.to_string_lossy();
        let [part, parts] = unit.numbers().unwrap_or([1, 1]);
        let done = !args.overwrite && unit.is_complete(args);
        let bytes = unit.weight;
        let entry = json!({"shard": shard, "video": video, "part": part, "parts": parts, "bytes": bytes, "done": done});
        format!("{entry}\n")
    };
    print(units.iter().zip(shards).map(line).collect::<String>())
}
