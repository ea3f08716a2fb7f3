//! Measures an exported model the way that the tracker uses it: tract, and the tracker's own crop.

pub mod faces;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use facemark::Timing;
use facemark::face::Scheme;
use facemark::geometry::{Point, Region};
use facemark::model::{LandmarkModel, Landmarker};
use facemark::onnx::spec::ModelSpec;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde::Serialize;

use crate::batch::regions::{elsewhere, whole_photo};
use crate::dataset::boxes::DetectorBoxes;
use crate::dataset::{self, FaceBox, Sample, Source};
use crate::metrics::{FaceError, Summary, mean};

/// What the model is told of where the face is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Given {
    /// The bounding box of the true points, upright.
    Box,
    /// Nothing: its crop is the whole photo.
    Photo,
    /// The box that the data set gives (dlib's XML, WFLW, CSV), as a square.
    DataBox,
}

/// What to measure.
pub struct Job {
    /// The ONNX file.
    pub model: PathBuf,
    /// The annotated photos.
    pub data: Source,
    /// Where the faces are said to be.
    pub given: Given,
    /// A detector's boxes, in place of `given`.
    pub boxes: Option<PathBuf>,
    /// Whether to look twice, as the tracker does at a new face.
    pub twice: bool,
    /// Whether to use held-out faces only.
    pub held_out: bool,
    /// How many of the worst faces to list.
    pub n_worst: usize,
}

/// A model's errors on a data set, and those of the mean shape in its place.
#[derive(Serialize)]
pub struct Report {
    /// The model file.
    model: String,
    /// The data folder.
    data: String,
    /// Where the faces were said to be.
    given: String,
    /// How many crops were looked at for a face: with two, the first one's landmarks only place the second.
    looks: u8,
    /// Milliseconds to load the file and make it ready to run.
    load_ms: f64,
    /// Milliseconds for a face, cropping included, on one thread: the median.
    face_ms: f64,
    /// What the model achieves.
    #[serde(flatten)]
    summary: Summary,
    /// How well it tells faces from their surroundings, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    presence: Option<Presence>,
    /// The faces with the greatest errors.
    worst: Vec<Worst>,
    /// The faces that the detector missed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missed_faces: Vec<String>,
    /// What the training set's mean shape achieves, put into the same crops.
    #[serde(skip_serializing_if = "Option::is_none")]
    mean_shape: Option<Summary>,
}

/// A net's certainty that there is a face, in crops of faces and in as many of what is beside them, far too large or far too
/// small.
#[derive(Serialize)]
struct Presence {
    /// Share of faces that it takes for faces, per cent.
    faces: f64,
    /// Share of the others that it does not, per cent.
    others: f64,
    /// How often it is surer of a face than of one of the others, per cent.
    auc: f64,
}

/// A face that the model did badly on.
#[derive(Serialize)]
struct Worst {
    /// The annotation's path below the data folder.
    face: String,
    /// Its NME in per cent.
    nme: f64,
}

/// Where to look for a face.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// What the first crop is framed by.
    pub region: Region,
    /// Whether the first landmarks only say where to look properly, as when the tracker meets a new face.
    pub twice: bool,
}

/// What a model makes of a face.
pub struct Found {
    /// Its landmarks in image pixels.
    pub points: Vec<Point>,
    /// How far they are off.
    pub error: FaceError,
    /// What the mean shape would make of the same crop; `None` if the model does not say what that is.
    pub baseline: Option<FaceError>,
    /// Milliseconds.
    ms: f64,
}

/// Runs a model on annotated faces.
pub fn evaluate(job: &Job) -> Result<Report> {
    let started = Instant::now();
    let mut model = load_model(&job.model)?;
    let load_ms = milliseconds(started);
    let spec = model.spec().clone();
    let mut samples = dataset::load(&job.data, spec.scheme)?;
    samples.retain(|sample| sample.held_out || !job.held_out);
    ensure!(!samples.is_empty(), "no face in {} is held out", job.data.path.display());
    let (looks, given) = looks(job, &samples, &spec)?;
    let found = find_all(&mut model, &samples, &looks)?;
    let mut times: Vec<f64> = found.iter().flatten().map(|found| found.ms).collect();
    times.sort_by(f64::total_cmp);
    let presence = presence(&mut model, &samples)?;
    let missed = samples.iter().zip(&looks).filter(|(_, look)| look.is_none());
    Ok(Report {
        load_ms,
        face_ms: times.get(times.len() / 2).copied().unwrap_or(f64::NAN),
        model: job.model.display().to_string(),
        data: job.data.path.display().to_string(),
        given,
        looks: 1 + u8::from(job.twice),
        presence,
        worst: worst(&samples, &found, job.n_worst),
        missed_faces: missed.map(|(sample, _)| sample.name.clone()).collect(),
        summary: summary(&found, spec.scheme),
        mean_shape: baseline(&found, spec.scheme),
    })
}

/// Loads an ONNX file to be run on one thread.
pub fn load_model(file: &Path) -> Result<LandmarkModel> {
    let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    LandmarkModel::from_bytes(&bytes, 1).with_context(|| format!("{}", file.display()))
}

/// Finds the landmarks of each sample that is looked for.
pub fn find_all(
    model: &mut LandmarkModel,
    samples: &[Sample],
    looks: &[Option<Look>],
) -> Result<Vec<Option<Found>>> {
    let mean_shape = mean_shape(model.spec());
    let find = |(sample, look): (&Sample, &Option<Look>)| {
        look.map(|look| find(model, sample, look, mean_shape.as_deref())).transpose()
    };
    samples.iter().zip(looks).map(find).collect()
}

fn find(
    model: &mut LandmarkModel,
    sample: &Sample,
    look: Look,
    mean_shape: Option<&[Point]>,
) -> Result<Found> {
    let scheme = model.spec().scheme;
    let started = Instant::now();
    let mut points = model.landmarks(sample.photo.luma(), &look.region, &mut Timing::default())?.points;
    if look.twice {
        let region = look.region.moved_to(&points, scheme).unwrap_or(look.region);
        points = model.landmarks(sample.photo.luma(), &region, &mut Timing::default())?.points;
    }
    let ms = milliseconds(started);
    let baseline = mean_shape.map(|shape| {
        let to_image = model.spec().framing.crop_to_image(&look.region);
        let shape: Vec<Point> = shape.iter().map(|&p| to_image.apply(p)).collect();
        FaceError::new(&shape, sample, scheme)
    });
    Ok(Found { error: FaceError::new(&points, sample, scheme), points, baseline, ms })
}

fn presence(model: &mut LandmarkModel, samples: &[Sample]) -> Result<Option<Presence>> {
    if !model.spec().presence {
        return Ok(None);
    }
    let mut rng = StdRng::seed_from_u64(1);
    let (mut faces, mut others) = (Vec::new(), Vec::new());
    for sample in samples {
        let mut certainty = |region| -> Result<f32> {
            let found = model.landmarks(sample.photo.luma(), &region, &mut Timing::default())?;
            found.presence.context("the model does not tell whether there is a face")
        };
        faces.push(certainty(sample.region)?);
        others.push(certainty(elsewhere(&sample.region, &mut rng))?);
    }
    let share = |values: &[f32], is_right: fn(f32) -> bool| {
        100.0 * values.iter().filter(|&&value| is_right(value)).count() as f64 / values.len() as f64
    };
    let pairs =
        faces.iter().flat_map(|face| others.iter().map(move |other| f64::from(u8::from(face > other))));
    Ok(Some(Presence {
        faces: share(&faces, |value| value >= 0.5),
        others: share(&others, |value| value < 0.5),
        auc: 100.0 * mean(pairs),
    }))
}

/// The looks that the protocol allows, `None` for faces that the detector missed, and the protocol's name.
fn looks(job: &Job, samples: &[Sample], spec: &ModelSpec) -> Result<(Vec<Option<Look>>, String)> {
    let Some(boxes) = &job.boxes else {
        let looks: Result<Vec<_>> =
            samples.iter().map(|sample| look(sample, spec, job.given, job.twice).map(Some)).collect();
        return Ok((looks?, job.given.title().to_owned()));
    };
    let boxes = DetectorBoxes::read(boxes)?;
    let matched = boxes.of(samples)?;
    let (habit, is_own) = boxes.habit(samples, &matched);
    let look = |face_box: FaceBox| Look { region: habit.region(&face_box), twice: job.twice };
    let looks = matched.into_iter().map(|found| found.map(look)).collect();
    let learnt = if is_own { "these faces" } else { "other photos" };
    Ok((looks, format!("a detector's boxes, placed as on {learnt}")))
}

/// Where to look for one face.
///
/// # Errors
/// If the data set's box is wanted and there is none.
pub fn look(sample: &Sample, spec: &ModelSpec, given: Given, twice: bool) -> Result<Look> {
    let region = match given {
        Given::Box => sample.region,
        Given::Photo => whole_photo(&spec.framing, &sample.photo),
        Given::DataBox => {
            sample.face_box.with_context(|| format!("{}: the data set gives no box", sample.name))?.region()
        }
    };
    Ok(Look { region, twice })
}

impl Given {
    /// For people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Box => "the box of the true points",
            Self::Photo => "the whole photo",
            Self::DataBox => "the data set's boxes",
        }
    }
}

/// How often a face is looked at, for people.
pub fn looks_title(twice: bool) -> &'static str {
    if twice { "two looks" } else { "one look" }
}

/// The model's errors; faces without a find count as missed.
pub fn summary(found: &[Option<Found>], scheme: Scheme) -> Summary {
    let errors: Vec<&FaceError> = found.iter().flatten().map(|found| &found.error).collect();
    Summary::with_missed(&errors, found.len() - errors.len(), scheme)
}

/// The mean shape's errors in the same crops.
pub fn baseline(found: &[Option<Found>], scheme: Scheme) -> Option<Summary> {
    let errors: Option<Vec<&FaceError>> =
        found.iter().flatten().map(|found| found.baseline.as_ref()).collect();
    errors.map(|errors| Summary::with_missed(&errors, found.len() - errors.len(), scheme))
}

fn worst(samples: &[Sample], found: &[Option<Found>], n: usize) -> Vec<Worst> {
    let faces = samples.iter().zip(found).filter_map(|(sample, found)| {
        Some(Worst { face: sample.name.clone(), nme: 100.0 * found.as_ref()?.error.nme() })
    });
    let mut faces: Vec<Worst> = faces.collect();
    faces.sort_by(|a, b| b.nme.total_cmp(&a.nme));
    faces.truncate(n);
    faces
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
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
        let Summary { n, missed, .. } = self.summary;
        let Self { model, data, given, looks, .. } = self;
        let looks = looks_title(*looks == 2);
        println!("{model} on {} faces of {data}, given {given}, {looks}", n + missed);
        println!("loaded in {:.0} ms, {:.2} ms a face", self.load_ms, self.face_ms);
        if missed > 0 {
            let share = 100.0 * missed as f64 / (n + missed) as f64;
            println!("the detector missed {missed} faces ({share:.1} %), which count as above 8 %");
        }
        print_summary("", &self.summary);
        for (part, nme) in &self.summary.regions {
            println!("  {part:<12} {:6.2} %", nme.as_f64().unwrap_or(f64::NAN));
        }
        if let Some(Presence { faces, others, auc }) = &self.presence {
            println!(
                "knows {faces:.1} % of the faces and {others:.1} % of what is beside them, AUC {auc:.2} %"
            );
        }
        if let Some(mean_shape) = &self.mean_shape {
            print_summary("mean shape: ", mean_shape);
        }
        self.worst.iter().for_each(|Worst { face, nme }| println!("  worst: {face} {nme:.1} %"));
        self.missed_faces.iter().for_each(|face| println!("  missed: {face}"));
    }
}

fn print_summary(title: &str, summary: &Summary) {
    let Summary { nme_mean, nme_median, nme_p90, failure_8, auc_8, pixels, relative_mse, .. } = summary;
    println!(
        "{title}NME {nme_mean:.2} %, median {nme_median:.2}, P90 {nme_p90:.2}, above 8 %: {failure_8:.1} %, AUC@8 % {auc_8:.1}"
    );
    println!("{title}mean point error {pixels:.2} px, relative MSE {relative_mse:.6}");
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use std::sync::Arc;

    use burn_flex::Flex;
    use facemark::Plane;
    use facemark::crop::Framing;

    use super::*;
    use crate::nets::{Net, Storage};
    use crate::recipe::NetKind;
    use crate::test_data;

    #[test]
    fn a_second_look_begins_where_the_first_one_ended() -> Result<()> {
        let _alone = test_data::random_numbers();
        // A new net answers three quarters to the right, wherever it looks.
        let net = Net::<Flex>::new(NetKind::Nose, &[0.75, 0.5], &Default::default());
        let spec = NetKind::Nose.spec(Framing { width: 1.0, height: 1.0, shift_x: 0.0, shift_y: 0.0 });
        let mut model = LandmarkModel::from_bytes(&net.to_onnx(&spec, Storage::F32), 1)?;
        let region = Region { center: Point::new(100.0, 80.0), size: 40.0, angle: 0.0 };
        let sample = Sample {
            name: "grey".to_owned(),
            picture: PathBuf::new(),
            photo: Arc::new(Plane::new(200, 160, vec![90; 200 * 160]).unwrap()),
            points: vec![region.center],
            region,
            face_box: None,
            held_out: true,
        };
        let mut x = |twice| -> Result<f32> {
            let look = look(&sample, &spec, Given::Box, twice)?;
            Ok(find(&mut model, &sample, look, None)?.points[0].x)
        };
        // A quarter of 40 px from the centre, and another quarter from there.
        let (once, twice) = (x(false)?, x(true)?);
        assert!((once - 110.0).abs() < 1.0 && (twice - 120.0).abs() < 2.0, "{once} {twice}");
        Ok(())
    }
}
