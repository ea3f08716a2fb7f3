//! A text file that appears under its name once it is complete, or standard output.

use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::error::{Blame, Fault};

/// An output for lines of text.
pub struct DataFile {
    out: BufWriter<Box<dyn Write>>,
    /// The final name and the one that is used until the end; `None` for standard output.
    names: Option<(PathBuf, PathBuf)>,
}

impl DataFile {
    /// Opens `NAME.partial` for `NAME`, or standard output for `-`.
    ///
    /// # Errors
    /// [`Fault::Output`] if the file cannot be created, or exists and may not be overwritten.
    pub fn create(path: &Path, overwrite: bool) -> Result<Self> {
        if path == Path::new("-") {
            return Ok(Self { out: BufWriter::new(Box::new(io::stdout())), names: None });
        }
        if path.exists() && !overwrite {
            let message = format!("{} exists; pass --overwrite to replace it", path.display());
            return Err(Fault::Output.error(message));
        }
        let mut partial = path.as_os_str().to_owned();
        partial.push(".partial");
        let partial = PathBuf::from(partial);
        let file =
            File::create(&partial).blame(Fault::Output, || format!("cannot create {}", partial.display()))?;
        Ok(Self { out: BufWriter::new(Box::new(file)), names: Some((path.to_owned(), partial)) })
    }

    /// Writes something whole. On standard output it is passed on at once: somebody may be reading along.
    ///
    /// # Errors
    /// [`Fault::Output`], or [`Fault::ClosedPipe`] if nobody reads standard output any more.
    pub fn put(&mut self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
        let result = write(&mut self.out);
        let result = if self.names.is_none() { result.and_then(|()| self.out.flush()) } else { result };
        result.map_err(|error| self.failure(error))
    }

    /// Completes the file and gives it its final name.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub fn finish(&mut self) -> Result<()> {
        self.out.flush().map_err(|error| self.failure(error))?;
        match &self.names {
            None => Ok(()),
            Some((path, partial)) => {
                fs::rename(partial, path).blame(Fault::Output, || format!("cannot name {}", path.display()))
            }
        }
    }

    fn failure(&self, error: io::Error) -> anyhow::Error {
        match &self.names {
            None if error.kind() == ErrorKind::BrokenPipe => {
                Fault::ClosedPipe.error("standard output was closed")
            }
            None => Fault::Output.error(format!("cannot write to standard output: {error}")),
            Some((_, partial)) => Fault::Output.error(format!("cannot write {}: {error}", partial.display())),
        }
    }
}

impl Drop for DataFile {
    /// Takes an unfinished file away if nothing is in it, and else says where it is.
    fn drop(&mut self) {
        let _ = self.out.flush();
        let Some((_, partial)) = &self.names else { return };
        match fs::metadata(partial) {
            Ok(file) if file.len() == 0 => drop(fs::remove_file(partial)),
            Ok(_) => log::warn!("what was written before the failure is left in {}", partial.display()),
            // It has its final name.
            Err(_) => (),
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
}
