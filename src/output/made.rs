//! Folders that are made for outputs.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::error::{Blame, Fault};

/// A folder for outputs. When dropped, what was made for it goes again as far as nothing is in it: a run that is refused
/// leaves nothing.
#[derive(Debug)]
pub struct MadeFolder {
    /// The folders that were not there, the innermost first.
    made: Vec<PathBuf>,
}

impl MadeFolder {
    /// Makes the folder and those around it, if they are not there.
    ///
    /// # Errors
    /// [`Fault::Output`] if it cannot be made.
    pub fn new(folder: &Path) -> Result<Self> {
        let around = folder.ancestors().filter(|folder| !folder.as_os_str().is_empty());
        let made = around.take_while(|folder| !folder.exists()).map(Path::to_owned).collect();
        fs::create_dir_all(folder)
            .blame(Fault::Output, || format!("cannot make the folder {}", folder.display()))?;
        Ok(Self { made })
    }
}

impl Drop for MadeFolder {
    fn drop(&mut self) {
        // One that holds something stays, and so do those around it.
        for folder in &self.made {
            if fs::remove_dir(folder).is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_made_for_nothing_goes_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        drop(MadeFolder::new(&path("a/b")).unwrap());
        assert!(!path("a").exists());
        let made = MadeFolder::new(&path("a/b/")).unwrap();
        fs::write(path("a/x"), "").unwrap();
        drop(made);
        assert!(path("a/x").exists() && !path("a/b").exists());
        drop(MadeFolder::new(&path("a")).unwrap());
        assert!(path("a").exists(), "it was there before");
    }
}
