//! A detector's boxes for the photos of a data set.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::face_box::{FaceBox, Habit, best_match};
use super::sample::Sample;

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

/// Whether a file is such a list, judged by its name and first line. (CSV files with annotations have points, too.)
pub fn is_list(path: &Path) -> bool {
    let has = |headers: &csv::StringRecord, name: &str| headers.iter().any(|header| header == name);
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"))
        && csv::Reader::from_path(path).and_then(|mut reader| reader.headers().cloned()).is_ok_and(
            |headers| {
                ["file", "x", "y", "w", "h"].iter().all(|name| has(&headers, name)) && !has(&headers, "x0")
            },
        )
}

/// This many other photos are enough to learn a detector's habit from.
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
        let measured: HashSet<&PathBuf> = measured.iter().collect();
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

/// The same path for a file, however it was reached.
pub fn canonical(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}
