//! Measures an exported model the way that the tracker uses it: tract, and the tracker's own crop.

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use facemark::face::{Point, Region};
use facemark::frame::Timing;
use facemark::model::{LandmarkModel, Landmarker};
use facemark::spec::ModelSpec;
use serde::Serialize;

use crate::augment::whole_photo;
use crate::dataset::{self, Sample};
use crate::metrics::{FaceError, Summary};

/// What the model is told of where the face is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Given {
    /// The bounding box of the true points, upright.
    Box,
    /// Nothing: its crop is the whole photo.
    Photo,
}

/// A model's errors on a data set, and those of the mean shape in its place.
#[derive(Serialize)]
pub struct Report {
    /// The model file.
    model: String,
    /// The data folder.
    data: String,
    /// Milliseconds to load the file and make it ready to run.
    load_ms: f64,
    /// Milliseconds for a face, cropping included, on one thread: the median.
    face_ms: f64,
    /// What the model achieves.
    #[serde(flatten)]
    summary: Summary,
    /// The faces with the greatest errors.
    worst: Vec<Worst>,
    /// What the training set's mean shape achieves, put into the same crops.
    #[serde(skip_serializing_if = "Option::is_none")]
    mean_shape: Option<Summary>,
}

/// A face that the model did badly on.
#[derive(Serialize)]
struct Worst {
    /// The annotation's path below the data folder.
    face: String,
    /// Its NME in per cent.
    nme: f64,
}

/// Faces listed as the worst.
const N_WORST: usize = 5;

/// Runs a model on the faces in `data`, on the held-out ones alone if so asked.
pub fn evaluate(file: &Path, data: &Path, given: Given, held_out: bool) -> Result<Report> {
    let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let started = Instant::now();
    let mut model = LandmarkModel::from_bytes(&bytes, 1).with_context(|| format!("{}", file.display()))?;
    let load_ms = milliseconds(started);
    let spec = model.spec().clone();
    let mut samples = dataset::load(data, spec.scheme)?;
    samples.retain(|sample| sample.held_out || !held_out);
    ensure!(!samples.is_empty(), "no face in {} is held out", data.display());
    let mean_shape = mean_shape(&spec);
    let mut errors = Vec::new();
    let mut baseline = Vec::new();
    let mut times = Vec::new();
    for sample in &samples {
        let region = region(sample, &spec, given);
        let started = Instant::now();
        let found = model.landmarks(&sample.photo, &region, &mut Timing::default())?;
        times.push(milliseconds(started));
        errors.push(FaceError::new(&found, sample, spec.scheme));
        if let Some(shape) = &mean_shape {
            let to_image = spec.framing.crop_to_image(&region);
            let shape: Vec<Point> = shape.iter().map(|&p| to_image.apply(p)).collect();
            baseline.push(FaceError::new(&shape, sample, spec.scheme));
        }
    }
    times.sort_by(f64::total_cmp);
    Ok(Report {
        load_ms,
        face_ms: times[times.len() / 2],
        model: file.display().to_string(),
        data: data.display().to_string(),
        summary: Summary::new(&errors, spec.scheme),
        worst: worst(&samples, &errors),
        mean_shape: mean_shape.map(|_| Summary::new(&baseline, spec.scheme)),
    })
}

fn worst(samples: &[Sample], errors: &[FaceError]) -> Vec<Worst> {
    let faces = samples.iter().zip(errors);
    let mut faces: Vec<Worst> =
        faces.map(|(sample, error)| Worst { face: sample.name.clone(), nme: 100.0 * error.nme() }).collect();
    faces.sort_by(|a, b| b.nme.total_cmp(&a.nme));
    faces.truncate(N_WORST);
    faces
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

fn region(sample: &Sample, spec: &ModelSpec, given: Given) -> Region {
    match given {
        Given::Box => sample.region,
        Given::Photo => whole_photo(&spec.framing, &sample.photo),
    }
}

/// The training set's mean shape in crop sides, which the exporter leaves in the model's training record.
fn mean_shape(spec: &ModelSpec) -> Option<Vec<Point>> {
    let numbers: Vec<f32> =
        spec.training.get("mean_shape")?.split(' ').map(str::parse).collect::<Result<_, _>>().ok()?;
    let points: Vec<Point> = numbers.chunks_exact(2).map(|xy| Point::new(xy[0], xy[1])).collect();
    (points.len() == spec.scheme.n_points()).then_some(points)
}

impl Report {
    /// Prints the figures for people.
    pub fn print(&self) {
        println!("{} on {} faces of {}", self.model, self.summary.n, self.data);
        println!("loaded in {:.0} ms, {:.2} ms a face", self.load_ms, self.face_ms);
        print_summary("", &self.summary);
        for (part, nme) in &self.summary.regions {
            println!("  {part:<12} {:6.2} %", nme.as_f64().unwrap_or(f64::NAN));
        }
        for Worst { face, nme } in &self.worst {
            println!("  worst: {face} {nme:.1} %");
        }
        if let Some(mean_shape) = &self.mean_shape {
            print_summary("mean shape: ", mean_shape);
        }
    }
}

fn print_summary(title: &str, summary: &Summary) {
    let Summary { nme_mean, nme_median, nme_p90, failure_8, auc_8, pixels, relative_mse, .. } = summary;
    println!(
        "{title}NME {nme_mean:.2} %, median {nme_median:.2}, P90 {nme_p90:.2}, above 8 %: {failure_8:.1} %, AUC@8 % {auc_8:.1}"
    );
    println!("{title}mean point error {pixels:.2} px, relative MSE {relative_mse:.6}");
}
