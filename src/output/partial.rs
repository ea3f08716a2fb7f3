//! An output file while it is being written: `NAME.partial`, which gets its final name only when it is complete.
//! Nothing else in the program creates or renames an output.

use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::sink::End;
use super::target::{FileTarget, Incomplete, PARTIAL};
use crate::error::{Blame, Fault};

/// A file that is not complete yet. It stays on disk when dropped; callers that give up on it must remove it.
pub(super) struct Partial {
    target: FileTarget,
    path: PathBuf,
    file: File,
}

impl Partial {
    /// Creates the file with `suffix` appended to its name.
    ///
    /// # Errors
    /// [`Fault::Output`] if the file cannot be created.
    pub(super) fn create(target: &FileTarget, suffix: &str) -> Result<Self> {
        let path = target.temporary(suffix);
        // A leftover of an earlier run is removed, not overwritten: the name may be a link to something valuable.
        let _ = fs::remove_file(&path);
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path);
        let file = file.blame(Fault::Output, || format!("cannot create {}", path.display()))?;
        Ok(Self { target: target.clone(), path, file })
    }

    /// Another handle to the same open file.
    pub(super) fn writer(&self) -> Result<File> {
        self.file.try_clone().blame(Fault::Output, || format!("cannot write {}", self.path.display()))
    }

    /// The name that the file has until it is complete.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether nothing of the file may be left if it is not completed.
    pub(super) fn leaves_nothing(&self) -> bool {
        matches!(self.target.incomplete(), Incomplete::Remove(_))
    }

    /// The name that the file will have.
    pub(super) fn target(&self) -> &FileTarget {
        &self.target
    }

    /// Ends the file as its target says: usually with its final name.
    pub(super) fn end(&self, end: End) -> Result<()> {
        match self.target.incomplete() {
            Incomplete::SetAside if end == End::CutShort => {
                let name = self.target.temporary(PARTIAL);
                fs::rename(&self.path, &name)
                    .blame(Fault::Output, || format!("cannot rename {}", self.path.display()))?;
                let (shown, name) = (self.target.path().display(), name.display());
                log::warn!("{shown} is not finished: it is called {name}");
                Ok(())
            }
            Incomplete::Remove(_) if end == End::CutShort => {
                self.remove();
                Ok(())
            }
            _ => self.publish(),
        }
    }

    /// Makes sure that the file has reached the disk, and gives it its final name. During a long run, another file
    /// may have taken that name.
    fn publish(&self) -> Result<()> {
        let (shown, target) = (self.path.display(), self.target.path());
        self.file.sync_all().blame(Fault::Output, || format!("cannot write {shown}"))?;
        if self.target.is_taken() {
            let message = format!("cannot rename {shown} to {}: it exists by now", target.display());
            return Err(Fault::Output.error(message));
        }
        fs::rename(&self.path, target)
            .blame(Fault::Output, || format!("cannot rename {shown} to {}", target.display()))
    }

    /// Removes the file. Nothing can be done if that fails; the reason for removing it is reported elsewhere.
    pub(super) fn remove(&self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Writes a whole file at once. If that fails, nothing is left: half a picture is useless.
///
/// # Errors
/// [`Fault::Output`] if the file cannot be written.
pub(crate) fn write_whole(
    target: &FileTarget,
    write: impl FnOnce(&mut BufWriter<File>) -> Result<()>,
) -> Result<()> {
    let partial = Partial::create(target, PARTIAL)?;
    let fill = || {
        let mut out = BufWriter::new(partial.writer()?);
        write(&mut out)?;
        out.flush()?;
        partial.publish()
    };
    let result = fill();
    if result.is_err() {
        partial.remove();
    }
    result.blame(Fault::Output, || format!("cannot write {}", target.path().display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_appears_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        let partial = Partial::create(&FileTarget::new(&path, &[], false).unwrap(), PARTIAL).unwrap();
        partial.writer().unwrap().write_all(b"whole").unwrap();
        assert!(!path.exists());
        partial.publish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
    }

    #[test]
    fn what_has_taken_the_name_meanwhile_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        for (overwrite, content) in [(false, "theirs"), (true, "ours")] {
            let _ = fs::remove_file(&path);
            let target = FileTarget::new(&path, &[], overwrite).unwrap();
            let partial = Partial::create(&target, PARTIAL).unwrap();
            partial.writer().unwrap().write_all(b"ours").unwrap();
            fs::write(&path, "theirs").unwrap();
            assert_eq!(partial.publish().is_ok(), overwrite);
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
    }

    #[test]
    fn a_file_that_is_written_at_once_is_there_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        let target = FileTarget::new(&path, &[], false).unwrap();
        let failed = write_whole(&target, |out| {
            out.write_all(b"half")?;
            anyhow::bail!("no more")
        });
        assert_eq!(Fault::of(&failed.unwrap_err()), Fault::Output);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        write_whole(&target, |out| Ok(out.write_all(b"whole")?)).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
