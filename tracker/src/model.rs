//! Landmark models: ONNX files exported by facemark-train, run by tract.

use std::fmt;

use crate::crop::{crop, normalise};
use crate::error::Result;
use crate::face::{More, mirrored_blendshapes};
use crate::geometry::{Point, Region};
use crate::image::Luma;
use crate::onnx::net::{self, Net, NetFile};
use crate::onnx::spec::{Layout, ModelSpec};
use crate::timing::{Stage, Timing};

/// Finds the landmarks of a face. [`LandmarkModel`] does; implement it to use another net with
/// [`Tracker::with`](crate::Tracker::with).
pub trait Landmarker: Send {
    /// The model's metadata. The tracker uses its scheme.
    fn spec(&self) -> &ModelSpec;

    /// The landmarks, in image pixels, of the face in `region`. Its times go to `timing` as [`Stage::Crop`]
    /// and [`Stage::Infer`].
    ///
    /// # Errors
    /// If the net fails.
    fn landmarks(&mut self, luma: Luma, region: &Region, timing: &mut Timing) -> Result<Landmarks>;
}

/// What a net finds in a region.
#[derive(Clone, Debug, PartialEq)]
pub struct Landmarks {
    /// The landmarks, in the scheme's order.
    pub points: Vec<Point>,
    /// How sure the net is, 0 to 1, that there is a face as large as the region; `None` if it does not say.
    pub presence: Option<f32>,
    /// What else the net says, lengths in image pixels.
    pub more: More,
}

/// A landmark model: an ONNX file exported by facemark-train, run by tract.
pub struct LandmarkModel {
    spec: ModelSpec,
    net: Net,
    pixels: Vec<u8>,
    numbers: Vec<f32>,
}

impl LandmarkModel {
    /// Loads a model from an ONNX file's bytes. The net may use `threads` threads, see
    /// [`Options::threads`](crate::Options::threads).
    ///
    /// # Errors
    /// [`Error::Model`](crate::Error::Model) if the bytes are not an ONNX file or not a landmark model
    /// exported by facemark-train, or if the graph does not do what its metadata says.
    pub fn from_bytes(bytes: &[u8], threads: usize) -> Result<Self> {
        net::load(|| Self::load(bytes, threads))
    }

    fn load(bytes: &[u8], threads: usize) -> Result<Self> {
        let file = NetFile::read(bytes)?;
        let spec = ModelSpec::from_metadata(file.metadata())?;
        let size = [spec.width, spec.height];
        let n_values = spec.n_values();
        let net = file.parse(size, n_values)?.plan(size, n_values, threads)?;
        let n_pixels = spec.width * spec.height;
        Ok(Self { spec, net, pixels: vec![0; n_pixels], numbers: vec![0.0; n_pixels] })
    }

    /// Runs the net once on a normalised crop: `height · width` numbers, row by row. The landmarks are in
    /// unit crop coordinates, and other lengths in crop widths.
    ///
    /// # Errors
    /// [`Error::Run`](crate::Error::Run) if the crop has another size or the net fails.
    pub fn run(&mut self, crop: &[f32]) -> Result<Landmarks> {
        let values = self.net.run(crop)?;
        let Layout { points, depth, sigma, presence, blendshapes } = self.spec.layout();
        let scale = self.spec.sigma_scale.unwrap_or(1.0);
        let more = More {
            depths: values[depth].to_vec(),
            sigmas: values[sigma].iter().map(|log| scale * log.exp()).collect(),
            blendshapes: values[blendshapes].to_vec(),
        };
        Ok(Landmarks {
            points: values[points].chunks_exact(2).map(|pair| Point::new(pair[0], pair[1])).collect(),
            presence: values[presence].first().map(|logit| 1.0 / (1.0 + (-logit).exp())),
            more,
        })
    }

    /// Runs the net on a normalised crop and, if the model wants it, on its mirror image, and averages the
    /// results. That halves errors that only one of the two has. The crop may be left mirrored.
    fn look(&mut self, crop: &mut [f32]) -> Result<Landmarks> {
        let found = self.run(crop)?;
        if !self.spec.mirrored {
            return Ok(found);
        }
        crop.chunks_exact_mut(self.spec.width).for_each(<[f32]>::reverse);
        let mirrored = self.run(crop)?;
        let counterparts = self.spec.scheme.mirror();
        let mean = |(a, &i): (Point, &usize)| {
            let b = mirrored.points[i];
            Point::new((a.x + 1.0 - b.x) / 2.0, (a.y + b.y) / 2.0)
        };
        let means = |a: &[f32], b: &[f32], counterparts: &[usize]| {
            a.iter().zip(counterparts).map(|(a, &i)| (a + b[i]) / 2.0).collect()
        };
        let (one, other) = (&found.more, &mirrored.more);
        Ok(Landmarks {
            points: found.points.into_iter().zip(counterparts).map(mean).collect(),
            presence: found.presence.zip(mirrored.presence).map(|(a, b)| (a + b) / 2.0),
            more: More {
                depths: means(&one.depths, &other.depths, counterparts),
                sigmas: means(&one.sigmas, &other.sigmas, counterparts),
                blendshapes: means(&one.blendshapes, &other.blendshapes, &mirrored_blendshapes()),
            },
        })
    }
}

impl fmt::Debug for LandmarkModel {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_struct("LandmarkModel").field("spec", &self.spec).finish_non_exhaustive()
    }
}

impl Landmarker for LandmarkModel {
    fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    fn landmarks(&mut self, luma: Luma, region: &Region, timing: &mut Timing) -> Result<Landmarks> {
        let to_image = self.spec.framing.crop_to_image(region);
        // Taken out while `self` is borrowed.
        let mut numbers = std::mem::take(&mut self.numbers);
        timing.measure(Stage::Crop, || {
            crop(luma, &to_image, self.spec.width, &mut self.pixels);
            normalise(&self.pixels, self.spec.width, self.spec.normalisation, &mut numbers);
        });
        let found = timing.measure(Stage::Infer, || self.look(&mut numbers));
        self.numbers = numbers;
        let mut found = found?;
        found.points.iter_mut().for_each(|point| *point = to_image.apply(*point));
        let width = self.spec.framing.width * region.size;
        found.more.blendshapes.iter_mut().for_each(|share| *share = share.clamp(0.0, 1.0));
        found.more.depths.iter_mut().chain(&mut found.more.sigmas).for_each(|length| *length *= width);
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Plane;
    use crate::models;

    /// A picture that is not symmetric.
    fn picture() -> Plane {
        let (width, height) = (200, 180);
        let pixel = |i: usize| {
            let (x, y) = (i % width, i / width);
            (x * 5 / 4 + (x * y / 40) % 50 + if (60..90).contains(&x) && y > 80 { 60 } else { 0 }).min(255)
                as u8
        };
        Plane::new(width, height, (0..width * height).map(pixel).collect()).unwrap()
    }

    #[test]
    fn a_model_that_looks_twice_gives_mirrored_points_for_a_mirrored_picture() {
        let mut model = LandmarkModel::from_bytes(models::COMPACT, 1).unwrap();
        let picture = picture();
        let mut mirrored = picture.clone();
        mirrored.data_mut().chunks_exact_mut(picture.width()).for_each(<[u8]>::reverse);
        let width = picture.width() as f32;
        let center = Point::new((width - 1.0) / 2.0, 85.0);
        let region = Region { center, size: 90.0, angle: 0.0 };
        let largest_difference = |model: &mut LandmarkModel| {
            let mut timing = Timing::default();
            let points = model.landmarks(picture.luma(), &region, &mut timing).unwrap().points;
            let others = model.landmarks(mirrored.luma(), &region, &mut timing).unwrap().points;
            let counterparts = model.spec().scheme.mirror().iter().map(|&i| others[i]);
            let mirrored_back = counterparts.map(|p| Point::new(width - 1.0 - p.x, p.y));
            let distances = points.iter().zip(mirrored_back).map(|(a, b)| (a.x - b.x).hypot(a.y - b.y));
            distances.fold(0.0, f32::max)
        };
        assert!(largest_difference(&mut model) > 0.5, "a net that looks once does not");
        model.spec.mirrored = true;
        let difference = largest_difference(&mut model);
        assert!(difference < 0.1, "{difference}");
    }
}
