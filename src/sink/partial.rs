//! The output file while it grows: `NAME.partial`, which gets its final name only when it is whole.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};

use anyhow::Result;
use ffmpeg_next::Packet;

use crate::error::{Blame, Fault};
use crate::sink::same_file;
use crate::source::demux;

const SUFFIX: &str = ".partial";
/// The longest file name that common file systems take, in bytes.
const NAME_MAX: usize = 255;

/// A file on its way. It stays on the disk when dropped; whoever gives up removes it.
pub(super) struct Partial {
    target: PathBuf,
    path: PathBuf,
    file: File,
}

impl Partial {
    /// Creates the file, unless that could hurt another: `input` or an older output.
    pub(super) fn create(target: &Path, input: Option<&Path>, overwrite: bool) -> Result<Self> {
        let shown = target.display();
        let path = partial_path(target)?;
        if input.is_some_and(|input| same_file(input, target) || same_file(input, &path)) {
            return Err(
                Fault::Output.error(format!("{shown} is the input itself; give the output another name"))
            );
        }
        if target.is_dir() {
            return Err(Fault::Output.error(format!("{shown} is a folder; give a file name in it")));
        }
        if !overwrite && fs::symlink_metadata(target).is_ok() {
            return Err(Fault::Output.error(format!("{shown} exists; give another name, or --overwrite")));
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if !folder.is_dir() {
            let message = format!("cannot write {shown}: there is no folder {}; create it", folder.display());
            return Err(Fault::Output.error(message));
        }
        // What an earlier run left is taken away, not written into: the name may be a link to something of value.
        let _ = fs::remove_file(&path);
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path);
        let file = file.blame(Fault::Output, || format!("cannot create {}", path.display()))?;
        Ok(Self { target: target.to_owned(), path, file })
    }

    /// Another handle to the same open file.
    pub(super) fn writer(&self) -> Result<File> {
        self.file.try_clone().blame(Fault::Output, || format!("cannot write {}", self.path.display()))
    }

    /// The name that the file has until it is whole.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The name that the file will have.
    pub(super) fn target(&self) -> &Path {
        &self.target
    }

    /// Makes sure that the file has reached the disk and holds `frames` frames, then gives it its name.
    pub(super) fn publish(&self, frames: u64) -> Result<()> {
        let shown = self.path.display();
        self.file.sync_all().blame(Fault::Output, || format!("cannot write {shown}"))?;
        let found = count_frames(&self.path).blame(Fault::Output, || format!("cannot read {shown} again"))?;
        if found != frames {
            let message =
                format!("{shown} holds {found} frames of the {frames} written; it is left for inspection");
            return Err(Fault::Output.error(message));
        }
        fs::rename(&self.path, &self.target)
            .blame(Fault::Output, || format!("cannot rename {shown} to {}", self.target.display()))
    }

    /// Keeps what is readable after a failure: the number of frames, or `None` if there were none and the file is gone.
    pub(super) fn salvage(&self) -> Option<u64> {
        let frames = count_frames(&self.path).ok().filter(|&frames| frames > 0);
        if frames.is_none() {
            // Nothing can be done about a file that will not go, and the failure itself is told elsewhere.
            let _ = fs::remove_file(&self.path);
        }
        frames
    }
}

/// `NAME.partial`, shortened where the name would get too long.
fn partial_path(target: &Path) -> Result<PathBuf> {
    let name = target.file_name().ok_or_else(|| {
        Fault::Usage.error(format!("{:?} is no file name; give one like out.mp4", target.as_os_str()))
    })?;
    let mut partial = name.to_owned();
    if partial.len() + SUFFIX.len() > NAME_MAX {
        let lossy = name.to_string_lossy();
        partial = OsString::from(&lossy[..lossy.floor_char_boundary(NAME_MAX - SUFFIX.len())]);
    }
    partial.push(SUFFIX);
    Ok(target.with_file_name(partial))
}

/// Reads a video file from end to end and counts the frames of its video stream.
fn count_frames(path: &Path) -> Result<u64> {
    let mut input = demux::open(path)?;
    let video = crate::source::video::best_video(&input, path)?.index();
    demux::discard(&mut input, |index| index != video);
    let mut frames = 0;
    loop {
        let mut packet = Packet::empty();
        match packet.read(&mut input) {
            Ok(()) if packet.stream() == video && packet.size() > 0 && !packet.is_corrupt() => frames += 1,
            Ok(()) => {}
            // The end or a break; what comes before it is readable.
            Err(_) => return Ok(frames),
        }
    }
}
