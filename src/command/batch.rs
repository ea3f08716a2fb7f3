//! `facemark annotate` for several videos: one after another, and a broken one does not stop the rest.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Error, Result};

use super::common::{Settings, tracker};
use super::job::Job;
use crate::cli::Annotate;
use crate::error::{Blame, Fault, tell};
use crate::output::{Annotated, Targets};
use crate::source::Part;
use crate::source::files::{Files, Pace};
use crate::source::images::is_picture;

/// The endings by which a video in a folder is known.
const VIDEOS: [&str; 15] = [
    "3gp", "avi", "flv", "m2ts", "m4v", "mkv", "mov", "mp4", "mpeg", "mpg", "mts", "mxf", "ts", "webm", "wmv",
];
/// Endings that the annotated video can have, too; another one becomes Matroska, which holds nearly everything.
const KEPT: [&str; 4] = ["m4v", "mkv", "mov", "mp4"];

/// The videos that the arguments mean, if they mean several: a folder that holds some, or more than one file.
///
/// # Errors
/// [`Fault::Input`] if the folder cannot be read, [`Fault::Usage`] for pictures among videos.
pub(super) fn videos(input: &[PathBuf]) -> Result<Option<Vec<PathBuf>>> {
    match input {
        [folder] if folder.is_dir() => {
            let videos = videos_in(folder)?;
            Ok((!videos.is_empty()).then_some(videos))
        }
        [_] => Ok(None),
        files if files.iter().all(|file| is_picture(file)) => Ok(None),
        files if files.iter().any(|file| is_picture(file)) => {
            Err(Fault::Usage.error("there are pictures among the videos; annotate them apart"))
        }
        files => Ok(Some(files.to_vec())),
    }
}

fn videos_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let cannot = || format!("cannot read the folder {}", folder.display());
    let mut videos = Vec::new();
    let mut pictures = 0;
    for entry in fs::read_dir(folder).blame(Fault::Input, cannot)? {
        let path = entry.blame(Fault::Input, cannot)?.path();
        pictures += usize::from(is_picture(&path));
        if VIDEOS.contains(&&*ending(&path)) && !path.is_dir() {
            videos.push(path);
        }
    }
    if pictures > 0 && !videos.is_empty() {
        log::warn!("{} holds videos; its {pictures} pictures are left alone", folder.display());
    }
    videos.sort();
    Ok(videos)
}

fn ending(path: &Path) -> String {
    path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase()
}

/// Annotates each video, or `part` of each, into the folders that the outputs name.
///
/// # Errors
/// What is wrong with the whole; after all videos, the fault of the first one that failed.
pub(super) fn annotate(
    videos: &[PathBuf],
    args: &Annotate,
    part: Part,
    settings: Settings,
    stop: &AtomicBool,
) -> Result<()> {
    let jobs = prepare(videos, args)?;
    let pace = if args.live { Pace::Live } else { Pace::Free };
    let mut tracker = tracker(&args.tracking)?;
    let (mut done, mut skipped, mut failures) = (0, 0, Vec::new());
    for job in jobs.iter().filter(|_| !stop.load(Ordering::Relaxed)) {
        if args.resume && job.outputs().exist() {
            skipped += 1;
            continue;
        }
        tracker.reset();
        let result = job
            .open(pace, part)
            .and_then(|mut source| job.run(source.as_mut(), &mut tracker, settings, stop));
        match result {
            Ok(_) if stop.load(Ordering::Relaxed) => job.outputs().set_aside(),
            Ok(outcome) => {
                done += 1;
                if !settings.quiet {
                    tell(outcome);
                }
            }
            Err(error) if Fault::of(&error) == Fault::ClosedPipe => return Err(error),
            Err(error) => {
                log::error!("{error:#}");
                failures.push(error);
            }
        }
    }
    if !settings.quiet {
        let (all, failed) = (jobs.len(), failures.len());
        let left = all - done - skipped - failed;
        tell(format_args!(
            "{all} videos: {done} annotated, {skipped} done before, {failed} failed, {left} not begun or stopped"
        ));
    }
    verdict(&failures, jobs.len())
}

fn verdict(failures: &[Error], all: usize) -> Result<()> {
    failures.first().map_or(Ok(()), |first| {
        let count = failures.len();
        Err(Fault::of(first).error(format!("{count} of {all} videos failed; the messages above name them")))
    })
}

/// What becomes of a video.
fn targets(video: &Path, args: &Annotate) -> Targets {
    let stem = video.file_stem().unwrap_or_default();
    let named = |folder: &PathBuf, ending: &str| {
        let mut name = stem.to_owned();
        name.push(".");
        name.push(ending);
        folder.join(name)
    };
    let lines = |folder: &PathBuf, ending: &str| {
        if folder.as_os_str() == "-" { folder.clone() } else { named(folder, ending) }
    };
    let own = ending(video);
    let kept = if KEPT.contains(&&*own) { &own } else { "mkv" };
    Targets {
        annotated: args.output.as_ref().map(|folder| Annotated::Copy(named(folder, kept))),
        show_latency: args.show_latency,
        jsonl: args.data.jsonl.as_ref().map(|folder| lines(folder, "jsonl")),
        csv: args.data.csv.as_ref().map(|folder| lines(folder, "csv")),
        // What is left of a video that was not finished is done again.
        overwrite: args.overwrite || args.resume,
        ..Targets::default()
    }
}

/// Makes the folders, and refuses what would go wrong with any of the videos beforehand.
fn prepare(videos: &[PathBuf], args: &Annotate) -> Result<Vec<Job>> {
    let folders = args.output.iter().chain(args.data.files()).filter(|folder| folder.as_os_str() != "-");
    let mut n_folders = 0;
    for folder in folders {
        n_folders += 1;
        fs::create_dir_all(folder).blame(Fault::Output, || {
            format!(
                "cannot make the folder {}; several videos need folders for their outputs",
                folder.display()
            )
        })?;
    }
    if args.resume && n_folders == 0 {
        return Err(Fault::Usage.error("--resume needs outputs in files, by which it knows what is done"));
    }
    let mut names = HashSet::new();
    let prepare = |video: &PathBuf| {
        let targets = targets(video, args);
        for path in targets.paths().filter(|path| path.as_os_str() != "-") {
            if !names.insert(path.clone()) {
                let message = format!("two videos would become {}; annotate them apart", path.display());
                return Err(Fault::Usage.error(message));
            }
        }
        Job::new(Files::Video(video.clone()), targets)
    };
    videos.iter().map(prepare).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_videos_and_several_videos_are_batches() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let files = |names: &[&str]| names.iter().map(|name| path(name)).collect::<Vec<_>>();
        let found = |names: &[&str]| videos(&files(names));
        fs::write(path("a.png"), "").unwrap();
        assert_eq!(found(&[""]).unwrap(), None, "only pictures");
        fs::write(path("b.MOV"), "").unwrap();
        fs::create_dir(path("c.mp4")).unwrap();
        fs::write(path("a.avi"), "").unwrap();
        assert_eq!(found(&[""]).unwrap(), Some(files(&["a.avi", "b.MOV"])));
        assert_eq!(found(&["a.avi", "x"]).unwrap(), Some(files(&["a.avi", "x"])));
        assert_eq!(found(&["a.avi"]).unwrap(), None);
        assert_eq!(Fault::of(&found(&["a.avi", "a.png"]).unwrap_err()), Fault::Usage);
    }
}
