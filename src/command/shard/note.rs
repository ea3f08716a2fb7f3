//! The list as it was dealt out, noted beside the outputs: `facemark status` learns from it what has not begun.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::process::Process;
use super::unit::Unit;
use crate::cli::Annotate;
use crate::error::{Blame, Fault};
use crate::output::target::{FileTarget, Incomplete};
use crate::output::write_whole;

/// The name of the file, which holds the newest list.
pub(super) const NAME: &str = "facemark.list.json";

/// A video or range of the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// The video's name in the list.
    pub(super) video: String,
    /// The number of the range, from 1, and of how many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) range: Option<[u32; 2]>,
    /// The file with its state.
    pub(super) state: String,
    /// The files that are there once it is complete; those beside this one by their names alone.
    pub(super) outputs: Vec<String>,
    /// Or else the files of the whole video.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) merged: Vec<String>,
}

impl Entry {
    fn new(unit: &Unit, args: &Annotate, folder: &Path) -> Self {
        let name = |path: &Path| match path.parent() == Some(folder) {
            true => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            false => std::path::absolute(path).unwrap_or(path.to_owned()).to_string_lossy().into_owned(),
        };
        let names = |paths: Vec<PathBuf>| paths.iter().map(|path| name(path)).collect();
        Self {
            video: unit.video.to_string_lossy().into_owned(),
            range: unit.numbers(),
            state: name(&unit.state(folder)),
            outputs: names(unit.outputs(args)),
            merged: names(unit.merged(args)),
        }
    }

    /// Whether its outputs are complete.
    pub(super) fn is_complete(&self, folder: &Path) -> bool {
        let all = |names: &[String]| !names.is_empty() && names.iter().all(|name| folder.join(name).exists());
        all(&self.outputs) || all(&self.merged)
    }
}

/// Notes the list in `folder`, unless it is there already.
///
/// # Errors
/// [`Fault::Output`] if the file cannot be written.
pub(super) fn write(units: &[Unit], args: &Annotate, folder: &Path) -> Result<()> {
    let entries: Vec<_> = units.iter().map(|unit| Entry::new(unit, args, folder)).collect();
    let text =
        serde_json::to_string_pretty(&entries).blame(Fault::Failure, || "turning the list into JSON")?;
    let path = folder.join(NAME);
    if fs::read_to_string(&path).is_ok_and(|noted| noted == text) {
        return Ok(());
    }
    let incomplete = Incomplete::Remove(Process::this().word.clone());
    write_whole(&FileTarget::new(&path, &[], true)?.or(incomplete), |out| Ok(out.write_all(text.as_bytes())?))
}

/// The entries that are noted in `folder`; none if there is no note.
pub(super) fn read(folder: &Path) -> Vec<Entry> {
    let text = fs::read(folder.join(NAME)).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}
