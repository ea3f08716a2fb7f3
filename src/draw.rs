//! The overlay, drawn into the picture's own planes: contours, landmarks, the face's region and ID, a line of text.

use anyhow::{Context, Result};
use opencv::boxed_ref::BoxedRefMut;
use opencv::core::{self, Mat, Point_, Scalar, Vector};
use opencv::imgproc;

use crate::face::{Face, Point};
use crate::frame::{ColorTags, Plane, Yuv420};
use crate::scheme::{Contour, Scheme};

/// A colour, 0–255 each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rgb(u8, u8, u8);

const LANDMARK: Rgb = Rgb(80, 255, 120);
const CONTOUR: Rgb = Rgb(255, 255, 255);
const REGION: Rgb = Rgb(255, 190, 60);
const TEXT: Rgb = Rgb(255, 255, 255);
const SHADOW: Rgb = Rgb(0, 0, 0);

/// OpenCV takes coordinates with this many fractional bits.
const FRACTION_BITS: i32 = 4;
/// Thickest line and largest dot in pixels: OpenCV refuses more than 32767, and nothing needs them.
const MAX_STROKE: f32 = 100.0;

/// Draws the faces, and `text` into the upper left corner.
///
/// Lines and points grow with the face, text with the picture, so that both can be seen from 240 pixels to
/// 4K. Parts outside the picture are cut off.
///
/// # Errors
/// If OpenCV refuses a plane, which it does not for planes of the promised size.
pub fn draw(image: &mut Yuv420, faces: &[Face], scheme: Scheme, text: Option<&str>) -> Result<()> {
    let mut canvas = Canvas::new(image);
    for face in faces {
        canvas.face(face, scheme).context("drawing a face")?;
    }
    if let Some(text) = text {
        let height = canvas.text_height();
        canvas.text(text, Point::new(0.5 * height, 1.5 * height)).context("drawing text")?;
    }
    Ok(())
}

/// The three planes as one thing to draw on, in luma pixels.
struct Canvas<'a> {
    image: &'a mut Yuv420,
}

impl<'a> Canvas<'a> {
    fn new(image: &'a mut Yuv420) -> Self {
        Self { image }
    }

    /// Height of a capital letter in pixels.
    fn text_height(&self) -> f32 {
        let (width, height) = self.image.size();
        (width.min(height) as f32 / 30.0).max(8.0)
    }

    fn face(&mut self, face: &Face, scheme: Scheme) -> opencv::Result<()> {
        let thickness = face.region.size / 250.0;
        self.polygon(&face.region.corners(), true, thickness, REGION)?;
        for Contour { points, closed, .. } in scheme.contours() {
            self.polygon(&face.landmarks[points.clone()], *closed, thickness, CONTOUR)?;
        }
        for &landmark in &face.landmarks {
            self.dot(landmark, (face.region.size / 110.0).max(1.0), LANDMARK)?;
        }
        let corner = face.region.corners()[0];
        let lift = 0.4 * self.text_height();
        self.text(&face.id.to_string(), Point::new(corner.x, corner.y - lift))
    }

    /// Calls `stroke` for each plane with the plane's scale and the colour's value there.
    fn on_planes(
        &mut self,
        color: Rgb,
        mut stroke: impl FnMut(&mut BoxedRefMut<Mat>, f32, Scalar) -> opencv::Result<()>,
    ) -> opencv::Result<()> {
        let values = to_yuv(color, self.image.color);
        let [blue, red] = &mut self.image.chroma;
        for ((plane, scale), value) in
            [(&mut self.image.luma, 1.0), (blue, 0.5), (red, 0.5)].into_iter().zip(values)
        {
            stroke(&mut mat(plane)?, scale, Scalar::all(f64::from(value)))?;
        }
        Ok(())
    }

    fn polygon(&mut self, points: &[Point], closed: bool, thickness: f32, color: Rgb) -> opencv::Result<()> {
        self.on_planes(color, |plane, scale, value| {
            let corners: Vector<core::Point> = points.iter().map(|&p| fixed(p, scale)).collect();
            let thickness = (thickness * scale).round().clamp(1.0, MAX_STROKE) as i32;
            imgproc::polylines(plane, &corners, closed, value, thickness, imgproc::LINE_AA, FRACTION_BITS)
        })
    }

    fn dot(&mut self, center: Point, radius: f32, color: Rgb) -> opencv::Result<()> {
        self.on_planes(color, |plane, scale, value| {
            let radius = (radius.min(MAX_STROKE) * scale * f32::from(1_u8 << FRACTION_BITS)) as i32;
            let center = fixed(center, scale);
            imgproc::circle(plane, center, radius, value, imgproc::FILLED, imgproc::LINE_AA, FRACTION_BITS)
        })
    }

    /// Text with its lower left corner at `at`, or as near as the picture allows, with a dark edge so that it can be
    /// read on anything.
    fn text(&mut self, text: &str, at: Point) -> opencv::Result<()> {
        let height = self.text_height();
        let at = Point::new(at.x.max(0.0), at.y.max(1.2 * height));
        for (color, extra) in [(SHADOW, 2), (TEXT, 0)] {
            self.on_planes(color, |plane, scale, value| {
                let at = core::Point::new((at.x * scale) as i32, (at.y * scale) as i32);
                // A capital of this font is 21 pixels high at scale 1.
                let size = f64::from(height * scale) / 21.0;
                let thickness = (height * scale / 12.0).round().max(1.0) as i32 + extra;
                let font = imgproc::FONT_HERSHEY_SIMPLEX;
                imgproc::put_text(plane, text, at, font, size, value, thickness, imgproc::LINE_AA, false)
            })?;
        }
        Ok(())
    }
}

fn mat(plane: &mut Plane) -> opencv::Result<BoxedRefMut<'_, Mat>> {
    Mat::new_rows_cols_with_data_mut(plane.height as i32, plane.width as i32, &mut plane.data)
}

/// A luma position in a plane of this scale, in OpenCV's fixed point. Far-off numbers are drawn in: OpenCV's
/// 32 bits would overflow.
fn fixed(p: Point, scale: f32) -> core::Point {
    // Chroma samples lie in the middle of their four luma pixels.
    let place =
        |v: f32| (((v + 0.5) * scale - 0.5).clamp(-1e5, 1e5) * f32::from(1_u8 << FRACTION_BITS)) as i32;
    Point_::new(place(p.x), place(p.y))
}

/// The colour in the picture's own numbers (ITU-T H.273, equations 11 to 13 and 38 to 40 in words: luma is a
/// weighted sum, chroma the scaled differences from it).
fn to_yuv(Rgb(r, g, b): Rgb, tags: ColorTags) -> [u8; 3] {
    let (kr, kb) = match tags.matrix {
        1 => (0.2126, 0.0722),
        9 | 10 => (0.2627, 0.0593),
        _ => (0.299, 0.114),
    };
    let [r, g, b] = [r, g, b].map(|v| f32::from(v) / 255.0);
    let luma = kr * r + (1.0 - kr - kb) * g + kb * b;
    let blue = (b - luma) / (2.0 * (1.0 - kb));
    let red = (r - luma) / (2.0 * (1.0 - kr));
    let (offset, luma_range, chroma_range) =
        if tags.full_range { (0.0, 255.0, 255.0) } else { (16.0, 219.0, 224.0) };
    [offset + luma * luma_range, 128.0 + blue * chroma_range, 128.0 + red * chroma_range]
        .map(|v| v.round().clamp(0.0, 255.0) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::face::Region;

    fn gray(width: usize, height: usize) -> Yuv420 {
        let mut image = Yuv420::default();
        image.resize(width, height);
        image.luma.data.fill(100);
        for plane in &mut image.chroma {
            plane.data.fill(128);
        }
        image
    }

    fn face(center: Point, size: f32) -> Face {
        let landmarks = (0..68).map(|i| {
            let (x, y) = ((i % 10) as f32 / 10.0 - 0.45, (i / 10) as f32 / 7.0 - 0.43);
            Point::new(center.x + x * size, center.y + y * size)
        });
        let region = Region { center, size, angle: 0.2 };
        Face { id: 3, region, landmarks: landmarks.collect(), score: 1.0 }
    }

    #[test]
    fn a_landmark_is_drawn_where_it_is_in_all_planes() {
        let mut image = gray(100, 80);
        let mut one = face(Point::new(50.0, 40.0), 60.0);
        one.landmarks = vec![Point::new(20.0, 60.0)];
        draw(&mut image, &[one], Scheme::Nose, None).unwrap();
        let values = to_yuv(LANDMARK, image.color);
        assert_eq!(image.luma.data[60 * 100 + 20], values[0]);
        let chroma = image.chroma.clone().map(|plane| plane.data[30 * 50 + 10]);
        assert!(chroma[0].abs_diff(128) > 8 && chroma[1].abs_diff(128) > 8, "{chroma:?}");
        assert!((chroma[0] < 128) == (values[1] < 128) && (chroma[1] < 128) == (values[2] < 128));
    }

    #[test]
    fn far_off_and_broken_faces_are_harmless() {
        let mut image = gray(33, 17);
        let broken =
            Face { landmarks: vec![Point::new(f32::NAN, 1e30); 68], ..face(Point::new(5.0, 5.0), 9.0) };
        let far = face(Point::new(-1e9, 1e9), 1e8);
        draw(&mut image, &[broken, far], Scheme::Ibug68, Some("ä 1.2 ms")).unwrap();
    }

    #[test]
    fn the_overlay_grows_with_the_face() {
        let count = |side: usize| {
            let mut image = gray(side, side);
            let size = side as f32 / 2.0;
            draw(&mut image, &[face(Point::new(size, size), size)], Scheme::Ibug68, None).unwrap();
            image.luma.data.iter().filter(|&&v| v != 100).count() as f32 / (side * side) as f32
        };
        let (small, large) = (count(240), count(2160));
        assert!(small < 0.25 && large > 0.02 && small / large < 6.0, "{small} and {large}");
    }

    #[test]
    fn colours_have_their_standard_numbers() {
        let limited = ColorTags { matrix: 1, ..ColorTags::UNSPECIFIED };
        assert_eq!(to_yuv(Rgb(255, 255, 255), limited), [235, 128, 128]);
        assert_eq!(to_yuv(Rgb(255, 0, 0), limited), [63, 102, 240]);
        assert_eq!(to_yuv(Rgb(255, 0, 0), ColorTags::JPEG), [76, 85, 255]);
    }
}
