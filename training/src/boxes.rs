//! Boxes around faces: a data set's own, or a detector's.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use facemark::geometry::{Point, Region, bounds};
use serde::Deserialize;

use crate::dataset::Sample;

/// An upright box in image pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FaceBox {
    /// Left edge.
    pub left: f32,
    /// Upper edge.
    pub top: f32,
    /// To the right of it.
    pub width: f32,
    /// Below it.
    pub height: f32,
}

impl FaceBox {
    /// The bounding box of some points.
    pub fn around(points: &[Point]) -> Self {
        let (min, max) = bounds(points.iter().copied());
        Self { left: min.x, top: min.y, width: max.x - min.x, height: max.y - min.y }
    }

    /// Whether all numbers are finite and the sides positive.
    pub fn is_usable(&self) -> bool {
        let Self { left, top, width, height } = *self;
        [left, top, width, height].iter().all(|v| v.is_finite()) && width > 0.0 && height > 0.0
    }

    /// Intersection over union, 0 to 1.
    pub fn iou(&self, other: &Self) -> f32 {
        let overlap =
            |a: f32, a_len: f32, b: f32, b_len: f32| ((a + a_len).min(b + b_len) - a.max(b)).max(0.0);
        let common = overlap(self.left, self.width, other.left, other.width)
            * overlap(self.top, self.height, other.top, other.height);
        common / (self.width * self.height + other.width * other.height - common)
    }

    /// A region's square, set upright.
    pub fn square(region: &Region) -> Self {
        let half = region.size / 2.0;
        Self {
            left: region.center.x - half,
            top: region.center.y - half,
            width: region.size,
            height: region.size,
        }
    }

    /// The square with the same centre and longer side.
    pub fn region(&self) -> Region {
        let Self { left, top, width, height } = *self;
        let center = Point::new(left + width / 2.0, top + height / 2.0);
        Region { center, size: width.max(height), angle: 0.0 }
    }
}

/// How a detector's boxes lie around the landmarks' regions: shifts and size in units of the box's longer side.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Habit {
    right: f32,
    down: f32,
    size: f32,
}

impl Habit {
    /// What boxes have in common with the regions that they belong to: the medians.
    pub fn of(pairs: &[(FaceBox, Region)]) -> Self {
        let median = |value: fn(&Region, &Region) -> f32| {
            let mut values: Vec<f32> = pairs.iter().map(|(b, region)| value(&b.region(), region)).collect();
            values.sort_by(f32::total_cmp);
            values[values.len() / 2]
        };
        Self {
            right: median(|b, region| (region.center.x - b.center.x) / b.size),
            down: median(|b, region| (region.center.y - b.center.y) / b.size),
            size: median(|b, region| region.size / b.size),
        }
    }

    /// The landmarks' region that usually belongs to a box.
    pub fn region(&self, face_box: &FaceBox) -> Region {
        let Region { center, size, angle } = face_box.region();
        let center = Point::new(center.x + self.right * size, center.y + self.down * size);
        Region { center, size: size * self.size, angle }
    }
}

/// A detector's boxes, picture by picture.
#[derive(Debug)]
pub struct DetectorBoxes {
    boxes: HashMap<PathBuf, Vec<FaceBox>>,
    /// Boxes of landmarks that the file holds, too.
    truths: HashMap<PathBuf, Vec<FaceBox>>,
}

/// A line of the file.
#[derive(Deserialize)]
struct Line {
    file: String,
    x: f32,
    y: f32,
    w: f32,
    h: f32,
    source: Option<String>,
}

/// A box in a picture.
pub struct Row {
    /// The picture's path below the file's folder.
    pub file: String,
    /// The box.
    pub face_box: FaceBox,
    /// Whether it is the box of landmarks, not a detector's.
    pub is_landmarks: bool,
}

/// Reads a CSV file with the columns `file`, `x`, `y`, `w`, `h` and, if it has boxes of several kinds, `source`: `detector`
/// or `landmarks`.
pub fn rows(path: &Path) -> Result<Vec<Row>> {
    let unreadable = || format!("cannot read the boxes {}", path.display());
    let read = |(index, line): (usize, csv::Result<Line>)| {
        let line = line.with_context(unreadable)?;
        let face_box = FaceBox { left: line.x, top: line.y, width: line.w, height: line.h };
        ensure!(face_box.is_usable(), "{}:{}: the box has no size", path.display(), index + 2);
        Ok(Row { file: line.file, face_box, is_landmarks: line.source.as_deref() == Some("landmarks") })
    };
    csv::Reader::from_path(path).with_context(unreadable)?.deserialize().enumerate().map(read).collect()
}

/// Whether a file is such a one, by its name and first line. (Annotations as CSV have points, too.)
pub fn is_list(path: &Path) -> bool {
    let has = |headers: &csv::StringRecord, name: &str| headers.iter().any(|header| header == name);
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"))
        && csv::Reader::from_path(path).and_then(|mut reader| reader.headers().cloned()).is_ok_and(
            |headers| {
                ["file", "x", "y", "w", "h"].iter().all(|name| has(&headers, name)) && !has(&headers, "x0")
            },
        )
}

/// A detector has found a face if its box and that of the landmarks have at least this intersection over union. Detectors'
/// boxes reach up to the hair, landmarks' only to the brows: the same face rarely has more than 0.7.
pub const SAME_FACE: f32 = 0.3;
/// So many other photos are enough to learn a detector's habit from.
const ENOUGH: usize = 20;

impl DetectorBoxes {
    /// Reads a file as [`rows`] describes it.
    pub fn read(path: &Path) -> Result<Self> {
        let folder = path.parent().unwrap_or(Path::new(""));
        let mut read = Self { boxes: HashMap::new(), truths: HashMap::new() };
        for Row { file, face_box, is_landmarks } in rows(path)? {
            let boxes = if is_landmarks { &mut read.truths } else { &mut read.boxes };
            boxes.entry(canonical(&folder.join(file))).or_default().push(face_box);
        }
        Ok(read)
    }

    /// The detector's box of each sample's face, `None` where it missed it.
    ///
    /// # Errors
    /// If the file has no box in any of the samples' pictures: then it belongs to other data.
    pub fn of(&self, samples: &[Sample]) -> Result<Vec<Option<FaceBox>>> {
        let boxes = |sample: &Sample| self.boxes.get(&canonical(&sample.picture));
        ensure!(
            samples.iter().any(|sample| boxes(sample).is_some()),
            "the file of boxes names none of the pictures, such as {}; its paths are taken from its own folder",
            samples.first().map_or(Path::new("?"), |sample| &sample.picture).display()
        );
        Ok(samples
            .iter()
            .map(|sample| best_match(boxes(sample)?, &FaceBox::square(&sample.region)))
            .collect())
    }

    /// The detector's habit, learnt from photos that are not among the samples; from the samples themselves, `true`, if the
    /// file holds too few others.
    pub fn habit(&self, samples: &[Sample], matched: &[Option<FaceBox>]) -> (Habit, bool) {
        let measured: Vec<PathBuf> = samples.iter().map(|sample| canonical(&sample.picture)).collect();
        let measured: std::collections::HashSet<&PathBuf> = measured.iter().collect();
        let mut others = Vec::new();
        for (picture, truths) in self.truths.iter().filter(|(picture, _)| !measured.contains(picture)) {
            for truth in truths {
                let found = self.boxes.get(picture).and_then(|boxes| best_match(boxes, truth));
                others.extend(found.map(|found| (found, truth.region())));
            }
        }
        if others.len() >= ENOUGH {
            return (Habit::of(&others), false);
        }
        let own = samples.iter().zip(matched).filter_map(|(sample, found)| Some(((*found)?, sample.region)));
        (Habit::of(&own.collect::<Vec<_>>()), true)
    }
}

/// The box that covers the face best, if any does so well enough.
pub fn best_match(boxes: &[FaceBox], truth: &FaceBox) -> Option<FaceBox> {
    let best = boxes.iter().max_by(|a, b| a.iou(truth).total_cmp(&b.iou(truth)))?;
    (best.iou(truth) >= SAME_FACE).then_some(*best)
}

/// One name for a file, however it was reached.
pub fn canonical(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}
