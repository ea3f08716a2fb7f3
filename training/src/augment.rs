//! Training crops: the region is jittered, the crop cut once, its points moved by the same map, then the pixels spoilt.

use std::ops::Range;

use anyhow::{Result, ensure};
use facemark::Plane;
use facemark::crop::Framing;
use facemark::crop::crop;
use facemark::geometry::{Affine, Point, Region};
use facemark::onnx::spec::ModelSpec;
use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder, ImageFormat};
use rand::RngExt;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};

use crate::dataset::Sample;
use crate::eyelids;
use crate::nets::NetKind;

/// How far a blink lowers the upper lids, as a share of the way down: something of the lashes stays.
const BLINK: Range<f32> = 0.3..0.95;

/// Where a training crop's region begins before it is jittered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// At the face.
    Face,
    /// Anywhere between the face and the whole photo.
    Between,
    /// So that the crop is the whole photo.
    Photo,
}

/// How far training crops stray from the true face region and from the true pixels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Augment {
    /// Where regions begin.
    pub start: Start,
    /// Greatest roll either way, in degrees.
    pub roll: f32,
    /// Greatest change of size, as a natural logarithm, either way.
    pub scale: f32,
    /// Greatest shift along each axis, in the crop's width and height.
    pub shift: f32,
    /// How much wider and at once lower faces become at most, as a natural logarithm, or the other way round.
    #[serde(default)]
    pub stretch: f32,
    /// Whether half of the crops are mirrored.
    pub mirror: bool,
    /// Probability of eyes that are closed further than they were.
    #[serde(default)]
    pub blink: f32,
    /// Greatest change of contrast, as a natural logarithm; what leaves 0–255 is clipped.
    pub contrast: f32,
    /// Greatest change of brightness in grey levels.
    pub brightness: f32,
    /// Greatest gamma, as a natural logarithm, either way.
    pub gamma: f32,
    /// Greatest standard deviation of the blur in pixels; half of the crops stay sharp.
    pub blur: f32,
    /// Greatest standard deviation of the noise in grey levels.
    pub noise: f32,
    /// Probability of a patch over a part of the crop, grey or of noise.
    pub occlusion: f32,
    /// Probability of a strong JPEG compression.
    pub jpeg: f32,
    /// Probability of a crop that shows no face, or one that is too large, too small or too far off. Only nets that answer
    /// whether there is a face can learn from it.
    #[serde(default)]
    pub absent: f32,
}

impl Augment {
    /// The crop at its start, unchanged.
    pub fn none(start: Start) -> Self {
        Self {
            start,
            roll: 0.0,
            scale: 0.0,
            shift: 0.0,
            stretch: 0.0,
            mirror: false,
            blink: 0.0,
            contrast: 0.0,
            brightness: 0.0,
            gamma: 0.0,
            blur: 0.0,
            noise: 0.0,
            occlusion: 0.0,
            jpeg: 0.0,
            absent: 0.0,
        }
    }

    /// Our settings for a net.
    pub fn best(net: NetKind) -> Self {
        let common = Self {
            start: Start::Face,
            // The tracker turns its crops upright; this is for what it gets wrong, and for 300-W's own rolls of ±8°.
            roll: 25.0,
            scale: 0.15,
            shift: 0.06,
            stretch: 0.0,
            mirror: true,
            blink: 0.0,
            contrast: 0.5,
            brightness: 40.0,
            gamma: 0.4,
            blur: 1.2,
            noise: 8.0,
            occlusion: 0.4,
            jpeg: 0.2,
            absent: 0.0,
        };
        match net {
            // A trained photo shows little but one of 32 people before one wall: vary the framing more, blur less.
            NetKind::Nose | NetKind::Nose3 | NetKind::FullFace => {
                Self { start: Start::Between, roll: 15.0, scale: 0.2, shift: 0.05, blur: 0.8, ..common }
            }
            NetKind::Resnet18 => common,
            // It is too small to learn everything: what is rare takes accuracy from what is common.
            NetKind::Compact => {
                Self { roll: 20.0, occlusion: 0.25, jpeg: 0.1, blink: 0.1, absent: 0.12, ..common }
            }
            NetKind::Large => Self {
                roll: 18.0,
                scale: 0.13,
                shift: 0.055,
                stretch: 0.06,
                blink: 0.1,
                contrast: 0.45,
                brightness: 35.0,
                gamma: 0.35,
                noise: 7.0,
                occlusion: 0.2,
                jpeg: 0.1,
                ..common
            },
            // Faces nearly anywhere in the picture, of 8.5 to 210 px.
            NetKind::Face => {
                Self { start: Start::Photo, roll: 45.0, scale: 1.6, shift: 0.42, occlusion: 0.25, ..common }
            }
        }
    }

    /// The course's settings for a net.
    ///
    /// It also jitters the saturation, which moves each pixel towards or away from its own grey value and so leaves the
    /// luma that the nets read as it is.
    pub fn course(net: NetKind) -> Self {
        match net {
            NetKind::Nose | NetKind::Nose3 => Self::none(Start::Photo),
            // ±24 and ±18 px of 240×180.
            NetKind::FullFace => {
                Self { roll: 15.0, shift: 0.1, brightness: 40.0, ..Self::none(Start::Photo) }
            }
            NetKind::Resnet18 | NetKind::Compact | NetKind::Large => {
                Self { roll: 15.0, shift: 0.05, brightness: 40.0, ..Self::none(Start::Face) }
            }
            NetKind::Face => Self::best(net),
        }
    }

    /// Refuses numbers that spoil every crop, or of which none can be made.
    pub fn check(&self) -> Result<()> {
        for (name, value, most) in [
            ("roll", self.roll, 180.0),
            ("scale", self.scale, 3.0),
            ("shift", self.shift, 10.0),
            ("stretch", self.stretch, 1.0),
            ("contrast", self.contrast, 3.0),
            ("brightness", self.brightness, 255.0),
            ("gamma", self.gamma, 3.0),
            ("blur", self.blur, 32.0),
            ("noise", self.noise, 255.0),
            ("occlusion", self.occlusion, 1.0),
            ("jpeg", self.jpeg, 1.0),
            ("blink", self.blink, 1.0),
            ("absent", self.absent, 1.0),
        ] {
            ensure!((0.0..=most).contains(&value), "augment.{name} must be from 0 to {most}, not {value}");
        }
        Ok(())
    }
}

/// A crop before normalisation, and where the points lie in it.
pub struct Example {
    /// `width * height` grey levels.
    pub pixels: Vec<u8>,
    /// The landmarks in crop sides.
    pub points: Vec<Point>,
    /// Whether they are there to be found.
    pub present: bool,
}

/// The crop of a region as it is.
pub fn plain(sample: &Sample, region: &Region, spec: &ModelSpec) -> Example {
    cut(sample, &spec.framing.crop_to_image(region), spec)
}

/// A crop for training.
pub fn augmented(sample: &Sample, spec: &ModelSpec, how: &Augment, rng: &mut StdRng) -> Example {
    let blinks = how.blink > 0.0 && rng.random::<f32>() < how.blink;
    let blinking = blinks.then(|| eyelids::lowered(sample, rng.random_range(BLINK)));
    let sample = blinking.as_ref().unwrap_or(sample);
    let absent = how.absent > 0.0 && rng.random::<f32>() < how.absent;
    let region =
        if absent { elsewhere(&sample.region, rng) } else { jittered(sample, &spec.framing, how, rng) };
    let stretch = if how.stretch > 0.0 { symmetric(rng, how.stretch).exp() } else { 1.0 };
    let to_image = stretched(stretch).then(&spec.framing.crop_to_image(&region));
    let mut example = Example { present: !absent, ..cut(sample, &to_image, spec) };
    if how.mirror && rng.random::<bool>() {
        mirror(&mut example, spec);
    }
    spoil(&mut example.pixels, spec.width, how, rng);
    example
}

/// The region whose crop is the whole photo, as far as the proportions agree.
pub fn whole_photo(framing: &Framing, photo: &Plane) -> Region {
    let (width, height) = (photo.width() as f32, photo.height() as f32);
    let size = (width / framing.width).max(height / framing.height);
    let center = Point::new(
        (width - 1.0) / 2.0 - framing.shift_x * size,
        (height - 1.0) / 2.0 - framing.shift_y * size,
    );
    Region { center, size, angle: 0.0 }
}

fn cut(sample: &Sample, to_image: &Affine, spec: &ModelSpec) -> Example {
    let mut pixels = vec![0; spec.width * spec.height];
    crop(sample.photo.luma(), to_image, spec.width, &mut pixels);
    let to_crop = to_image.inverse();
    Example { pixels, points: sample.points.iter().map(|&p| to_crop.apply(p)).collect(), present: true }
}

/// Takes crop sides to crop sides so that what they show gets wider by a factor and lower by the same, around the middle.
fn stretched(by: f32) -> Affine {
    let (x, y) = (1.0 / by, by);
    Affine::shift_then_scale((x - 1.0) / (2.0 * x), (y - 1.0) / (2.0 * y), x, y)
}

/// A region near this face in which it cannot be followed: beside it, much too large, or much too small.
pub fn elsewhere(face: &Region, rng: &mut StdRng) -> Region {
    let (way, growth) = match rng.random_range(0..4) {
        0 | 1 => (rng.random_range(0.55..1.3), symmetric(rng, 0.5)),
        2 => (rng.random_range(0.0..0.6), rng.random_range(0.8..1.3)),
        _ => (rng.random_range(0.0..0.5), rng.random_range(-1.6..-0.8)),
    };
    let towards: f32 = rng.random_range(0.0..std::f32::consts::TAU);
    let center = Point::new(
        face.center.x + way * face.size * towards.cos(),
        face.center.y + way * face.size * towards.sin(),
    );
    Region { center, size: face.size * growth.exp(), angle: face.angle + symmetric(rng, 0.5) }
}

fn jittered(sample: &Sample, framing: &Framing, how: &Augment, rng: &mut StdRng) -> Region {
    let mut region = sample.region;
    // How far from the face to the whole photo.
    let t = match how.start {
        Start::Face => 0.0,
        Start::Between => rng.random(),
        Start::Photo => 1.0,
    };
    let whole = whole_photo(framing, &sample.photo);
    region.center.x += t * (whole.center.x - region.center.x);
    region.center.y += t * (whole.center.y - region.center.y);
    region.size += t * (whole.size - region.size);
    let size = region.size;
    region.center.x += size * framing.width * symmetric(rng, how.shift);
    region.center.y += size * framing.height * symmetric(rng, how.shift);
    region.size *= symmetric(rng, how.scale).exp();
    region.angle += symmetric(rng, how.roll).to_radians();
    region
}

/// Turns the crop left to right; each point takes the place of its counterpart.
fn mirror(example: &mut Example, spec: &ModelSpec) {
    example.pixels.chunks_exact_mut(spec.width).for_each(<[u8]>::reverse);
    let counterparts = spec.scheme.mirror().iter();
    example.points =
        counterparts.map(|&i| Point::new(1.0 - example.points[i].x, example.points[i].y)).collect();
}

/// Occludes, blurs, changes the exposure and adds noise, in the order in which a camera would.
pub fn spoil(pixels: &mut [u8], width: usize, how: &Augment, rng: &mut StdRng) {
    if rng.random::<f32>() < how.occlusion {
        occlude(pixels, width, rng);
    }
    if how.blur > 0.0 && rng.random::<bool>() {
        blur(pixels, width, rng.random_range(0.0..how.blur));
    }
    let exposure = exposure(how, rng);
    let noise = how.noise * rng.random::<f32>();
    for pixel in pixels.iter_mut() {
        let value = f32::from(exposure[usize::from(*pixel)]);
        *pixel = (value + noise * normal(rng)).round() as u8;
    }
    if rng.random::<f32>() < how.jpeg {
        compress(pixels, width, rng.random_range(10..50));
    }
}

/// What is left after JPEG at a quality of 1 to 100. Crops that cannot be compressed stay as they are.
pub fn compress(pixels: &mut [u8], width: usize, quality: u8) {
    let mut jpeg = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut jpeg, quality);
    let (w, h) = (width as u32, (pixels.len() / width) as u32);
    let decoded = encoder
        .write_image(pixels, w, h, ExtendedColorType::L8)
        .and_then(|()| image::load_from_memory_with_format(&jpeg, ImageFormat::Jpeg));
    if let Ok(decoded) = decoded {
        pixels.copy_from_slice(&decoded.into_luma8());
    }
}

/// A rectangle of a tenth to half of each side, anywhere: half of them grey, half of noise, which has edges as hands and
/// hair have.
fn occlude(pixels: &mut [u8], width: usize, rng: &mut StdRng) {
    let height = pixels.len() / width;
    let mut span = |side: usize| {
        let length = ((side as f32 * rng.random_range(0.1..0.5)) as usize).max(1);
        let start = rng.random_range(0..=side - length);
        start..start + length
    };
    let (columns, rows) = (span(width), span(height));
    let grey = rng.random();
    let is_noise = rng.random::<bool>();
    for y in rows {
        let row = &mut pixels[y * width..][columns.clone()];
        if is_noise { rng.fill(row) } else { row.fill(grey) }
    }
}

/// A table from grey level to grey level: gamma, contrast around the middle, brightness.
fn exposure(how: &Augment, rng: &mut StdRng) -> [u8; 256] {
    let gamma = symmetric(rng, how.gamma).exp();
    let contrast = symmetric(rng, how.contrast).exp();
    let brightness = symmetric(rng, how.brightness);
    std::array::from_fn(|level| {
        let bent = 255.0 * (level as f32 / 255.0).powf(gamma);
        ((bent - 128.0) * contrast + 128.0 + brightness).round() as u8
    })
}

/// A Gaussian blur, `sigma` in pixels; edges go on.
pub fn blur(pixels: &mut [u8], width: usize, sigma: f32) {
    let radius = (2.5 * sigma).ceil() as usize;
    if radius == 0 {
        return;
    }
    let weights: Vec<f32> = (0..=radius).map(|i| (-0.5 * (i as f32 / sigma).powi(2)).exp()).collect();
    let total = 2.0 * weights.iter().sum::<f32>() - weights[0];
    let height = pixels.len() / width;
    let mut lines = vec![0.0; pixels.len()];
    for (i, value) in lines.iter_mut().enumerate() {
        let (row, x) = (i / width * width, i % width);
        let at = |x: usize| f32::from(pixels[row + x]);
        *value = smoothed(&weights, total, x, width, at);
    }
    for (i, pixel) in pixels.iter_mut().enumerate() {
        let (y, x) = (i / width, i % width);
        *pixel = smoothed(&weights, total, y, height, |y| lines[y * width + x]).round() as u8;
    }
}

/// The weighted mean around position `i` of `0..n`.
fn smoothed(weights: &[f32], total: f32, i: usize, n: usize, at: impl Fn(usize) -> f32) -> f32 {
    let pairs = weights.iter().enumerate().skip(1);
    let sum: f32 = pairs.map(|(d, w)| w * (at(i.saturating_sub(d)) + at((i + d).min(n - 1)))).sum();
    (sum + weights[0] * at(i)) / total
}

/// Uniform between `-limit` and `limit`.
pub fn symmetric(rng: &mut StdRng, limit: f32) -> f32 {
    limit * (2.0 * rng.random::<f32>() - 1.0)
}

/// Nearly normal with deviation 1, within ±3.5: four bytes summed, cheap enough for every pixel.
pub fn normal(rng: &mut StdRng) -> f32 {
    // A byte's mean is 127.5 and its variance (256² - 1) / 12; four of them double the deviation of one.
    let sum: u16 = rng.random::<[u8; 4]>().into_iter().map(u16::from).sum();
    (f32::from(sum) - 510.0) / 147.8
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use facemark::geometry::mean;
    use rand::SeedableRng;

    use super::*;

    /// A dark photo with a bright dot at the only point.
    fn dot(x: usize, y: usize) -> Sample {
        let mut photo = Plane::new(200, 160, vec![20; 200 * 160]).unwrap();
        for (dx, dy) in (0..25).map(|i| (i % 5, i / 5)) {
            photo.data_mut()[(y + dy - 2) * 200 + x + dx - 2] = 250;
        }
        Sample {
            name: "dot".to_owned(),
            picture: "dot.png".into(),
            face_box: None,
            photo: Arc::new(photo),
            points: vec![Point::new(x as f32, y as f32)],
            region: Region { center: Point::new(100.0, 80.0), size: 60.0, angle: 0.0 },
            held_out: false,
        }
    }

    /// The centre of the pixels nearer to the brightest than to the darkest one, in crop sides.
    fn bright_spot(pixels: &[u8], width: usize) -> Point {
        let extreme = |pick: fn(u8, u8) -> u8| pixels.iter().copied().reduce(pick).map_or(0.0, f32::from);
        let limit = (extreme(u8::min) + extreme(u8::max)) / 2.0;
        let bright: Vec<Point> = (0..pixels.len())
            .filter(|&i| f32::from(pixels[i]) > limit)
            .map(|i| Point::new((i % width) as f32 + 0.5, (i / width) as f32 + 0.5))
            .collect();
        let center = mean(&bright);
        Point::new(center.x / width as f32, center.y / (pixels.len() / width) as f32)
    }

    #[test]
    fn elsewhere_is_never_where_the_face_could_be_followed() {
        let face = Region { center: Point::new(100.0, 80.0), size: 60.0, angle: 0.2 };
        let mut rng = StdRng::seed_from_u64(1);
        for _ in 0..1000 {
            let region = elsewhere(&face, &mut rng);
            let (small, large) = (region.size.min(face.size), region.size.max(face.size));
            let share_of_larger = region.overlap(&face) * (small / large).powi(2);
            assert!(region.is_usable() && share_of_larger < 0.5, "{region:?}");
        }
    }

    #[test]
    fn as_many_crops_are_without_a_face_as_the_recipe_says() {
        let spec = NetKind::Compact.spec(Framing { width: 1.3, height: 1.3, shift_x: 0.0, shift_y: 0.0 });
        let sample = Sample { points: vec![Point::new(100.0, 80.0); 68], ..dot(100, 80) };
        let absent = |share| {
            let how = Augment { absent: share, ..Augment::none(Start::Face) };
            let mut rng = StdRng::seed_from_u64(1);
            (0..400).filter(|_| !augmented(&sample, &spec, &how, &mut rng).present).count()
        };
        assert_eq!((absent(0.0), absent(1.0)), (0, 400));
        assert!((80..120).contains(&absent(0.25)), "{}", absent(0.25));
    }

    #[test]
    fn a_stretched_face_is_wider_and_lower_around_the_middle() {
        let inverse = stretched(1.25).inverse();
        assert_eq!(inverse.apply(Point::new(0.5, 0.5)), Point::new(0.5, 0.5));
        let corner = inverse.apply(Point::new(0.7, 0.75));
        assert!((corner.x - 0.75).abs() < 1e-6 && (corner.y - 0.7).abs() < 1e-6, "{corner:?}");
    }

    #[test]
    fn points_move_with_their_pixels() {
        let spec = NetKind::Nose.spec(Framing { width: 2.0, height: 1.5, shift_x: 0.1, shift_y: -0.1 });
        let how =
            Augment { stretch: 0.2, occlusion: 0.0, noise: 0.0, jpeg: 0.0, ..Augment::best(NetKind::Nose) };
        let sample = dot(112, 71);
        for seed in 0..50 {
            let example = augmented(&sample, &spec, &how, &mut StdRng::seed_from_u64(seed));
            let (found, told) = (bright_spot(&example.pixels, spec.width), example.points[0]);
            assert!(found.distance(told) < 0.02, "seed {seed}: dot at {found:?}, point at {told:?}");
        }
    }

    #[test]
    fn mirrored_points_take_their_counterparts_place() {
        let spec = NetKind::Resnet18.spec(Framing { width: 1.0, height: 1.0, shift_x: 0.0, shift_y: 0.0 });
        let points: Vec<Point> = (0..68).map(|i| Point::new(i as f32 / 100.0, 0.5)).collect();
        let mut pixels = vec![0; 112 * 112];
        pixels[111] = 9;
        let mut example = Example { pixels, points, present: true };
        mirror(&mut example, &spec);
        assert_eq!(example.pixels[0], 9);
        // Point 36 is the left eye's outer corner; mirrored, the right eye's, 45, is there.
        assert_eq!(example.points[36], Point::new(1.0 - 0.45, 0.5));
        assert_eq!(example.points[33], Point::new(1.0 - 0.33, 0.5));
    }

    #[test]
    fn the_whole_photo_is_the_crop_of_its_region() {
        let photo = Plane::new(640, 480, vec![0; 640 * 480]).unwrap();
        let framing = Framing { width: 3.2, height: 2.4, shift_x: -0.03, shift_y: -0.3 };
        let map = framing.crop_to_image(&whole_photo(&framing, &photo));
        assert!(map.apply(Point::new(0.0, 0.0)).distance(Point::new(-0.5, -0.5)) < 1e-3);
        assert!(map.apply(Point::new(1.0, 1.0)).distance(Point::new(639.5, 479.5)) < 1e-3);
    }

    #[test]
    fn a_blurred_dot_is_a_gaussian() {
        let mut pixels = vec![30; 21 * 15];
        pixels[7 * 21 + 10] = 230;
        blur(&mut pixels, 21, 1.0);
        // 200 / 2π at the centre, e^-½ of it beside, e^-1 of it diagonally.
        assert!(pixels[7 * 21 + 10].abs_diff(62) <= 1);
        assert!(pixels[7 * 21 + 11].abs_diff(49) <= 1 && pixels[8 * 21 + 10].abs_diff(49) <= 1);
        assert!(pixels[8 * 21 + 11].abs_diff(42) <= 1);
        assert_eq!(pixels[0], 30);
    }

    #[test]
    fn noise_has_its_deviation() {
        let mut rng = StdRng::seed_from_u64(1);
        let values: Vec<f32> = (0..10_000).map(|_| normal(&mut rng)).collect();
        let squares: f32 = values.iter().map(|v| v * v).sum();
        assert!((squares / 10_000.0 - 1.0).abs() < 0.05);
        assert!((values.iter().sum::<f32>() / 10_000.0).abs() < 0.05);
    }
}
