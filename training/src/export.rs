//! A run's net as an ONNX file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use burn::module::AutodiffModule;
use burn::tensor::backend::{AutodiffBackend, Backend};
use clap::ValueEnum;
use facemark::onnx::spec::{ModelSpec, TERMS};

use crate::average;
use crate::checkpoint::optimiser;
use crate::files::write_atomically;
use crate::nets::{Net, Storage};
use crate::recipe::Recipe;
use crate::run_dir::{Epoch, Record, RunDir};

/// Which of a run's nets to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Which {
    /// The one with the smallest validation error.
    Best,
    /// The one after the last epoch.
    Last,
}

/// A run's net, ready to be used.
pub struct Exported<B: Backend> {
    /// The net.
    pub net: Net<B>,
    /// What its file says of it.
    pub spec: ModelSpec,
}

/// Reads one of a run's nets.
pub fn read<B: AutodiffBackend>(
    run: &Path,
    which: Which,
    device: &B::Device,
) -> Result<Exported<B::InnerBackend>> {
    let (dir, recipe, record) = RunDir::open(run)?;
    let net = Net::<B>::new(recipe.net, &record.mean_shape, device);
    let net = match which {
        Which::Best => dir.load_best(net.valid(), device)?,
        Which::Last => dir.load(net, optimiser(&recipe), device)?.best_net(),
    };
    let mut spec = recipe.net.spec(recipe.framing);
    spec.training = training_record(&dir.metrics()?, &recipe, &record, which)?;
    Ok(Exported { net, spec })
}

/// Writes a run's net, or the mean of its weights and those of `others`, to an ONNX file with these terms of use; its size in
/// bytes.
///
/// # Errors
/// If a run cannot be read, the runs are not of one net with one mean shape, or the file cannot be written.
pub fn export<B: AutodiffBackend>(
    run: &Path,
    others: &[PathBuf],
    output: &Path,
    which: Which,
    storage: Storage,
    terms: Option<&str>,
    device: &B::Device,
) -> Result<usize> {
    let Exported { mut net, mut spec } = read::<B>(run, which, device)?;
    if !others.is_empty() {
        net = average::mean(net, &read_others::<B>(others, which, &spec, device)?);
        // They were measured with the first net alone.
        for key in ["loss", "validation_nme", "validation_pixels"] {
            spec.training.remove(key);
        }
        let names = [run].into_iter().chain(others.iter().map(PathBuf::as_path));
        let names = names.map(|run| run.file_name().unwrap_or_default().to_string_lossy());
        spec.training.insert("mean_of".to_owned(), names.collect::<Vec<_>>().join(", "));
    }
    spec.training.extend(terms.map(|terms| (TERMS.to_owned(), terms.to_owned())));
    let bytes = net.to_onnx(&spec, storage);
    write_atomically(output, &bytes)?;
    Ok(bytes.len())
}

/// The nets of further runs, which have to be like the first.
fn read_others<B: AutodiffBackend>(
    runs: &[PathBuf],
    which: Which,
    first: &ModelSpec,
    device: &B::Device,
) -> Result<Vec<Net<B::InnerBackend>>> {
    let read = |run: &PathBuf| {
        let Exported { net, spec } = read::<B>(run, which, device)?;
        let alike = spec.training.get("mean_shape") == first.training.get("mean_shape")
            && ModelSpec { training: first.training.clone(), ..spec } == *first;
        ensure!(alike, "{} is a run of another net, or with another mean shape", run.display());
        Ok(net)
    };
    runs.iter().map(read).collect()
}

/// How the model came about, for its metadata.
fn training_record(
    epochs: &[Epoch],
    recipe: &Recipe,
    record: &Record,
    which: Which,
) -> Result<BTreeMap<String, String>> {
    let epoch = match which {
        Which::Best => epochs.iter().min_by(|a, b| a.validation_nme.total_cmp(&b.validation_nme)),
        Which::Last => epochs.last(),
    };
    let epoch = epoch.context("the run has not finished an epoch")?;
    let mean_shape: Vec<String> = record.mean_shape.iter().map(|v| format!("{v:.5}")).collect();
    let entries = [
        ("data", record.data.clone()),
        ("faces", format!("{} trained on, {} held out", record.n_training, record.n_validation)),
        ("seed", recipe.seed.to_string()),
        ("epochs", format!("{} of {}", epoch.epoch, recipe.epochs)),
        ("commit", record.commit.clone()),
        ("init", record.init.clone().unwrap_or_else(|| "random weights".to_owned())),
        ("loss", format!("{:.6}", epoch.loss)),
        ("validation_nme", format!("{:.3} %", epoch.validation_nme)),
        ("validation_pixels", format!("{:.2}", epoch.validation_pixels)),
        ("recipe", recipe.to_toml()?),
        ("mean_shape", mean_shape.join(" ")),
    ];
    Ok(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}
