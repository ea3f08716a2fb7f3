//! The available models: those in the binary and those in `models/` folders.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use facemark::detect::FaceNet;
use facemark::model::LandmarkModel;
use facemark::models;
use facemark::onnx::MAX_FILE;
use facemark::onnx::spec::{ANY_USE, RESEARCH_ONLY, Spec};

use crate::error::{Blame, Fault};

/// The model that is used when none is named: 68 points.
pub const DEFAULT: &str = "compact";

/// The face detector that is used when none is named.
pub const DETECTOR: &str = "face";

/// In the binary itself, so that it runs from any folder.
static BUILT_IN: [(&str, &[u8]); 8] = [
    ("compact", models::COMPACT),
    ("mesh", models::MESH),
    ("large", include_bytes!("../models/large.onnx")),
    ("resnet18", include_bytes!("../models/resnet18.onnx")),
    ("full-face", include_bytes!("../models/full-face.onnx")),
    ("nose", include_bytes!("../models/nose.onnx")),
    ("face", models::FACE),
    ("face-research", include_bytes!("../models/face-research.onnx")),
];

/// Where a model's bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// In the binary.
    BuiltIn(&'static str, &'static [u8]),
    /// In a file.
    File(PathBuf),
}

impl Entry {
    /// The model's name, or the file's path.
    pub fn name(&self) -> String {
        match self {
            Self::BuiltIn(name, _) => (*name).to_owned(),
            Self::File(path) => path.display().to_string(),
        }
    }

    /// Loads a landmark model; the net can use `threads` threads.
    ///
    /// # Errors
    /// [`Fault::Model`] if the file cannot be read or is not one of our landmark models.
    pub fn load(&self, threads: usize) -> Result<LandmarkModel> {
        self.loaded(|bytes| Ok(LandmarkModel::from_bytes(bytes, threads)?))
    }

    /// Loads a face detector; the net can use `threads` threads.
    ///
    /// # Errors
    /// [`Fault::Model`] if the file cannot be read or is not one of our face detectors.
    pub fn load_detector(&self, threads: usize) -> Result<FaceNet> {
        self.loaded(|bytes| Ok(FaceNet::from_bytes(bytes, threads)?))
    }

    /// What the model says about itself, without loading its net.
    ///
    /// # Errors
    /// [`Fault::Model`] if the file cannot be read or is not one of our models.
    pub fn spec(&self) -> Result<Spec> {
        self.loaded(|bytes| Ok(Spec::of_file(bytes)?))
    }

    /// What the model may be used for.
    ///
    /// # Errors
    /// As [`spec`](Self::spec).
    pub fn terms(&self) -> Result<String> {
        let otherwise = if matches!(self, Self::BuiltIn(..)) { RESEARCH_ONLY } else { "not stated" };
        Ok(self.spec()?.terms().unwrap_or(otherwise).to_owned())
    }

    /// Refuses a model that may not be used for everything.
    ///
    /// # Errors
    /// [`Fault::Model`] for such a model, and as [`spec`](Self::spec).
    pub fn ensure_open(&self) -> Result<()> {
        let terms = self.terms()?;
        if terms.starts_with(ANY_USE) {
            return Ok(());
        }
        let name = self.name();
        let message =
            format!("--terms open refuses the model {name} ({terms}); 'facemark models' lists others");
        Err(Fault::Model.error(message))
    }

    fn loaded<T>(&self, load: impl FnOnce(&[u8]) -> Result<T>) -> Result<T> {
        let name = self.name();
        match self {
            Self::BuiltIn(_, bytes) => load(bytes),
            Self::File(path) => {
                let size = self.size();
                if size > MAX_FILE {
                    let message =
                        format!("the model {name} has {size} bytes; none of ours has more than {MAX_FILE}");
                    return Err(Fault::Model.error(message));
                }
                let bytes = fs::read(path).blame(Fault::Model, || format!("cannot read the model {name}"))?;
                load(&bytes)
            }
        }
        .blame(Fault::Model, || format!("cannot load the model {name}"))
    }

    /// Size of the file in bytes.
    pub fn size(&self) -> u64 {
        match self {
            Self::BuiltIn(_, bytes) => bytes.len() as u64,
            Self::File(path) => fs::metadata(path).map_or(0, |file| file.len()),
        }
    }
}

/// The model of this name or in this file.
///
/// Anything that ends in `.onnx` or contains a slash is a path. A name is looked for in the binary, then as
/// `NAME.onnx` in the folders of `folders`.
///
/// # Errors
/// [`Fault::Model`] if there is none; the message lists the available names.
pub fn find(name: &str) -> Result<Entry> {
    let path = Path::new(name);
    if path.components().count() > 1 || path.extension().is_some_and(|extension| extension == "onnx") {
        return if path.is_file() {
            Ok(Entry::File(path.to_owned()))
        } else {
            Err(Fault::Model.error(format!("there is no model file {name}")))
        };
    }
    let all = list();
    let found = all.iter().find(|entry| short_name(entry) == name).cloned();
    found.ok_or_else(|| {
        let known: Vec<String> = all.iter().map(short_name).collect();
        Fault::Model.error(format!(
            "unknown model {name:?}; there are {}; or pass the path of an .onnx file",
            known.join(", ")
        ))
    })
}

/// All models: the built-in ones, then the `.onnx` files of the `folders`, by name.
pub fn list() -> Vec<Entry> {
    let built_in = BUILT_IN.iter().map(|&(name, bytes)| Entry::BuiltIn(name, bytes));
    let is_new = |path: &PathBuf| !BUILT_IN.iter().any(|(name, _)| path.file_stem() == Some(name.as_ref()));
    built_in
        .chain(folders().iter().flat_map(|folder| files(folder)).filter(is_new).map(Entry::File))
        .collect()
}

/// Where to look for more models: `$FACEMARK_MODELS`, `models` in the current folder, and `models` beside the binary.
fn folders() -> Vec<PathBuf> {
    let variable = env::var_os("FACEMARK_MODELS").map(PathBuf::from);
    let beside = env::current_exe().ok().and_then(|exe| Some(exe.parent()?.join("models")));
    variable.into_iter().chain([PathBuf::from("models")]).chain(beside).collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|extension| extension == "onnx")).collect();
    files.sort();
    files
}

fn short_name(entry: &Entry) -> String {
    match entry {
        Entry::BuiltIn(name, _) => (*name).to_owned(),
        Entry::File(path) => path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_models_load_as_what_they_are() {
        assert!(find(DEFAULT).unwrap().load(1).is_ok());
        assert!(find(DETECTOR).unwrap().load_detector(1).is_ok());
        let message = |result: Result<()>| format!("{:#}", result.unwrap_err());
        let wrong = message(find(DETECTOR).unwrap().load(1).map(drop));
        assert!(wrong.contains("face") && wrong.contains("not a landmark model"), "{wrong}");
        let wrong = message(find("nose").unwrap().load_detector(1).map(drop));
        assert!(wrong.contains("nose") && wrong.contains("not a face detector"), "{wrong}");
    }
}
