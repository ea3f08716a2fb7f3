//! Finding faces in a whole picture: OpenCV's frontal-face cascade.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use opencv::core::{Mat, Rect, Size, Vector};
use opencv::objdetect::CascadeClassifier;
use opencv::prelude::*;
use opencv::{imgproc, objdetect};

use crate::crop::crop;
use crate::error::Fault;
use crate::face::{Framing, Point, Region};
use crate::frame::Plane;

/// A face that a detector sees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detection {
    /// Where the landmarks are to be looked for.
    pub region: Region,
    /// How sure the detector is, 0 to 1.
    pub score: f32,
}

/// Finds faces in a picture.
pub trait Detector: Send {
    /// The faces, the most certain first. None is an empty list.
    ///
    /// # Errors
    /// If the detector itself fails.
    fn detect(&mut self, luma: &Plane) -> Result<Vec<Detection>>;

    /// Looks again at one place only, which is much cheaper: the face that is there, or `None`.
    ///
    /// # Errors
    /// If the detector itself fails.
    fn confirm(&mut self, luma: &Plane, near: &Region) -> Result<Option<Detection>>;
}

/// Viola and Jones' cascade as trained by Lienhart for OpenCV: frontal faces that stand upright.
pub struct Cascade {
    classifier: CascadeClassifier,
    small: Mat,
}

/// File name of the cascade; of OpenCV's frontal ones it has the best balance of finds and false alarms.
const FILE: &str = "haarcascade_frontalface_alt2.xml";
/// Where distributions put OpenCV's data.
const FOLDERS: [&str; 3] = [
    "/usr/share/opencv4/haarcascades",
    "/usr/local/share/opencv4/haarcascades",
    "/usr/share/opencv/haarcascades",
];
/// Pictures are shrunk to this longer side; a face must then have [`MIN_FACE`] pixels.
const LONGER_SIDE: usize = 320;
const MIN_FACE: i32 = 24;
/// Step between the face sizes tried, and how many neighbouring hits make a face: OpenCV's usual values.
const SCALE_STEP: f64 = 1.1;
const MIN_NEIGHBORS: i32 = 3;
/// A second look goes to a square of so many times the face's size, and so many pixels.
const CLOSE_LOOK: f32 = 2.0;
const CLOSE_SIDE: usize = 96;
/// From the cascade's square to the landmarks' bounding square: median over 300 photos of the 300-W
/// training set (of 272 found; deviations 0.05 and 0.09).
const CENTER_DOWN: f32 = 0.15;
const SIZE_RATIO: f32 = 0.88;

impl Cascade {
    /// Loads the cascade from the system's OpenCV data.
    ///
    /// # Errors
    /// If it is not installed or not readable.
    pub fn load() -> Result<Self> {
        let path = find().ok_or_else(|| {
            Fault::Model.error(format!(
                "OpenCV's face cascade {FILE} is in none of {}; install the package opencv-data",
                FOLDERS.join(", ")
            ))
        })?;
        let classifier = CascadeClassifier::new(path.as_os_str())
            .map_err(|error| Fault::Model.error(format!("{}: {error}", path.display())))?;
        Ok(Self { classifier, small: Mat::default() })
    }

    /// Shrinks the picture into `self.small`; returns how many picture pixels are one small one.
    fn shrink(&mut self, luma: &Plane) -> opencv::Result<f32> {
        let (width, height) = (luma.width as f32, luma.height as f32);
        let ratio = (width.max(height) / LONGER_SIDE as f32).max(1.0);
        let size =
            Size::new((width / ratio).round().max(1.0) as i32, (height / ratio).round().max(1.0) as i32);
        let whole = Mat::new_rows_cols_with_data(luma.height as i32, luma.width as i32, &luma.data)?;
        imgproc::resize(&whole, &mut self.small, size, 0.0, 0.0, imgproc::INTER_AREA)?;
        Ok(ratio)
    }

    fn squares(&mut self) -> opencv::Result<Vec<Rect>> {
        let mut found = Vector::<Rect>::new();
        let mut neighbors = Vector::<i32>::new();
        self.classifier.detect_multi_scale2(
            &self.small,
            &mut found,
            &mut neighbors,
            SCALE_STEP,
            MIN_NEIGHBORS,
            objdetect::CASCADE_SCALE_IMAGE,
            Size::new(MIN_FACE, MIN_FACE),
            Size::default(),
        )?;
        let mut ranked: Vec<(i32, Rect)> = neighbors.iter().zip(found.iter()).collect();
        ranked.sort_by_key(|(neighbors, square)| (-neighbors, -square.width, square.x, square.y));
        Ok(ranked.into_iter().map(|(_, square)| square).collect())
    }
}

impl Detector for Cascade {
    fn confirm(&mut self, luma: &Plane, near: &Region) -> Result<Option<Detection>> {
        let framing = Framing { width: CLOSE_LOOK, height: CLOSE_LOOK, shift_x: 0.0, shift_y: 0.0 };
        let mut pixels = vec![0; CLOSE_SIDE * CLOSE_SIDE];
        crop(luma, &framing.crop_to_image(near), CLOSE_SIDE, CLOSE_SIDE, &mut pixels);
        let side = CLOSE_SIDE as i32;
        self.small = Mat::new_rows_cols_with_data(side, side, &pixels)?.try_clone()?;
        let found = self.squares().context("running the face cascade")?;
        let ratio = near.size * CLOSE_LOOK / CLOSE_SIDE as f32;
        let middle = CLOSE_SIDE as f32 / 2.0 * ratio;
        let regions = found.iter().map(|square| {
            let Region { center, size, .. } = region(square, ratio);
            let p = Point::new(center.x - middle, center.y - middle).rotated(near.angle);
            let center = Point::new(near.center.x + p.x, near.center.y + p.y);
            Region { center, size, angle: near.angle }
        });
        let here = regions.filter(|region| region.overlap(near) > 0.5);
        Ok(here
            .max_by(|a, b| a.iou(near).total_cmp(&b.iou(near)))
            .map(|region| Detection { region, score: 1.0 }))
    }

    fn detect(&mut self, luma: &Plane) -> Result<Vec<Detection>> {
        let ratio = self.shrink(luma).context("shrinking a picture for the face cascade")?;
        let squares = self.squares().context("running the face cascade")?;
        Ok(squares.iter().map(|square| Detection { region: region(square, ratio), score: 1.0 }).collect())
    }
}

fn find() -> Option<PathBuf> {
    FOLDERS.iter().map(|folder| Path::new(folder).join(FILE)).find(|path| path.is_file())
}

/// The landmarks' region that usually lies within this square of the shrunk picture.
fn region(square: &Rect, ratio: f32) -> Region {
    let side = square.width as f32;
    let x = square.x as f32 + side / 2.0;
    let y = square.y as f32 + side * (0.5 + CENTER_DOWN);
    // Half a pixel, since pixel centres are on integers in both pictures.
    let center = Point::new(x * ratio - 0.5, y * ratio - 0.5);
    Region { center, size: side * SIZE_RATIO * ratio, angle: 0.0 }
}
