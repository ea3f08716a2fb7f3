//! Errors of landmarks, and their summary over a data set.

pub mod faces;
pub mod groups;
pub mod traits;

use std::borrow::Borrow;

use facemark::face::Scheme;
use facemark::geometry::Point;
use serde::Serialize;

use crate::dataset::Sample;

/// Errors above this share of the eyes' distance count as failures (300-W's customary 8 %).
const FAILURE: f64 = 0.08;

/// How far a face's predicted landmarks are from the true ones.
pub struct FaceError {
    /// Each point's error over the distance of the outer eye corners; over the region's size if the scheme has no eyes.
    points: Vec<f64>,
    /// Mean point error in pixels.
    pixels: f64,
    /// Mean squared error of coordinates relative to the photo's width and height, the course's measure.
    relative_mse: f64,
}

impl FaceError {
    /// Compares landmarks in image pixels with a sample's.
    pub fn new(found: &[Point], sample: &Sample, scheme: Scheme) -> Self {
        let truth = &sample.points;
        let unit = match scheme.eye_corners() {
            Some([left, right]) => truth[left].distance(truth[right]),
            None => sample.region.size,
        };
        let (width, height) = (sample.photo.width() as f32, sample.photo.height() as f32);
        let distances: Vec<f64> = found.iter().zip(truth).map(|(a, b)| f64::from(a.distance(*b))).collect();
        let squares = found.iter().zip(truth).flat_map(|(a, b)| [(a.x - b.x) / width, (a.y - b.y) / height]);
        Self {
            pixels: mean(distances.iter().copied()),
            relative_mse: mean(squares.map(|v| f64::from(v).powi(2))),
            points: distances.iter().map(|d| d / f64::from(unit)).collect(),
        }
    }

    /// Each point's error over the distance of the outer eye corners, as a share.
    pub fn points(&self) -> &[f64] {
        &self.points
    }

    /// The normalised mean error.
    pub fn nme(&self) -> f64 {
        mean(self.points.iter().copied())
    }
}

/// Errors over a data set. NME, its quantiles, failures and area are per cent.
#[derive(Debug, Serialize)]
pub struct Summary {
    /// Number of faces that were looked at.
    pub n: usize,
    /// Number of faces that the detector missed. They count as failures in `failure_8` and `auc_8`, and nowhere else.
    pub missed: usize,
    /// Mean NME.
    pub nme_mean: f64,
    /// Median NME.
    pub nme_median: f64,
    /// NME that nine of ten faces stay below.
    pub nme_p90: f64,
    /// Share of faces with an NME above 8 %.
    pub failure_8: f64,
    /// Area under the cumulative error curve up to 8 %, over the greatest possible area.
    pub auc_8: f64,
    /// Mean point error in pixels of the photo.
    pub pixels: f64,
    /// Mean squared error of coordinates relative to the photo's sides (a plain number).
    pub relative_mse: f64,
    /// Mean NME of each part of the face.
    pub regions: serde_json::Map<String, serde_json::Value>,
}

impl Summary {
    /// Sums up some faces' errors. All zero for none.
    pub fn new<E: Borrow<FaceError>>(errors: &[E], scheme: Scheme) -> Self {
        Self::with_missed(errors, 0, scheme)
    }

    /// Like [`Summary::new`], for a detector that missed `missed` other faces.
    pub fn with_missed<E: Borrow<FaceError>>(errors: &[E], missed: usize, scheme: Scheme) -> Self {
        let errors: Vec<&FaceError> = errors.iter().map(Borrow::borrow).collect();
        let all = |values: &mut dyn Iterator<Item = f64>, missed_value: f64| {
            mean(values.chain(std::iter::repeat_n(missed_value, missed)))
        };
        let mut nmes: Vec<f64> = errors.iter().map(|e| e.nme()).collect();
        nmes.sort_by(f64::total_cmp);
        let percent = 100.0;
        Self {
            n: errors.len(),
            missed,
            nme_mean: percent * mean(nmes.iter().copied()),
            nme_median: percent * quantile(&nmes, 0.5),
            nme_p90: percent * quantile(&nmes, 0.9),
            failure_8: percent * all(&mut nmes.iter().map(|&e| f64::from(u8::from(e > FAILURE))), 1.0),
            // A face with error e < 8 % is below the curve's limit from e to 8 %.
            auc_8: percent * all(&mut nmes.iter().map(|&e| (1.0 - e / FAILURE).max(0.0)), 0.0),
            pixels: mean(errors.iter().map(|e| e.pixels)),
            relative_mse: mean(errors.iter().map(|e| e.relative_mse)),
            regions: parts(scheme)
                .into_iter()
                .map(|(name, points)| {
                    let points = errors.iter().flat_map(|e| points.iter().map(|&i| e.points[i]));
                    (name.to_owned(), (percent * mean(points)).into())
                })
                .collect(),
        }
    }
}

/// The parts of a face, and of 300-W's jaw also its half on the picture's right, where the course's net did worst.
fn parts(scheme: Scheme) -> Vec<(&'static str, &'static [usize])> {
    const RIGHT_JAW: [usize; 8] = [9, 10, 11, 12, 13, 14, 15, 16];
    let mut parts: Vec<_> = scheme.contours().iter().map(|part| (part.name, part.points)).collect();
    parts.extend((scheme == Scheme::Ibug68).then_some(("jaw, right half", &RIGHT_JAW[..])));
    parts
}

/// The mean, 0 of nothing.
pub fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (n, sum) = values.fold((0_usize, 0.0), |(n, sum), v| (n + 1, sum + v));
    if n == 0 { 0.0 } else { sum / n as f64 }
}

/// Linear between the two nearest of the sorted values.
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let at = q * last as f64;
    let (low, high) = (at.floor() as usize, at.ceil() as usize);
    sorted[low] + (at - low as f64) * (sorted[high] - sorted[low])
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;

    use facemark::Plane;
    use facemark::geometry::Region;

    use super::*;

    fn sample() -> Sample {
        let points: Vec<Point> = (0..68).map(|i| Point::new(10.0 * i as f32, 5.0)).collect();
        Sample {
            name: String::new(),
            picture: PathBuf::new(),
            photo: Arc::new(Plane::new(800, 400, vec![0; 800 * 400]).unwrap()),
            face_box: None,
            region: Region::from_points(points.iter().copied()),
            points,
            held_out: true,
            mesh: None,
        }
    }

    /// The eyes of [`sample`] are 90 px apart, so an offset of 9 px is 10 %.
    fn off_by(pixels: f32) -> FaceError {
        let sample = sample();
        let found: Vec<Point> = sample.points.iter().map(|p| Point::new(p.x, p.y + pixels)).collect();
        FaceError::new(&found, &sample, Scheme::Ibug68)
    }

    #[test]
    fn errors_are_measured_by_the_outer_eye_corners() {
        let errors: Vec<FaceError> = [0.0, 1.8, 3.6, 9.0].map(off_by).into_iter().collect();
        let summary = Summary::new(&errors, Scheme::Ibug68);
        let close = |a: f64, b: f64| (a - b).abs() < 1e-4;
        assert!(close(summary.nme_mean, 4.0), "{summary:?}");
        assert!(close(summary.nme_median, 3.0), "{summary:?}");
        assert!(close(summary.nme_p90, 4.0 + 0.7 * 6.0), "{summary:?}");
        assert!(close(summary.failure_8, 25.0), "{summary:?}");
        assert!(close(summary.auc_8, 100.0 * (1.0 + 0.75 + 0.5) / 4.0), "{summary:?}");
        assert!(close(summary.pixels, 3.6), "{summary:?}");
        assert_eq!(summary.regions["jaw"].as_f64().map(|v| v.round()), Some(4.0));
        assert!(close(off_by(4.0).relative_mse, 0.5 * 0.01_f64.powi(2)));
    }

    #[test]
    fn a_missed_face_is_a_failure_and_nothing_else() {
        let errors: Vec<FaceError> = [0.0, 3.6, 9.0].map(off_by).into_iter().collect();
        let (all, some) =
            (Summary::new(&errors, Scheme::Ibug68), Summary::with_missed(&errors, 1, Scheme::Ibug68));
        assert_eq!((some.n, some.missed, some.nme_mean), (3, 1, all.nme_mean));
        assert!(
            (some.failure_8 - 50.0).abs() < 1e-4 && (some.auc_8 - 0.75 * all.auc_8).abs() < 1e-4,
            "{some:?}"
        );
    }

    #[test]
    fn no_faces_give_zeros() {
        assert_eq!(Summary::new::<FaceError>(&[], Scheme::Ibug68).nme_p90, 0.0);
    }
}
