//! What a model finds in annotated photos, and how far it is off.

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use facemark::Timing;
use facemark::face::{More, Scheme, mesh};
use facemark::geometry::Point;
use facemark::model::{LandmarkModel, Landmarker, Landmarks};
use facemark::onnx::spec::ModelSpec;

use super::looks::Look;
use crate::dataset::Sample;
use crate::init;
use crate::metrics::groups::{Group, groups};
use crate::metrics::traits::traits;
use crate::metrics::{FaceError, Summary};

/// What a model makes of a face.
pub struct Found {
    /// Its landmarks in image pixels.
    pub points: Vec<Point>,
    /// What else the model says of the face.
    pub more: More,
    /// How far the landmarks are off.
    pub error: FaceError,
    /// What the mean shape would make of the same crop; `None` if the model does not say what that is.
    pub baseline: Option<FaceError>,
    /// Milliseconds.
    pub ms: f64,
}

/// Loads an ONNX file to be run on one thread.
pub fn load_model(file: &Path) -> Result<LandmarkModel> {
    let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    LandmarkModel::from_bytes(&bytes, 1).with_context(|| format!("{}", file.display()))
}

/// Finds the landmarks of each sample that is looked for. They are those of `scheme`, which is the model's own, or that of
/// 300-W where the model has a mesh.
pub fn find_all(
    model: &mut LandmarkModel,
    samples: &[Sample],
    looks: &[Option<Look>],
    scheme: Scheme,
) -> Result<Vec<Option<Found>>> {
    let mean_shape = mean_shape(model.spec());
    let find = |(sample, look): (&Sample, &Option<Look>)| {
        look.map(|look| find(model, sample, look, mean_shape.as_deref(), scheme)).transpose()
    };
    samples.iter().zip(looks).map(find).collect()
}

fn find(
    model: &mut LandmarkModel,
    sample: &Sample,
    look: Look,
    mean_shape: Option<&[Point]>,
    scheme: Scheme,
) -> Result<Found> {
    let own = model.spec().scheme;
    let as_wanted = |points: Vec<Point>| match mesh::ibug68(&points, own) {
        Some(points) if scheme == Scheme::Ibug68 => points.into_owned(),
        _ => points,
    };
    let started = Instant::now();
    let found = self::look(model, sample, look)?;
    let ms = milliseconds(started);
    let points = as_wanted(found.points);
    let baseline = mean_shape.map(|shape| {
        let to_image = model.spec().framing.crop_to_image(&look.region);
        let shape: Vec<Point> = shape.iter().map(|&p| to_image.apply(p)).collect();
        FaceError::new(&as_wanted(shape), sample, scheme)
    });
    Ok(Found { error: FaceError::new(&points, sample, scheme), points, more: found.more, baseline, ms })
}

/// A model's landmarks of a face.
pub fn look(model: &mut LandmarkModel, sample: &Sample, look: Look) -> Result<Landmarks> {
    let found = model.landmarks(sample.photo.luma(), &look.region, &mut Timing::default())?;
    if !look.twice {
        return Ok(found);
    }
    let region = look.region.moved_to(&found.points, model.spec().scheme).unwrap_or(look.region);
    Ok(model.landmarks(sample.photo.luma(), &region, &mut Timing::default())?)
}

/// The model's errors; faces without a find count as missed.
pub fn summary(found: &[Option<Found>], scheme: Scheme) -> Summary {
    let errors: Vec<&FaceError> = found.iter().flatten().map(|found| &found.error).collect();
    Summary::with_missed(&errors, found.len() - errors.len(), scheme)
}

/// The errors of what was found, by what makes the faces hard.
pub fn grouped(faces: &[Sample], found: &[Option<Found>], scheme: Scheme) -> Vec<Group> {
    let traits: Vec<_> = faces.iter().map(|sample| traits(sample, scheme)).collect();
    let faces = faces.iter().zip(&traits).zip(found);
    groups(faces.filter_map(|((sample, traits), found)| {
        Some((sample.name.as_str(), traits.as_slice(), 100.0 * found.as_ref()?.error.nme()))
    }))
}

/// The mean shape's errors in the same crops.
pub fn baseline(found: &[Option<Found>], scheme: Scheme) -> Option<Summary> {
    let errors: Option<Vec<&FaceError>> =
        found.iter().flatten().map(|found| found.baseline.as_ref()).collect();
    errors.map(|errors| Summary::with_missed(&errors, found.len() - errors.len(), scheme))
}

/// The training set's mean shape in crop sides.
fn mean_shape(spec: &ModelSpec) -> Option<Vec<Point>> {
    let numbers = init::mean_shape(spec)?;
    Some(numbers.chunks_exact(2).map(|xy| Point::new(xy[0], xy[1])).collect())
}

/// Since then.
pub fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;

    use burn_flex::Flex;
    use facemark::Plane;
    use facemark::crop::Framing;
    use facemark::geometry::Region;

    use super::super::looks::{Given, look};
    use super::*;
    use crate::nets::{Net, Storage};
    use crate::recipe::NetKind;
    use crate::test_data;

    #[test]
    fn a_second_look_begins_where_the_first_one_ended() -> Result<()> {
        let _alone = test_data::random_numbers();
        // A new net answers three quarters to the right, wherever it looks.
        let net = Net::<Flex>::new(NetKind::Nose, &[0.75, 0.5], &Default::default());
        let spec = NetKind::Nose.spec(Framing { width: 1.0, height: 1.0, shift_x: 0.0, shift_y: 0.0 });
        let mut model = LandmarkModel::from_bytes(&net.to_onnx(&spec, Storage::F32), 1)?;
        let region = Region { center: Point::new(100.0, 80.0), size: 40.0, angle: 0.0 };
        let sample = Sample {
            name: "grey".to_owned(),
            picture: PathBuf::new(),
            photo: Arc::new(Plane::new(200, 160, vec![90; 200 * 160]).unwrap()),
            points: vec![region.center],
            region,
            face_box: None,
            held_out: true,
            mesh: None,
        };
        let mut x = |twice| -> Result<f32> {
            let look = look(&sample, &spec, Given::Box, twice)?;
            Ok(find(&mut model, &sample, look, None, Scheme::Nose)?.points[0].x)
        };
        // A quarter of 40 px from the centre, and another quarter from there.
        let (once, twice) = (x(false)?, x(true)?);
        assert!((once - 110.0).abs() < 1.0 && (twice - 120.0).abs() < 2.0, "{once} {twice}");
        Ok(())
    }
}
