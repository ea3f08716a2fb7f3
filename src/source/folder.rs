//! The contents of a folder: videos, pictures, and files that cannot be used.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::images::is_picture;
use crate::av::demux::holds_text;
use crate::av::foreign;
use crate::error::{Blame, Fault};

/// The extensions by which videos in a folder are recognised. A file that is given by name can have any extension.
const VIDEOS: [&str; 54] = [
    "264", "265", "3g2", "3gp", "amv", "asf", "avc", "avi", "divx", "dv", "evo", "f4v", "flv", "gxf", "h261",
    "h263", "h264", "h265", "hevc", "ivf", "m1v", "m2p", "m2t", "m2ts", "m2v", "m4v", "mj2", "mjpeg", "mjpg",
    "mk3d", "mkv", "mod", "mov", "mp4", "mpe", "mpeg", "mpg", "mpv", "mts", "mxf", "nut", "obu", "ogm",
    "ogv", "qt", "rm", "rmvb", "tod", "trp", "ts", "vob", "webm", "wmv", "y4m",
];
/// Those that text files have, too: the IMM face database's annotations, TypeScript, and Go's modules.
const SHARED: [&str; 3] = ["asf", "ts", "mod"];
/// Prefix of the files that macOS puts next to each file on foreign disks; they are never useful.
const APPLE: &str = "._";

/// The files in a folder, sorted by name. Subfolders are not searched.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Folder {
    /// Files with a video extension.
    pub videos: Vec<PathBuf>,
    /// Files with the extension of a readable picture format.
    pub pictures: Vec<PathBuf>,
    /// All other files, except hidden ones.
    pub others: Vec<PathBuf>,
}

impl Folder {
    /// Groups a folder's files by their extensions. Opens only those that may be videos or text.
    ///
    /// # Errors
    /// [`Fault::Input`] if the folder cannot be read.
    pub fn read(folder: &Path) -> Result<Self> {
        let shown = folder.display();
        let entries =
            fs::read_dir(folder).blame(Fault::Input, || format!("cannot open the folder {shown}"))?;
        let mut found = Self::default();
        for entry in entries {
            let entry = entry.blame(Fault::Input, || format!("cannot read the folder {shown}"))?;
            let (path, name) = (entry.path(), entry.file_name());
            let name = name.to_string_lossy();
            if name.starts_with(APPLE) {
                continue;
            }
            let ending = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
            if path.is_dir() {
                found.others.push(path.join(""));
            } else if foreign::ENDINGS.contains(&&*ending) {
                found.others.push(path);
            } else if VIDEOS.contains(&&*ending) && !(SHARED.contains(&&*ending) && holds_text(&path)) {
                found.videos.push(path);
            } else if is_picture(&path) {
                found.pictures.push(path);
            } else if !name.starts_with('.') {
                found.others.push(path);
            }
        }
        for files in [&mut found.videos, &mut found.pictures, &mut found.others] {
            files.sort();
        }
        Ok(found)
    }
}

/// Reports the files that a run skips, with `why` saying what they are, and the conversion command for those that only
/// need converting; returns how many files there are.
pub fn leave_out(files: &[PathBuf], why: &str) -> usize {
    let mut names = Vec::new();
    for file in files {
        match foreign::told(file) {
            Some(told) => log::warn!("left out: {told}"),
            None => names.push(file.display().to_string()),
        }
    }
    if !names.is_empty() {
        log::warn!("left out, {why}: {}", names.join(", "));
    }
    files.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_sorted_by_their_endings_and_hidden_ones_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in
            ["b.VOB", "a.ogv", "z.h264", "._a.mp4", ".DS_Store", "p.webp", "q.TIF", "x.heic", "n.txt", "bare"]
        {
            fs::write(path(name), "").unwrap();
        }
        fs::write(path("01-1m.asf"), "# annotation\n58\n").unwrap();
        fs::write(path("w.asf"), [0x30, 0x26, 0xb2, 0x75, 0x8e, 0x66, 0xcf, 0x11]).unwrap();
        fs::create_dir(path("c.mp4")).unwrap();
        let paths = |names: &[&str]| names.iter().map(|name| path(name)).collect::<Vec<_>>();
        let found = Folder::read(folder.path()).unwrap();
        assert_eq!(found.videos, paths(&["a.ogv", "b.VOB", "w.asf", "z.h264"]));
        assert_eq!(found.pictures, paths(&["p.webp", "q.TIF"]));
        assert_eq!(found.others, paths(&["01-1m.asf", "bare", "c.mp4/", "n.txt", "x.heic"]));
        assert_eq!(Fault::of(&Folder::read(&path("nowhere")).unwrap_err()), Fault::Input);
    }
}
