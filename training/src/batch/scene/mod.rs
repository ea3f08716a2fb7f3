//! A training picture: photos pasted over each other, so that faces of all sizes, places and rolls stand before busy
//! backgrounds, in all kinds of light, cut by edges and hidden by things; then spoilt as crops for landmarks are.

mod area;
mod backdrop;
mod blend;
mod canvas;
mod cover;
mod decoy;
mod layer;

use std::f32::consts::PI;

use facemark::geometry::{Point, Region};
use facemark::onnx::spec::ModelSpec;
use rand::RngExt;
use rand::rngs::StdRng;

use super::pixels::{blur, spoil};
use super::regions::symmetric;
use crate::dataset::photos::{Photo, Pictures};
use crate::recipe::Augment;
use area::Area;
use blend::{Blend, Light};
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
const LARGEST_EXTRA: f32 = 90.0;
/// … and as many as this.
const MAX_EXTRAS: usize = 8;
/// Share of pictures without any face.
const EMPTY: f32 = 0.12;
/// Share of pictures with things that resemble faces.
const DECOYS: f32 = 0.35;
/// Of backgrounds, the share that are made up, pictures without faces if there are any, and parts of photos without their
/// faces; the rest are whole photos.
const BACKGROUNDS: [f32; 3] = [0.3, 0.3, 0.25];
/// Share of pictures in which the photo's edge pixels go on to the picture's edges, so that no seam is seen.
const SEAMLESS: f32 = 0.25;
/// Share of faces that are chosen among those turned to one side, of which there are few.
const TURNED: f32 = 0.2;
/// Of pasted photos, the share of which only the head is seen …
const HEADS: f32 = 0.65;
/// … and the share that stand on their head, so that nobody may find a face in them: the tracker turns the picture then.
const UPSIDE_DOWN: f32 = 0.1;

/// Makes a picture around the photo of this index.
pub fn paste(pictures: &Pictures, index: usize, spec: &ModelSpec, how: &Augment, rng: &mut StdRng) -> Scene {
    let photos = &pictures.photos;
    let mut canvas = Canvas::new(spec.width, spec.height);
    let mut is_back_lit = false;
    if rng.random::<f32>() < EMPTY {
        canvas.background(pictures, true, rng);
        for _ in 0..rng.random_range(0..=MAX_EXTRAS) {
            canvas.plain_patch(photos, rng);
        }
        canvas.decoys(photos, rng);
    } else {
        let photo = if rng.random::<f32>() < TURNED { turned(photos, rng) } else { &photos[index] };
        let size = TYPICAL * symmetric(rng, how.scale).exp();
        let mut layer = canvas.layer(photo, size, how, rng);
        let is_seamless = rng.random::<f32>() < SEAMLESS;
        if !is_seamless {
            canvas.background(pictures, false, rng);
            if rng.random::<f32>() < DECOYS {
                canvas.decoys(photos, rng);
            }
            if rng.random::<f32>() < how.light {
                is_back_lit = true;
                canvas.back_light(&mut layer, size, rng);
            }
        } else if rng.random::<f32>() < how.light {
            layer.light = Some(side_light(&layer, size, rng));
        }
        if !is_seamless && size < 2.0 * LARGEST_EXTRA {
            canvas.extras(photos, how, rng);
        }
        canvas.draw(&layer, !is_seamless);
        canvas.hide(pictures, how.occlusion, rng);
    }
    // What stands before a window is dark already.
    if !is_back_lit && rng.random::<f32>() < how.light {
        canvas.dim(rng);
    }
    let faces = canvas.faces();
    // Sharp pictures are the rule, and small faces cannot bear much.
    let sigma = how.blur * rng.random::<f32>().powi(2);
    if rng.random::<bool>() {
        blur(canvas.picture.data_mut(), spec.width, sigma);
    }
    spoil(canvas.picture.data_mut(), spec.width, &Augment { occlusion: 0.0, blur: 0.0, ..how.clone() }, rng);
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
        let roll = if rng.random::<f32>() < UPSIDE_DOWN { roll + PI } else { roll };
        let is_mirrored = how.mirror && rng.random::<bool>();
        let whole = whole(&photo.luma);
        let face = photo.faces.first().map_or(whole, |face| face.region);
        let mut layer = Layer::new(photo, face.center, to, size / face.size, roll, is_mirrored);
        let is_head = !photo.faces.is_empty() && rng.random::<f32>() < HEADS;
        layer.blend = if is_head { Blend::head(&face, rng) } else { Blend::rectangle(&face, rng) };
        layer
    }

    /// Fills the picture; `is_plain` asks for no face in it.
    fn background(&mut self, pictures: &'a Pictures, is_plain: bool, rng: &mut StdRng) {
        let [made_up, plain, part] = BACKGROUNDS;
        let way = rng.random::<f32>() * if is_plain { made_up + plain + part } else { 1.0 };
        if way < made_up {
            return backdrop::made_up(&mut self.picture, rng);
        }
        if way < made_up + plain && !pictures.plain.is_empty() {
            let picture = any(&pictures.plain, rng);
            let layer = self.zoomed(picture, rng.random_range(1.0..4.0), rng);
            return self.stamp(&layer, false);
        }
        let photo = any(&pictures.photos, rng);
        if way < made_up + plain + part {
            match plain_part(photo, rng) {
                Some(part) => self.stretch(photo, &part, rng),
                None => backdrop::made_up(&mut self.picture, rng),
            }
            return;
        }
        let layer = self.zoomed(photo, rng.random_range(1.0..2.0), rng);
        self.draw(&layer, false);
    }

    /// A photo that covers the picture, or is larger by a factor.
    fn zoomed(&self, photo: &'a Photo, by: f32, rng: &mut StdRng) -> Layer<'a> {
        let (width, height) = self.sides();
        let (w, h) = (photo.luma.width(), photo.luma.height());
        let scale = (width / w as f32).max(height / h as f32) * by;
        let spare = |side: f32, photo: usize, rng: &mut StdRng| {
            side / 2.0 + symmetric(rng, (photo as f32 * scale - side) / 2.0)
        };
        let to = Point::new(spare(width, w, rng), spare(height, h, rng));
        Layer::new(photo, whole(&photo.luma).center, to, scale, 0.0, rng.random())
    }

    /// Fills the picture with a part of a photo.
    fn stretch(&mut self, photo: &'a Photo, part: &Region, rng: &mut StdRng) {
        let (width, height) = self.sides();
        let scale = width.max(height) / part.size;
        let middle = Point::new(width / 2.0, height / 2.0);
        let layer = Layer::new(photo, part.center, middle, scale, 0.0, rng.random());
        self.stamp(&layer, false);
    }

    /// Makes what was drawn so far bright, as a window is, and what comes next dark; or lights that from one side.
    fn back_light(&mut self, layer: &mut Layer, size: f32, rng: &mut StdRng) {
        layer.light = Some(side_light(layer, size, rng));
        if rng.random::<bool>() {
            let rest = rng.random_range(0.0..0.6_f32);
            self.relight(|v, _| 255.0 - rest * (255.0 - v));
            let center = layer.to_canvas.apply(whole(&layer.photo.luma).center);
            let slope = symmetric(rng, 0.5);
            layer.light = Some(Light::new(rng.random_range(0.12..0.5), center, size, slope, rng));
        }
    }

    /// Less light in the whole picture, and more of it on one side.
    fn dim(&mut self, rng: &mut StdRng) {
        let (width, height) = self.sides();
        let center = Point::new(width / 2.0, height / 2.0);
        let level = rng.random_range(0.2..1.0);
        let slope = symmetric(rng, 1.2);
        let light = Light::new(level, center, width, slope, rng);
        self.relight(|v, p| light.on(v, p));
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
            let photo = if rng.random::<f32>() < TURNED { turned(photos, rng) } else { any(photos, rng) };
            let layer = self.layer(photo, size, how, rng);
            self.draw(&layer, true);
        }
    }
}

/// Light on a face from one side, up to seven times as much as on the other.
fn side_light(layer: &Layer, size: f32, rng: &mut StdRng) -> Light {
    let center = layer.to_canvas.apply(whole(&layer.photo.luma).center);
    let slope = symmetric(rng, 2.0);
    Light::new(rng.random_range(0.3..1.2), center, size, slope, rng)
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

/// A photo of a turned face; any, if chance finds none.
fn turned<'a>(photos: &'a [Photo], rng: &mut StdRng) -> &'a Photo {
    let mut photo = any(photos, rng);
    for _ in 0..16 {
        if photo.is_turned() {
            break;
        }
        photo = any(photos, rng);
    }
    photo
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
        let pictures = Pictures { photos: vec![photo(), photo()], ..Pictures::default() };
        let mut n = 0;
        for seed in 0..60 {
            let scene = paste(&pictures, 0, &spec, &how, &mut StdRng::seed_from_u64(seed));
            assert_eq!(scene.pixels.len(), 256 * 192);
            for face in scene.faces.iter().filter(|face| face.is_clear) {
                let Region { center, size, .. } = face.region;
                // Another photo may lie over the middle, but not over most of the disc.
                let bright = probes(&Region { size: 0.6 * size, ..face.region })
                    .filter_map(|p| brightness(&scene.pixels, p))
                    .filter(|&v| v > 100)
                    .count();
                assert!(bright >= 6, "seed {seed}: {bright} of 25 are bright around {center:?}, {size}");
                n += 1;
            }
        }
        assert!(n > 60, "only {n} faces");
    }
}
