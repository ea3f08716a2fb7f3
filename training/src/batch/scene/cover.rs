//! What hides a part of a face: masks, sunglasses, hands, hair and things.

use std::f32::consts::TAU;

use facemark::geometry::{Affine, Point, Region, mean};
use rand::RngExt;
use rand::rngs::StdRng;

use super::area::Area;
use super::canvas::Canvas;
use super::{any, part_of, plain_part};
use crate::batch::regions::symmetric;
use crate::dataset::mask::Mask;
use crate::dataset::photos::{Photo, Pictures};
use crate::polygon::is_inside;

/// Of faces that something covers, the share with a mask …
const MASKED: f32 = 0.35;
/// … with sunglasses …
const SHADED: f32 = 0.15;
/// … and of the rest, the share that is hidden wholly: no faces any more.
const WHOLLY: f32 = 0.2;
/// Of masks, the share that are pictures of some, if there are any.
const PICTURED: f32 = 0.5;

/// A face in the picture, as far as something is to cover it.
struct Target<'a> {
    region: Region,
    /// In its photo.
    source: Region,
    photo: &'a Photo,
    /// Its 68 points in the picture, if they are known.
    points: Vec<Point>,
}

impl<'a> Canvas<'a> {
    /// Hides this share of the faces, mostly in part.
    pub fn hide(&mut self, pictures: &'a Pictures, share: f32, rng: &mut StdRng) {
        let targets: Vec<Target> = self.faces.iter().map(Target::new).collect();
        for target in targets {
            if rng.random::<f32>() >= share {
                continue;
            }
            let way = rng.random::<f32>();
            if !self.shows_eyes(&target) || way >= MASKED + SHADED {
                self.patch(&pictures.photos, &target, rng);
            } else if way < MASKED {
                match &*pictures.masks {
                    masks if !masks.is_empty() && rng.random::<f32>() < PICTURED => {
                        self.wear(&masks[rng.random_range(0..masks.len())], &target, rng);
                    }
                    _ => self.paint_mask(&target, rng),
                }
            } else {
                self.sunglasses(&target, rng);
            }
        }
    }

    /// Whether the points of brows and eyes are known and in the picture: enough of a face whose rest is masked.
    fn shows_eyes(&self, target: &Target) -> bool {
        let (width, height) = self.sides();
        let is_inside = |p: &&Point| (0.0..width).contains(&p.x) && (0.0..height).contains(&p.y);
        let upper = target.points.get(17..48).unwrap_or_default();
        upper.iter().filter(is_inside).count() >= 25
    }

    /// A patch of skin, hair or something else.
    fn patch(&mut self, photos: &'a [Photo], target: &Target, rng: &mut StdRng) {
        let Target { region, source, photo, .. } = target;
        let area = if rng.random::<f32>() < WHOLLY {
            let half = [0.6, 0.7].map(|half| half * region.size * rng.random_range(0.85..1.15));
            Area::new(region.center, half, region.angle, true)
        } else {
            let far = region.size * rng.random_range(0.25..0.6);
            let way = Point::new(far, 0.0).rotated(rng.random_range(0.0..TAU));
            let center = Point::new(region.center.x + way.x, region.center.y + way.y);
            let half = [rng.random_range(0.2..0.6), rng.random_range(0.15..0.4)];
            Area::new(center, half.map(|half| half * region.size), symmetric(rng, 3.0), rng.random())
        };
        let other = any(photos, rng);
        match (rng.random_range(0..4), plain_part(other, rng)) {
            (0, Some(part)) => self.fill(&area, &other.luma, &part),
            // Skin from a cheek.
            (1 | 2, _) => self.fill(&area, &photo.luma, &part_of(source, symmetric(rng, 0.25), 0.05, 0.2)),
            // What is above the face: hair, mostly.
            _ => self.fill(&area, &photo.luma, &part_of(source, symmetric(rng, 0.2), -0.8, 0.35)),
        }
    }

    /// A plain mask from the bridge of the nose to the chin, a little shaded and creased.
    fn paint_mask(&mut self, target: &Target, rng: &mut StdRng) {
        let (points, size) = (&target.points, target.region.size);
        let first = rng.random_range(1..=3);
        let mut outline: Vec<Point> = points[first..=16 - first].to_vec();
        outline.push(points[rng.random_range(27..=30)]);
        for p in &mut outline {
            (p.x, p.y) = (p.x + symmetric(rng, 0.04 * size), p.y + symmetric(rng, 0.04 * size));
        }
        let grey = rng.random_range(10.0..245.0_f32);
        let (shade, crease) = (symmetric(rng, 40.0), rng.random_range(0.0..14.0_f32));
        let (center, angle) = (mean(&outline), target.region.angle);
        let folds = rng.random_range(8.0..30.0_f32);
        let corners = outline.clone();
        self.paint(&corners, |p| {
            let q = Point::new(p.x - center.x, p.y - center.y).rotated(-angle);
            let fold = crease * (folds * q.y / size).sin();
            let value = (grey + shade * q.x / size + fold).clamp(0.0, 255.0);
            (f32::from(u8::from(is_inside(&outline, p))), value)
        });
    }

    /// A picture of a mask: its upper corners below the temples, its lower edge below the chin.
    fn wear(&mut self, mask: &Mask, target: &Target, rng: &mut StdRng) {
        let points = &target.points;
        let size = target.region.size;
        let mut near =
            |p: Point| Point::new(p.x + symmetric(rng, 0.04 * size), p.y + symmetric(rng, 0.04 * size));
        let chin =
            Point::new(points[8].x * 1.05 - points[30].x * 0.05, points[8].y * 1.05 - points[30].y * 0.05);
        let on_face = [near(points[1]), near(points[15]), near(chin)];
        let [left, _, right, _, low, _] = mask.anchors;
        let to_mask = affine(on_face, [left, right, low]);
        let light = 0.4 + 0.8 * rng.random::<f32>();
        let (width, height) = mask.picture.dimensions();
        let (width, height) = (width as f32, height as f32);
        let to_canvas = to_mask.inverse();
        let corners = [(0.0, 0.0), (width, 0.0), (0.0, height), (width, height)]
            .map(|(x, y)| to_canvas.apply(Point::new(x, y)));
        self.paint(&corners, |p| {
            let [grey, alpha] = mask.at(to_mask.apply(p)).unwrap_or_default();
            (alpha, (light * grey).min(255.0))
        });
    }

    /// Dark glasses before both eyes, and what joins them.
    fn sunglasses(&mut self, target: &Target, rng: &mut StdRng) {
        let (size, angle) = (target.region.size, target.region.angle);
        let eyes = [mean(&target.points[36..42]), mean(&target.points[42..48])];
        let half = [rng.random_range(0.13..0.21), rng.random_range(0.09..0.16)].map(|half| half * size);
        let is_round = rng.random();
        let lenses = eyes.map(|eye| Area::new(eye, half, angle, is_round));
        let bridge = Area::new(mean(&eyes), [0.25 * size, 0.02 * size], angle, false);
        let (grey, dark) = (rng.random_range(0.0..70.0_f32), rng.random_range(0.75..1.0));
        let corners: Vec<Point> = lenses.iter().chain([&bridge]).flat_map(Area::corners).collect();
        self.paint(&corners, |p| {
            let is_lens = lenses.iter().any(|lens| lens.holds(p));
            (if is_lens { dark } else { f32::from(u8::from(bridge.holds(p))) }, grey)
        });
    }
}

impl<'a> Target<'a> {
    fn new(face: &super::canvas::Face<'a>) -> Self {
        let points = face.photo.points.iter().map(|&p| face.to_canvas.apply(p)).collect();
        Self { region: face.region, source: face.source, photo: face.photo, points }
    }
}

/// The map that takes three points to three others.
fn affine(from: [Point; 3], to: [Point; 3]) -> Affine {
    let corner =
        |[a, b, c]: [Point; 3]| Affine { rows: [[b.x - a.x, c.x - a.x, a.x], [b.y - a.y, c.y - a.y, a.y]] };
    corner(from).inverse().then(&corner(to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_points_go_where_they_should() {
        let from = [(1.0, 2.0), (5.0, 1.0), (3.0, 7.0)].map(|(x, y)| Point::new(x, y));
        let to = [(0.0, 0.0), (10.0, 3.0), (4.0, 20.0)].map(|(x, y)| Point::new(x, y));
        let map = affine(from, to);
        assert!(from.iter().zip(&to).all(|(&a, &b)| map.apply(a).distance(b) < 1e-3));
    }
}
