//! Photos that lie in a picture.

use facemark::Plane;
use facemark::geometry::{Affine, Point, Region};

use super::blend::{Blend, Light};
use crate::dataset::photos::Photo;

/// A photo that lies in a picture.
pub struct Layer<'a> {
    pub photo: &'a Photo,
    pub to_canvas: Affine,
    pub to_photo: Affine,
    /// How many pixels of the picture one of the photo is.
    scale: f32,
    roll: f32,
    is_mirrored: bool,
    pub blend: Blend,
    /// The light that falls on it, if it is not the one that the photo was taken in.
    pub light: Option<Light>,
}

impl<'a> Layer<'a> {
    /// Turned and enlarged, with `from` of the photo at `to` of the picture.
    pub fn new(photo: &'a Photo, from: Point, to: Point, scale: f32, roll: f32, is_mirrored: bool) -> Self {
        let (sin, cos) = (scale * roll.sin(), scale * roll.cos());
        let flip = if is_mirrored { -1.0 } else { 1.0 };
        let turned = Affine { rows: [[cos * flip, -sin, 0.0], [sin * flip, cos, 0.0]] };
        let center = turned.apply(from);
        let to_canvas = turned.then(&Affine::shift_then_scale(center.x - to.x, center.y - to.y, 1.0, 1.0));
        let to_photo = to_canvas.inverse();
        Self { photo, to_canvas, to_photo, scale, roll, is_mirrored, blend: Blend::default(), light: None }
    }

    /// How opaque the photo is at a point of the picture, 0 to 1.
    pub fn alpha(&self, p: Point) -> f32 {
        let (width, height) = (self.photo.luma.width() as f32, self.photo.luma.height() as f32);
        self.blend.alpha(self.to_photo.apply(p), width, height)
    }

    /// Whether a point of the picture shows the photo.
    pub fn holds(&self, p: Point) -> bool {
        self.alpha(p) >= 0.5
    }

    pub fn region(&self, region: &Region) -> Region {
        let angle = if self.is_mirrored { -region.angle } else { region.angle };
        Region {
            center: self.to_canvas.apply(region.center),
            size: region.size * self.scale,
            angle: angle + self.roll,
        }
    }
}

/// The square with the photo's longer side around its middle.
pub fn whole(photo: &Plane) -> Region {
    let (width, height) = (photo.width() as f32, photo.height() as f32);
    let center = Point::new((width - 1.0) / 2.0, (height - 1.0) / 2.0);
    Region { center, size: width.max(height), angle: 0.0 }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::dataset::Part;
    use crate::dataset::photos::KnownFace;

    pub const REGION: Region = Region { center: Point { x: 110.0, y: 90.0 }, size: 80.0, angle: 0.2 };

    /// A dark photo with one face, a bright disc in its region.
    pub fn photo() -> Photo {
        let mut luma = Plane::new(240, 200, vec![40; 240 * 200]).unwrap();
        for (i, pixel) in luma.data_mut().iter_mut().enumerate() {
            let p = Point::new((i % 240) as f32, (i / 240) as f32);
            if p.distance(REGION.center) < 40.0 {
                *pixel = 220;
            }
        }
        let face = KnownFace { region: REGION, has_roll: true, is_annotated: true };
        Photo { name: String::new(), luma, faces: vec![face], points: Vec::new(), part: Part::Training }
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
}
