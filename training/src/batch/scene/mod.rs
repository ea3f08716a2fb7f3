//! A training picture: photos pasted over each other, so that faces of all sizes, places and rolls stand before busy
//! backgrounds, cut by edges and hidden by things; then spoilt as crops for landmarks are.

use std::ops::Range;

use facemark::Plane;
use facemark::crop::Framing;
use facemark::crop::crop;
use facemark::geometry::{Affine, Point, Region};
use facemark::onnx::spec::ModelSpec;
use rand::RngExt;
use rand::rngs::StdRng;

use super::pixels::spoil;
use super::regions::symmetric;
use crate::dataset::photos::Photo;
use crate::recipe::Augment;

/// A face in a picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placed {
    /// Where, in pixels from the picture's upper left edge.
    pub region: Region,
    /// Whether its roll is known.
    pub has_roll: bool,
    /// Whether enough of it can be seen to demand that it be found.
    pub is_clear: bool,
}

/// A picture before normalisation and its faces.
#[derive(Clone)]
pub struct Scene {
    /// `width * height` grey levels.
    pub pixels: Vec<u8>,
    /// All faces of which something can be seen.
    pub faces: Vec<Placed>,
}

/// The typical size of a face in pixels; the recipe's `scale` says how far from it faces stray.
const TYPICAL: f32 = 42.0;
/// Further photos that are pasted in are at most so large …
const LARGEST_EXTRA: f32 = 70.0;
/// … and as many as this.
const MAX_EXTRAS: usize = 4;
/// Share of pictures without any face.
const EMPTY: f32 = 0.08;
/// Of backgrounds, the share that are a part of a photo without a face, enlarged.
const PLAIN: f32 = 0.4;
/// Share of pictures in which the photo's edge pixels go on to the picture's edges, so that no seam is seen.
const SEAMLESS: f32 = 0.25;
/// Of faces that are hidden, the share that are hidden wholly: no faces any more.
const WHOLLY: f32 = 0.15;
/// A face must be found if this share of it is seen …
const CLEAR: f32 = 0.5;
/// … and is none if less than this is.
const GONE: f32 = 0.2;
/// Smallest face in pixels that must be found.
const SMALLEST: f32 = 7.0;

/// Makes a picture around the photo of this index.
pub fn paste(photos: &[Photo], index: usize, spec: &ModelSpec, how: &Augment, rng: &mut StdRng) -> Scene {
    let mut canvas = Canvas::new(spec.width, spec.height);
    if rng.random::<f32>() < EMPTY {
        canvas.background(photos, true, rng);
        for _ in 0..rng.random_range(0..=MAX_EXTRAS) {
            canvas.plain_patch(photos, rng);
        }
    } else {
        let photo = &photos[index];
        let size = TYPICAL * symmetric(rng, how.scale).exp();
        let layer = canvas.layer(photo, size, how, rng);
        let is_seamless = rng.random::<f32>() < SEAMLESS;
        if !is_seamless && !canvas.is_covered_by(&layer) {
            let is_plain = rng.random::<f32>() < PLAIN;
            canvas.background(photos, is_plain, rng);
        }
        canvas.draw(&layer, !is_seamless);
        if size < LARGEST_EXTRA {
            canvas.extras(photos, how, rng);
        }
        canvas.hide(photos, how.occlusion, rng);
    }
    let faces = canvas.faces();
    spoil(canvas.picture.data_mut(), spec.width, &Augment { occlusion: 0.0, ..how.clone() }, rng);
    Scene { pixels: canvas.picture.data().to_vec(), faces }
}

/// A photo that lies in a picture.
struct Layer<'a> {
    photo: &'a Photo,
    to_canvas: Affine,
    to_photo: Affine,
    /// How many pixels of the picture one of the photo is.
    scale: f32,
    roll: f32,
    is_mirrored: bool,
}

impl<'a> Layer<'a> {
    /// Turned and enlarged, with `from` of the photo at `to` of the picture.
    fn new(photo: &'a Photo, from: Point, to: Point, scale: f32, roll: f32, is_mirrored: bool) -> Self {
        let (sin, cos) = (scale * roll.sin(), scale * roll.cos());
        let flip = if is_mirrored { -1.0 } else { 1.0 };
        let turned = Affine { rows: [[cos * flip, -sin, 0.0], [sin * flip, cos, 0.0]] };
        let center = turned.apply(from);
        let to_canvas = turned.then(&Affine::shift_then_scale(center.x - to.x, center.y - to.y, 1.0, 1.0));
        let to_photo = to_canvas.inverse();
        Self { photo, to_canvas, to_photo, scale, roll, is_mirrored }
    }

    /// Whether a point of the picture shows the photo.
    fn holds(&self, p: Point) -> bool {
        let Point { x, y } = self.to_photo.apply(p);
        let (width, height) = (self.photo.luma.width() as f32, self.photo.luma.height() as f32);
        (-0.5..width - 0.5).contains(&x) && (-0.5..height - 0.5).contains(&y)
    }

    fn region(&self, region: &Region) -> Region {
        let angle = if self.is_mirrored { -region.angle } else { region.angle };
        Region {
            center: self.to_canvas.apply(region.center),
            size: region.size * self.scale,
            angle: angle + self.roll,
        }
    }
}

/// Points of a face that are looked at to know how much of it is seen, along each side.
const PROBES: usize = 5;

/// A face in the picture, and where it can still be seen.
struct Face<'a> {
    photo: &'a Photo,
    /// In the photo.
    source: Region,
    /// In the picture.
    region: Region,
    has_roll: bool,
    seen: Vec<Point>,
}

/// A picture in the making.
struct Canvas<'a> {
    picture: Plane,
    faces: Vec<Face<'a>>,
}

impl<'a> Canvas<'a> {
    fn new(width: usize, height: usize) -> Self {
        let mut picture = Plane::default();
        picture.resize(width, height);
        Self { picture, faces: Vec::new() }
    }

    fn sides(&self) -> (f32, f32) {
        (self.picture.width() as f32, self.picture.height() as f32)
    }

    /// The photo with its first face in this size, anywhere.
    fn layer(&self, photo: &'a Photo, size: f32, how: &Augment, rng: &mut StdRng) -> Layer<'a> {
        let (width, height) = self.sides();
        let to =
            Point::new(width * (0.5 + symmetric(rng, how.shift)), height * (0.5 + symmetric(rng, how.shift)));
        // Most heads are held nearly upright.
        let roll = how.roll.to_radians();
        let roll = if rng.random::<bool>() { symmetric(rng, roll) } else { symmetric(rng, roll / 4.0) };
        let is_mirrored = how.mirror && rng.random::<bool>();
        let whole = whole(&photo.luma);
        let face = photo.faces.first().map_or(whole, |face| face.region);
        Layer::new(photo, face.center, to, size / face.size, roll, is_mirrored)
    }

    fn is_covered_by(&self, layer: &Layer) -> bool {
        let (width, height) = self.sides();
        [(0.0, 0.0), (width, 0.0), (0.0, height), (width, height)]
            .into_iter()
            .all(|(x, y)| layer.holds(Point::new(x, y)))
    }

    /// Fills the picture with a photo, or with a part of one that shows no face.
    fn background(&mut self, photos: &'a [Photo], is_plain: bool, rng: &mut StdRng) {
        let photo = any(photos, rng);
        let (width, height) = self.sides();
        if let (true, Some(part)) = (is_plain, plain_part(photo, rng)) {
            let scale = width.max(height) / part.size;
            let middle = Point::new(width / 2.0, height / 2.0);
            let layer = Layer::new(photo, part.center, middle, scale, 0.0, rng.random());
            return self.stamp(&layer, false);
        }
        let (w, h) = (photo.luma.width(), photo.luma.height());
        let scale = (width / w as f32).max(height / h as f32) * rng.random_range(1.0..2.0);
        let spare = |side: f32, photo: usize, rng: &mut StdRng| {
            side / 2.0 + symmetric(rng, (photo as f32 * scale - side) / 2.0)
        };
        let to = Point::new(spare(width, w, rng), spare(height, h, rng));
        let layer = Layer::new(photo, whole(&photo.luma).center, to, scale, 0.0, rng.random());
        self.draw(&layer, false);
    }

    /// Pastes a part of a photo that shows no face, turned, somewhere.
    fn plain_patch(&mut self, photos: &'a [Photo], rng: &mut StdRng) {
        let photo = any(photos, rng);
        let Some(part) = plain_part(photo, rng) else { return };
        let (width, height) = self.sides();
        let to = Point::new(width * rng.random::<f32>(), height * rng.random::<f32>());
        let side = rng.random_range(20.0..120.0);
        let area = Area::new(to, [side / 2.0, side * rng.random_range(0.3..0.6)], symmetric(rng, 1.5), false);
        self.fill(&area, &photo.luma, &part);
    }

    /// Pastes a few more photos.
    fn extras(&mut self, photos: &'a [Photo], how: &Augment, rng: &mut StdRng) {
        let smallest = TYPICAL * (-how.scale).exp();
        for _ in 0..rng.random_range(0..=MAX_EXTRAS) {
            let size = smallest * (LARGEST_EXTRA / smallest).powf(rng.random());
            let layer = self.layer(any(photos, rng), size, how, rng);
            self.draw(&layer, true);
        }
    }

    /// Draws a photo and notes its faces.
    fn draw(&mut self, layer: &Layer<'a>, is_cut: bool) {
        self.stamp(layer, is_cut);
        self.cover(|p| !is_cut || layer.holds(p));
        for face in &layer.photo.faces {
            let region = layer.region(&face.region);
            let seen = probes(&region).filter(|&p| self.shows(p) && (!is_cut || layer.holds(p))).collect();
            let has_roll = face.has_roll;
            self.faces.push(Face { photo: layer.photo, source: face.region, region, has_roll, seen });
        }
    }

    fn shows(&self, p: Point) -> bool {
        let (width, height) = self.sides();
        (0.0..width).contains(&p.x) && (0.0..height).contains(&p.y)
    }

    /// Notes that some places no longer show what they did.
    fn cover(&mut self, is_covered: impl Fn(Point) -> bool) {
        self.faces.iter_mut().for_each(|face| face.seen.retain(|&p| !is_covered(p)));
    }

    /// Puts a photo's pixels into the picture: within its edges, or everywhere with the edges going on.
    fn stamp(&mut self, layer: &Layer, is_cut: bool) {
        let (w, h) = (layer.photo.luma.width(), layer.photo.luma.height());
        let (right, bottom) = (w as f32 - 0.5, h as f32 - 0.5);
        let corners = [(-0.5, -0.5), (right, -0.5), (-0.5, bottom), (right, bottom)];
        let corners = corners.map(|(x, y)| layer.to_canvas.apply(Point::new(x, y)));
        let (columns, rows) = if is_cut {
            self.box_around(&corners)
        } else {
            (0..self.picture.width(), 0..self.picture.height())
        };
        self.put(columns, rows, &layer.photo.luma, &layer.to_photo, |p| !is_cut || layer.holds(p));
    }

    /// Columns and rows of the picture that some points span.
    fn box_around(&self, points: &[Point]) -> (Range<usize>, Range<usize>) {
        let (min, max) = facemark::geometry::bounds(points.iter().copied());
        let span = |low: f32, high: f32, side: usize| {
            (low.floor().max(0.0) as usize).min(side)..(high.ceil().max(0.0) as usize).min(side)
        };
        (span(min.x, max.x, self.picture.width()), span(min.y, max.y, self.picture.height()))
    }

    /// Resamples a part of the picture from `source` where `is_inside`.
    fn put(
        &mut self,
        columns: Range<usize>,
        rows: Range<usize>,
        source: &Plane,
        to_source: &Affine,
        is_inside: impl Fn(Point) -> bool,
    ) {
        let (w, h) = (columns.len(), rows.len());
        if w == 0 || h == 0 {
            return;
        }
        let (left, top) = (columns.start as f32, rows.start as f32);
        let unit_to_canvas = Affine { rows: [[w as f32, 0.0, left], [0.0, h as f32, top]] };
        let mut pixels = vec![0; w * h];
        crop(source.luma(), &unit_to_canvas.then(to_source), w, &mut pixels);
        for (y, line) in rows.zip(pixels.chunks_exact(w)) {
            for (x, &pixel) in columns.clone().zip(line) {
                if is_inside(Point::new(x as f32 + 0.5, y as f32 + 0.5)) {
                    let i = y * self.picture.width() + x;
                    self.picture.data_mut()[i] = pixel;
                }
            }
        }
    }

    /// Fills an area with a part of a photo, stretched over it.
    fn fill(&mut self, area: &Area, source: &Plane, part: &Region) {
        let (columns, rows) = self.box_around(&area.corners());
        let [a, b] = area.half;
        let framing = Framing { width: 1.0, height: b / a, shift_x: 0.0, shift_y: 0.0 };
        let to_source = area.to_unit().then(&framing.crop_to_image(part));
        self.put(columns, rows, source, &to_source, |p| area.holds(p));
        self.cover(|p| area.holds(p));
    }

    /// Hides some faces, mostly in part, by what looks like hands, hair or things.
    fn hide(&mut self, photos: &'a [Photo], share: f32, rng: &mut StdRng) {
        let targets: Vec<(Region, Region, &Photo)> =
            self.faces.iter().map(|face| (face.region, face.source, face.photo)).collect();
        for (region, source, own) in targets {
            if rng.random::<f32>() >= share {
                continue;
            }
            let area = if rng.random::<f32>() < WHOLLY {
                let half = [0.6, 0.7].map(|half| half * region.size * rng.random_range(0.85..1.15));
                Area::new(region.center, half, region.angle, true)
            } else {
                let far = region.size * rng.random_range(0.25..0.6);
                let way = Point::new(far, 0.0).rotated(rng.random_range(0.0..std::f32::consts::TAU));
                let center = Point::new(region.center.x + way.x, region.center.y + way.y);
                let half = [rng.random_range(0.2..0.6), rng.random_range(0.15..0.4)];
                Area::new(center, half.map(|half| half * region.size), symmetric(rng, 3.0), rng.random())
            };
            let other = any(photos, rng);
            match (rng.random_range(0..4), plain_part(other, rng)) {
                (0, Some(part)) => self.fill(&area, &other.luma, &part),
                // Skin from a cheek.
                (1 | 2, _) => self.fill(&area, &own.luma, &part_of(&source, symmetric(rng, 0.25), 0.05, 0.2)),
                // What is above the face: hair, mostly.
                _ => self.fill(&area, &own.luma, &part_of(&source, symmetric(rng, 0.2), -0.8, 0.35)),
            }
        }
    }

    /// The faces of which something is left.
    fn faces(&self) -> Vec<Placed> {
        let share = |face: &Face| face.seen.len() as f32 / (PROBES * PROBES) as f32;
        let placed = |face: &Face| Placed {
            region: face.region,
            has_roll: face.has_roll,
            is_clear: share(face) >= CLEAR && face.region.size >= SMALLEST,
        };
        self.faces.iter().filter(|face| share(face) >= GONE).map(placed).collect()
    }
}

/// A turned rectangle or ellipse in the picture.
struct Area {
    center: Point,
    /// Half its sides or axes.
    half: [f32; 2],
    angle: f32,
    is_ellipse: bool,
}

impl Area {
    fn new(center: Point, half: [f32; 2], angle: f32, is_ellipse: bool) -> Self {
        Self { center, half, angle, is_ellipse }
    }

    /// Takes the area's rectangle to the unit square.
    fn to_unit(&self) -> Affine {
        let (sin, cos) = self.angle.sin_cos();
        let turn = Affine { rows: [[cos, sin, 0.0], [-sin, cos, 0.0]] };
        let [a, b] = self.half;
        Affine::shift_then_scale(self.center.x, self.center.y, 1.0, 1.0)
            .then(&turn)
            .then(&Affine::shift_then_scale(-a, -b, 0.5 / a, 0.5 / b))
    }

    fn holds(&self, p: Point) -> bool {
        let unit = self.to_unit().apply(p);
        let (x, y) = (2.0 * unit.x - 1.0, 2.0 * unit.y - 1.0);
        if self.is_ellipse { x.hypot(y) < 1.0 } else { x.abs().max(y.abs()) < 1.0 }
    }

    fn corners(&self) -> [Point; 4] {
        let to_canvas = self.to_unit().inverse();
        [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)].map(|(x, y)| to_canvas.apply(Point::new(x, y)))
    }
}

/// A grid of points within a region.
fn probes(region: &Region) -> impl Iterator<Item = Point> + use<> {
    let Region { center, size, angle } = *region;
    (0..PROBES * PROBES).map(move |i| {
        let at = |i: usize| size * ((i as f32 + 0.5) / PROBES as f32 - 0.5);
        let p = Point::new(at(i % PROBES), at(i / PROBES)).rotated(angle);
        Point::new(center.x + p.x, center.y + p.y)
    })
}

/// A square of `size` faces, so many faces to the right of the face's middle and below it.
fn part_of(face: &Region, right: f32, down: f32, size: f32) -> Region {
    let way = Point::new(right * face.size, down * face.size).rotated(face.angle);
    let center = Point::new(face.center.x + way.x, face.center.y + way.y);
    Region { center, size: size * face.size, angle: face.angle }
}

/// The square with the photo's longer side around its middle.
fn whole(photo: &Plane) -> Region {
    let (width, height) = (photo.width() as f32, photo.height() as f32);
    let center = Point::new((width - 1.0) / 2.0, (height - 1.0) / 2.0);
    Region { center, size: width.max(height), angle: 0.0 }
}

fn any<'a>(photos: &'a [Photo], rng: &mut StdRng) -> &'a Photo {
    &photos[rng.random_range(0..photos.len())]
}

/// A square that shows next to nothing of a face; `None` if chance finds none.
fn plain_part(photo: &Photo, rng: &mut StdRng) -> Option<Region> {
    let (width, height) = (photo.luma.width() as f32, photo.luma.height() as f32);
    (0..8).find_map(|_| {
        let size = width.min(height) * rng.random_range(0.2..0.6);
        let x = size / 2.0 + (width - size) * rng.random::<f32>();
        let y = size / 2.0 + (height - size) * rng.random::<f32>();
        let part = Region { center: Point::new(x, y), size, angle: 0.0 };
        photo.faces.iter().all(|face| face.region.overlap(&part) < 0.15).then_some(part)
    })
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;
    use crate::dataset::Part;
    use crate::dataset::photos::KnownFace;
    use crate::recipe::{NetKind, Start};

    const REGION: Region = Region { center: Point { x: 110.0, y: 90.0 }, size: 80.0, angle: 0.2 };

    /// A dark photo with one face, a bright disc in its region.
    fn photo() -> Photo {
        let mut luma = Plane::new(240, 200, vec![40; 240 * 200]).unwrap();
        for (i, pixel) in luma.data_mut().iter_mut().enumerate() {
            let p = Point::new((i % 240) as f32, (i / 240) as f32);
            if p.distance(REGION.center) < 40.0 {
                *pixel = 220;
            }
        }
        let face = KnownFace { region: REGION, has_roll: true, is_annotated: true };
        Photo { name: String::new(), luma, faces: vec![face], part: Part::Training }
    }

    fn brightness(pixels: &[u8], at: Point) -> Option<u8> {
        let inside = (0.0..256.0).contains(&at.x) && (0.0..192.0).contains(&at.y);
        inside.then(|| pixels[at.y as usize * 256 + at.x as usize])
    }

    #[test]
    fn clear_faces_are_where_their_pixels_are() {
        let spec = NetKind::Face.spec(Framing { width: 1.0, height: 1.0, shift_x: 0.0, shift_y: 0.0 });
        let how = Augment { roll: 45.0, scale: 1.2, shift: 0.4, mirror: true, ..Augment::none(Start::Photo) };
        let photos = [photo(), photo()];
        let mut n = 0;
        for seed in 0..60 {
            let scene = paste(&photos, 0, &spec, &how, &mut StdRng::seed_from_u64(seed));
            assert_eq!(scene.pixels.len(), 256 * 192);
            for face in scene.faces.iter().filter(|face| face.is_clear) {
                let Region { center, size, .. } = face.region;
                // Another photo may lie over the middle, but not over most of the disc.
                let bright = probes(&Region { size: 0.6 * size, ..face.region })
                    .filter_map(|p| brightness(&scene.pixels, p))
                    .filter(|&v| v > 180)
                    .count();
                assert!(bright >= 6, "seed {seed}: {bright} of 25 are bright around {center:?}, {size}");
                n += 1;
            }
        }
        assert!(n > 60, "only {n} faces");
    }

    #[test]
    fn a_mirrored_and_turned_photo_takes_its_region_along() {
        let photo = photo();
        let to = Point::new(70.0, 60.0);
        let layer = Layer::new(&photo, REGION.center, to, 0.5, 0.3, true);
        let region = layer.region(&REGION);
        assert!(region.center.distance(to) < 1e-3);
        assert!((region.size - 40.0).abs() < 1e-3 && (region.angle - (0.3 - 0.2)).abs() < 1e-5);
        // The point beside the face's right eye is now beside its left one.
        let beside = REGION.corners()[1];
        assert!(layer.to_canvas.apply(beside).distance(region.corners()[0]) < 1e-2);
    }

    #[test]
    fn hidden_faces_are_let_go() {
        let photo = photo();
        let mut canvas = Canvas::new(256, 192);
        let layer = Layer::new(&photo, REGION.center, Point::new(128.0, 96.0), 1.0, 0.0, false);
        canvas.draw(&layer, true);
        assert!(canvas.faces()[0].is_clear);
        // Its right 60 %, then nearly all of it.
        canvas.cover(|p| p.x > 120.0);
        assert!(!canvas.faces()[0].is_clear);
        canvas.cover(|p| p.x > 97.0);
        assert_eq!(canvas.faces(), []);
    }

    #[test]
    fn an_area_holds_what_is_within_its_turned_sides() {
        let area = Area::new(Point::new(50.0, 40.0), [20.0, 5.0], std::f32::consts::FRAC_PI_2, false);
        assert!(area.holds(Point::new(50.0, 59.0)) && !area.holds(Point::new(56.0, 40.0)));
        assert!(area.corners().iter().any(|p| p.distance(Point::new(55.0, 60.0)) < 1e-3));
        let ellipse = Area { is_ellipse: true, ..area };
        assert!(ellipse.holds(Point::new(54.0, 40.0)) && !ellipse.holds(Point::new(54.0, 58.0)));
    }
}
