//! Scores against shares: of the places that a detector gives a score, how many are faces.

use anyhow::{Context, Result, ensure};
use facemark::Plane;
use facemark::detect::{Detector, FaceNet};
use facemark::onnx::spec::Calibration;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::bins::{self, Bin};
use crate::batch::scene::{Scene, paste};
use crate::dataset::photos::Pictures;
use crate::metrics::faces::{FOUND, LIES_ON, iou};
use crate::recipe::{NetKind, Recipe};

/// Pictures are made of each held-out photo so often.
const ROUNDS: u64 = 2;

/// A place that the detector gave a score.
#[derive(Clone, Copy)]
struct Place {
    score: f32,
    is_face: bool,
}

/// What scores mean.
pub struct Report {
    /// Scores, and the share of faces.
    bins: Vec<Bin>,
    /// What would make scores and shares agree.
    pub calibration: Calibration,
}

/// Runs a detector on pictures made of held-out photos as those are that it learnt from.
pub fn evaluate(detector: FaceNet, held_out: &Pictures) -> Result<Report> {
    let mut detector = detector.with_min_score(0.0);
    let recipe = Recipe::best(NetKind::Face);
    let spec = recipe.net.spec(recipe.framing);
    let mut places = Vec::new();
    for round in 0..ROUNDS {
        for index in 0..held_out.photos.len() {
            // Other seeds than those of the pictures that runs are validated with.
            let seed = (1 << 32) + round * held_out.photos.len() as u64 + index as u64;
            let scene = paste(held_out, index, &spec, &recipe.augment, &mut StdRng::seed_from_u64(seed));
            judge(&mut detector, scene, spec.width, &mut places)?;
        }
    }
    let n_faces = places.iter().filter(|place| place.is_face).count();
    ensure!(n_faces > 0 && n_faces < places.len(), "too few faces or mistakes to tell what scores mean");
    let pairs: Vec<(f32, f32)> =
        places.iter().map(|place| (place.score, f32::from(u8::from(place.is_face)))).collect();
    Ok(Report { bins: bins::by_width(&pairs), calibration: fit(&places) })
}

/// Adds what the detector sees in a scene. Faces of which too little is seen count neither way.
fn judge(detector: &mut FaceNet, scene: Scene, width: usize, places: &mut Vec<Place>) -> Result<()> {
    let height = scene.pixels.len() / width;
    let picture = Plane::new(width, height, scene.pixels).context("scenes have pixels")?;
    for found in detector.detect(picture.luma(), &[])? {
        let is_face = scene.faces.iter().any(|face| iou(&found, face) >= FOUND);
        let is_near = scene.faces.iter().any(|face| found.region.overlap(&face.region) >= LIES_ON);
        if is_face || !is_near {
            places.push(Place { score: found.score, is_face });
        }
    }
    Ok(())
}

/// Logistic regression of being a face on the score's logit, by Newton's method (J. Platt, "Probabilistic outputs for
/// support vector machines", 1999).
fn fit(places: &[Place]) -> Calibration {
    let (mut slope, mut offset) = (1.0_f64, 0.0_f64);
    for _ in 0..30 {
        let (mut gradient, mut hessian) = ([0.0; 2], [1e-6, 0.0, 1e-6]);
        for place in places {
            let score = f64::from(place.score).clamp(1e-6, 1.0 - 1e-6);
            let x = (score / (1.0 - score)).ln();
            let p = 1.0 / (1.0 + (-slope * x - offset).exp());
            let (error, weight) = (f64::from(u8::from(place.is_face)) - p, p * (1.0 - p));
            gradient[0] += error * x;
            gradient[1] += error;
            hessian[0] += weight * x * x;
            hessian[1] += weight * x;
            hessian[2] += weight;
        }
        let [a, b, c] = hessian;
        let scale = 1.0 / (a * c - b * b);
        slope += scale * (c * gradient[0] - b * gradient[1]);
        offset += scale * (a * gradient[1] - b * gradient[0]);
    }
    Calibration { slope: slope as f32, offset: offset as f32 }
}

impl Report {
    /// Prints the bins for people.
    pub fn print(&self) {
        bins::print(&self.bins, "places", "mean score", "share of faces");
        let Calibration { slope, offset } = self.calibration;
        println!("a slope of {slope:.3} and an offset of {offset:.3} would fit them best");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_calibration_is_found_again() {
        let truth = Calibration { slope: 1.8, offset: -0.7 };
        // As many faces among a thousand places of each score as there should be.
        let places: Vec<Place> = (1..20)
            .map(|i| i as f32 / 20.0)
            .flat_map(|score| {
                let n_faces = (1000.0 * truth.apply(score)).round() as usize;
                (0..1000).map(move |i| Place { score, is_face: i < n_faces })
            })
            .collect();
        let Calibration { slope, offset } = fit(&places);
        assert!((slope - 1.8).abs() < 0.02 && (offset + 0.7).abs() < 0.02, "{slope} {offset}");
    }
}
