//! A run's folder: recipe, record, metrics and checkpoints.
//!
//! | file | what |
//! |---|---|
//! | `recipe.toml` | the [`Recipe`] |
//! | `run.json` | the [`Record`]: data, commit, initial shape |
//! | `metrics.jsonl` | an [`Epoch`] a line |
//! | `last.mpk` | net, optimiser and progress after the last whole epoch, to go on from |
//! | `best.mpk` | the net after the epoch with the smallest validation error |

use std::fs::{self, File};
use std::io::Write;
use std::mem::discriminant;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, ensure};
use burn::module::{AutodiffModule, Module};
use burn::optim::Optimizer;
use burn::record::{FullPrecisionSettings, NamedMpkBytesRecorder, Recorder};
use burn::tensor::backend::{AutodiffBackend, Backend};
use serde::{Deserialize, Serialize};

use crate::config::Recipe;
use crate::nets::Net;
use crate::train::{Optimiser, State};

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
    /// Mean NME of the validation faces, per cent; a detector's is described at [`crate::faces::Detections`].
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

/// How far a run has come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Whole epochs trained.
    pub epochs: usize,
    /// Smallest validation NME so far, per cent.
    pub best_nme: f64,
    /// The epoch that had it, 1-based.
    pub best_epoch: usize,
}

/// A run's folder.
#[derive(Clone, Debug)]
pub struct RunDir {
    path: PathBuf,
}

type NetRecord<B> = <Net<B> as Module<B>>::Record;
type Momenta<B> = <Optimiser<B> as Optimizer<Net<B>, B>>::Record;
/// Net, average, optimiser, whole epochs, smallest validation error and its epoch.
type Checkpoint<B> = (NetRecord<B>, Option<NetRecord<B>>, Momenta<B>, usize, f64, usize);

impl Progress {
    /// Counts an epoch; whether it is the best so far.
    pub fn add(&mut self, nme: f64) -> bool {
        let is_best = nme < self.best_nme;
        self.epochs += 1;
        if is_best {
            (self.best_nme, self.best_epoch) = (nme, self.epochs);
        }
        is_best
    }

    /// Whether the last `patience` epochs brought nothing.
    pub fn is_stuck(&self, patience: Option<usize>) -> bool {
        patience.is_some_and(|patience| self.epochs >= self.best_epoch + patience)
    }
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
        recipe.save(&dir.file("recipe.toml"))?;
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
            .with_context(|| format!("{} is no run's record", file.display()))?;
        Ok((dir, recipe, record))
    }

    /// Saves everything that resuming needs, and the net apart if it is the best so far.
    pub fn save<B: AutodiffBackend>(&self, state: &State<B>, is_best: bool) -> Result<()> {
        let State { net, average, optimiser, progress } = state;
        if is_best {
            write_atomically(&self.file("best.mpk"), &encode(state.best_net().into_record())?)?;
        }
        let average = average.clone().map(|average| Net::<B>::from_inner(average).into_record());
        let checkpoint: Checkpoint<B> = (
            net.clone().into_record(),
            average,
            optimiser.to_record(),
            progress.epochs,
            progress.best_nme,
            progress.best_epoch,
        );
        write_atomically(&self.file("last.mpk"), &encode(checkpoint)?)
    }

    /// The state that [`RunDir::save`] saved, loaded into a fresh net and optimiser.
    pub fn load<B: AutodiffBackend>(
        &self,
        net: Net<B>,
        optimiser: Optimiser<B>,
        device: &B::Device,
    ) -> Result<State<B>> {
        let checkpoint: Checkpoint<B> = decode(&self.file("last.mpk"), device)?;
        let (net_record, average, momenta, epochs, best_nme, best_epoch) = checkpoint;
        let own = discriminant(&net.clone().into_record());
        let is_own = |record: &NetRecord<B>| discriminant(record) == own;
        ensure!(
            is_own(&net_record) && average.as_ref().is_none_or(is_own),
            "{} is no checkpoint of this net",
            self.file("last.mpk").display()
        );
        let average = average.map(|record| net.clone().load_record(record).valid());
        Ok(State {
            net: net.load_record(net_record),
            average,
            optimiser: optimiser.load_record(momenta),
            progress: Progress { epochs, best_nme, best_epoch },
        })
    }

    /// The best net so far.
    pub fn load_best<B: Backend>(&self, net: Net<B>, device: &B::Device) -> Result<Net<B>> {
        let file = self.file("best.mpk");
        let record: NetRecord<B> = decode(&file, device)?;
        ensure!(
            discriminant(&record) == discriminant(&net.clone().into_record()),
            "{} is no checkpoint of this net",
            file.display()
        );
        Ok(net.load_record(record))
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
                .with_context(|| format!("{}: line {} is no epoch", file.display(), index + 1))
        };
        text.lines().enumerate().map(parse).collect()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

fn encode<B: Backend>(record: impl burn::record::Record<B>) -> Result<Vec<u8>> {
    let recorder = NamedMpkBytesRecorder::<FullPrecisionSettings>::default();
    Recorder::<B>::record(&recorder, record, ()).map_err(|e| anyhow!("cannot encode the checkpoint: {e}"))
}

fn decode<B: Backend, R: burn::record::Record<B>>(file: &Path, device: &B::Device) -> Result<R> {
    let bytes = fs::read(file).with_context(|| format!("cannot read the checkpoint {}", file.display()))?;
    let recorder = NamedMpkBytesRecorder::<FullPrecisionSettings>::default();
    Recorder::<B>::load(&recorder, bytes, device)
        .map_err(|e| anyhow!("{} is no checkpoint of this net: {e}", file.display()))
}

/// Writes a file under its name only once it is complete, so that a full disk or a kill leaves the old one intact.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let partial = path.with_extension("partial");
    let write = || {
        let mut file = File::create(&partial)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&partial, path)
    };
    write().with_context(|| {
        // What is half written helps nobody and may be what filled the disk.
        let _ = fs::remove_file(&partial);
        format!("cannot write {}", path.display())
    })
}
