//! Face masks, drawn over noses and mouths.

use std::path::Path;

use anyhow::Result;
use facemark::geometry::{Affine, Point};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use super::crops::Example;
use super::regions::symmetric;
use crate::dataset::mask::Mask;
use crate::recipe::Augment;

/// Where the anchors belong: points of the mesh on the outline below the ears, the bridge of the nose, the outline at the
/// jaw's corners, and the chin.
const PLACES: [usize; 6] = [93, 6, 323, 172, 152, 397];
/// How differently turned a mask's head may be: where the bridge of the nose is between the outline's sides, 0 to 1.
const ALIKE: f32 = 0.2;

/// The masks in a data set's folder `masks`, if the recipe wants them.
///
/// # Errors
/// If they are wanted and cannot be read.
pub fn of(data: &Path, how: &Augment) -> Result<Vec<Mask>> {
    if how.mask > 0.0 { Mask::read(data) } else { Ok(Vec::new()) }
}

/// Puts a mask on the face of a crop, one for a head turned as far if there is one.
pub fn put_on(masks: &[Mask], example: &mut Example, width: usize, rng: &mut StdRng) {
    let scale = width as f32;
    let places = PLACES.map(|i| example.points.get(i).map(|p| Point::new(p.x * scale, p.y * scale)));
    let [Some(a), Some(b), Some(c), Some(d), Some(e), Some(f)] = places else { return };
    let places = [a, b, c, d, e, f];
    let alike: Vec<&Mask> =
        masks.iter().filter(|mask| (turn(&mask.anchors) - turn(&places)).abs() < ALIKE).collect();
    let Some(mask) = alike.choose(rng) else { return };
    let (gain, shift) = (symmetric(rng, 0.3).exp(), symmetric(rng, 60.0));
    let half = |corners: [usize; 4]| affine(corners.map(|i| places[i]), corners.map(|i| mask.anchors[i]));
    let (Some(left), Some(right)) = (half([0, 1, 3, 4]), half([1, 2, 4, 5])) else { return };
    // Right of the line from the bridge to the chin?
    let side = |p: Point| (e.x - b.x) * (p.y - b.y) - (e.y - b.y) * (p.x - b.x) < 0.0;
    for (i, pixel) in example.pixels.iter_mut().enumerate() {
        let p = Point::new((i % width) as f32 + 0.5, (i / width) as f32 + 0.5);
        let source = if side(p) { right.apply(p) } else { left.apply(p) };
        if let Some([grey, alpha]) = mask.at(source) {
            let grey = ((grey - 128.0) * gain + 128.0 + shift).clamp(0.0, 255.0);
            *pixel = (f32::from(*pixel) + alpha * (grey - f32::from(*pixel))).round() as u8;
        }
    }
}

/// Where the upper middle is between the sides, 0 to 1.
fn turn([a, b, c, ..]: &[Point; 6]) -> f32 {
    (b.x - a.x) / (c.x - a.x)
}

/// The affine map that takes four points nearest to four others; `None` if they lie in a line.
fn affine(from: [Point; 4], to: [Point; 4]) -> Option<Affine> {
    let mean = |points: &[Point; 4]| facemark::geometry::mean(points);
    let (p, q) = (mean(&from), mean(&to));
    let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
    let (mut right, mut down) = ([0.0; 2], [0.0; 2]);
    for (a, b) in from.iter().zip(&to) {
        let (x, y) = (a.x - p.x, a.y - p.y);
        (xx, xy, yy) = (xx + x * x, xy + x * y, yy + y * y);
        right = [right[0] + x * (b.x - q.x), right[1] + y * (b.x - q.x)];
        down = [down[0] + x * (b.y - q.y), down[1] + y * (b.y - q.y)];
    }
    let determinant = xx * yy - xy * xy;
    let row = |[r, s]: [f32; 2], middle: f32| {
        let (a, b) = ((yy * r - xy * s) / determinant, (xx * s - xy * r) / determinant);
        [a, b, middle - a * p.x - b * p.y]
    };
    (determinant > 1e-3).then(|| Affine { rows: [row(right, q.x), row(down, q.y)] })
}

#[cfg(test)]
mod tests {
    use image::{GrayAlphaImage, LumaA};
    use rand::SeedableRng;

    use super::*;
    use crate::batch::crops::Mesh;

    /// A dark mask of 90×60 px, transparent along its edges; its head looks straight ahead, or to the picture's left.
    fn mask(middle: f32) -> Mask {
        let inside = |x: u32, y: u32| (10..80).contains(&x) && (10..50).contains(&y);
        let picture = GrayAlphaImage::from_fn(90, 60, |x, y| LumaA([20, if inside(x, y) { 255 } else { 0 }]));
        let anchors = [(0.0, 0.0), (middle, 0.0), (90.0, 0.0), (0.0, 50.0), (middle, 60.0), (90.0, 50.0)];
        Mask { picture, anchors: anchors.map(|(x, y)| Point::new(x, y)) }
    }

    /// A bright crop of 100×100 px with the anchors' places around its lower half.
    fn crop() -> Example {
        let mut points = vec![Point::new(0.5, 0.5); 478];
        let places = [(0.1, 0.4), (0.5, 0.4), (0.9, 0.4), (0.1, 0.8), (0.5, 0.9), (0.9, 0.8)];
        for (i, (x, y)) in PLACES.into_iter().zip(places) {
            points[i] = Point::new(x, y);
        }
        Example { pixels: vec![200; 100 * 100], points, mesh: Mesh::default(), present: true }
    }

    #[test]
    fn a_mask_covers_nose_and_mouth_and_nothing_else() {
        let mut crop = crop();
        put_on(&[mask(45.0)], &mut crop, 100, &mut StdRng::seed_from_u64(1));
        let at = |x: usize, y: usize| crop.pixels[y * 100 + x];
        assert!([(30, 60), (50, 65), (70, 60)].iter().all(|&(x, y)| at(x, y) < 150), "covered");
        assert!([(50, 20), (50, 38), (5, 60), (50, 95)].iter().all(|&(x, y)| at(x, y) == 200), "free");
    }

    #[test]
    fn masks_of_heads_that_look_elsewhere_are_not_put_on() {
        let mut crop = crop();
        put_on(&[mask(10.0)], &mut crop, 100, &mut StdRng::seed_from_u64(1));
        assert!(crop.pixels.iter().all(|&pixel| pixel == 200));
    }
}
