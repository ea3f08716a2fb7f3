//! A run's report: one HTML file that needs nothing beside it.

pub mod chart;
pub mod page;
mod photos;
mod picture;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use burn::tensor::backend::AutodiffBackend;
use facemark::model::LandmarkModel;
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::augment::{self, Example, Start};
use crate::config::Recipe;
use crate::dataset::{self, Sample, Source};
use crate::eval::{self, Found, Given, Look};
use crate::export::{self, Which};
use crate::graph::{Layer, Weights};
use crate::metrics::Summary;
use crate::run_dir::{Epoch, Record, RunDir, write_atomically};
use page::page;
use photos::OwnPhoto;

/// Faces shown as samples, and as many augmented.
const N_SAMPLES: usize = 8;
/// Faces shown of the best and of the worst.
const N_EXTREMES: usize = 12;

/// What a report is made of.
pub struct Options {
    /// The annotated photos that the run was trained and validated with.
    pub data: Source,
    /// A folder with photos of one's own.
    pub photos: Option<PathBuf>,
    /// Leave out the data set's pictures.
    pub without_photos: bool,
    /// The HTML file.
    pub output: PathBuf,
}

/// Everything that the page tells.
struct Contents {
    recipe: Recipe,
    record: Record,
    epochs: Vec<Epoch>,
    layers: Vec<Layer>,
    /// The first layer's weights, `[n, height, width]`.
    filters: (Vec<f32>, [usize; 3]),
    /// Training faces as they are, and augmented.
    samples: Vec<(Example, Example)>,
    /// Held-out faces, the worst first.
    held_out: Vec<HeldOut>,
    /// The held-out faces' errors by what they are given, and those of the mean shape.
    results: Vec<(&'static str, Summary, Option<Summary>)>,
    /// Mean NME in per cent of each group of held-out faces, with their number.
    groups: BTreeMap<String, (usize, f64)>,
    own: Vec<OwnPhoto>,
    without_photos: bool,
}

/// A held-out face with what the net found.
struct HeldOut {
    name: String,
    /// The crop and the true landmarks in it.
    truth: Example,
    /// The landmarks that the net found, in crop sides.
    found: Vec<facemark::face::Point>,
    /// In per cent.
    nme: f64,
    baseline: Option<f64>,
}

/// Writes the report of a run.
///
/// # Errors
/// If the run or its data cannot be read, or the report not be written.
pub fn write<B: AutodiffBackend>(run: &Path, options: &Options, device: &B::Device) -> Result<()> {
    let html = page(&contents::<B>(run, options, device)?).into_string();
    write_atomically(&options.output, html.as_bytes())
}

fn contents<B: AutodiffBackend>(run: &Path, options: &Options, device: &B::Device) -> Result<Contents> {
    let (dir, recipe, record) = RunDir::open(run)?;
    let exported = export::read::<B>(run, Which::Best, device)?;
    let spec = exported.spec.clone();
    let bytes = export::onnx_file(&exported.net, &spec, Weights::F32);
    let mut model = LandmarkModel::from_bytes(&bytes, 1)?;
    let samples = dataset::load_for_training(&options.data, spec.scheme)?;
    let (training, validation) = dataset::split(samples)?;
    let mut results = Vec::new();
    let mut held_out = Vec::new();
    for given in given(recipe.augment.start) {
        let looks: Result<Vec<Option<Look>>> =
            validation.iter().map(|sample| eval::look(sample, &spec, given).map(Some)).collect();
        let looks = looks?;
        let found = eval::find_all(&mut model, &validation, &looks)?;
        let baseline = eval::baseline(&found, spec.scheme);
        results.push((given.title(), eval::summary(&found, spec.scheme), baseline));
        // The pictures show the first protocol.
        if held_out.is_empty() {
            held_out = faces(&validation, &looks, found, &spec);
        }
    }
    held_out.sort_by(|a, b| b.nme.total_cmp(&a.nme));
    Ok(Contents {
        epochs: dir.metrics()?,
        layers: export::layers(&exported.net, &spec),
        filters: first_filters(&bytes)?,
        samples: samples_of(&training, &recipe, &spec),
        groups: groups(&held_out),
        own: match &options.photos {
            Some(folder) => photos::find(folder, &bytes, &mut model)?,
            None => Vec::new(),
        },
        held_out,
        results,
        recipe,
        record,
        without_photos: options.without_photos,
    })
}

/// How a net is used, by how its training crops begin.
fn given(start: Start) -> Vec<Given> {
    match start {
        Start::Face => vec![Given::Box],
        Start::Between => vec![Given::Box, Given::Photo],
        Start::Photo => vec![Given::Photo],
    }
}

fn faces(
    samples: &[Sample],
    looks: &[Option<Look>],
    found: Vec<Option<Found>>,
    spec: &facemark::spec::ModelSpec,
) -> Vec<HeldOut> {
    let face = |((sample, look), found): ((&Sample, &Option<Look>), Option<Found>)| {
        let (look, found) = ((*look)?, found?);
        let to_crop = spec.framing.crop_to_image(&look.region).inverse();
        Some(HeldOut {
            name: sample.name.clone(),
            truth: augment::plain(sample, &look.region, spec),
            nme: 100.0 * found.error.nme(),
            baseline: found.baseline.map(|error| 100.0 * error.nme()),
            found: found.points.into_iter().map(|p| to_crop.apply(p)).collect(),
        })
    };
    samples.iter().zip(looks).zip(found).filter_map(face).collect()
}

fn samples_of(
    training: &[Sample],
    recipe: &Recipe,
    spec: &facemark::spec::ModelSpec,
) -> Vec<(Example, Example)> {
    let step = training.len().div_ceil(N_SAMPLES).max(1);
    let mut rng = StdRng::seed_from_u64(recipe.seed);
    let pair = |sample: &Sample| {
        let region = match recipe.augment.start {
            Start::Photo => augment::whole_photo(&spec.framing, &sample.photo),
            Start::Face | Start::Between => sample.region,
        };
        (augment::plain(sample, &region, spec), augment::augmented(sample, spec, &recipe.augment, &mut rng))
    };
    training.iter().step_by(step).map(pair).collect()
}

fn first_filters(onnx: &[u8]) -> Result<(Vec<f32>, [usize; 3])> {
    let first = facemark::weights::layers(onnx)?.into_iter().next().context("the net has no layers")?;
    let [n, _, height, width] = first.shape[..] else { return Ok((Vec::new(), [0; 3])) };
    Ok((first.weights, [n, height, width]))
}

/// Held-out faces by what their names tell: IMM's six poses, elsewhere the folder.
fn groups(faces: &[HeldOut]) -> BTreeMap<String, (usize, f64)> {
    let mut groups = BTreeMap::<String, (usize, f64)>::new();
    for face in faces {
        let (n, sum) = groups.entry(group(&face.name)).or_default();
        (*n, *sum) = (*n + 1, *sum + face.nme);
    }
    groups.values_mut().for_each(|(n, sum)| *sum /= *n as f64);
    groups
}

fn group(name: &str) -> String {
    // `33-4f.asf`: person, pose, sex.
    let pose = name.split_once('-').and_then(|(person, rest)| {
        let is_person = person.parse::<u32>().is_ok();
        rest.chars().next().filter(|c| is_person && ('1'..='6').contains(c))
    });
    let told =
        ["frontal", "frontal, smiling", "turned to the right", "turned to the left", "light from the side"];
    match (pose.and_then(|c| c.to_digit(10)), name.rsplit_once('/')) {
        (Some(pose), _) => {
            format!("pose {pose}: {}", told.get(pose as usize - 1).unwrap_or(&"of the person's choice"))
        }
        (None, Some((folder, _))) => folder.to_owned(),
        (None, None) => "all".to_owned(),
    }
}

/// The report beside a run's other files, without asking for anything; written when a training ends.
pub fn write_beside<B: AutodiffBackend>(run: &Path, data: &Source, device: &B::Device) -> Result<PathBuf> {
    let output = run.join("report.html");
    let options = Options { data: data.clone(), photos: None, without_photos: false, output: output.clone() };
    write::<B>(run, &options, device)?;
    Ok(output)
}

/// Reads a folder's entries, sorted.
fn files_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot read the folder {}", folder.display()))?;
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faces_are_grouped_by_pose_or_folder() {
        assert_eq!(group("33-4f.asf"), "pose 4: turned to the left");
        assert_eq!(group("33-6f.asf"), "pose 6: of the person's choice");
        assert_eq!(group("helen/trainset/12_1.pts"), "helen/trainset");
        assert_eq!(group("a.pts"), "all");
    }
}
