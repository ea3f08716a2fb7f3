//! A run's folder: recipe, record, metrics and checkpoints.
//!
//! | file | what |
//! |---|---|
//! | `recipe.toml` | the [`Recipe`] |
//! | `run.json` | the [`Record`]: data, commit, initial shape |
//! | `metrics.jsonl` | an [`Epoch`] a line |
//! | `last.mpk` | net, optimiser and progress after the last whole epoch, to go on from |
//! | `best.mpk` | the net after the epoch with the smallest validation error |

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::files::write_atomically;
use crate::recipe::Recipe;

/// What a recipe does not say about a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// The data folder's name.
    pub data: String,
    /// Faces trained on.
    pub n_training: usize,
    /// Faces held out.
    pub n_validation: usize,
    /// The program's state in git, if it ran in its repository.
    pub commit: String,
    /// The run or model that the weights come from; none for random weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init: Option<String>,
    /// The mean of the training faces' points, in crop sides: what the net answers at first.
    pub mean_shape: Vec<f32>,
}

/// One epoch's figures.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Epoch {
    /// 1-based.
    pub epoch: usize,
    /// Mean loss over the training batches.
    pub loss: f64,
    /// The same of the validation faces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_loss: Option<f64>,
    /// Mean NME of the validation faces, per cent; for a detector, 1 - IoU with them.
    pub validation_nme: f64,
    /// Mean point error of the validation faces, in pixels of their photos.
    pub validation_pixels: f64,
    /// The last step's learning rate.
    pub lr: f64,
    /// Training photos per second.
    pub photos_per_second: f64,
    /// Share of the training time in which the net waited for the loader.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waited: Option<f64>,
    /// Seconds since the epoch's start, validation included.
    pub seconds: f64,
}

/// A run's folder.
#[derive(Clone, Debug)]
pub struct RunDir {
    path: PathBuf,
}

impl RunDir {
    /// Makes the folder of a new run.
    ///
    /// # Errors
    /// If it holds a run already.
    pub fn create(path: &Path, recipe: &Recipe, record: &Record) -> Result<Self> {
        let dir = Self { path: path.to_owned() };
        ensure!(
            !dir.file("last.mpk").exists(),
            "{} holds a run already; add --resume to go on with it, or choose another folder",
            path.display()
        );
        fs::create_dir_all(path).with_context(|| format!("cannot make the folder {}", path.display()))?;
        write_atomically(&dir.file("recipe.toml"), recipe.to_toml()?.as_bytes())?;
        let json = serde_json::to_vec_pretty(record).context("cannot write the run's record")?;
        write_atomically(&dir.file("run.json"), &json)?;
        write_atomically(&dir.file("metrics.jsonl"), &[])?;
        Ok(dir)
    }

    /// Opens the folder of a run that has begun.
    pub fn open(path: &Path) -> Result<(Self, Recipe, Record)> {
        let dir = Self { path: path.to_owned() };
        let recipe = Recipe::load(&dir.file("recipe.toml"))?;
        let file = dir.file("run.json");
        let json = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let record = serde_json::from_slice(&json)
            .with_context(|| format!("{} is not a run's record", file.display()))?;
        Ok((dir, recipe, record))
    }

    /// Adds an epoch's figures. What a broken-off run wrote for this epoch or later ones goes.
    pub fn log(&self, epoch: &Epoch) -> Result<()> {
        let mut epochs = self.metrics()?;
        epochs.retain(|old| old.epoch < epoch.epoch);
        epochs.push(epoch.clone());
        let lines: Result<String> = epochs.iter().map(|e| Ok(serde_json::to_string(e)? + "\n")).collect();
        write_atomically(&self.file("metrics.jsonl"), lines?.as_bytes())
    }

    /// The figures of all epochs so far.
    pub fn metrics(&self) -> Result<Vec<Epoch>> {
        let file = self.file("metrics.jsonl");
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let parse = |(index, line)| {
            serde_json::from_str(line)
                .with_context(|| format!("{}: line {} is not an epoch", file.display(), index + 1))
        };
        text.lines().enumerate().map(parse).collect()
    }

    /// The path of one of its files.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

/// Recorded if the program did not run in a repository.
pub const UNKNOWN_COMMIT: &str = "unknown";

/// The commit that the working folder is at, for the training record.
pub fn commit() -> String {
    let output = Command::new("git").args(["describe", "--always", "--dirty"]).output();
    match output {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        _ => UNKNOWN_COMMIT.to_owned(),
    }
}
