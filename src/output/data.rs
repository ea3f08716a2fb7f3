//! A text file that gets its final name once it is complete, or standard output, or a device or pipe.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};

use anyhow::Result;

use super::partial::Partial;
use super::sink::End;
use super::target::{PARTIAL, Target};
use crate::error::{Blame, Fault};

/// An output for lines of text. Each line is written immediately and in one piece, so that a killed run leaves no
/// partial line, and other programs can read along.
pub struct DataFile {
    out: Box<dyn Write>,
    name: String,
    is_stdout: bool,
    /// `None` if bytes are written directly to their destination.
    partial: Option<Partial>,
}

impl DataFile {
    /// Opens the output: for a file, its `NAME.partial`.
    ///
    /// # Errors
    /// [`Fault::Output`] if that fails.
    pub fn create(target: &Target) -> Result<Self> {
        match target {
            Target::Stdout => {
                let (out, name) = (Box::new(io::stdout()), "standard output".to_owned());
                Ok(Self { out, name, is_stdout: true, partial: None })
            }
            Target::Special(path) => {
                let name = path.display().to_string();
                let file = OpenOptions::new().write(true).open(path);
                let file = file.blame(Fault::Output, || format!("cannot open {name}"))?;
                Ok(Self { out: Box::new(file), name, is_stdout: false, partial: None })
            }
            Target::File(target) => {
                let partial = Partial::create(target, PARTIAL)?;
                let (out, name) = (Box::new(partial.writer()?), partial.path().display().to_string());
                Ok(Self { out, name, is_stdout: false, partial: Some(partial) })
            }
        }
    }

    /// Writes all of the bytes.
    ///
    /// # Errors
    /// [`Fault::Output`], or [`Fault::ClosedPipe`] if standard output has no reader any more.
    pub fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.write_all(bytes).and_then(|()| self.flush()).map_err(|error| self.failure(&error))
    }

    /// Ends the file: if all was written, or its target does not ask for that, with its final name.
    ///
    /// # Errors
    /// [`Fault::Output`] if that fails.
    pub fn finish(&self, end: End) -> Result<()> {
        self.partial.as_ref().map_or(Ok(()), |partial| partial.end(end))
    }

    /// What a failed write means for the run.
    pub(super) fn failure(&self, error: &io::Error) -> anyhow::Error {
        if self.is_stdout && error.kind() == ErrorKind::BrokenPipe {
            return Fault::ClosedPipe.error("standard output was closed");
        }
        Fault::Output.error(format!("cannot write to {}: {error}", self.name))
    }
}

impl Write for DataFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl Drop for DataFile {
    /// Removes an unfinished file if it is empty or nothing may be left, and otherwise reports where it is.
    fn drop(&mut self) {
        let Some(partial) = &self.partial else { return };
        match fs::metadata(partial.path()) {
            Ok(file) if file.len() > 0 && !partial.leaves_nothing() => {
                log::warn!("what was written before the failure is left in {}", partial.path().display());
            }
            Ok(_) => partial.remove(),
            // The file already has its final name.
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn create(path: &Path) -> DataFile {
        DataFile::create(&Target::new(path, &[], false).unwrap()).unwrap()
    }

    #[test]
    fn the_name_appears_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jsonl");
        let mut file = create(&path);
        file.put(b"one\n").unwrap();
        assert!(!path.exists());
        file.finish(End::Complete).unwrap();
        drop(file);
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\n");
    }

    #[test]
    fn what_was_written_before_a_failure_stays_partial_and_nothing_stays_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jsonl");
        drop(create(&path));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        create(&path).put(b"one\n").unwrap();
        assert!(!path.exists() && folder.path().join("a.jsonl.partial").exists());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn devices_are_written_to_and_their_errors_told() {
        create(Path::new("/dev/null")).put(b"one\n").unwrap();
        let error = create(Path::new("/dev/full")).put(b"one\n").unwrap_err();
        assert!(error.to_string().contains("/dev/full: No space left"));
    }
}
