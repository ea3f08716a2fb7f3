//! `facemark annotate` for several videos.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};

use super::common::Settings;
use super::crew::{Crew, Done, Tally};
use super::job::{Around, Job};
use crate::av::container::{Copying, ending_for};
use crate::cli::Annotate;
use crate::error::{Fault, tell};
use crate::output::target::{Incomplete, means_folder};
use crate::output::{Annotated, Board, MadeFolder, Targets};
use crate::source::Part;
use crate::source::files::{Files, Pace};
use crate::source::folder::{Folder, leave_out};
use crate::source::images::{KINDS, is_moving_gif, is_picture};

/// Extensions that the annotated video keeps if it can; any other becomes Matroska, which holds nearly everything.
const KEPT: [&str; 4] = ["m4v", "mkv", "mov", "mp4"];

/// What the arguments name.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Input {
    /// All videos, or all pictures.
    pub(super) files: Vec<PathBuf>,
    /// Whether they are videos.
    pub(super) videos: bool,
    /// Whether they were found in a folder.
    pub(super) in_folder: bool,
    /// How many files of the folder are not among them. They have been reported.
    pub(super) left_out: usize,
}

impl Input {
    /// Looks at the arguments: files, or a folder, from which the videos are taken, or the pictures if it has none.
    ///
    /// # Errors
    /// [`Fault::Input`] if the folder cannot be read or holds neither, [`Fault::Usage`] for pictures among videos.
    pub(super) fn new(input: &[PathBuf]) -> Result<Self> {
        let given = |videos| Self { files: input.to_vec(), videos, in_folder: false, left_out: 0 };
        match input {
            [folder] if folder.is_dir() => Self::in_folder(folder),
            [file] => Ok(given(!is_picture(file) || is_moving_gif(file))),
            files if files.iter().all(|file| is_picture(file)) => Ok(given(false)),
            files if files.iter().any(|file| is_picture(file)) => {
                Err(Fault::Usage.error("there are pictures among the videos; annotate them apart"))
            }
            _ => Ok(given(true)),
        }
    }

    fn in_folder(folder: &Path) -> Result<Self> {
        let Folder { videos, pictures, others } = Folder::read(folder)?;
        let mut left_out = leave_out(&others, "neither video nor picture");
        if !videos.is_empty() {
            left_out += leave_out(&pictures, "pictures among videos");
            return Ok(Self { files: videos, videos: true, in_folder: true, left_out });
        }
        if pictures.is_empty() {
            let message = format!("there is no video and no {KINDS} picture in {}", folder.display());
            return Err(Fault::Input.error(message));
        }
        Ok(Self { files: pictures, videos: false, in_folder: true, left_out })
    }

    /// Whether this target is a folder, in which each file gets its own.
    pub(super) fn is_folder(&self, target: &Path) -> bool {
        self.in_folder || self.files.len() > 1 || means_folder(target)
    }
}

/// The part of a summary about files that were left out.
pub(super) fn also_left_out(count: usize) -> String {
    match count {
        0 => String::new(),
        1 => "; 1 file left out".to_owned(),
        _ => format!("; {count} files left out"),
    }
}

fn ending(path: &Path) -> String {
    path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase()
}

/// Annotates each video, or `part` of each, into the folders that the outputs name.
///
/// # Errors
/// What is wrong with the batch as a whole; after all videos, the fault of the first one that failed.
pub(super) fn annotate(
    input: &Input,
    args: &Annotate,
    part: Part,
    settings: Settings,
    stop: &AtomicBool,
) -> Result<()> {
    let (jobs, _folders) = prepare(input, args)?;
    let pace = if args.live { Pace::Live } else { Pace::Free };
    let board = Board::new(!settings.quiet);
    let crew = Crew { args, settings, stop, board: &board };
    let ends = crew.each(&jobs, |job, tracker| {
        if args.resume && job.outputs().exist() {
            return Ok(Done::Before);
        }
        let mut source = job.open(pace, part, args.reading.adjustment())?;
        let around = Around { board: Some(&board), sinks: Vec::new() };
        let outcome = job.run(source.as_mut(), tracker, settings, around, stop)?;
        if stop.load(Ordering::Relaxed) {
            return Ok(Done::Stopped);
        }
        if !settings.quiet {
            board.tell(&outcome);
        }
        Ok(Done::Annotated)
    })?;
    drop(board);
    let tally = Tally::of(ends);
    if !settings.quiet {
        tell(tally.summary() + &also_left_out(input.left_out));
    }
    tally.verdict()
}

/// The ending of a video's copy if `folder` gets it: the video's own if copies keep it, or that of a kind of file that holds
/// more of its streams. A copy that is there already keeps its name in runs that skip those.
pub(super) fn ending_of_copy(video: &Path, stem: &OsStr, folder: Option<&Path>, args: &Annotate) -> String {
    let own = ending(video);
    let kept = if KEPT.contains(&&*own) { &own } else { "mkv" };
    let Some(folder) = folder else { return kept.to_owned() };
    let skips = args.resume || args.sharding.list.is_some();
    if skips && folder.join(with_ending(stem, kept)).exists() {
        return kept.to_owned();
    }
    let copying = Copying { drop_streams: args.drop_streams, hides_faces: args.hiding.how().is_some() };
    ending_for(video, kept, copying).to_owned()
}

fn with_ending(stem: &OsStr, ending: &str) -> OsString {
    let mut name = stem.to_owned();
    name.push(".");
    name.push(ending);
    name
}

/// The outputs of a video. Those for which `is_folder` holds are folders, in which its own are called `stem`, and its copy ends
/// in `ending`.
pub(super) fn targets(
    stem: &OsStr,
    ending: &str,
    args: &Annotate,
    is_folder: impl Fn(&Path) -> bool,
) -> Targets {
    let named = |target: &PathBuf, ending: &str| {
        if target.as_os_str() == "-" || !is_folder(target) {
            return target.clone();
        }
        target.join(with_ending(stem, ending))
    };
    Targets {
        annotated: args.output.as_ref().map(|target| Annotated::Copy(named(target, ending))),
        drop_streams: args.drop_streams,
        jsonl: args.data.jsonl.as_ref().map(|target| named(target, "jsonl")),
        csv: args.data.csv.as_ref().map(|target| named(target, "csv")),
        openface: args.data.openface,
        show_latency: args.show_latency,
        hiding: args.hiding.how(),
        // What is left of an unfinished video is replaced.
        overwrite: args.overwrite || args.resume,
        incomplete: Incomplete::SetAside,
        ..Targets::default()
    }
}

/// Makes the folders, and refuses in advance what would go wrong with any of the videos.
fn prepare(input: &Input, args: &Annotate) -> Result<(Vec<Job>, Vec<MadeFolder>)> {
    let files = args.output.iter().chain(args.data.files());
    let files: Vec<_> = files.filter(|target| target.as_os_str() != "-").collect();
    if args.resume && files.is_empty() {
        return Err(Fault::Usage.error("--resume needs outputs in files to know what is done"));
    }
    let folders = files.into_iter().filter(|target| input.is_folder(target)).map(|folder| {
        MadeFolder::new(folder)
            .context("outputs of several videos, and those with a / at the end, need folders")
    });
    let folders = folders.collect::<Result<Vec<_>>>()?;
    let mut names = HashSet::new();
    let prepare = |video: &PathBuf| {
        let stem = video.file_stem().unwrap_or_default();
        let folder = args.output.as_deref().filter(|target| input.is_folder(target) && *target != "-");
        let ending = ending_of_copy(video, stem, folder, args);
        let targets = targets(stem, &ending, args, |target| input.is_folder(target));
        for path in targets.paths().filter(|path| path.as_os_str() != "-") {
            if !names.insert(path.clone()) {
                let message = format!("two videos would become {}; annotate them apart", path.display());
                return Err(Fault::Usage.error(message));
            }
        }
        Job::new(Files::Video(video.clone()), targets)
    };
    let jobs = input.files.iter().map(prepare).collect::<Result<_>>()?;
    Ok((jobs, folders))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn folders_stand_for_their_videos_or_else_for_their_pictures() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let files = |names: &[&str]| names.iter().map(|name| path(name)).collect::<Vec<_>>();
        let found = |names: &[&str]| Input::new(&files(names));
        let expected = |names: &[&str], videos, in_folder, left_out| Input {
            files: files(names),
            videos,
            in_folder,
            left_out,
        };
        assert_eq!(Fault::of(&found(&[""]).unwrap_err()), Fault::Input);
        fs::write(path("a.png"), "").unwrap();
        assert_eq!(found(&[""]).unwrap(), expected(&["a.png"], false, true, 0));
        fs::write(path("b.MOV"), "").unwrap();
        fs::create_dir(path("c.mp4")).unwrap();
        fs::write(path("a.avi"), "").unwrap();
        assert_eq!(found(&[""]).unwrap(), expected(&["a.avi", "b.MOV"], true, true, 2));
        assert_eq!(found(&["a.avi", "x"]).unwrap(), expected(&["a.avi", "x"], true, false, 0));
        assert_eq!(found(&["a.avi"]).unwrap(), expected(&["a.avi"], true, false, 0));
        assert_eq!(Fault::of(&found(&["a.avi", "a.png"]).unwrap_err()), Fault::Usage);
    }
}
