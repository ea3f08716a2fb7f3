//! Measures an exported detector the way that the tracker uses it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use facemark::crop::Framing;
use facemark::crop::crop;
use facemark::detect::{Detection, Detector, FaceNet};
use facemark::face::Scheme;
use facemark::geometry::{Affine, Point, Region};
use facemark::onnx::spec::Spec;
use facemark::{Image, Plane, Tracker};
use serde::Serialize;

use super::record::set_name;
use crate::batch::scene::Placed;
use crate::dataset::photos::{self, KnownFace, Photo};
use crate::dataset::{self, Part, Source};
use crate::metrics::faces::{Detections, FOUND, iou};

/// What to measure.
pub struct Job {
    /// The annotated photos.
    pub data: Source,
    /// The boxes of all faces in them, which `data` may have itself.
    pub boxes: Option<PathBuf>,
    /// Whether to use held-out photos only.
    pub held_out: bool,
    /// How many of the missed faces to list.
    pub n_worst: usize,
}

/// How well a detector does.
#[derive(Serialize)]
pub struct Report {
    /// The folder or file.
    data: String,
    /// Number of photos.
    photos: usize,
    /// The annotated faces.
    annotated: Recall,
    /// Those that another detector found beside them, of which centre, size and roll are only guessed.
    boxed: Recall,
    /// Detections that lie on no known face. (Unless all faces are known, some of them may be right.)
    false_alarms: usize,
    /// Median of 1 - intersection over union of the annotated faces' squares with the detected ones.
    median_error: f64,
    /// Median error of the roll of annotated faces, in degrees.
    median_roll_error: f64,
    /// Annotated faces that a second look at their place confirms.
    confirmed: Recall,
    /// Places without a face that a second look takes for one.
    confirmed_falsely: Recall,
    /// Milliseconds for a photo: the median.
    photo_ms: f64,
    /// Milliseconds for a second look: the median.
    confirm_ms: f64,
    /// Annotated faces brought to a size in a picture of 640×480.
    by_size: Vec<Row>,
    /// The same at 80 px, turned further by so many degrees.
    by_roll: Vec<Row>,
    /// Some annotated faces that were missed.
    missed: Vec<String>,
}

/// How many of some faces were found.
#[derive(Clone, Copy, Default, Serialize)]
pub struct Recall {
    pub found: usize,
    pub of: usize,
}

/// A line of a table.
#[derive(Serialize)]
struct Row {
    /// Pixels or degrees.
    at: f32,
    #[serde(flatten)]
    recall: Recall,
    /// Milliseconds for a picture: the median.
    ms: f64,
}

/// Loads an ONNX file to be run on one thread, if it is a face detector.
pub fn load(file: &Path) -> Result<Option<FaceNet>> {
    let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let load = || match Spec::of_file(&bytes)? {
        Spec::FaceDetector(_) => FaceNet::from_bytes(&bytes, 1).map(Some),
        Spec::Landmarks(_) => Ok(None),
    };
    load().with_context(|| file.display().to_string())
}

/// Runs a detector on photos.
pub fn evaluate(detector: &mut FaceNet, job: &Job) -> Result<Report> {
    let mut photos = read(job)?;
    photos.retain(|photo| photo.part == Part::HeldOut || !job.held_out);
    ensure!(!photos.is_empty(), "no photo in {} is held out", job.data.path.display());
    let mut report = Report::new(job, photos.len());
    let (mut errors, mut rolls, mut times, mut looks) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for photo in &photos {
        let found = timed(&mut times, || detector.detect(photo.luma.luma(), &[]))?;
        let known: Vec<Placed> = photo.faces.iter().map(placed).collect();
        let mut detections = Detections::default();
        detections.add(&found, &known);
        report.false_alarms += detections.false_alarms;
        for (face, placed) in photo.faces.iter().zip(&known) {
            let best = best(&found, placed);
            let recall = if face.is_annotated { &mut report.annotated } else { &mut report.boxed };
            recall.count(best.is_some());
            match best {
                Some(best) if face.is_annotated => {
                    errors.push(f64::from(1.0 - iou(&best, placed)));
                    let roll = best.region.angle - face.region.angle;
                    rolls.extend(face.has_roll.then(|| f64::from(roll.to_degrees().abs())));
                }
                None if face.is_annotated => report.missed.push(photo.name.clone()),
                _ => {}
            }
            if face.is_annotated {
                let look = timed(&mut looks, || detector.confirm(photo.luma.luma(), &face.region))?;
                report.confirmed.count(look.is_some());
            }
        }
        for place in empty_places(photo) {
            report.confirmed_falsely.count(detector.confirm(photo.luma.luma(), &place)?.is_some());
        }
    }
    for size in [16.0, 20.0, 30.0, 60.0, 120.0, 240.0, 400.0] {
        report.by_size.push(row(detector, &photos, size, (size, 0.0))?);
    }
    for roll in [-45.0, -30.0, -15.0, 15.0, 30.0, 45.0] {
        report.by_roll.push(row(detector, &photos, roll, (80.0, roll))?);
    }
    report.median_error = median(errors);
    report.median_roll_error = median(rolls);
    report.photo_ms = median(times);
    report.confirm_ms = median(looks);
    report.missed.truncate(job.n_worst);
    Ok(report)
}

/// What the tracker reports in a single picture.
pub fn detections(tracker: &mut Tracker, luma: &Plane) -> Result<Vec<Detection>> {
    let faces = tracker.still(&Image::luma(luma.width(), luma.height(), luma.data())?)?;
    Ok(faces.into_iter().map(|face| Detection { region: face.region, score: face.score }).collect())
}

/// Of the pictures below a folder, all without a face, in how many the tracker takes something for one, and how many
/// places that is.
pub fn false_faces(tracker: &mut Tracker, folder: &Path) -> Result<(Recall, usize)> {
    let (mut pictures, mut places) = (Recall::default(), 0);
    for picture in photos::load_plain(folder)? {
        let found = detections(tracker, &picture.luma)?;
        pictures.count(!found.is_empty());
        places += found.len();
    }
    Ok((pictures, places))
}

/// The photos: of a list with all faces, with meshes of them, or annotated ones.
pub fn read(job: &Job) -> Result<Vec<Photo>> {
    let Job { data, boxes, .. } = job;
    let skip_bad = data.reading.skip_bad;
    if data.path.is_dir() && boxes.is_none() && !photos::mesh_files(&data.path)?.is_empty() {
        return photos::load_meshes(&data.path, skip_bad);
    }
    let own = photos::find_list(&data.path).ok();
    match boxes.as_ref().or(own.as_ref()) {
        Some(list) if data.path.is_dir() => photos::load(list, &data.path, skip_bad),
        Some(list) => photos::load(list, list.parent().unwrap_or(list), skip_bad),
        None => {
            let samples = dataset::load(data, Scheme::Ibug68)?;
            Ok(samples.into_iter().map(photo).collect())
        }
    }
}

/// An annotated photo as one whose only known face that is.
fn photo(sample: dataset::Sample) -> Photo {
    let region = Region::from_landmarks(&sample.points, Scheme::Ibug68).unwrap_or(sample.region);
    let part = if sample.held_out { Part::HeldOut } else { Part::Training };
    let face = KnownFace { region, has_roll: true, is_annotated: true };
    let (name, luma) = (sample.name, sample.photo.as_ref().clone());
    Photo { name, luma, faces: vec![face], points: sample.points, part }
}

pub fn placed(face: &KnownFace) -> Placed {
    Placed { region: face.region, has_roll: face.has_roll, is_clear: true }
}

/// The detection that covers a face best, if any does so well enough.
pub fn best(found: &[Detection], face: &Placed) -> Option<Detection> {
    let best = found.iter().max_by(|a, b| iou(a, face).total_cmp(&iou(b, face)))?;
    (iou(best, face) >= FOUND).then_some(*best)
}

/// Squares of the annotated face's size in a photo's corners, as far as they show no part of a known face.
fn empty_places(photo: &Photo) -> Vec<Region> {
    let Some(size) = photo.faces.first().map(|face| face.region.size) else { return Vec::new() };
    let (right, bottom) = (photo.luma.width() as f32, photo.luma.height() as f32);
    let at = |x: f32, y: f32| Region { center: Point::new(x, y), size, angle: 0.0 };
    let half = size / 2.0;
    let corners = [(half, half), (right - half, half), (half, bottom - half), (right - half, bottom - half)];
    let is_empty = |place: &Region| photo.faces.iter().all(|face| face.region.overlap(place) == 0.0);
    corners.into_iter().map(|(x, y)| at(x, y)).filter(is_empty).collect()
}

/// Finds the annotated faces at a size and a further roll, in the middle of pictures of 640×480.
fn row(detector: &mut FaceNet, photos: &[Photo], at: f32, (size, roll): (f32, f32)) -> Result<Row> {
    let (mut recall, mut times) = (Recall::default(), Vec::new());
    for photo in photos {
        let Some(face) = photo.faces.iter().find(|face| face.is_annotated) else { continue };
        let (picture, face) = framed(photo, face, size, roll.to_radians());
        let found = timed(&mut times, || detector.detect(picture.luma(), &[]))?;
        recall.count(best(&found, &face).is_some());
    }
    Ok(Row { at, recall, ms: median(times) })
}

/// A picture of 640×480 with the face in its middle.
fn framed(photo: &Photo, face: &KnownFace, size: f32, roll: f32) -> (Plane, Placed) {
    let mut picture = Plane::default();
    picture.resize(640, 480);
    let framing = Framing { width: 640.0 / size, height: 480.0 / size, shift_x: 0.0, shift_y: 0.0 };
    let region = Region { angle: -roll, ..face.region };
    let to_photo: Affine = framing.crop_to_image(&region);
    crop(photo.luma.luma(), &to_photo, 640, picture.data_mut());
    let region = Region { center: Point::new(319.5, 239.5), size, angle: face.region.angle + roll };
    (picture, Placed { region, has_roll: face.has_roll, is_clear: true })
}

fn timed<T>(times: &mut Vec<f64>, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    times.push(start.elapsed().as_secs_f64() * 1e3);
    result
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

impl Recall {
    /// Counts another face.
    pub fn count(&mut self, is_found: bool) {
        self.of += 1;
        self.found += usize::from(is_found);
    }

    /// The share that was found.
    pub fn percent(self) -> f64 {
        100.0 * self.found as f64 / self.of.max(1) as f64
    }

    /// The interval that holds the true share with a probability of 95 %, in per cent (E. B. Wilson, "Probable inference,
    /// the law of succession, and statistical inference", 1927).
    pub fn interval(self) -> (f64, f64) {
        const Z: f64 = 1.959_964;
        let n = self.of.max(1) as f64;
        let share = self.found as f64 / n;
        let middle = share + Z * Z / (2.0 * n);
        let half = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
        let scale = 100.0 / (1.0 + Z * Z / n);
        ((middle - half) * scale, (middle + half) * scale)
    }

    /// The count and the share.
    pub fn text(self) -> String {
        format!("{} of {} ({:.2} %)", self.found, self.of, self.percent())
    }
}

impl Report {
    fn new(job: &Job, photos: usize) -> Self {
        let none = Recall::default();
        Self {
            data: job.data.path.display().to_string(),
            photos,
            annotated: none,
            boxed: none,
            false_alarms: 0,
            median_error: f64::NAN,
            median_roll_error: f64::NAN,
            confirmed: none,
            confirmed_falsely: none,
            photo_ms: f64::NAN,
            confirm_ms: f64::NAN,
            by_size: Vec::new(),
            by_roll: Vec::new(),
            missed: Vec::new(),
        }
    }

    /// The result in few words, for the model's file.
    pub fn in_short(&self, data: &Path) -> String {
        let Recall { found, of } = self.annotated;
        let share = 100.0 * found as f64 / of.max(1) as f64;
        format!("{share:.2} % of the faces found ({}, {of} faces)", set_name(data))
    }

    /// Prints the figures for people.
    pub fn print(&self) {
        println!("{} photos of {}", self.photos, self.data);
        println!("annotated faces found: {}", self.annotated.text());
        println!(
            "their squares: median error {:.1} %, of the roll {:.1}°",
            100.0 * self.median_error,
            self.median_roll_error
        );
        if self.boxed.of > 0 {
            println!("other boxed faces found: {}", self.boxed.text());
        }
        println!("detections on no known face: {}", self.false_alarms);
        println!("faces confirmed by a second look: {}", self.confirmed.text());
        println!("places without a face confirmed: {}", self.confirmed_falsely.text());
        println!("{:.2} ms a photo, {:.2} ms a second look", self.photo_ms, self.confirm_ms);
        println!(
            "in pictures of 640×480, which take {:.2} ms:",
            median(self.by_size.iter().map(|row| row.ms).collect())
        );
        self.by_size.iter().for_each(|row| println!("  {:>4} px  {}", row.at, row.recall.text()));
        self.by_roll.iter().for_each(|row| println!("  {:>4}°   {}", row.at, row.recall.text()));
        self.missed.iter().for_each(|name| println!("  missed: {name}"));
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::backend::Autodiff;
    use burn_flex::Flex;

    use super::*;
    use crate::export::{Which, export};
    use crate::nets::Storage;
    use crate::recipe::{NetKind, Recipe};
    use crate::run_dir::RunDir;
    use crate::{test_data, train};

    #[test]
    fn a_detector_is_trained_resumed_exported_and_measured() -> Result<()> {
        let _alone = test_data::random_numbers();
        let dir = tempfile::tempdir()?;
        let (photos, run, file) =
            (dir.path().join("photos"), dir.path().join("run"), dir.path().join("face.onnx"));
        test_data::faces(&photos, 20)?;
        let data = Source::from(photos.clone());
        let recipe = Recipe { epochs: 3, batch: 4, warmup_epochs: 0.0, ..Recipe::best(NetKind::Face) };
        let device = Default::default();
        train::start::<Autodiff<Flex>>(&data, &run, &recipe, None, Some(2), &device)?;
        train::resume::<Autodiff<Flex>>(&data, &run, None, &device)?;
        let epochs = RunDir::open(&run)?.0.metrics()?;
        assert_eq!(epochs.len(), 3);
        // Pictures differ too much from epoch to epoch for the training loss to fall at once.
        assert!(epochs[2].validation_loss < epochs[0].validation_loss, "{epochs:?}");
        export::<Autodiff<Flex>>(&run, &[], &file, Which::Last, Storage::Int8, None, &device)?;
        let mut detector = load(&file)?.context("it is a detector")?;
        let job = Job { boxes: Some(photos.join("faces.csv")), data, held_out: false, n_worst: 3 };
        let report = serde_json::to_value(evaluate(&mut detector, &job)?)?;
        assert_eq!(report["annotated"]["of"], 20);
        Ok(())
    }
}
