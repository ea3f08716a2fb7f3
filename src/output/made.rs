//! Folders that are created for outputs.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::error::{Blame, Fault};

/// A folder for outputs. When dropped, the folders that were created for it are removed if they are empty: a run that
/// is rejected leaves nothing behind.
#[derive(Debug)]
pub struct MadeFolder {
    /// The folders that did not exist, the innermost first.
    made: Vec<PathBuf>,
}

impl MadeFolder {
    /// Creates the folder and its parents if they do not exist.
    ///
    /// # Errors
    /// [`Fault::Output`] if it cannot be created.
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
        // A folder that is not empty stays, and so do its parents.
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
