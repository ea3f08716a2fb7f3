//! The drawing surface: the three planes of a picture as one, or a window's pixels.

use facemark::Plane;
use facemark::geometry::Point;
use opencv::boxed_ref::BoxedRefMut;
use opencv::core::{self, Mat, Point_, Scalar, Vec4b, Vector};
use opencv::imgproc;

use super::{Rgb, SHADOW};
use crate::color::to_yuv;
use crate::frame::Yuv420;

/// OpenCV coordinates are passed with this many fractional bits.
const FRACTION_BITS: i32 = 4;
/// Thickest line and largest dot in pixels: OpenCV rejects more than 32767, and nothing needs that much.
const MAX_STROKE: f32 = 100.0;

/// Height of a capital letter of the font at scale 1, in pixels.
const CAPITAL: f64 = 21.0;

/// A drawing surface, in pixels of the picture or the window.
pub(super) enum Canvas<'a> {
    /// A picture's own planes; positions are luma pixels.
    Planes(&'a mut Yuv420),
    /// Rows of `width` pixels `0x00RRGGBB`.
    Window {
        /// Whole rows.
        pixels: &'a mut [u32],
        /// Pixels in a row.
        width: usize,
    },
}

impl Canvas<'_> {
    /// Height of a capital letter in pixels.
    pub(super) fn text_height(&self) -> f32 {
        let (width, height) = self.size();
        (width.min(height) as f32 / 30.0).max(8.0)
    }

    /// Width and height in pixels.
    pub(super) fn size(&self) -> (usize, usize) {
        match self {
            Self::Planes(image) => image.size(),
            Self::Window { pixels, width } => (*width, pixels.len() / width),
        }
    }

    /// Calls `stroke` for each plane with the plane's scale and the colour's value there.
    fn on_planes(
        &mut self,
        color: Rgb,
        mut stroke: impl FnMut(&mut BoxedRefMut<Mat>, f32, Scalar) -> opencv::Result<()>,
    ) -> opencv::Result<()> {
        let image = match self {
            Self::Planes(image) => image,
            Self::Window { pixels, width } => {
                return stroke(&mut window(pixels, *width)?, 1.0, to_bytes(color));
            }
        };
        let Rgb(r, g, b) = color;
        let values = to_yuv([r, g, b], image.color);
        let [blue, red] = &mut image.chroma;
        for ((plane, scale), value) in
            [(&mut image.luma, 1.0), (blue, 0.5), (red, 0.5)].into_iter().zip(values)
        {
            stroke(&mut mat(plane)?, scale, Scalar::all(f64::from(value)))?;
        }
        Ok(())
    }

    pub(super) fn polygon(
        &mut self,
        points: impl Iterator<Item = Point> + Clone,
        closed: bool,
        thickness: f32,
        color: Rgb,
    ) -> opencv::Result<()> {
        self.on_planes(color, |plane, scale, value| {
            let corners: Vector<core::Point> = points.clone().map(|p| fixed(p, scale)).collect();
            let thickness = (thickness * scale).round().clamp(1.0, MAX_STROKE) as i32;
            imgproc::polylines(plane, &corners, closed, value, thickness, imgproc::LINE_AA, FRACTION_BITS)
        })
    }

    pub(super) fn dot(&mut self, center: Point, radius: f32, color: Rgb) -> opencv::Result<()> {
        self.circle(center, radius, imgproc::FILLED, color)
    }

    /// Only the edge of a dot.
    pub(super) fn ring(&mut self, center: Point, radius: f32, color: Rgb) -> opencv::Result<()> {
        self.circle(center, radius, 1, color)
    }

    fn circle(&mut self, center: Point, radius: f32, thickness: i32, color: Rgb) -> opencv::Result<()> {
        self.on_planes(color, |plane, scale, value| {
            let radius = (radius.min(MAX_STROKE) * scale * f32::from(1_u8 << FRACTION_BITS)) as i32;
            let center = fixed(center, scale);
            imgproc::circle(plane, center, radius, value, thickness, imgproc::LINE_AA, FRACTION_BITS)
        })
    }

    /// A filled rectangle from `from` to `to`, both included.
    pub(super) fn bar(&mut self, from: Point, to: Point, color: Rgb) -> opencv::Result<()> {
        self.on_planes(color, |plane, scale, value| {
            let corner = |p: Point| core::Point::new((p.x * scale) as i32, (p.y * scale) as i32);
            let area = core::Rect::from_points(corner(from), corner(to) + core::Point::new(1, 1));
            imgproc::rectangle(plane, area, value, imgproc::FILLED, imgproc::LINE_8, 0)
        })
    }

    /// Draws text with its lower left corner at `at`, or as near as the picture allows, with a dark outline so that
    /// it is readable on any background.
    pub(super) fn text(&mut self, text: &str, at: Point, color: Rgb) -> opencv::Result<()> {
        self.text_of(text, at, color, self.text_height())
    }

    /// Like [`text`](Self::text), with capitals of this height.
    pub(super) fn text_of(&mut self, text: &str, at: Point, color: Rgb, height: f32) -> opencv::Result<()> {
        let at = Point::new(at.x.max(0.0), at.y.max(1.2 * height));
        for (color, extra) in [(SHADOW, 2), (color, 0)] {
            self.on_planes(color, |plane, scale, value| {
                let at = core::Point::new((at.x * scale) as i32, (at.y * scale) as i32);
                let size = f64::from(height * scale) / CAPITAL;
                let thickness = (height * scale / 12.0).round().max(1.0) as i32 + extra;
                let font = imgproc::FONT_HERSHEY_SIMPLEX;
                imgproc::put_text(plane, text, at, font, size, value, thickness, imgproc::LINE_AA, false)
            })?;
        }
        Ok(())
    }
}

/// Width of a text with capitals of this height, in pixels.
pub(super) fn text_width(text: &str, height: f32) -> opencv::Result<f32> {
    let size = f64::from(height) / CAPITAL;
    let box_ = imgproc::get_text_size(text, imgproc::FONT_HERSHEY_SIMPLEX, size, 1, &mut 0)?;
    Ok(box_.width as f32)
}

/// The pixels as OpenCV sees them: four bytes each, in this machine's byte order.
fn window(pixels: &mut [u32], width: usize) -> opencv::Result<BoxedRefMut<'_, Mat>> {
    let height = pixels.len() / width;
    // SAFETY: a u32 is four bytes without padding, and bytes need no alignment.
    let (before, bytes, after) = unsafe { pixels.align_to_mut::<Vec4b>() };
    debug_assert!(before.is_empty() && after.is_empty());
    Mat::new_rows_cols_with_data_mut(height as i32, width as i32, bytes)
}

/// The colour as the bytes of a pixel `0x00RRGGBB`.
fn to_bytes(Rgb(r, g, b): Rgb) -> Scalar {
    let [first, second, third, fourth] = u32::from_be_bytes([0, r, g, b]).to_ne_bytes().map(f64::from);
    Scalar::new(first, second, third, fourth)
}

pub(super) fn mat(plane: &mut Plane) -> opencv::Result<BoxedRefMut<'_, Mat>> {
    Mat::new_rows_cols_with_data_mut(plane.height() as i32, plane.width() as i32, plane.data_mut())
}

/// A luma position in a plane of this scale, in OpenCV's fixed point. Far-off values are clamped: OpenCV's
/// 32 bits would overflow.
fn fixed(p: Point, scale: f32) -> core::Point {
    // Chroma samples are at the centre of their four luma pixels.
    let place =
        |v: f32| (((v + 0.5) * scale - 0.5).clamp(-1e5, 1e5) * f32::from(1_u8 << FRACTION_BITS)) as i32;
    Point_::new(place(p.x), place(p.y))
}
