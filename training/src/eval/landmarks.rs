//! Measures a landmark model.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use facemark::Timing;
use facemark::face::Scheme;
use facemark::geometry::{self, Point};
use facemark::model::{LandmarkModel, Landmarker};
use facemark::onnx::spec::ModelSpec;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde::Serialize;

use super::bins::{self, Bin};
use super::find::{Found, baseline, find_all, grouped, load_model, milliseconds, summary};
use super::looks::{Given, Look, look, looks_by, looks_title};
use super::record::set_name;
use crate::batch::regions::elsewhere;
use crate::dataset::{self, Sample, Source, table};
use crate::files::write_atomically;
use crate::metrics::groups::Group;
use crate::metrics::{Summary, mean};

/// 300-W's points but for the jaw, and the outer corners of its eyes.
const INNER: Range<usize> = 17..68;
const EYE_CORNERS: [usize; 2] = [36, 45];

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
    /// Whether a mesh is measured by the 68 points that it shows.
    pub as_68: bool,
    /// Where to write a table of the landmarks that are found.
    pub found: Option<PathBuf>,
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
    /// What else it says, if it says more.
    #[serde(skip_serializing_if = "Option::is_none")]
    beyond: Option<Beyond>,
    /// The errors by what makes faces hard.
    groups: Vec<Group>,
    /// The inner points alone, if the points are 300-W's.
    #[serde(skip_serializing_if = "Option::is_none")]
    inner: Option<Inner>,
    /// The faces with the greatest errors.
    worst: Vec<Worst>,
    /// The faces that the detector missed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missed_faces: Vec<String>,
    /// What the training set's mean shape achieves, put into the same crops.
    #[serde(skip_serializing_if = "Option::is_none")]
    mean_shape: Option<Summary>,
    /// The result in few words, for the model's file.
    #[serde(skip)]
    pub in_short: String,
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
    /// Its certainty, and the share of faces.
    bins: Vec<Bin>,
}

/// NME of 300-W's points but for the jaw, per cent.
#[derive(Serialize)]
struct Inner {
    /// As they are.
    nme: f64,
    /// Once each point's mean offset is taken out: what is left if sets place a point differently.
    without_offsets: f64,
}

/// What a net says of a face beyond its landmarks' places.
#[derive(Serialize)]
struct Beyond {
    /// Mean difference of depths, per cent of the distance of the outer eye corners.
    #[serde(skip_serializing_if = "Option::is_none")]
    depths: Option<f64>,
    /// Mean difference of the blendshapes' shares.
    #[serde(skip_serializing_if = "Option::is_none")]
    blendshapes: Option<f64>,
    /// How far off points are said to be, and how far they are: per cent of the distance of the outer eye corners.
    sigmas: Vec<Bin>,
}

/// A face that the model did badly on.
#[derive(Serialize)]
struct Worst {
    /// The annotation's path below the data folder.
    face: String,
    /// Its NME in per cent.
    nme: f64,
}

/// Runs a model on annotated faces.
pub fn evaluate(job: &Job) -> Result<Report> {
    let started = Instant::now();
    let mut model = load_model(&job.model)?;
    let load_ms = milliseconds(started);
    let spec = model.spec().clone();
    ensure!(
        !job.as_68 || spec.scheme == Scheme::Mesh478,
        "{} has no mesh to take 68 points from",
        job.model.display()
    );
    let scheme = if job.as_68 { Scheme::Ibug68 } else { spec.scheme };
    let mut samples = dataset::load(&job.data, scheme)?;
    samples.retain(|sample| sample.held_out || !job.held_out);
    ensure!(!samples.is_empty(), "no face in {} is held out", job.data.path.display());
    let (looks, given) = looks(job, &samples, &spec)?;
    let found = find_all(&mut model, &samples, &looks, scheme)?;
    let mut times: Vec<f64> = found.iter().flatten().map(|found| found.ms).collect();
    times.sort_by(f64::total_cmp);
    let presence = presence(&mut model, &samples)?;
    let missed = samples.iter().zip(&looks).filter(|(_, look)| look.is_none());
    let summary = summary(&found, scheme);
    if let Some(output) = &job.found {
        write_found(output, &samples, &found)?;
    }
    Ok(Report {
        in_short: in_short(job, &summary),
        load_ms,
        face_ms: times.get(times.len() / 2).copied().unwrap_or(f64::NAN),
        model: job.model.display().to_string(),
        data: job.data.path.display().to_string(),
        given,
        looks: 1 + u8::from(job.twice),
        presence,
        beyond: (scheme == spec.scheme).then(|| beyond(&samples, &found, scheme)).flatten(),
        groups: grouped(&samples, &found, scheme),
        inner: (scheme == Scheme::Ibug68).then(|| inner(&samples, &found)),
        worst: worst(&samples, &found, job.n_worst),
        missed_faces: missed.map(|(sample, _)| sample.name.clone()).collect(),
        summary,
        mean_shape: baseline(&found, scheme),
    })
}

/// Writes a [`table`] of what was found.
fn write_found(output: &Path, samples: &[Sample], found: &[Option<Found>]) -> Result<()> {
    let faces: Vec<(PathBuf, Vec<Point>)> = samples
        .iter()
        .zip(found)
        .filter_map(|(sample, found)| Some((sample.picture.clone(), found.as_ref()?.points.clone())))
        .collect();
    write_atomically(output, &table(&faces)?)
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
            found.presence.context("the model does not say whether there is a face")
        };
        faces.push(certainty(sample.region)?);
        others.push(certainty(elsewhere(&sample.region, &mut rng))?);
    }
    let share = |values: &[f32], is_right: fn(f32) -> bool| {
        100.0 * values.iter().filter(|&&value| is_right(value)).count() as f64 / values.len() as f64
    };
    let labelled =
        |values: &[f32], label: f32| values.iter().map(|&value| (value, label)).collect::<Vec<_>>();
    let bins = bins::by_width(&[labelled(&faces, 1.0), labelled(&others, 0.0)].concat());
    let pairs =
        faces.iter().flat_map(|face| others.iter().map(move |other| f64::from(u8::from(face > other))));
    Ok(Some(Presence {
        faces: share(&faces, |value| value >= 0.5),
        others: share(&others, |value| value < 0.5),
        auc: 100.0 * mean(pairs),
        bins,
    }))
}

/// The errors of the points that are not the jaw's.
fn inner(samples: &[Sample], found: &[Option<Found>]) -> Inner {
    let pairs = samples.iter().zip(found).filter_map(|(sample, found)| Some((sample, found.as_ref()?)));
    let offsets: Vec<Vec<Point>> =
        pairs.map(|(sample, found)| offsets(&sample.points, &found.points)).collect();
    let mean_at = |i: usize| geometry::mean(&offsets.iter().map(|face| face[i]).collect::<Vec<_>>());
    let means: Vec<Point> = (0..INNER.len()).map(mean_at).collect();
    let error = |from: &dyn Fn(usize) -> Point| {
        100.0
            * mean(
                offsets
                    .iter()
                    .flat_map(|face| face.iter().enumerate().map(|(i, p)| f64::from(p.distance(from(i))))),
            )
    };
    Inner { nme: error(&|_| Point::default()), without_offsets: error(&|i| means[i]) }
}

/// From the true inner points to those found, in the eyes' axes and distances.
fn offsets(truth: &[Point], found: &[Point]) -> Vec<Point> {
    let [left, right] = EYE_CORNERS.map(|i| truth[i]);
    let (unit, angle) = (left.distance(right), (right.y - left.y).atan2(right.x - left.x));
    let offset = |i: usize| {
        Point::new((found[i].x - truth[i].x) / unit, (found[i].y - truth[i].y) / unit).rotated(-angle)
    };
    INNER.map(offset).collect()
}

/// Compares what a net says beyond places with the truth. `None` if it says nothing.
fn beyond(samples: &[Sample], found: &[Option<Found>], scheme: Scheme) -> Option<Beyond> {
    let [left, right] = scheme.eye_corners()?;
    let (mut sigmas, mut depths, mut shares) = (Vec::new(), Vec::new(), Vec::new());
    for (sample, found) in
        samples.iter().zip(found).filter_map(|(sample, found)| Some((sample, found.as_ref()?)))
    {
        let unit = sample.points[left].distance(sample.points[right]) / 100.0;
        let errors = found.error.points().iter().map(|&error| 100.0 * error as f32);
        sigmas.extend(found.more.sigmas.iter().map(|sigma| sigma / unit).zip(errors));
        let Some(truth) = &sample.mesh else { continue };
        let differences = |a: &[f32], b: &[f32], unit: f32| {
            a.iter().zip(b).map(|(a, b)| f64::from((a - b).abs() / unit)).collect::<Vec<_>>()
        };
        depths.extend(differences(&found.more.depths, &truth.depths, unit));
        shares.extend(differences(&found.more.blendshapes, &truth.blendshapes, 1.0));
    }
    let some_mean = |values: Vec<f64>| (!values.is_empty()).then(|| mean(values.into_iter()));
    let sigmas = bins::by_rank(sigmas);
    let beyond = Beyond { depths: some_mean(depths), blendshapes: some_mean(shares), sigmas };
    (beyond.depths.is_some() || !beyond.sigmas.is_empty()).then_some(beyond)
}

/// The looks that the protocol allows, `None` for faces that the detector missed, and the protocol's name.
fn looks(job: &Job, samples: &[Sample], spec: &ModelSpec) -> Result<(Vec<Option<Look>>, String)> {
    if let Some(boxes) = &job.boxes {
        let (looks, learnt) = looks_by(boxes, samples, job.twice)?;
        return Ok((looks, format!("a detector's boxes, placed as on {learnt}")));
    }
    let looks = samples.iter().map(|sample| look(sample, spec, job.given, job.twice).map(Some));
    Ok((looks.collect::<Result<_>>()?, job.given.title().to_owned()))
}

/// For example `3.26 % (lfpw/testset, 224 faces, given boxes)`.
fn in_short(job: &Job, summary: &Summary) -> String {
    let Summary { n, missed, nme_mean, .. } = summary;
    let faces = if job.held_out { "held-out faces" } else { "faces" };
    let given = match &job.boxes {
        Some(_) if *missed > 0 => format!("a detector's boxes, {missed} missed"),
        Some(_) => "a detector's boxes".to_owned(),
        None => job.given.in_short().to_owned(),
    };
    // Two are usual with a detector's boxes, one elsewhere.
    let looks = if job.twice == job.boxes.is_some() {
        String::new()
    } else {
        format!(", {}", looks_title(job.twice))
    };
    format!("{nme_mean:.2} % ({}, {} {faces}, given {given}{looks})", set_name(&job.data.path), n + missed)
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

impl Report {
    /// How many times farther off landmarks are than the net expects, if it expects anything.
    pub fn sigmas_off_by(&self) -> Option<f64> {
        let sum =
            |of: fn(&Bin) -> f64, bins: &[Bin]| bins.iter().map(|bin| bin.n as f64 * of(bin)).sum::<f64>();
        let bins = &self.beyond.as_ref()?.sigmas;
        (!bins.is_empty()).then(|| sum(|bin| bin.was, bins) / sum(|bin| bin.said, bins))
    }

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
            println!("  {part:<16} {:6.2} %", nme.as_f64().unwrap_or(f64::NAN));
        }
        for Group { name, n, nme } in &self.groups {
            println!("  {name:<22} {nme:6.2} % of {n} faces");
        }
        if let Some(Inner { nme, without_offsets }) = &self.inner {
            println!("without the jaw {nme:.2} %, and less each point's mean offset {without_offsets:.2} %");
        }
        if let Some(Presence { faces, others, auc, bins }) = &self.presence {
            println!(
                "knows {faces:.1} % of the faces and {others:.1} % of what is beside them, AUC {auc:.2} %"
            );
            bins::print(bins, "crops", "certainty", "share of faces");
        }
        if let Some(beyond) = &self.beyond {
            beyond.print();
        }
        if let Some(mean_shape) = &self.mean_shape {
            print_summary("mean shape: ", mean_shape);
        }
        self.worst.iter().for_each(|Worst { face, nme }| println!("  worst: {face} {nme:.1} %"));
        self.missed_faces.iter().for_each(|face| println!("  missed: {face}"));
    }
}

impl Beyond {
    fn print(&self) {
        if let Some(depths) = self.depths {
            println!("depths {depths:.2} % off");
        }
        if let Some(blendshapes) = self.blendshapes {
            println!("blendshapes {blendshapes:.3} off");
        }
        bins::print(&self.sigmas, "points", "error it expects, %", "error, %");
    }
}

fn print_summary(title: &str, summary: &Summary) {
    let Summary { nme_mean, nme_median, nme_p90, failure_8, auc_8, pixels, relative_mse, .. } = summary;
    println!(
        "{title}NME {nme_mean:.2} %, median {nme_median:.2}, P90 {nme_p90:.2}, above 8 %: {failure_8:.1} %, AUC@8 % {auc_8:.1}"
    );
    println!("{title}mean point error {pixels:.2} px, relative MSE {relative_mse:.6}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_turn_and_grow_with_the_face() {
        let face = |turn: f32, size: f32, shift: Point| -> Vec<Point> {
            let place = |i: usize| {
                let p = Point::new((i * 37 % 68) as f32, (i * 53 % 61) as f32);
                Point::new(size * (p.x + shift.x), size * (p.y + shift.y)).rotated(turn)
            };
            (0..68).map(place).collect()
        };
        let none = Point::default();
        let shift = Point::new(1.0, 2.0);
        let plain = offsets(&face(0.0, 1.0, none), &face(0.0, 1.0, shift));
        let turned = offsets(&face(0.7, 3.0, none), &face(0.7, 3.0, shift));
        assert_eq!(plain.len(), 51);
        assert!(plain.iter().zip(&turned).all(|(a, b)| a.distance(*b) < 1e-4));
        let eyes = face(0.0, 1.0, none);
        let expected = shift.distance(none) / eyes[36].distance(eyes[45]);
        assert!((plain[0].distance(none) - expected).abs() < 1e-5);
    }
}
