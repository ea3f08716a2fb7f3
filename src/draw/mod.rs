//! The overlay: contours, landmarks, the face's region and ID, and lines of text, drawn into the picture's own planes
//! or into the RGB pixels of a window.

use anyhow::{Context, Result};
use facemark::Face;
use facemark::face::{Contour, Scheme, UNSURE, mesh_lines};
use facemark::geometry::Point;

use crate::frame::Yuv420;

mod canvas;
pub mod hide;
mod panel;
pub mod view;

use canvas::Canvas;
pub use panel::{Panel, notice, panel};
use view::Fit;

/// A colour, 0–255 per component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rgb(u8, u8, u8);

const LANDMARK: Rgb = Rgb(80, 255, 120);
const CONTOUR: Rgb = Rgb(255, 255, 255);
const REGION: Rgb = Rgb(255, 190, 60);
const TEXT: Rgb = Rgb(255, 255, 255);
const SHADOW: Rgb = Rgb(0, 0, 0);
const RECORDING: Rgb = Rgb(255, 60, 60);

/// With more landmarks than this, each is drawn smaller.
const MANY: usize = 100;

/// How much of a face is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// Contours, landmarks, region and ID.
    #[default]
    Full,
    /// Only the landmarks.
    Points,
    /// Only the contours; the landmarks if the scheme has no contours.
    Contours,
    /// Only the net of a mesh.
    Net,
    /// Nothing.
    Nothing,
}

impl Style {
    /// The next style that the scheme has; the first one follows the last.
    pub fn next(self, scheme: Scheme) -> Self {
        match self {
            Self::Full => Self::Points,
            Self::Points => Self::Contours,
            Self::Contours if scheme == Scheme::Mesh478 => Self::Net,
            Self::Contours | Self::Net => Self::Nothing,
            Self::Nothing => Self::Full,
        }
    }

    /// The name to display.
    pub fn name(self) -> &'static str {
        match self {
            Self::Full => "points and contours",
            Self::Points => "points",
            Self::Contours => "contours",
            Self::Net => "net",
            Self::Nothing => "no overlay",
        }
    }
}

/// Draws the faces, and `text` in the upper left corner.
///
/// Lines and points scale with the face, text with the picture, so that both are visible from 240 pixels to
/// 4K. Parts outside the picture are cut off.
///
/// # Errors
/// If OpenCV rejects a plane, which does not happen for planes of the documented size.
pub fn draw(
    image: &mut Yuv420,
    faces: &[Face],
    scheme: Scheme,
    style: Style,
    text: Option<&str>,
) -> Result<()> {
    let mut canvas = Canvas::Planes(image);
    for face in faces {
        draw_face(&mut canvas, face, scheme, style, |p| p, 1.0).context("drawing a face")?;
    }
    if let Some(text) = text {
        let height = canvas.text_height();
        canvas.text(text, Point::new(0.5 * height, 1.5 * height), TEXT).context("drawing text")?;
    }
    Ok(())
}

/// Draws the faces into a window of `width` pixels per row, `0x00RRGGBB`, with the picture placed according to `fit`.
/// Text stays readable in a mirrored picture.
///
/// # Errors
/// If OpenCV rejects the window, which does not happen for whole rows.
pub fn draw_on_window(
    pixels: &mut [u32],
    width: usize,
    fit: &Fit,
    faces: &[Face],
    scheme: Scheme,
    style: Style,
) -> Result<()> {
    let mut canvas = Canvas::Window { pixels, width };
    let place = |p| fit.to_window(p);
    faces.iter().try_for_each(|face| {
        draw_face(&mut canvas, face, scheme, style, place, fit.scale()).context("drawing a face")
    })
}

/// Draws a face through `place`, which maps picture positions to the canvas and scales by `scale`.
fn draw_face(
    canvas: &mut Canvas,
    face: &Face,
    scheme: Scheme,
    style: Style,
    place: impl Fn(Point) -> Point,
    scale: f32,
) -> opencv::Result<()> {
    let size = face.region.size * scale;
    let contours = scheme.contours();
    let corners = face.region.corners().map(&place);
    if style == Style::Full {
        canvas.polygon(corners.into_iter(), true, size / 250.0, REGION)?;
    }
    if matches!(style, Style::Full | Style::Contours) {
        for Contour { points, closed, .. } in contours {
            let points = points.iter().map(|&i| place(face.landmarks[i]));
            canvas.polygon(points, *closed, size / 250.0, CONTOUR)?;
        }
    }
    if style == Style::Net && scheme == Scheme::Mesh478 {
        for line in mesh_lines() {
            let line = line.map(|i| place(face.landmarks[i]));
            canvas.polygon(line.into_iter(), false, size / 500.0, CONTOUR)?;
        }
    }
    if matches!(style, Style::Full | Style::Points) || style == Style::Contours && contours.is_empty() {
        // The more there are, the smaller.
        let radius = (size / if face.landmarks.len() > MANY { 220.0 } else { 110.0 }).max(1.0);
        for (i, &landmark) in face.landmarks.iter().enumerate() {
            let is_unsure = face.more.sigmas.get(i).is_some_and(|&sigma| sigma > UNSURE * face.region.size);
            if is_unsure {
                canvas.ring(place(landmark), radius.max(1.5), LANDMARK)?;
            } else {
                canvas.dot(place(landmark), radius, LANDMARK)?;
            }
        }
    }
    if style != Style::Full {
        return Ok(());
    }
    let [first, second, ..] = corners;
    let corner = if second.x < first.x { second } else { first };
    let lift = 0.4 * canvas.text_height();
    canvas.text(&face.id.to_string(), Point::new(corner.x, corner.y - lift), TEXT)
}

#[cfg(test)]
mod tests {
    use facemark::geometry::Region;

    use super::*;
    use crate::color::to_yuv;

    fn gray(width: usize, height: usize) -> Yuv420 {
        let mut image = Yuv420::default();
        image.resize(width, height);
        image.luma.data_mut().fill(100);
        for plane in &mut image.chroma {
            plane.data_mut().fill(128);
        }
        image
    }

    fn face(center: Point, size: f32) -> Face {
        let landmarks = (0..68).map(|i| {
            let (x, y) = ((i % 10) as f32 / 10.0 - 0.45, (i / 10) as f32 / 7.0 - 0.43);
            Point::new(center.x + x * size, center.y + y * size)
        });
        let region = Region { center, size, angle: 0.2 };
        Face {
            id: 3,
            region,
            landmarks: landmarks.collect(),
            score: 1.0,
            more: Default::default(),
            measures: None,
        }
    }

    #[test]
    fn a_landmark_is_drawn_where_it_is_in_all_planes() {
        let mut image = gray(100, 80);
        let mut one = face(Point::new(50.0, 40.0), 60.0);
        one.landmarks = vec![Point::new(20.0, 60.0)];
        draw(&mut image, &[one], Scheme::Nose, Style::Full, None).unwrap();
        let Rgb(r, g, b) = LANDMARK;
        let values = to_yuv([r, g, b], image.color);
        assert_eq!(image.luma.data()[60 * 100 + 20], values[0]);
        let chroma = image.chroma.clone().map(|plane| plane.data()[30 * 50 + 10]);
        assert!(chroma[0].abs_diff(128) > 8 && chroma[1].abs_diff(128) > 8, "{chroma:?}");
        assert!((chroma[0] < 128) == (values[1] < 128) && (chroma[1] < 128) == (values[2] < 128));
    }

    #[test]
    fn far_off_and_broken_faces_are_harmless() {
        let mut image = gray(33, 17);
        let broken =
            Face { landmarks: vec![Point::new(f32::NAN, 1e30); 68], ..face(Point::new(5.0, 5.0), 9.0) };
        let far = face(Point::new(-1e9, 1e9), 1e8);
        draw(&mut image, &[broken, far], Scheme::Ibug68, Style::Full, Some("ä 1.2 ms")).unwrap();
    }

    #[test]
    fn the_overlay_grows_with_the_face() {
        let count = |side: usize| {
            let mut image = gray(side, side);
            let size = side as f32 / 2.0;
            draw(&mut image, &[face(Point::new(size, size), size)], Scheme::Ibug68, Style::Full, None)
                .unwrap();
            image.luma.data().iter().filter(|&&v| v != 100).count() as f32 / (side * side) as f32
        };
        let (small, large) = (count(240), count(2160));
        assert!(small < 0.25 && large > 0.02 && small / large < 6.0, "{small} and {large}");
    }

    #[test]
    fn a_window_shows_the_landmark_where_the_picture_shows_it() {
        for (mirrored, x) in [(false, 40), (true, 159)] {
            let fit = Fit::new((100, 80), 1.0, (200, 160), mirrored);
            let mut pixels = vec![0; 200 * 160];
            let mut one = face(Point::new(50.0, 40.0), 60.0);
            one.landmarks = vec![Point::new(20.0, 60.0)];
            draw_on_window(&mut pixels, 200, &fit, &[one], Scheme::Nose, Style::Points).unwrap();
            assert_eq!(pixels[120 * 200 + x], 0x50_FF_78);
            let lit: Vec<_> = (0..pixels.len()).filter(|&at| pixels[at] != 0).collect();
            assert!(lit.iter().all(|at| (at % 200).abs_diff(x) < 4 && (at / 200).abs_diff(120) < 4));
        }
    }

    #[test]
    fn the_styles_draw_what_they_say() {
        let fit = Fit::new((100, 100), 1.0, (100, 100), false);
        let lit = |style, scheme| {
            let mut pixels = vec![0; 10_000];
            let one = face(Point::new(50.0, 50.0), 60.0);
            draw_on_window(&mut pixels, 100, &fit, &[one], scheme, style).unwrap();
            let any = |is: fn([u8; 4]) -> bool| pixels.iter().any(|pixel| is(pixel.to_be_bytes()));
            [
                any(|[_, r, g, _]| g > r.saturating_add(60)),
                any(|[_, r, g, b]| r > 100 && r == g && g == b),
                any(|[_, r, _, b]| r > b.saturating_add(60)),
            ]
        };
        assert_eq!(lit(Style::Points, Scheme::Ibug68), [true, false, false]);
        assert_eq!(lit(Style::Contours, Scheme::Ibug68), [false, true, false]);
        assert_eq!(lit(Style::Contours, Scheme::Nose), [true, false, false]);
        assert_eq!(lit(Style::Nothing, Scheme::Ibug68), [false, false, false]);
        let styles = [Style::Points, Style::Contours, Style::Nothing, Style::Full];
        let all = [Style::Full, Style::Points, Style::Contours, Style::Nothing];
        assert_eq!(styles, all.map(|style| style.next(Scheme::Ibug68)));
        assert_eq!(Style::Contours.next(Scheme::Mesh478), Style::Net);
        assert_eq!(Style::Net.next(Scheme::Mesh478), Style::Nothing);
    }
}
