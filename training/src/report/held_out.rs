//! Held-out faces with what a net finds in them.

use facemark::geometry::Point;
use facemark::onnx::spec::ModelSpec;

use crate::batch::Example;
use crate::batch::crops::plain;
use crate::dataset::Sample;
use crate::eval::find::Found;
use crate::eval::looks::Look;
use crate::metrics::traits::traits;

/// A held-out face with what the net found.
pub struct HeldOut {
    pub name: String,
    /// The crop and the true landmarks in it.
    pub truth: Example,
    /// The landmarks that the net found, in crop sides.
    pub found: Vec<Point>,
    /// In per cent.
    pub nme: f64,
    /// What makes it hard.
    pub traits: Vec<&'static str>,
    pub baseline: Option<f64>,
}

/// The faces that were found.
pub fn faces(
    samples: &[Sample],
    looks: &[Option<Look>],
    found: Vec<Option<Found>>,
    spec: &ModelSpec,
) -> Vec<HeldOut> {
    let face = |((sample, look), found): ((&Sample, &Option<Look>), Option<Found>)| {
        let (look, found) = ((*look)?, found?);
        let to_crop = spec.framing.crop_to_image(&look.region).inverse();
        Some(HeldOut {
            name: sample.name.clone(),
            truth: plain(sample, &look.region, spec),
            nme: 100.0 * found.error.nme(),
            traits: traits(sample, spec.scheme),
            baseline: found.baseline.map(|error| 100.0 * error.nme()),
            found: found.points.into_iter().map(|p| to_crop.apply(p)).collect(),
        })
    };
    samples.iter().zip(looks).zip(found).filter_map(face).collect()
}
