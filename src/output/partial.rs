//! An output file while it grows: `NAME.partial`, which gets its final name only when it is whole.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::error::{Blame, Fault};
use crate::output::same_file;

/// What the name ends in until the file is whole.
pub const SUFFIX: &str = ".partial";
/// The longest file name that common file systems take, in bytes.
const NAME_MAX: usize = 255;

/// A file on its way. It stays on the disk when dropped; whoever gives up removes it.
pub(super) struct Partial {
    target: PathBuf,
    path: PathBuf,
    file: File,
}

impl Partial {
    /// Creates the file `target` with `suffix` at its name's end, unless that could hurt another.
    ///
    /// # Errors
    /// As [`check_target`], and [`Fault::Output`] if the file cannot be created.
    pub(super) fn create(target: &Path, suffix: &str, inputs: &[&Path], overwrite: bool) -> Result<Self> {
        check_target(target, inputs, overwrite)?;
        let path = with_suffix(target, suffix)?;
        if inputs.iter().any(|input| same_file(input, &path)) {
            return Err(is_input(&path));
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

    /// Makes sure that the file has reached the disk, and gives it its name.
    pub(super) fn publish(&self) -> Result<()> {
        let shown = self.path.display();
        self.file.sync_all().blame(Fault::Output, || format!("cannot write {shown}"))?;
        fs::rename(&self.path, &self.target)
            .blame(Fault::Output, || format!("cannot rename {shown} to {}", self.target.display()))
    }

    /// Takes the file away. Nothing can be done about one that will not go; why it has to is told elsewhere.
    pub(super) fn remove(&self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Refuses a name under which nothing can or may be written; touches nothing.
///
/// # Errors
/// [`Fault::Output`] for an input itself, a folder, a device, a file that exists and may not be overwritten, and a
/// file in a folder that does not exist; [`Fault::Usage`] for what is no file name.
pub fn check_target(target: &Path, inputs: &[&Path], overwrite: bool) -> Result<()> {
    let shown = target.display();
    if target.file_name().is_none() {
        let message = format!("{:?} is no file name; give one like out.mp4", target.as_os_str());
        return Err(Fault::Usage.error(message));
    }
    if inputs.iter().any(|input| same_file(input, target)) {
        return Err(is_input(target));
    }
    if let Ok(found) = fs::metadata(target)
        && !found.is_file()
    {
        let kind = if found.is_dir() { "a folder" } else { "no plain file" };
        return Err(Fault::Output.error(format!("{shown} is {kind}; give the name of a file")));
    }
    if !overwrite && fs::symlink_metadata(target).is_ok() {
        return Err(Fault::Output.error(format!("{shown} exists; give another name, or --overwrite")));
    }
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        let message = format!("cannot write {shown}: there is no folder {}; create it", folder.display());
        return Err(Fault::Output.error(message));
    }
    if !may_write(folder) {
        let message = format!("cannot write {shown}: you may not write to the folder {}", folder.display());
        return Err(Fault::Output.error(message));
    }
    Ok(())
}

/// Whether the system would let us make a file in the folder, as far as it tells.
fn may_write(folder: &Path) -> bool {
    #[cfg(unix)]
    if let Ok(folder) = std::ffi::CString::new(folder.as_os_str().as_encoded_bytes()) {
        // SAFETY: the path is a string that ends in a zero and outlives the call, which only looks.
        return unsafe { libc::access(folder.as_ptr(), libc::W_OK) } == 0;
    }
    let _ = folder;
    true
}

fn is_input(path: &Path) -> anyhow::Error {
    Fault::Output.error(format!("{} is the input itself; give the output another name", path.display()))
}

/// The name with `suffix` after it, shortened where it would get too long.
fn with_suffix(target: &Path, suffix: &str) -> Result<PathBuf> {
    let name = target.file_name().ok_or_else(|| Fault::Usage.error("an output needs a file name"))?;
    let mut partial = name.to_owned();
    if partial.len() + suffix.len() > NAME_MAX {
        let lossy = name.to_string_lossy();
        partial = OsString::from(&lossy[..lossy.floor_char_boundary(NAME_MAX - suffix.len())]);
    }
    partial.push(suffix);
    Ok(target.with_file_name(partial))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn the_name_appears_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a.txt");
        let partial = Partial::create(&target, SUFFIX, &[], false).unwrap();
        partial.writer().unwrap().write_all(b"whole").unwrap();
        assert!(!target.exists());
        partial.publish().unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"whole");
        assert!(check_target(&target, &[], false).unwrap_err().to_string().contains("exists"));
        assert!(check_target(&target, &[], true).is_ok());
    }

    #[test]
    fn long_names_are_shortened_to_what_file_systems_take() {
        let name = "ü".repeat(127);
        let partial = with_suffix(Path::new(&name), SUFFIX).unwrap();
        assert!(partial.as_os_str().len() <= NAME_MAX && partial.to_str().unwrap().ends_with("ü.partial"));
    }

    #[test]
    fn devices_are_not_replaced() {
        let error = check_target(Path::new("/dev/null"), &[], true).unwrap_err();
        assert!(error.to_string().contains("no plain file"), "{error}");
    }
}
