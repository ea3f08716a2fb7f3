//! A text file that appears under its name once it is complete, or standard output, or a device or pipe.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use anyhow::Result;

use super::partial::{Partial, SUFFIX};
use crate::error::{Blame, Fault};

/// An output for lines of text. Each goes to the system whole and at once, so that a run that is killed leaves no
/// half line, and somebody may be reading along.
pub struct DataFile {
    out: Box<dyn Write>,
    name: String,
    is_stdout: bool,
    /// `None` where bytes go straight to their goal.
    partial: Option<Partial>,
}

impl DataFile {
    /// Opens `NAME.partial` for `NAME`, standard output for `-`, and what is no plain file, such as a named pipe, as it is.
    ///
    /// # Errors
    /// [`Fault::Output`] if the file cannot be created, or exists and may not be overwritten.
    pub fn create(path: &Path, overwrite: bool) -> Result<Self> {
        if path == Path::new("-") {
            let (out, name) = (Box::new(io::stdout()), "standard output".to_owned());
            return Ok(Self { out, name, is_stdout: true, partial: None });
        }
        let (partial, file, written) = if is_special(path) {
            let file = OpenOptions::new().write(true).open(path);
            (None, file.blame(Fault::Output, || format!("cannot open {}", path.display()))?, path.to_owned())
        } else {
            let partial = Partial::create(path, SUFFIX, &[], overwrite)?;
            let (file, written): (File, _) = (partial.writer()?, partial.path().to_owned());
            (Some(partial), file, written)
        };
        Ok(Self { out: Box::new(file), name: written.display().to_string(), is_stdout: false, partial })
    }

    /// Writes something whole.
    ///
    /// # Errors
    /// [`Fault::Output`], or [`Fault::ClosedPipe`] if nobody reads standard output any more.
    pub fn put(&mut self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
        let mut bytes = Vec::new();
        let result =
            write(&mut bytes).and_then(|()| self.out.write_all(&bytes)).and_then(|()| self.out.flush());
        result.map_err(|error| self.failure(&error))
    }

    /// Completes the file and gives it its final name.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub fn finish(&mut self) -> Result<()> {
        self.partial.take().map_or(Ok(()), |partial| partial.publish())
    }

    fn failure(&self, error: &io::Error) -> anyhow::Error {
        if self.is_stdout && error.kind() == ErrorKind::BrokenPipe {
            return Fault::ClosedPipe.error("standard output was closed");
        }
        Fault::Output.error(format!("cannot write to {}: {error}", self.name))
    }
}

/// Whether the name leads to a device, a pipe or the like, where there is nothing to keep or to replace.
pub fn is_special(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir())
}

impl Drop for DataFile {
    /// Takes an unfinished file away if nothing is in it, and else says where it is.
    fn drop(&mut self) {
        let Some(partial) = &self.partial else { return };
        if fs::metadata(partial.path()).is_ok_and(|file| file.len() > 0) {
            log::warn!("what was written before the failure is left in {}", partial.path().display());
        } else {
            partial.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_appears_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jsonl");
        let mut file = DataFile::create(&path, false).unwrap();
        file.put(|out| writeln!(out, "one")).unwrap();
        assert!(!path.exists());
        file.finish().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\n");
        assert!(DataFile::create(&path, false).is_err());
        assert!(DataFile::create(&path, true).is_ok());
    }

    #[test]
    fn what_was_written_before_a_failure_stays_partial_and_nothing_stays_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jsonl");
        drop(DataFile::create(&path, false).unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        DataFile::create(&path, false).unwrap().put(|out| writeln!(out, "one")).unwrap();
        assert!(!path.exists() && folder.path().join("a.jsonl.partial").exists());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn devices_are_written_to_and_their_errors_told() {
        DataFile::create(Path::new("/dev/null"), false).unwrap().put(|out| writeln!(out, "one")).unwrap();
        let error = DataFile::create(Path::new("/dev/full"), false).unwrap().put(|out| writeln!(out, "one"));
        assert!(error.unwrap_err().to_string().contains("/dev/full: No space left"));
    }
}
