//! Everything that a run's page shows.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use burn::tensor::backend::AutodiffBackend;
use facemark::model::LandmarkModel;
use facemark::onnx::spec::ModelSpec;
use facemark::onnx::weights;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::held_out::{HeldOut, faces};
use super::photos::{self, OwnPhoto};
use super::rivals::{Rival, rival};
use crate::batch::crops::{augmented, plain};
use crate::batch::masks;
use crate::batch::{Example, regions};
use crate::dataset::mask::Mask;
use crate::dataset::{self, Sample, Source};
use crate::eval::find::{self, find_all};
use crate::eval::looks::{Given, Look, look, looks_title};
use crate::export::{self, Which};
use crate::metrics::Summary;
use crate::metrics::groups::{Group, groups};
use crate::nets::{Step, Storage};
use crate::recipe::{Recipe, Start};
use crate::run_dir::{Epoch, Record, RunDir};

/// Faces shown as samples, and as many augmented.
const N_SAMPLES: usize = 6;

/// What a report is made of.
pub struct Options {
    /// The annotated photos that the run was trained and validated with.
    pub data: Source,
    /// A folder with other photos.
    pub photos: Option<PathBuf>,
    /// Runs and exported files to compare with.
    pub against: Vec<PathBuf>,
    /// A text to show.
    pub notes: Option<PathBuf>,
    /// Leave out the data set's pictures.
    pub without_photos: bool,
    /// The HTML file.
    pub output: PathBuf,
}

/// Everything that the page shows.
pub struct Contents {
    pub recipe: Recipe,
    pub record: Record,
    pub epochs: Vec<Epoch>,
    pub layers: Vec<Step>,
    /// The first layer's weights, `[n, height, width]`.
    pub filters: (Vec<f32>, [usize; 3]),
    /// Training faces as they are, and augmented.
    pub samples: Vec<(Example, Example)>,
    /// Held-out faces, the worst first.
    pub held_out: Vec<HeldOut>,
    /// The held-out faces' errors by what they are given, and those of the mean shape.
    pub results: Vec<(String, Summary, Option<Summary>)>,
    pub groups: Vec<Group>,
    pub rivals: Vec<Rival>,
    pub own: Vec<OwnPhoto>,
    /// Paragraphs.
    pub notes: Vec<String>,
    pub without_photos: bool,
}

/// Reads a run and tries its best net.
pub fn contents<B: AutodiffBackend>(run: &Path, options: &Options, device: &B::Device) -> Result<Contents> {
    let (dir, recipe, record) = RunDir::open(run)?;
    let exported = export::read::<B>(run, Which::Best, device)?;
    let spec = exported.spec.clone();
    let bytes = exported.net.to_onnx(&spec, Storage::F32);
    let mut model = LandmarkModel::from_bytes(&bytes, 1)?;
    let samples = dataset::load_for_training(&options.data, spec.scheme)?;
    let (training, validation) = dataset::split(samples)?;
    let mut results = Vec::new();
    let mut held_out = Vec::new();
    for (given, twice) in protocols(recipe.augment.start) {
        let looks: Result<Vec<Option<Look>>> =
            validation.iter().map(|sample| look(sample, &spec, given, twice).map(Some)).collect();
        let looks = looks?;
        let found = find_all(&mut model, &validation, &looks, spec.scheme)?;
        // The mean shape is that of the first look: once is enough.
        let baseline = if twice { None } else { find::baseline(&found, spec.scheme) };
        let title = format!("{}, {}", given.title(), looks_title(twice));
        results.push((title, find::summary(&found, spec.scheme), baseline));
        // The pictures show the first protocol.
        if held_out.is_empty() {
            held_out = faces(&validation, &looks, found, &spec);
        }
    }
    held_out.sort_by(|a, b| b.nme.total_cmp(&a.nme));
    Ok(Contents {
        epochs: dir.metrics()?,
        layers: exported.net.steps(&spec),
        filters: first_filters(&bytes)?,
        samples: samples_of(&training, &recipe, &spec, &masks::of(&options.data.path, &recipe.augment)?),
        groups: groups(held_out.iter().map(|face| (face.name.as_str(), face.traits.as_slice(), face.nme))),
        rivals: options
            .against
            .iter()
            .map(|path| {
                rival::<B>(path, &validation, protocols(recipe.augment.start)[0].0, spec.scheme, device)
            })
            .collect::<Result<_>>()?,
        own: match &options.photos {
            Some(folder) => photos::find(folder, &bytes, &mut model)?,
            None => Vec::new(),
        },
        notes: match &options.notes {
            Some(file) => paragraphs(file)?,
            None => Vec::new(),
        },
        held_out,
        results,
        recipe,
        record,
        without_photos: options.without_photos,
    })
}

/// How a net is measured, depending on how its training crops begin: what it is given, and whether it looks twice.
fn protocols(start: Start) -> Vec<(Given, bool)> {
    match start {
        Start::Face => vec![(Given::Box, false), (Given::Box, true)],
        Start::Between => vec![(Given::Box, false), (Given::Photo, false), (Given::Photo, true)],
        Start::Photo => vec![(Given::Photo, false)],
    }
}

fn samples_of(
    training: &[Sample],
    recipe: &Recipe,
    spec: &ModelSpec,
    masks: &[Mask],
) -> Vec<(Example, Example)> {
    let step = training.len().div_ceil(N_SAMPLES).max(1);
    let mut rng = StdRng::seed_from_u64(recipe.seed);
    let pair = |sample: &Sample| {
        let region = match recipe.augment.start {
            Start::Photo => regions::whole_photo(&spec.framing, &sample.photo),
            Start::Face | Start::Between => sample.region,
        };
        (plain(sample, &region, spec), augmented(sample, spec, &recipe.augment, masks, &mut rng))
    };
    training.iter().step_by(step).map(pair).collect()
}

fn first_filters(onnx: &[u8]) -> Result<(Vec<f32>, [usize; 3])> {
    let first = weights::layers(onnx)?.into_iter().next().context("the net has no layers")?;
    let [n, _, height, width] = first.shape[..] else { return Ok((Vec::new(), [0; 3])) };
    Ok((first.weights, [n, height, width]))
}

/// A text file's paragraphs, which empty lines part.
fn paragraphs(file: &Path) -> Result<Vec<String>> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    Ok(lines.split(|line| line.is_empty()).filter(|p| !p.is_empty()).map(|p| p.join(" ")).collect())
}
