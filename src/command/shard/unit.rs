//! What is dealt out to the shards: videos, or ranges of them.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use same_file::is_same_file;

use super::range::Range;
use super::state::ENDING;
use crate::cli::Annotate;
use crate::command::batch::{ending_of_copy, targets};
use crate::error::Fault;
use crate::output::Targets;
use crate::output::target::Incomplete;

/// A video or a range of one.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Unit {
    /// The video as the list names it.
    pub(super) video: PathBuf,
    /// Which part of it, if not all.
    pub(super) range: Option<Range>,
    /// The ending of its annotated copy.
    pub(super) ending: String,
    /// How much work it is: bytes of the video.
    pub(super) weight: u64,
}

impl Unit {
    /// The name of its outputs, without their endings.
    fn stem(&self) -> OsString {
        let mut stem = self.video.file_stem().unwrap_or_default().to_owned();
        if let Some(range) = &self.range {
            stem.push(range.suffix());
        }
        stem
    }

    /// Its outputs; until they are complete, `word` is in their names.
    pub(super) fn targets(&self, args: &Annotate, word: &str) -> Targets {
        let targets = targets(&self.stem(), &self.ending, args, |_| true);
        // Another machine that writes the same by mistake writes the same bytes.
        Targets { overwrite: true, incomplete: Incomplete::Remove(word.to_owned()), ..targets }
    }

    /// The files that it becomes.
    pub(super) fn outputs(&self, args: &Annotate) -> Vec<PathBuf> {
        self.targets(args, "").paths().cloned().collect()
    }

    /// The files that its whole video becomes, if it is a range.
    pub(super) fn merged(&self, args: &Annotate) -> Vec<PathBuf> {
        let whole = Self { range: None, ..self.clone() };
        self.range.map_or_else(Vec::new, |_| whole.outputs(args))
    }

    /// Whether all outputs are there, which means that they are complete, or are merged already.
    pub(super) fn is_complete(&self, args: &Annotate) -> bool {
        let all = |paths: Vec<PathBuf>| !paths.is_empty() && paths.iter().all(|path| path.exists());
        all(self.outputs(args)) || all(self.merged(args))
    }

    /// The file with its state, in `folder`.
    pub(super) fn state(&self, folder: &Path) -> PathBuf {
        let mut name = self.stem();
        name.push(ENDING);
        folder.join(name)
    }

    /// The number of the range, from 1, and of how many.
    pub(super) fn numbers(&self) -> Option<[u32; 2]> {
        self.range.map(|range| [range.part + 1, range.parts])
    }
}

/// What the list is made of, in its order. Videos that it names twice are reported and taken once.
///
/// # Errors
/// [`Fault::Usage`] if two videos would have the same outputs or the same state.
pub(super) fn units(videos: Vec<PathBuf>, args: &Annotate) -> Result<Vec<Unit>> {
    let mut names: HashMap<PathBuf, PathBuf> = HashMap::new();
    let (mut units, mut doubles) = (Vec::with_capacity(videos.len()), 0);
    for video in videos {
        let weight = fs::metadata(&video).map_or(0, |found| found.len());
        let stem = video.file_stem().unwrap_or_default();
        let ending = ending_of_copy(&video, stem, args.output.as_deref(), args);
        let whole = Unit { video, range: None, ending, weight };
        let files = [whole.outputs(args), vec![whole.state(Path::new(""))]].concat();
        if let Some((name, other)) = files.iter().find_map(|file| names.get_key_value(file)) {
            if *other == whole.video || is_same_file(other, &whole.video).unwrap_or(false) {
                doubles += 1;
                continue;
            }
            let (one, two, name) = (other.display(), whole.video.display(), name.display());
            let message =
                format!("{one} and {two} would both have {name}; put them into separate lists and folders");
            return Err(Fault::Usage.error(message));
        }
        names.extend(files.into_iter().map(|file| (file, whole.video.clone())));
        match args.sharding.split {
            Some(length) => units.extend(ranges(whole, length)),
            None => units.push(whole),
        }
    }
    if doubles > 0 {
        log::warn!("videos named more than once in the list: {doubles}; each is annotated once");
    }
    Ok(units)
}

fn ranges(whole: Unit, length: f64) -> Vec<Unit> {
    let ranges = Range::all(&whole.video, length);
    let Some(parts) = u64::try_from(ranges.len()).ok().filter(|&parts| parts > 1) else { return vec![whole] };
    let part = |range| Unit { range: Some(range), weight: whole.weight / parts, ..whole.clone() };
    ranges.into_iter().map(part).collect()
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};

    #[test]
    fn videos_with_one_state_are_refused() {
        let cli = Cli::try_parse_from(["facemark", "annotate", "--list", "list", "-o", "out"]).unwrap();
        let Command::Annotate(args) = cli.command else { panic!("annotate is meant") };
        let units = |names: [&str; 2]| units(names.map(PathBuf::from).to_vec(), &args);
        let error = units(["a.mp4", "a.mkv"]).unwrap_err().to_string();
        assert!(error.contains("a.mp4 and a.mkv would both have a.state.json"), "{error}");
        assert_eq!(units(["a.mp4", "b.mkv"]).unwrap().len(), 2);
        assert_eq!(units(["a.mp4", "a.mp4"]).unwrap().len(), 1);
    }
}
