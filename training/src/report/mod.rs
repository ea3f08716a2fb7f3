//! A run's report: one HTML file that needs nothing beside it.

pub mod chart;
mod groups;
pub mod page;
mod photos;
mod picture;

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
use groups::Group;
use page::page;
use photos::OwnPhoto;

/// Faces shown as samples, and as many augmented.
const N_SAMPLES: usize = 6;
/// Faces shown of the best and of the worst.
const N_EXTREMES: usize = 12;

/// What a report is made of.
pub struct Options {
    /// The annotated photos that the run was trained and validated with.
    pub data: Source,
    /// A folder with photos of one's own.
    pub photos: Option<PathBuf>,
    /// A text to show.
    pub notes: Option<PathBuf>,
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
    results: Vec<(String, Summary, Option<Summary>)>,
    groups: Vec<Group>,
    own: Vec<OwnPhoto>,
    /// Paragraphs.
    notes: Vec<String>,
    without_photos: bool,
}

/// A held-out face with what the net found.
struct HeldOut {
    name: String,
    /// The crop and the true landmarks in it.
    truth: Example,
    /// The landmarks that the net found, in crop sides.
    found: Vec<facemark::geometry::Point>,
    /// In per cent.
    nme: f64,
    /// What makes it hard.
    traits: Vec<&'static str>,
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
    for (given, twice) in protocols(recipe.augment.start) {
        let looks: Result<Vec<Option<Look>>> =
            validation.iter().map(|sample| eval::look(sample, &spec, given, twice).map(Some)).collect();
        let looks = looks?;
        let found = eval::find_all(&mut model, &validation, &looks)?;
        // The mean shape is that of the first look: once is enough.
        let baseline = if twice { None } else { eval::baseline(&found, spec.scheme) };
        let title = format!("{}, {}", given.title(), eval::looks_title(twice));
        results.push((title, eval::summary(&found, spec.scheme), baseline));
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
        groups: groups::groups(&held_out),
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

/// How a net is used, by how its training crops begin: what it is told, and whether it looks twice.
fn protocols(start: Start) -> Vec<(Given, bool)> {
    match start {
        Start::Face => vec![(Given::Box, false), (Given::Box, true)],
        Start::Between => vec![(Given::Box, false), (Given::Photo, false), (Given::Photo, true)],
        Start::Photo => vec![(Given::Photo, false)],
    }
}

fn faces(
    samples: &[Sample],
    looks: &[Option<Look>],
    found: Vec<Option<Found>>,
    spec: &facemark::onnx::spec::ModelSpec,
) -> Vec<HeldOut> {
    let face = |((sample, look), found): ((&Sample, &Option<Look>), Option<Found>)| {
        let (look, found) = ((*look)?, found?);
        let to_crop = spec.framing.crop_to_image(&look.region).inverse();
        Some(HeldOut {
            name: sample.name.clone(),
            truth: augment::plain(sample, &look.region, spec),
            nme: 100.0 * found.error.nme(),
            traits: groups::traits(&sample.points, spec.scheme),
            baseline: found.baseline.map(|error| 100.0 * error.nme()),
            found: found.points.into_iter().map(|p| to_crop.apply(p)).collect(),
        })
    };
    samples.iter().zip(looks).zip(found).filter_map(face).collect()
}

fn samples_of(
    training: &[Sample],
    recipe: &Recipe,
    spec: &facemark::onnx::spec::ModelSpec,
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
    let first = facemark::onnx::weights::layers(onnx)?.into_iter().next().context("the net has no layers")?;
    let [n, _, height, width] = first.shape[..] else { return Ok((Vec::new(), [0; 3])) };
    Ok((first.weights, [n, height, width]))
}

/// The report beside a run's other files, without asking for anything; written when a training ends.
pub fn write_beside<B: AutodiffBackend>(run: &Path, data: &Source, device: &B::Device) -> Result<PathBuf> {
    let output = run.join("report.html");
    let options = Options {
        data: data.clone(),
        photos: None,
        notes: None,
        without_photos: false,
        output: output.clone(),
    };
    write::<B>(run, &options, device)?;
    Ok(output)
}

/// A text file's paragraphs, which empty lines part.
fn paragraphs(file: &Path) -> Result<Vec<String>> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    Ok(lines.split(|line| line.is_empty()).filter(|p| !p.is_empty()).map(|p| p.join(" ")).collect())
}

/// Reads a folder's entries, sorted.
fn files_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot read the folder {}", folder.display()))?;
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    files.sort();
    Ok(files)
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::backend::Autodiff;
    use burn_flex::Flex;

    use super::*;
    use crate::nets::NetKind;
    use crate::{test_data, train};

    #[test]
    fn a_page_needs_nothing_beside_it_and_shows_no_photos_if_told_so() -> Result<()> {
        let _alone = test_data::random_numbers();
        let dir = tempfile::tempdir()?;
        let data = Source::from(test_data::imm(&dir.path().join("imm"))?);
        let (run, notes) = (dir.path().join("run"), dir.path().join("notes.txt"));
        let device = Default::default();
        let recipe = Recipe { epochs: 2, batch: 4, ..Recipe::best(NetKind::Nose) };
        train::start::<Autodiff<Flex>>(&data, &run, &recipe, None, None, &device)?;
        fs::write(&notes, "It fails\nin <fog>.\n\n\nMore light was tried.\n")?;
        for (without_photos, n_photos) in [(false, 2 * (6 + 4)), (true, 0)] {
            let output = dir.path().join("page.html");
            let options = Options {
                data: data.clone(),
                photos: None,
                notes: Some(notes.clone()),
                without_photos,
                output,
            };
            write::<Autodiff<Flex>>(&run, &options, &device)?;
            let page = fs::read_to_string(&options.output)?;
            assert_eq!(page.matches("<image href=\"data:image/jpeg").count(), n_photos);
            assert_eq!(page.matches("<img src=\"data:image/jpeg").count(), 12, "the filters");
            assert!(!page.contains("http") && !page.contains("url("), "it asks for other files");
            assert!(page.contains("<p>It fails in &lt;fog&gt;.</p><p>More light was tried.</p>"));
            assert!(page.contains("the whole photo, two looks"));
        }
        Ok(())
    }
}
