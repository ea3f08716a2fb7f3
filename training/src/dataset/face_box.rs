//! Boxes around faces.

use facemark::geometry::{Point, Region, bounds};

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
    /// The medians over some boxes and the regions that belong to them.
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

/// A detector has found a face if its box and that of the landmarks have at least this intersection over union. Detectors'
/// boxes reach up to the hair, landmarks' only to the brows: the same face rarely has more than 0.7.
pub const SAME_FACE: f32 = 0.3;
/// The box that covers the face best, if any does so well enough.
pub fn best_match(boxes: &[FaceBox], truth: &FaceBox) -> Option<FaceBox> {
    let best = boxes.iter().max_by(|a, b| a.iou(truth).total_cmp(&b.iou(truth)))?;
    (best.iou(truth) >= SAME_FACE).then_some(*best)
}
