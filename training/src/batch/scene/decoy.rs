//! Things that resemble a face and are none: single eyes and mouths, faces in pieces, skin.

use facemark::Plane;
use facemark::crop::{Framing, crop};
use facemark::geometry::{Point, Region};
use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use super::area::Area;
use super::canvas::Canvas;
use super::{any, part_of};
use crate::batch::regions::symmetric;
use crate::dataset::photos::Photo;

/// Side of a face in pieces, in pixels.
const SIDE: usize = 96;

impl<'a> Canvas<'a> {
    /// Pastes a few of them.
    pub fn decoys(&mut self, photos: &'a [Photo], rng: &mut StdRng) {
        let (width, height) = self.sides();
        for _ in 0..rng.random_range(1..=3) {
            let photo = any(photos, rng);
            let Some(face) = photo.faces.first() else { continue };
            let to = Point::new(width * rng.random::<f32>(), height * rng.random::<f32>());
            let half = 5.0 * 14.0_f32.powf(rng.random());
            let area =
                Area::new(to, [half, half * rng.random_range(0.6..1.1)], symmetric(rng, 3.0), rng.random());
            match rng.random_range(0..4) {
                0 => {
                    let pieces = in_pieces(photo, &face.region, rng);
                    let area = Area::new(to, [half, half], symmetric(rng, 3.0), false);
                    let whole = super::layer::whole(&pieces);
                    self.fill(&area, &pieces, &whole);
                }
                // An eye, a mouth or a nose.
                1 | 2 => {
                    let (right, down) = (rng.random_range(-0.3..0.3), rng.random_range(-0.35..0.4));
                    let part = part_of(&face.region, right, down, rng.random_range(0.15..0.4));
                    self.fill(&area, &photo.luma, &part);
                }
                _ => self.fill(&area, &photo.luma, &part_of(&face.region, symmetric(rng, 0.3), 0.05, 0.15)),
            }
        }
    }
}

/// A face cut into four or nine squares, in another order.
fn in_pieces(photo: &Photo, face: &Region, rng: &mut StdRng) -> Plane {
    let framing = Framing { width: 1.1, height: 1.1, shift_x: 0.0, shift_y: 0.0 };
    let mut whole = vec![0; SIDE * SIDE];
    crop(photo.luma.luma(), &framing.crop_to_image(face), SIDE, &mut whole);
    let n: usize = rng.random_range(2..=3);
    let mut order: Vec<usize> = (0..n * n).collect();
    order.shuffle(rng);
    if order.is_sorted() {
        order.rotate_left(1);
    }
    let step = SIDE / n;
    let mut pieces = Plane::default();
    pieces.resize(SIDE, SIDE);
    for (i, pixel) in pieces.data_mut().iter_mut().enumerate() {
        let (x, y) = (i % SIDE, i / SIDE);
        let from = order[(y / step).min(n - 1) * n + (x / step).min(n - 1)];
        *pixel = whole[(from / n * step + y % step) * SIDE + from % n * step + x % step];
    }
    pieces
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::super::layer::tests::{REGION, photo};
    use super::*;

    #[test]
    fn a_face_in_pieces_has_its_pixels_elsewhere() {
        let photo = photo();
        let mut whole = vec![0; SIDE * SIDE];
        let framing = Framing { width: 1.1, height: 1.1, shift_x: 0.0, shift_y: 0.0 };
        crop(photo.luma.luma(), &framing.crop_to_image(&REGION), SIDE, &mut whole);
        for seed in 0..20 {
            let pieces = in_pieces(&photo, &REGION, &mut StdRng::seed_from_u64(seed));
            assert!(pieces.data() != whole, "{seed}");
            let total = |pixels: &[u8]| pixels.iter().map(|&v| u32::from(v)).sum::<u32>();
            assert_eq!(total(pieces.data()), total(&whole));
        }
    }
}
