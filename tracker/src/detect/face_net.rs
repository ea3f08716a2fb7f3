//! The built-in detector: a net that looks at the whole picture once and then again at each place where a
//! face may be.

use std::f32::consts::FRAC_PI_2;
use std::fmt;

use super::equalise::equalise;
use super::grid::{self, STRIDES, n_values};
use super::{Detection, Detector, is_same, suppress};
use crate::crop::{Framing, Normalisation, crop, normalise};
use crate::error::Result;
use crate::geometry::{Affine, Point, Region};
use crate::image::Luma;
use crate::onnx::net::{self, Graph, Net, NetFile};
use crate::onnx::spec::DetectorSpec;

/// Detections with a lower score than this are ignored. Those in the whole picture that reach it get a second
/// look, in which the face is upright and has the size that suits the net best.
const MIN_SEEN: f32 = 0.3;
/// At most this many places get a second look, those with the highest scores.
const MAX_CANDIDATES: usize = 512;
/// [`FaceNet`] reports a face if its score is at least this. The score is the mean of both looks, rescaled if the
/// model's file has a calibration.
pub const MIN_SCORE: f32 = 0.6;
/// A face with a lower score may be one the wrong way up, and is also looked at turned.
const SURE_OF_ROLL: f32 = 0.9;
/// The score that a face needs in a picture that showed none as it is: with four more looks, mistakes are likelier.
const SEARCHED: f32 = 0.8;
/// How much higher the score of a turned face must be.
const CLEARLY: f32 = 0.02;
/// A face that is seen the wrong way up lies beside the true one: they have at least this share of the smaller one
/// in common.
const BESIDE: f32 = 0.2;
/// How much higher the score of a face has to be that the picture's edge cuts off, so that there is no second look at it.
const CUT_OFF: f32 = 0.1;
/// A second look shows the same face only if neither is more than this many times larger than the other.
const ALIKE: f32 = 2.5;
/// A known place with a lower score is looked at in other ways, too, which only count if they show a higher one.
const DIM: f32 = 0.5;
/// A second look of which more than this share lies outside the picture shows too little.
const MAX_OUTSIDE: f32 = 0.3;
/// The side of the square that the second look covers, in face sizes.
const CLOSE_LOOK: f32 = 2.0;
/// The same side in pixels: faces then are 48 pixels large, a size at which the net is reliable.
const CLOSE_SIDE: usize = 96;
/// The input has the picture's proportions, up to this ratio of one side to the other.
const MAX_ASPECT: f32 = 4.0;

/// A face detector: an ONNX file exported by facemark-train, run by tract.
pub struct FaceNet {
    spec: DetectorSpec,
    graph: Graph,
    threads: usize,
    /// Whether whole pictures are looked at twice, the second time with more pixels.
    small_faces: bool,
    min_score: f32,
    /// The size of the last picture and, for each look at whole pictures of that size, an input.
    whole: Option<(PictureSize, Vec<Input>)>,
    /// The same for a look at the picture turned by a quarter.
    turned: Option<(PictureSize, Input)>,
    /// The input for the second look at a face.
    close: Input,
}

/// Width and height of a picture.
type PictureSize = (usize, usize);

impl fmt::Debug for FaceNet {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self { spec, small_faces, threads, .. } = self;
        let mut fields = f.debug_struct("FaceNet");
        fields.field("spec", spec).field("small_faces", small_faces).field("threads", threads);
        fields.finish_non_exhaustive()
    }
}

impl FaceNet {
    /// Loads a detector from an ONNX file's bytes. The net may use `threads` threads, see
    /// [`Options::threads`](crate::Options::threads).
    ///
    /// # Errors
    /// [`Error::Model`](crate::Error::Model) if the bytes are not an ONNX file or not a detector exported by
    /// facemark-train, or if the graph does not do what its metadata says.
    pub fn from_bytes(bytes: &[u8], threads: usize) -> Result<Self> {
        net::load(|| {
            let file = NetFile::read(bytes)?;
            let spec = DetectorSpec::from_metadata(file.metadata())?;
            let (width, height) = (spec.width, spec.height);
            let graph = file.parse([width, height], n_values(width, height))?;
            let close = Input::new(&graph, (CLOSE_SIDE, CLOSE_SIDE), threads)?;
            Ok(Self {
                spec,
                graph,
                threads,
                small_faces: false,
                min_score: MIN_SCORE,
                whole: None,
                turned: None,
                close,
            })
        })
    }

    /// Makes it find faces half as large, too, in seven times the time: it looks at whole pictures a second
    /// time, with four times as many pixels.
    pub fn with_small_faces(self) -> Self {
        Self { small_faces: true, whole: None, turned: None, ..self }
    }

    /// Makes it report faces with at least this score, instead of [`MIN_SCORE`]; below 0.3 there are hardly more.
    pub fn with_min_score(self, min_score: f32) -> Self {
        Self { min_score, ..self }
    }

    /// A score as it is reported.
    fn calibrated(&self, face: Detection) -> Detection {
        let score = self.spec.calibration.map_or(face.score, |calibration| calibration.apply(face.score));
        Detection { score, ..face }
    }

    /// The model's metadata.
    pub fn spec(&self) -> &DetectorSpec {
        &self.spec
    }

    /// Runs the net on a normalised picture of the size in its [`spec`](Self::spec): `height · width`
    /// numbers, row by row. Returns its raw output, see [`grid`].
    ///
    /// # Errors
    /// [`Error::Run`](crate::Error::Run) if the picture has another size or the net fails.
    pub fn run(&mut self, picture: &[f32]) -> Result<Vec<f32>> {
        let size = (self.spec.width, self.spec.height);
        self.whole(size)?[0].net.run(picture)
    }

    /// The inputs for whole pictures of this size, at least one. A change of size costs a few milliseconds.
    fn whole(&mut self, size: PictureSize) -> Result<&mut [Input]> {
        let inputs = match self.whole.take() {
            Some((planned, inputs)) if planned == size => inputs,
            _ => self.plan(size)?,
        };
        Ok(&mut self.whole.insert((size, inputs)).1)
    }

    /// The second look is left out if the picture does not have enough pixels for it.
    fn plan(&self, size: PictureSize) -> Result<Vec<Input>> {
        let n_pixels = self.spec.width * self.spec.height;
        let finer = (self.small_faces && 4 * n_pixels <= size.0 * size.1).then_some(4 * n_pixels);
        let input = |n_pixels| Input::new(&self.graph, input_size(size, n_pixels), self.threads);
        net::load(|| std::iter::once(n_pixels).chain(finer).map(input).collect())
    }
}

/// How a picture is looked at.
#[derive(Clone, Copy)]
struct View {
    /// By how many quarters faces that look upright are rolled.
    quarters: u8,
    /// Whether the light is made even.
    is_even: bool,
}

impl View {
    const PLAIN: Self = Self { quarters: 0, is_even: false };
    /// What is tried where the plain view shows no face.
    const OTHERS: [Self; 4] = [
        Self { quarters: 0, is_even: true },
        Self { quarters: 1, is_even: false },
        Self { quarters: 3, is_even: false },
        Self { quarters: 2, is_even: false },
    ];

    fn angle(self) -> f32 {
        f32::from(self.quarters) * FRAC_PI_2
    }
}

impl FaceNet {
    /// The places in the whole picture where a face may be.
    fn candidates(&mut self, luma: Luma, view: View) -> Result<Vec<Detection>> {
        let how = self.spec.normalisation;
        let size = (luma.width(), luma.height());
        let mut found = Vec::new();
        if view.quarters % 2 == 1 {
            let input = match self.turned.take() {
                Some((planned, input)) if planned == size => input,
                _ => {
                    let turned = input_size((size.1, size.0), self.spec.width * self.spec.height);
                    net::load(|| Input::new(&self.graph, turned, self.threads))?
                }
            };
            let input = &mut self.turned.insert((size, input)).1;
            let to_image = letterbox(size, (input.width, input.height), view);
            return Ok(suppress(input.look(luma, &to_image, how, view.is_even)?));
        }
        for input in self.whole(size)? {
            let to_image = letterbox(size, (input.width, input.height), view);
            found.extend(input.look(luma, &to_image, how, view.is_even)?);
        }
        Ok(suppress(found))
    }

    /// The faces among some candidates.
    fn faces(&mut self, luma: Luma, candidates: Vec<Detection>, is_even: bool) -> Result<Vec<Detection>> {
        let mut faces = Vec::with_capacity(candidates.len());
        for candidate in candidates.into_iter().take(MAX_CANDIDATES) {
            faces.extend(self.checked(luma, candidate, is_even)?);
        }
        Ok(suppress(faces))
    }

    /// Takes a second look at a candidate, unless the picture's edge cuts it off and the first look is enough. Of a face that
    /// fills the picture the better look counts. `None` if the score is too low.
    fn checked(&mut self, luma: Luma, candidate: Detection, is_even: bool) -> Result<Option<Detection>> {
        let fills = fills_picture(luma, &candidate.region);
        let enough = if fills { self.min_score } else { self.min_score + CUT_OFF };
        let first = Some(self.calibrated(candidate))
            .filter(|face| leaves_picture(luma, &face.region) && face.score >= enough);
        let close = if first.is_none() || fills { self.second(luma, candidate, is_even)? } else { None };
        match first.into_iter().chain(close).max_by(|a, b| a.score.total_cmp(&b.score)) {
            Some(face) if face.score < SURE_OF_ROLL => self.best_turned(luma, face, is_even).map(Some),
            face => Ok(face),
        }
    }

    /// What a second look shows of a candidate, with the mean score of both looks. `None` if that is too low.
    fn second(&mut self, luma: Luma, candidate: Detection, is_even: bool) -> Result<Option<Detection>> {
        let close = self.close_look(luma, &candidate.region, is_even)?;
        let mean = |close: Detection| Detection { score: (close.score + candidate.score) / 2.0, ..close };
        Ok(close.map(|close| self.calibrated(mean(close))).filter(|face| face.score >= self.min_score))
    }

    /// The same face, turned by quarters if it then looks much more like one.
    fn best_turned(&mut self, luma: Luma, face: Detection, is_even: bool) -> Result<Detection> {
        let mut best = face;
        let mut least = face.score + CLEARLY;
        for quarters in 1..4 {
            let turned = Region { angle: face.region.angle + quarters as f32 * FRAC_PI_2, ..face.region };
            let found = self.look_closely(luma, &turned, is_even)?;
            let here = found.into_iter().filter(|other| other.region.overlap(&face.region) > BESIDE);
            let other = here.max_by(|a, b| a.score.total_cmp(&b.score)).map(|other| self.calibrated(other));
            if let Some(other) = other.filter(|other| other.score > least) {
                (best, least) = (other, other.score);
            }
        }
        Ok(best)
    }

    /// The face at a place; the one with the highest score if there are several.
    fn close_look(&mut self, luma: Luma, near: &Region, is_even: bool) -> Result<Option<Detection>> {
        let found = self.look_closely(luma, near, is_even)?;
        let is_alike = |size: f32| size.max(near.size) <= ALIKE * size.min(near.size);
        let here = found.into_iter().filter(|face| is_same(&face.region, near) && is_alike(face.region.size));
        Ok(here.max_by(|a, b| a.score.total_cmp(&b.score)))
    }

    /// All faces at and around a place.
    fn look_closely(&mut self, luma: Luma, near: &Region, is_even: bool) -> Result<Vec<Detection>> {
        let framing = Framing { width: CLOSE_LOOK, height: CLOSE_LOOK, shift_x: 0.0, shift_y: 0.0 };
        self.close.look(luma, &framing.crop_to_image(near), self.spec.normalisation, is_even)
    }
}

impl Detector for FaceNet {
    fn detect(&mut self, luma: Luma, known: &[Region]) -> Result<Vec<Detection>> {
        let mut candidates = self.candidates(luma, View::PLAIN)?;
        candidates.retain(|face| !known.iter().any(|known| is_same(known, &face.region)));
        self.faces(luma, candidates, false)
    }

    fn search(&mut self, luma: Luma) -> Result<Vec<Detection>> {
        let mut faces = Vec::new();
        for view in View::OTHERS {
            let candidates = self.candidates(luma, view)?;
            let found = self.faces(luma, candidates, view.is_even)?.into_iter();
            faces.extend(found.filter(|face| face.score >= SEARCHED));
        }
        Ok(suppress(faces))
    }

    fn confirm(&mut self, luma: Luma, near: &Region) -> Result<Option<Detection>> {
        let mut seen: Vec<Detection> = self.close_look(luma, near, false)?.into_iter().collect();
        let is_doubtful = |seen: &[Detection]| seen.iter().all(|face| face.score < DIM);
        if is_doubtful(&seen) && leaves_picture(luma, near) {
            let whole = self.candidates(luma, View::PLAIN)?.into_iter();
            seen.extend(whole.filter(|face| is_same(&face.region, near) && face.score >= DIM));
        }
        if is_doubtful(&seen) {
            seen.extend(self.close_look(luma, near, true)?.filter(|face| face.score >= DIM));
        }
        let best = seen.into_iter().max_by(|a, b| a.score.total_cmp(&b.score));
        Ok(best.map(|face| self.calibrated(face)))
    }
}

/// Whether a second look at a face would show no less than the whole picture.
fn fills_picture(luma: Luma, face: &Region) -> bool {
    CLOSE_LOOK * face.size > luma.width().min(luma.height()) as f32
}

/// Whether a second look at a face would reach far beyond the picture: the face fills it, or is cut off by its edge.
fn leaves_picture(luma: Luma, face: &Region) -> bool {
    let (width, height) = (luma.width() as f32, luma.height() as f32);
    let side = CLOSE_LOOK * face.size;
    let inside = |at: f32, length: f32| {
        ((at + side / 2.0).min(length - 0.5) - (at - side / 2.0).max(-0.5)).max(0.0) / side
    };
    let share = inside(face.center.x, width) * inside(face.center.y, height);
    fills_picture(luma, face) || share < 1.0 - MAX_OUTSIDE
}

/// The net, prepared for one size of input, with its buffers.
struct Input {
    net: Net,
    width: usize,
    height: usize,
    pixels: Vec<u8>,
    numbers: Vec<f32>,
}

impl Input {
    fn new(graph: &Graph, (width, height): (usize, usize), threads: usize) -> Result<Self> {
        let net = graph.plan([width, height], n_values(width, height), threads)?;
        let n = width * height;
        Ok(Self { net, width, height, pixels: vec![0; n], numbers: vec![0.0; n] })
    }

    /// The faces in a part of the picture, in image pixels; `to_image` maps unit input coordinates to image
    /// pixels.
    fn look(
        &mut self,
        luma: Luma,
        to_image: &Affine,
        how: Normalisation,
        is_even: bool,
    ) -> Result<Vec<Detection>> {
        let Self { net, width, height, pixels, numbers } = self;
        crop(luma, to_image, *width, pixels);
        if is_even {
            equalise(pixels, *width);
        }
        normalise(pixels, *width, how, numbers);
        let found = grid::decode(&net.run(numbers)?, *width, *height, MIN_SEEN);
        Ok(found.into_iter().map(|face| in_image(face, to_image, *width, *height)).collect())
    }
}

/// Width and height of the input for a picture: close to the picture's proportions, about `n_pixels` pixels,
/// and sides that are multiples of the largest cell's.
fn input_size((width, height): PictureSize, n_pixels: usize) -> (usize, usize) {
    let aspect = (width as f32 / height as f32).clamp(1.0 / MAX_ASPECT, MAX_ASPECT);
    let unit = STRIDES[STRIDES.len() - 1] as f32;
    let side = |length: f32| ((length / unit).round().max(1.0) * unit) as usize;
    let ideal = (n_pixels as f32 * aspect).sqrt();
    (side(ideal), side(ideal / aspect))
}

/// The map from unit input coordinates to image pixels that centres the whole picture, turned as the view wants it, in
/// the input, as large as fits.
fn letterbox(
    (width, height): PictureSize,
    (input_width, input_height): (usize, usize),
    view: View,
) -> Affine {
    let (width, height) = (width as f32, height as f32);
    let (across, down) = (input_width as f32, input_height as f32);
    let (wide, high) = if view.quarters % 2 == 1 { (height, width) } else { (width, height) };
    let scale = (wide / across).max(high / down);
    let center = Point::new((width - 1.0) / 2.0, (height - 1.0) / 2.0);
    let framing = Framing { width: across, height: down, shift_x: 0.0, shift_y: 0.0 };
    framing.crop_to_image(&Region { center, size: scale, angle: view.angle() })
}

/// Converts a detection from an input's pixels to image pixels. The map rotates and scales, but does not
/// shear.
fn in_image(found: Detection, to_image: &Affine, width: usize, height: usize) -> Detection {
    let Region { center, size, angle } = found.region;
    let [[a, _, _], [d, _, _]] = to_image.rows;
    let region = Region {
        center: to_image.apply(Point::new(center.x / width as f32, center.y / height as f32)),
        size: size * a.hypot(d) / width as f32,
        angle: angle + d.atan2(a),
    };
    Detection { region, ..found }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_have_the_pictures_proportions_and_about_as_many_pixels() {
        let n = 256 * 192;
        assert_eq!(input_size((640, 480), n), (256, 192));
        assert_eq!(input_size((1280, 720), n), (288, 160));
        assert_eq!(input_size((480, 640), n), (192, 256));
        assert_eq!(input_size((500, 500), n), (224, 224));
        for (width, height) in [(1, 4000), (4000, 1), (30, 20), (1, 1)] {
            let (w, h) = input_size((width, height), n);
            assert!(w % 32 == 0 && h % 32 == 0 && w * h <= 2 * n && w.min(h) >= 96, "{w}×{h}");
        }
    }

    #[test]
    fn a_letterbox_shows_the_whole_picture_in_the_middle() {
        // One input pixel is 4.5 image pixels; 284.4 of 288 columns are filled.
        let map = letterbox((1280, 720), (288, 160), View::PLAIN);
        let near = |unit: (f32, f32), image: (f32, f32)| {
            map.apply(Point::new(unit.0, unit.1)).distance(Point::new(image.0, image.1)) < 1e-2
        };
        assert!(near((0.5, 0.5), (639.5, 359.5)));
        assert!(near((0.5, 0.0), (639.5, -0.5)) && near((0.5, 1.0), (639.5, 719.5)));
        assert!(near((0.0, 0.5), (-8.5, 359.5)));
        // Turned by a quarter, what was above is on the left.
        let view = View { quarters: 1, is_even: false };
        let map = letterbox((1280, 720), (160, 288), view);
        assert!(map.apply(Point::new(0.5, 0.0)).distance(Point::new(1287.5, 359.5)) < 1e-2);
    }

    #[test]
    fn detections_are_rotated_and_scaled_to_the_image() {
        let near = Region { center: Point::new(200.0, 100.0), size: 80.0, angle: 0.5 };
        let framing = Framing { width: 2.0, height: 2.0, shift_x: 0.0, shift_y: 0.0 };
        let map = framing.crop_to_image(&near);
        // The face that was looked for: in the middle, upright, half as large as the input.
        let region = Region { center: Point::new(32.0, 32.0), size: 32.0, angle: 0.0 };
        let found = in_image(Detection { region, score: 0.7 }, &map, 64, 64);
        assert!(found.region.center.distance(near.center) < 1e-3 && (found.region.size - 80.0).abs() < 1e-3);
        assert!((found.region.angle - 0.5).abs() < 1e-5);
        // Further to its own right by a tenth of its size.
        let region = Region { center: Point::new(35.2, 32.0), angle: -0.1, ..region };
        let found = in_image(Detection { region, score: 0.7 }, &map, 64, 64).region;
        let expected = Point::new(200.0 + 8.0 * 0.5_f32.cos(), 100.0 + 8.0 * 0.5_f32.sin());
        assert!(found.center.distance(expected) < 1e-3 && (found.angle - 0.4).abs() < 1e-5);
    }
}
