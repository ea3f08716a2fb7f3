//! A training picture: photos pasted over each other, so that faces of all sizes, places and rolls stand before busy
//! backgrounds, cut by edges and hidden by things; then spoilt as crops for landmarks are.

mod area;
mod canvas;
mod layer;

use facemark::geometry::{Point, Region};
use facemark::onnx::spec::ModelSpec;
use rand::RngExt;
use rand::rngs::StdRng;

use super::pixels::spoil;
use super::regions::symmetric;
use crate::dataset::photos::Photo;
use crate::recipe::Augment;
use area::Area;
use canvas::Canvas;
pub use canvas::Placed;
use layer::{Layer, whole};

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

impl<'a> Canvas<'a> {
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
}

/// A square of `size` faces, so many faces to the right of the face's middle and below it.
fn part_of(face: &Region, right: f32, down: f32, size: f32) -> Region {
    let way = Point::new(right * face.size, down * face.size).rotated(face.angle);
    let center = Point::new(face.center.x + way.x, face.center.y + way.y);
    Region { center, size: size * face.size, angle: face.angle }
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
    use facemark::crop::Framing;
    use rand::SeedableRng;

    use super::canvas::probes;
    use super::layer::tests::photo;
    use super::*;
    use crate::recipe::{NetKind, Start};

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
}
