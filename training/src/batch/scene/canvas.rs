//! A picture in the making: what is drawn into it, and what can still be seen of its faces.

use std::ops::Range;

use facemark::Plane;
use facemark::crop::{Framing, crop};
use facemark::geometry::{Affine, Point, Region};

use super::area::{Area, span_of};
use super::layer::Layer;
use crate::dataset::photos::Photo;

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

/// A face must be found if this share of it is seen …
const CLEAR: f32 = 0.45;
/// … and is none if less than this is.
const GONE: f32 = 0.2;
/// Smallest face in pixels that must be found.
const SMALLEST: f32 = 6.5;
/// A face that is turned further than this from upright, in radians, need not be found …
const TURNED: f32 = 1.25;
/// … and one turned further than this must not.
const TURNED_AWAY: f32 = 2.0;

/// Points of a face that are looked at to know how much of it is seen, along each side.
const PROBES: usize = 5;

/// A face in the picture, and where it can still be seen.
pub struct Face<'a> {
    pub photo: &'a Photo,
    /// In the photo.
    pub source: Region,
    /// In the picture.
    pub region: Region,
    has_roll: bool,
    seen: Vec<Point>,
    /// Takes the photo's points to the picture.
    pub to_canvas: Affine,
}

/// A picture in the making.
pub struct Canvas<'a> {
    pub picture: Plane,
    /// All faces that were drawn.
    pub faces: Vec<Face<'a>>,
}

impl<'a> Canvas<'a> {
    /// A black picture.
    pub fn new(width: usize, height: usize) -> Self {
        let mut picture = Plane::default();
        picture.resize(width, height);
        Self { picture, faces: Vec::new() }
    }

    /// Width and height in pixels.
    pub fn sides(&self) -> (f32, f32) {
        (self.picture.width() as f32, self.picture.height() as f32)
    }

    /// Draws a photo and notes its faces.
    pub fn draw(&mut self, layer: &Layer<'a>, is_cut: bool) {
        self.stamp(layer, is_cut);
        self.cover(|p| !is_cut || layer.holds(p));
        for face in &layer.photo.faces {
            let region = layer.region(&face.region);
            let seen = probes(&region).filter(|&p| self.shows(p) && (!is_cut || layer.holds(p))).collect();
            let has_roll = face.has_roll;
            let (photo, source, to_canvas) = (layer.photo, face.region, layer.to_canvas);
            self.faces.push(Face { photo, source, region, has_roll, seen, to_canvas });
        }
    }

    fn shows(&self, p: Point) -> bool {
        let (width, height) = self.sides();
        (0.0..width).contains(&p.x) && (0.0..height).contains(&p.y)
    }

    /// Notes that some places no longer show what they did.
    pub fn cover(&mut self, is_covered: impl Fn(Point) -> bool) {
        self.faces.iter_mut().for_each(|face| face.seen.retain(|&p| !is_covered(p)));
    }

    /// Puts a photo's pixels into the picture: within its edges, or everywhere with the edges going on.
    pub fn stamp(&mut self, layer: &Layer, is_cut: bool) {
        let (w, h) = (layer.photo.luma.width(), layer.photo.luma.height());
        let (right, bottom) = (w as f32 - 0.5, h as f32 - 0.5);
        let corners = [(-0.5, -0.5), (right, -0.5), (-0.5, bottom), (right, bottom)];
        let corners = corners.map(|(x, y)| layer.to_canvas.apply(Point::new(x, y)));
        let spans = if is_cut {
            span_of(&corners, self.picture.width(), self.picture.height())
        } else {
            (0..self.picture.width(), 0..self.picture.height())
        };
        let light = |p: Point, v: u8| layer.light.map_or(f32::from(v), |light| light.on(f32::from(v), p));
        self.put(spans, &layer.photo.luma, &layer.to_photo, |p, v| {
            (if is_cut { layer.alpha(p) } else { 1.0 }, light(p, v))
        });
    }

    /// Resamples a part of the picture from `source`; `mix` says how opaque it is at a point, and which grey level it has.
    fn put(
        &mut self,
        (columns, rows): (Range<usize>, Range<usize>),
        source: &Plane,
        to_source: &Affine,
        mix: impl Fn(Point, u8) -> (f32, f32),
    ) {
        let (w, h) = (columns.len(), rows.len());
        if w == 0 || h == 0 {
            return;
        }
        let (left, top) = (columns.start as f32, rows.start as f32);
        let unit_to_canvas = Affine { rows: [[w as f32, 0.0, left], [0.0, h as f32, top]] };
        let mut pixels = vec![0; w * h];
        crop(source.luma(), &unit_to_canvas.then(to_source), w, &mut pixels);
        let width = self.picture.width();
        for (y, line) in rows.zip(pixels.chunks_exact(w)) {
            let row = &mut self.picture.data_mut()[y * width..][columns.clone()];
            for ((x, &pixel), old) in columns.clone().zip(line).zip(row) {
                let (alpha, value) = mix(Point::new(x as f32 + 0.5, y as f32 + 0.5), pixel);
                if alpha > 0.0 {
                    *old = (f32::from(*old) + alpha * (value - f32::from(*old)) + 0.5) as u8;
                }
            }
        }
    }

    /// Fills an area with a part of a photo, stretched over it.
    pub fn fill(&mut self, area: &Area, source: &Plane, part: &Region) {
        let spans = area.pixels(self.picture.width(), self.picture.height());
        let [a, b] = area.half;
        let framing = Framing { width: 1.0, height: b / a, shift_x: 0.0, shift_y: 0.0 };
        let to_source = area.to_unit().then(&framing.crop_to_image(part));
        self.put(spans, source, &to_source, |p, v| (f32::from(u8::from(area.holds(p))), f32::from(v)));
        self.cover(|p| area.holds(p));
    }

    /// Paints an area of the picture, which must lie within the box of `corners`.
    pub fn paint(&mut self, corners: &[Point], mix: impl Fn(Point) -> (f32, f32)) {
        let (columns, rows) = span_of(corners, self.picture.width(), self.picture.height());
        let width = self.picture.width();
        for (y, x) in rows.flat_map(|y| columns.clone().map(move |x| (y, x))) {
            let (alpha, value) = mix(Point::new(x as f32 + 0.5, y as f32 + 0.5));
            let old = &mut self.picture.data_mut()[y * width + x];
            *old = (f32::from(*old) + alpha * (value - f32::from(*old)) + 0.5) as u8;
        }
    }

    /// Changes the light over the whole picture.
    pub fn relight(&mut self, light: impl Fn(f32, Point) -> f32) {
        let width = self.picture.width();
        for (y, row) in self.picture.data_mut().chunks_exact_mut(width).enumerate() {
            for (x, pixel) in row.iter_mut().enumerate() {
                *pixel = (light(f32::from(*pixel), Point::new(x as f32, y as f32)) + 0.5) as u8;
            }
        }
    }

    /// The faces of which something is left.
    pub fn faces(&self) -> Vec<Placed> {
        let share = |face: &Face| face.seen.len() as f32 / (PROBES * PROBES) as f32;
        let turn = |face: &Face| face.region.turn(&Region { angle: 0.0, ..face.region });
        let placed = |face: &Face| Placed {
            region: face.region,
            has_roll: face.has_roll,
            is_clear: share(face) >= CLEAR && face.region.size >= SMALLEST && turn(face) <= TURNED,
        };
        let is_there = |face: &&Face| share(face) >= GONE && turn(face) <= TURNED_AWAY;
        self.faces.iter().filter(is_there).map(placed).collect()
    }
}

/// A grid of points within a region.
pub fn probes(region: &Region) -> impl Iterator<Item = Point> + use<> {
    let Region { center, size, angle } = *region;
    (0..PROBES * PROBES).map(move |i| {
        let at = |i: usize| size * ((i as f32 + 0.5) / PROBES as f32 - 0.5);
        let p = Point::new(at(i % PROBES), at(i / PROBES)).rotated(angle);
        Point::new(center.x + p.x, center.y + p.y)
    })
}

#[cfg(test)]
mod tests {
    use super::super::layer::tests::{REGION, photo};
    use super::*;

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
}
