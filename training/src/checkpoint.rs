//! A training between two epochs, and its checkpoints in the run's folder.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use burn::grad_clipping::GradientClippingConfig;
use burn::module::{AutodiffModule, Module};
use burn::optim::adaptor::OptimizerAdaptor;
use burn::optim::{AdamW, AdamWConfig, Optimizer};
use burn::record::{FullPrecisionSettings, NamedMpkBytesRecorder, Recorder};
use burn::tensor::backend::{AutodiffBackend, Backend};

use crate::files::write_atomically;
use crate::nets::Net;
use crate::recipe::Recipe;
use crate::run_dir::RunDir;

/// AdamW over all of a net's parameters.
pub type Optimiser<B> = OptimizerAdaptor<AdamW, Net<B>, B>;

/// A training at the end of an epoch.
pub struct State<B: AutodiffBackend> {
    /// The net.
    pub net: Net<B>,
    /// The moving average of its weights, where the recipe asks for one.
    pub average: Option<Net<B::InnerBackend>>,
    /// With its momenta.
    pub optimiser: Optimiser<B>,
    /// How far it has come.
    pub progress: Progress,
}

impl<B: AutodiffBackend> State<B> {
    /// The net to validate and to use: the average if there is one.
    pub fn best_net(&self) -> Net<B::InnerBackend> {
        self.average.clone().unwrap_or_else(|| self.net.valid())
    }
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
        let file = self.file("last.mpk");
        let checkpoint: Checkpoint<B> = decode(&file, device)?;
        let (weights, average, momenta, epochs, best_nme, best_epoch) = checkpoint;
        let load = |record| net.clone().with_record(record).with_context(|| foreign(&file));
        let average = average.map(load).transpose()?.map(|average| average.valid());
        Ok(State {
            net: load(weights)?,
            average,
            optimiser: optimiser.load_record(momenta),
            progress: Progress { epochs, best_nme, best_epoch },
        })
    }

    /// The best net so far.
    pub fn load_best<B: Backend>(&self, net: Net<B>, device: &B::Device) -> Result<Net<B>> {
        let file = self.file("best.mpk");
        net.with_record(decode(&file, device)?).with_context(|| foreign(&file))
    }
}

/// A fresh optimiser.
pub fn optimiser<B: AutodiffBackend>(recipe: &Recipe) -> Optimiser<B> {
    AdamWConfig::new()
        .with_epsilon(1e-8)
        .with_weight_decay(recipe.weight_decay)
        .with_grad_clipping(recipe.clip_norm.map(GradientClippingConfig::Norm))
        .init()
}

fn encode<B: Backend>(record: impl burn::record::Record<B>) -> Result<Vec<u8>> {
    let recorder = NamedMpkBytesRecorder::<FullPrecisionSettings>::default();
    Recorder::<B>::record(&recorder, record, ()).map_err(|e| anyhow!("cannot encode the checkpoint: {e}"))
}

fn decode<B: Backend, R: burn::record::Record<B>>(file: &Path, device: &B::Device) -> Result<R> {
    let bytes = fs::read(file).with_context(|| format!("cannot read the checkpoint {}", file.display()))?;
    let recorder = NamedMpkBytesRecorder::<FullPrecisionSettings>::default();
    Recorder::<B>::load(&recorder, bytes, device).map_err(|e| anyhow!("{}: {e}", foreign(file)))
}

fn foreign(file: &Path) -> String {
    format!("{} is not a checkpoint of this net", file.display())
}
