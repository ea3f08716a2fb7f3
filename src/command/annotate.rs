//! `facemark annotate`.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use anyhow::Result;

use super::batch::{self, Input, also_left_out};
use super::common::{Settings, annotated, tracker};
use super::job::{Around, Job};
use super::shard;
use crate::cli::Annotate;
use crate::error::{Fault, tell};
use crate::output::target::means_folder;
use crate::output::{Annotated, MadeFolder, Targets};
use crate::source::files::{Files, Pace};

/// Finds landmarks and writes what was asked for.
///
/// # Errors
/// See [`Fault`] for the kinds.
pub fn annotate(args: &Annotate, settings: Settings, stop: &AtomicBool) -> Result<()> {
    if args.output.is_none() && args.data.files().next().is_none() {
        return Err(Fault::Usage.error("nothing to write; pass -o FILE, --jsonl FILE or --csv FILE"));
    }
    let part = args.part()?;
    if let Some(list) = &args.sharding.list {
        return shard::annotate(list, args, part, settings, stop);
    }
    let input = Input::new(&args.input)?;
    let mut files = args.output.iter().chain(args.data.files());
    if input.videos && files.any(|target| input.is_folder(target)) {
        if args.video_format.is_some() || args.trace.is_some() {
            let message = "--format and --trace are for one video, not for several or a folder of them";
            return Err(Fault::Usage.error(message));
        }
        return batch::annotate(&input, args, part, settings, stop);
    }
    if args.resume {
        return Err(Fault::Usage.error("--resume is for several videos or a folder of them"));
    }
    // A single picture's data can go into a folder, too.
    let mut folders = Vec::new();
    let mut data = |target: &Option<PathBuf>, ending: &str| match (target, &input.files[..]) {
        (Some(folder), [file]) if !input.in_folder && means_folder(folder) => {
            folders.push(MadeFolder::new(folder)?);
            let name = folder.join(file.file_name().unwrap_or_default());
            Ok(Some(name.with_extension(ending)))
        }
        _ => anyhow::Ok(target.clone()),
    };
    let targets = Targets {
        annotated: annotated(&args.output, args.video_format, Annotated::Copy),
        show_latency: args.show_latency,
        hiding: args.hiding.how(),
        drop_streams: args.drop_streams,
        jsonl: data(&args.data.jsonl, "jsonl")?,
        csv: data(&args.data.csv, "csv")?,
        openface: args.data.openface,
        trace: args.trace.clone(),
        overwrite: args.overwrite,
        ..Targets::default()
    };
    let files = match &input.files[..] {
        [video] if input.videos => Files::Video(video.clone()),
        pictures => Files::Images(pictures.to_vec()),
    };
    let job = Job::new(files, targets)?;
    let pace = if args.live { Pace::Live } else { Pace::Free };
    let mut source = job.open(pace, part, args.reading.adjustment())?;
    let mut tracker = tracker(&args.tracking, !input.videos, args.hiding.how().is_some())?;
    let outcome = job.run(source.as_mut(), &mut tracker, settings, Around::default(), stop)?;
    if !settings.quiet {
        tell(outcome + &also_left_out(input.left_out));
    }
    Ok(())
}
