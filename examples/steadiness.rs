//! How steady the landmarks are and how far they lag, for each `--smooth`: the table in docs/tracking.md.
//!
//! ```sh
//! cargo run --release --example steadiness -- media/talker.mp4            # add --sweep for other constants
//! ```
//!
//! Movement is the root mean square over all landmarks, in per cent of the distance between the outer eye corners. Lag is
//! the delay at which the smoothed landmarks fit best: to the true points if a `.csv` with them is beside the clip,
//! like media/talker.csv, otherwise to the net's raw landmarks.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use facemark::face::{Smoother, Smoothing};
use facemark::geometry::Point;
use facemark::{Image, Options, Tracker};
use facemark_cli::frame::{Frame, MediaTime};
use facemark_cli::source::Source;
use facemark_cli::source::images::ImagesSource;
use facemark_cli::source::video::VideoSource;

/// Sensor noise added to the still photo: its standard deviation in grey levels, about that of a webcam in a lit room.
const NOISE: f32 = 3.0;
/// How many times the photo is shown, at 25 times a second.
const STILL_FRAMES: i64 = 100;
const PHOTO: &str = "media/astronaut.jpg";
/// The outer eye corners of the 68 points, and where their inner points begin: jaws are labelled in several ways.
const EYE_CORNERS: [usize; 2] = [36, 45];
const INNER: usize = 17;
/// Delays that are tried, in hundredths of a frame.
const DELAYS: std::ops::RangeInclusive<u32> = 0..=400;

type Shape = Vec<Point>;

/// The first face of a video, unsmoothed, without frames in which it is not seen.
#[derive(Default)]
struct Seen {
    index: Vec<usize>,
    time: Vec<f64>,
    size: Vec<f32>,
    landmarks: Vec<Shape>,
}

fn main() -> Result<()> {
    let (flags, files): (Vec<String>, Vec<String>) =
        env::args().skip(1).partition(|arg| arg.starts_with("--"));
    let clip = match &files[..] {
        [] => PathBuf::from("media/talker.mp4"),
        [clip] => PathBuf::from(clip),
        _ => bail!("give one video"),
    };
    let still = still()?;
    let moving = moving(&clip)?;
    let truth = truth(&clip.with_extension("csv"))?;
    println!(
        "{} frames of {PHOTO}, noise of {NOISE} grey levels; {} of {}\n",
        still.time.len(),
        moving.time.len(),
        clip.display()
    );
    println!(
        "| smoothing | still photo: frame to frame, % | clip: second difference, % | lag, frames | error to the truth, % |"
    );
    println!("|---|---|---|---|---|");
    for (name, smoothing) in settings(flags.contains(&"--sweep".to_owned())) {
        let smooth = smoothed(&moving, smoothing);
        let error = truth.as_ref().map(|truth| format!("{:.2}", error(&moving.index, &smooth, truth)));
        println!(
            "| {name} | {:.3} | {:.3} | {:.2} | {} |",
            movement(&smoothed(&still, smoothing), [-1.0, 1.0]),
            movement(&smooth, [1.0, -2.0, 1.0]),
            lag(&moving, &smooth, truth.as_deref()),
            error.unwrap_or_else(|| "-".to_owned()),
        );
    }
    if let Some(truth) = &truth {
        println!("| the truth itself | 0 | {:.3} | 0 | 0 |", movement(truth, [1.0, -2.0, 1.0]));
    }
    Ok(())
}

fn settings(sweep: bool) -> Vec<(String, Option<Smoothing>)> {
    let mut settings = vec![
        ("off".to_owned(), None),
        ("low".to_owned(), Some(Smoothing::LOW)),
        ("high".to_owned(), Some(Smoothing::HIGH)),
    ];
    if sweep {
        for min_cutoff in [0.5, 1.0, 2.0, 4.0] {
            for beta in [5.0, 10.0, 20.0, 40.0, 80.0] {
                let name = format!("{min_cutoff} Hz, {beta}");
                settings.push((name, Some(Smoothing { min_cutoff, beta })));
            }
        }
    }
    settings
}

fn tracker() -> Result<Tracker> {
    let options = Options { max_faces: 1, redetect_every: u32::MAX, smoothing: None, ..Options::default() };
    Ok(Tracker::new(options)?)
}

/// The photo, again and again, each time with different noise.
fn still() -> Result<Seen> {
    let mut photo = Frame::empty();
    ImagesSource::open(vec![PHOTO.into()])?.next(&mut photo)?;
    let (mut tracker, mut seen, mut random) = (tracker()?, Seen::default(), Random(1));
    for i in 0..STILL_FRAMES {
        let mut frame = photo.clone();
        frame.time = MediaTime { ticks: i, base: (1, 25) };
        for pixel in frame.image.luma.data_mut() {
            *pixel = (f32::from(*pixel) + NOISE * random.normal()).round().clamp(0.0, 255.0) as u8;
        }
        seen.take(&mut tracker, frame)?;
    }
    Ok(seen)
}

fn moving(clip: &Path) -> Result<Seen> {
    let mut source = VideoSource::open(clip, 0)?;
    let (mut tracker, mut seen) = (tracker()?, Seen::default());
    loop {
        let mut frame = Frame::empty();
        if !source.next(&mut frame)? {
            return Ok(seen);
        }
        seen.take(&mut tracker, frame)?;
    }
}

impl Seen {
    fn take(&mut self, tracker: &mut Tracker, frame: Frame) -> Result<()> {
        let (width, height) = frame.image.size();
        let image = Image::luma(width, height, frame.image.luma.data())?;
        for face in tracker.track(&image, frame.time.seconds())?.into_iter().filter(|face| face.id == 1) {
            self.index.push(frame.index as usize);
            self.time.push(frame.time.seconds());
            self.size.push(face.region.size);
            self.landmarks.push(face.landmarks);
        }
        Ok(())
    }
}

/// The true landmarks of each frame: `frame,x0,y0,x1,y1…`.
fn truth(path: &Path) -> Result<Option<Vec<Shape>>> {
    let Ok(text) = fs::read_to_string(path) else { return Ok(None) };
    let row = |line: &str| -> Result<Shape> {
        let numbers: Vec<f32> = line.split(',').skip(1).map(str::parse).collect::<Result<_, _>>()?;
        Ok(numbers.chunks_exact(2).map(|pair| Point::new(pair[0], pair[1])).collect())
    };
    let rows: Result<_> = text.lines().skip(1).map(row).collect();
    rows.map(Some).with_context(|| format!("{} does not hold points", path.display()))
}

fn smoothed(seen: &Seen, smoothing: Option<Smoothing>) -> Vec<Shape> {
    let mut shapes = seen.landmarks.clone();
    if let Some(mut smoother) = smoothing.map(Smoother::new) {
        for (i, shape) in shapes.iter_mut().enumerate() {
            smoother.apply(shape, seen.time[i], seen.size[i]);
        }
    }
    shapes
}

/// Root mean square of the sum of successive positions with these weights, in per cent of the distance between the eye
/// corners.
fn movement<const N: usize>(shapes: &[Shape], weights: [f32; N]) -> f32 {
    let (mut sum, mut n) = (0.0, 0.0);
    for window in shapes.windows(N) {
        let eyes = eyes(&window[0]);
        for i in 0..window[0].len() {
            let weighted = || window.iter().zip(weights).map(|(shape, weight)| (shape[i], weight));
            let x: f32 = weighted().map(|(point, weight)| weight * point.x).sum();
            let y: f32 = weighted().map(|(point, weight)| weight * point.y).sum();
            sum += (x * x + y * y) / (eyes * eyes);
            n += 1.0_f32;
        }
    }
    100.0 * (sum / n).sqrt()
}

/// The delay in frames at which `smooth` fits the truth best, or the unsmoothed landmarks if there is none.
fn lag(seen: &Seen, smooth: &[Shape], truth: Option<&[Shape]>) -> f32 {
    let misfit = |delay: f32| -> f32 {
        let goal = |k: usize, i: usize| match truth {
            Some(truth) => delayed(truth, seen.index[k], i, delay),
            None => delayed(&seen.landmarks, k, i, delay),
        };
        // A constant offset of a point is not lag: the variance of the differences counts.
        (INNER..smooth[0].len())
            .map(|i| {
                variance((5..smooth.len()).map(|k| {
                    let (a, b) = (smooth[k][i], goal(k, i));
                    Point::new(a.x - b.x, a.y - b.y)
                }))
            })
            .sum()
    };
    let delays = DELAYS.map(|hundredths| hundredths as f32 / 100.0);
    delays.min_by(|a, b| misfit(*a).total_cmp(&misfit(*b))).unwrap_or_default()
}

/// Point `i` of frame `k - delay`.
fn delayed(shapes: &[Shape], k: usize, i: usize, delay: f32) -> Point {
    let at = (k as f32 - delay).max(0.0);
    let (low, part) = (at as usize, at.fract());
    let (a, b) = (shapes[low][i], shapes[(low + 1).min(shapes.len() - 1)][i]);
    Point::new(a.x + part * (b.x - a.x), a.y + part * (b.y - a.y))
}

fn variance(values: impl Iterator<Item = Point>) -> f32 {
    let (mut n, mut sum, mut squares) = (0.0, Point::default(), 0.0);
    for Point { x, y } in values {
        (n, sum, squares) = (n + 1.0, Point::new(sum.x + x, sum.y + y), squares + x * x + y * y);
    }
    squares / n - (sum.x / n).powi(2) - (sum.y / n).powi(2)
}

/// Mean distance of the inner points to the true ones in per cent of the distance between the eye corners.
fn error(index: &[usize], shapes: &[Shape], truth: &[Shape]) -> f32 {
    let of_frame = |(shape, &frame): (&Shape, &usize)| {
        let truth = &truth[frame];
        let distances = (INNER..truth.len()).map(|i| shape[i].distance(truth[i]));
        100.0 * distances.sum::<f32>() / (truth.len() - INNER) as f32 / eyes(truth)
    };
    shapes.iter().zip(index).map(of_frame).sum::<f32>() / shapes.len() as f32
}

fn eyes(shape: &[Point]) -> f32 {
    shape[EYE_CORNERS[0]].distance(shape[EYE_CORNERS[1]])
}

/// SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
struct Random(u64);

impl Random {
    /// Nearly normally distributed: a sum of twelve uniform numbers has variance 1.
    fn normal(&mut self) -> f32 {
        (0..12).map(|_| self.uniform()).sum::<f32>() - 6.0
    }

    /// From 0 to 1.
    fn uniform(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 40) as f32 / (1 << 24) as f32
    }
}
