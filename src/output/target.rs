//! Where outputs go. Each name is checked once, before anything is read; writers only accept checked names.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use same_file::is_same_file;

use crate::error::Fault;

/// The suffix of a file's name until the file is complete.
pub(super) const PARTIAL: &str = ".partial";
/// The suffix of an MP4 file's name until it has its index; its `.partial` is a journal that is readable before that.
pub(super) const UNFINISHED: &str = ".unfinished";
/// The longest file name that common file systems allow, in bytes.
const NAME_MAX: usize = 255;

/// What becomes of a file that a run does not complete.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Incomplete {
    /// If the run was stopped, the file is whole up to there and gets its final name. If the run failed, what was
    /// written stays `NAME.partial`.
    #[default]
    Keep,
    /// It stays `NAME.partial` in both cases: the final name says that the whole input was annotated.
    SetAside,
    /// It is removed. This word is part of its name until it is complete, so that two machines can write the same
    /// output without meeting.
    Remove(String),
}

/// The name of a file that can be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileTarget {
    path: PathBuf,
    overwrite: bool,
    incomplete: Incomplete,
}

/// Where lines of text or raw pictures go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Standard output, `-` on the command line.
    Stdout,
    /// A device, a named pipe or the like: it is written to directly, and there is nothing to replace.
    Special(PathBuf),
    /// A file.
    File(FileTarget),
}

impl FileTarget {
    /// Checks the name of a file that will be written while the `inputs` are read; touches nothing.
    ///
    /// # Errors
    /// [`Fault::Output`] for one of the inputs, a folder, a device, an existing file unless `overwrite`, and a file
    /// in a folder that does not exist or is not writable; [`Fault::Usage`] for an invalid file name.
    pub fn new(path: &Path, inputs: &[PathBuf], overwrite: bool) -> Result<Self> {
        let shown = path.display();
        if path.file_name().is_none() {
            let message = format!("{:?} is not a file name; give one like out.mp4", path.as_os_str());
            return Err(Fault::Usage.error(message));
        }
        // Files with one of the temporary names would be removed as well.
        for name in [path.to_owned(), with_suffix(path, PARTIAL), with_suffix(path, UNFINISHED)] {
            if inputs.iter().any(|input| same_file(&name, input)) {
                let message = format!("{} is the input itself; give the output another name", name.display());
                return Err(Fault::Output.error(message));
            }
        }
        if let Ok(found) = fs::metadata(path)
            && !found.is_file()
        {
            let kind = if found.is_dir() { "a folder" } else { "no plain file" };
            return Err(Fault::Output.error(format!("{shown} is {kind}; give the name of a file")));
        }
        let target = Self { path: path.to_owned(), overwrite, incomplete: Incomplete::Keep };
        if target.is_taken() {
            return Err(Fault::Output.error(format!("{shown} exists; give another name, or --overwrite")));
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if !folder.is_dir() {
            let message = format!("cannot write {shown}: there is no folder {}; create it", folder.display());
            return Err(Fault::Output.error(message));
        }
        if !may_write(folder) {
            let message =
                format!("cannot write {shown}: you may not write to the folder {}", folder.display());
            return Err(Fault::Output.error(message));
        }
        Ok(target)
    }

    /// The same file, with this done to it if it is not completed.
    pub fn or(self, incomplete: Incomplete) -> Self {
        Self { incomplete, ..self }
    }

    /// The name of the complete file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What becomes of the file if it is not completed.
    pub(super) fn incomplete(&self) -> &Incomplete {
        &self.incomplete
    }

    /// The name of the file until it is complete.
    pub(super) fn temporary(&self, suffix: &str) -> PathBuf {
        self.incomplete.temporary(&self.path, suffix)
    }

    /// Whether a file with this name exists and must not be replaced.
    pub(super) fn is_taken(&self) -> bool {
        !self.overwrite && fs::symlink_metadata(&self.path).is_ok()
    }
}

impl Incomplete {
    /// What a file is called until it is complete.
    pub(super) fn temporary(&self, path: &Path, suffix: &str) -> PathBuf {
        match self {
            Self::Remove(word) => with_suffix(path, &format!(".{word}{suffix}")),
            Self::Keep | Self::SetAside => with_suffix(path, suffix),
        }
    }
}

impl Target {
    /// The same target, with this done to a file that is not completed.
    pub fn or(self, incomplete: Incomplete) -> Self {
        match self {
            Self::File(target) => Self::File(target.or(incomplete)),
            other => other,
        }
    }

    /// Checks a name: `-`, something that is not a regular file, or as [`FileTarget::new`].
    ///
    /// # Errors
    /// As [`FileTarget::new`].
    pub fn new(path: &Path, inputs: &[PathBuf], overwrite: bool) -> Result<Self> {
        if path == Path::new("-") {
            return Ok(Self::Stdout);
        }
        if is_special(path) {
            return Ok(Self::Special(path.to_owned()));
        }
        FileTarget::new(path, inputs, overwrite).map(Self::File)
    }
}

/// Whether the name refers to a device, a pipe or the like, where there is nothing to keep or replace.
pub(super) fn is_special(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir())
}

/// Whether the name means a folder: it is an existing one, or ends with a slash.
pub fn means_folder(path: &Path) -> bool {
    path.is_dir() || path.as_os_str().as_encoded_bytes().ends_with(b"/")
}

/// The name with `suffix` appended, shortened if it would be too long.
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    if name.len() + suffix.len() > NAME_MAX {
        let lossy = name.to_string_lossy();
        name = OsString::from(&lossy[..lossy.floor_char_boundary(NAME_MAX - suffix.len())]);
    }
    name.push(suffix);
    path.with_file_name(name)
}

/// Whether both names refer to the same regular file, through links of any kind.
fn same_file(a: &Path, b: &Path) -> bool {
    // The comparison opens them, and opening a pipe would block until its other end is opened.
    let is_plain = |path: &Path| fs::metadata(path).is_ok_and(|found| found.is_file());
    is_plain(a) && is_plain(b) && is_same_file(a, b).unwrap_or(false)
}

/// Whether the system says that we can create a file in the folder.
fn may_write(folder: &Path) -> bool {
    #[cfg(unix)]
    {
        rustix::fs::access(folder, rustix::fs::Access::WRITE_OK).is_ok()
    }
    #[cfg(not(unix))]
    {
        let _ = folder;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_shortened_to_what_file_systems_take() {
        let name = "ü".repeat(127);
        let partial = with_suffix(Path::new(&name), PARTIAL);
        assert!(partial.as_os_str().len() <= NAME_MAX && partial.to_str().unwrap().ends_with("ü.partial"));
    }

    #[test]
    fn devices_take_lines_and_become_no_file() {
        let null = Path::new("/dev/null");
        let error = FileTarget::new(null, &[], true).unwrap_err();
        assert!(error.to_string().contains("no plain file"), "{error}");
        assert_eq!(Target::new(null, &[], false).unwrap(), Target::Special(null.to_owned()));
        assert_eq!(Target::new(Path::new("-"), &[], false).unwrap(), Target::Stdout);
    }

    #[test]
    fn what_exists_is_replaced_only_if_wanted_and_the_input_never() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("a.txt.partial"), "input").unwrap();
        fs::write(path("b.txt"), "precious").unwrap();
        let refused = |name: &str, overwrite: bool| {
            let target = Target::new(&path(name), &[path("a.txt.partial")], overwrite);
            target.err().map(|error| error.to_string())
        };
        assert!(refused("a.txt", true).unwrap().contains("is the input itself"));
        assert!(refused("b.txt", false).unwrap().contains("exists"));
        assert_eq!(refused("b.txt", true), None);
        assert_eq!(refused("c.txt", false), None);
    }
}
