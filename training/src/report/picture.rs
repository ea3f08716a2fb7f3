//! Pictures with landmarks, as SVG around a JPEG.

use std::fmt::Write;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use facemark::face::Scheme;
use facemark::geometry::Point;
use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, GrayImage};
use maud::{Markup, html};

/// Good enough to see the face, small enough to be mailed.
const JPEG_QUALITY: u8 = 72;

/// Landmarks over a picture.
pub struct Overlay<'a> {
    /// In crop sides.
    pub points: &'a [Point],
    /// The CSS class that gives the colour: `truth` or `found`.
    pub class: &'static str,
}

/// Grey levels with landmarks over them, and a caption. With `hide`, only the landmarks on blank ground.
pub fn picture(
    (pixels, width): (&[u8], usize),
    scheme: Scheme,
    overlays: &[Overlay<'_>],
    caption: &str,
    hide: bool,
) -> Markup {
    let height = pixels.len() / width.max(1);
    // A single point has all the room, and needs to be found.
    let share = if scheme.n_points() == 1 { 0.04 } else { 0.012 };
    let dot = share * width.max(height) as f32 + 0.5;
    html! {
        figure.picture {
            svg viewBox=(format!("0 0 {width} {height}")) role="img" aria-label=(caption) {
                @if !hide { image href=(jpeg(pixels, width, height)) width=(width) height=(height) {} }
                @for overlay in overlays {
                    @let points: Vec<Point> = overlay.points.iter()
                        .map(|p| Point::new(p.x * width as f32, p.y * height as f32)).collect();
                    @if hide { path class=(overlay.class) d=(contours(&points, scheme)) fill="none" stroke-width=(dot / 3.0) {} }
                    path class=(overlay.class) d=(dots(&points)) stroke-linecap="round" stroke-width=(dot) {}
                }
            }
            figcaption { (caption) }
        }
    }
}

/// Each point as a line without length: with round ends it is a dot.
fn dots(points: &[Point]) -> String {
    points.iter().fold(String::new(), |mut path, p| {
        // Writing to a string cannot fail.
        let _ = write!(path, "M{:.1} {:.1}h0", p.x, p.y);
        path
    })
}

fn contours(points: &[Point], scheme: Scheme) -> String {
    scheme.contours().iter().fold(String::new(), |mut path, contour| {
        for (i, p) in contour.points.iter().map(|&i| points[i]).enumerate() {
            let _ = write!(path, "{}{:.1} {:.1}", if i == 0 { 'M' } else { 'L' }, p.x, p.y);
        }
        path + if contour.closed { "Z" } else { "" }
    })
}

/// A picture as a data URI; empty if it cannot be encoded.
pub fn jpeg(pixels: &[u8], width: usize, height: usize) -> String {
    let mut bytes = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY);
    let encoded =
        image::ImageEncoder::write_image(encoder, pixels, width as u32, height as u32, ExtendedColorType::L8);
    match encoded {
        Ok(()) => format!("data:image/jpeg;base64,{}", BASE64_STANDARD.encode(bytes)),
        Err(_) => String::new(),
    }
}

/// First-layer filters, `[n, height, width]` one after another, each stretched from black to white.
pub fn filters(weights: &[f32], [n, height, width]: [usize; 3]) -> Markup {
    const CELL: u32 = 8;
    html! {
        div.filters {
            @for filter in weights.chunks_exact((height * width).max(1)).take(n) {
                @let largest = filter.iter().fold(1e-12_f32, |a, v| a.max(v.abs()));
                @let grey = |v: f32| (127.5 + 127.5 * v / largest).round() as u8;
                @let tile = GrayImage::from_fn(CELL * width as u32, CELL * height as u32, |x, y| {
                    image::Luma([grey(filter[(y / CELL) as usize * width + (x / CELL) as usize])])
                });
                img src=(jpeg(tile.as_raw(), tile.width() as usize, tile.height() as usize)) alt="filter";
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_pictures_leave_only_landmarks() {
        let points = [Point::new(0.25, 0.5)];
        let overlays = [Overlay { points: &points, class: "truth" }];
        let shown = picture((&[9; 32], 8), Scheme::Nose, &overlays, "a & b", false).into_string();
        let hidden = picture((&[9; 32], 8), Scheme::Nose, &overlays, "a & b", true).into_string();
        assert!(shown.contains("data:image/jpeg") && !hidden.contains("data:image"));
        for text in [shown, hidden] {
            assert!(text.contains("M2.0 2.0h0") && text.contains("a &amp; b"), "{text}");
        }
    }

    #[test]
    fn every_filter_becomes_a_picture() {
        let markup = filters(&[0.0, 1.0, -1.0, 0.5, 0.0, 0.0, 0.0, 0.0], [2, 2, 2]).into_string();
        assert_eq!(markup.matches("data:image/jpeg").count(), 2);
    }
}
