//! Renders a picture for display: scaled to a window with its aspect ratio kept, optionally mirrored, in RGB. Pure.

use facemark::Plane;
use facemark::geometry::Point;

use crate::color::ToRgb;
use crate::frame::{ColorTags, Yuv420};

/// Fixed-point bits of the weights between two samples.
const WEIGHT_BITS: u32 = 7;
const WEIGHT_ONE: u32 = 1 << WEIGHT_BITS;

/// The position of a picture in a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fit {
    /// Columns left of the picture.
    pub left: usize,
    /// Rows above the picture.
    pub top: usize,
    /// Size of the shown picture in window pixels; never 0, never larger than the window.
    pub size: (usize, usize),
    /// Size of the picture itself.
    pub picture: (usize, usize),
    /// Whether left and right are swapped.
    pub mirrored: bool,
}

impl Fit {
    /// The largest centred area in a window of `window` pixels that keeps the aspect ratio of `picture`, whose pixels
    /// are `pixel_aspect` times as wide as high. All sizes are at least 1.
    pub fn new(picture: (usize, usize), pixel_aspect: f64, window: (usize, usize), mirrored: bool) -> Self {
        let (width, height) = shape(picture, pixel_aspect);
        let scale = (window.0 as f64 / width).min(window.1 as f64 / height);
        let side = |length: f64, most: usize| ((length * scale).round() as usize).clamp(1, most.max(1));
        let size = (side(width, window.0), side(height, window.1));
        let (left, top) = (window.0.saturating_sub(size.0) / 2, window.1.saturating_sub(size.1) / 2);
        Self { left, top, size, picture, mirrored }
    }

    /// Window pixels per picture pixel, the smaller of the two directions.
    pub fn scale(&self) -> f32 {
        let (x, y) = self.scales();
        x.min(y)
    }

    /// Maps a picture position to the window; both have pixel centres on integers.
    pub fn to_window(&self, p: Point) -> Point {
        let (x_scale, y_scale) = self.scales();
        let x = (p.x + 0.5) * x_scale;
        let x = if self.mirrored { self.size.0 as f32 - x } else { x };
        Point::new(self.left as f32 + x - 0.5, self.top as f32 + (p.y + 0.5) * y_scale - 0.5)
    }

    fn scales(&self) -> (f32, f32) {
        let (width, height) = self.picture;
        (self.size.0 as f32 / width as f32, self.size.1 as f32 / height as f32)
    }
}

/// Width and height of the picture in square pixels.
pub fn shape(picture: (usize, usize), pixel_aspect: f64) -> (f64, f64) {
    (picture.0.max(1) as f64 * pixel_aspect, picture.1.max(1) as f64)
}

/// The samples of a shown column or row: the first of two, and the weight of the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tap {
    first: usize,
    second: usize,
    weight: u16,
}

/// How shown columns are derived from those of a plane.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Columns {
    /// They are the same.
    #[default]
    Same,
    /// They are the same in reverse.
    Reversed,
    /// Each is between two.
    Between(Vec<Tap>),
}

/// Scales and converts pictures; keeps its tables and row buffers between them.
#[derive(Debug, Default)]
pub struct Renderer {
    /// The geometry and colours that the tables are for.
    for_: Option<(Fit, ColorTags)>,
    /// How the shown columns are derived, for luma and for chroma.
    columns: [Columns; 2],
    /// One row of each plane: scaled in height, then in width as well.
    rows: [[Vec<u8>; 2]; 3],
    colors: ToRgb,
}

impl Renderer {
    /// Writes `image` into the window `out`, rows of `stride` pixels `0x00RRGGBB`, at the position given by `fit`.
    /// The area around it turns black. Bilinear.
    pub fn render(&mut self, image: &Yuv420, fit: &Fit, out: &mut [u32], stride: usize) {
        self.prepare(image, fit);
        for (y, row) in out.chunks_exact_mut(stride.max(1)).enumerate() {
            let Some(shown) = y.checked_sub(fit.top).filter(|&y| y < fit.size.1) else {
                row.fill(0);
                continue;
            };
            let (before, rest) = row.split_at_mut(fit.left);
            let (picture, after) = rest.split_at_mut(fit.size.0);
            before.fill(0);
            after.fill(0);
            self.line(image, fit, shown, picture);
        }
    }

    fn prepare(&mut self, image: &Yuv420, fit: &Fit) {
        if self.for_ == Some((*fit, image.color)) {
            return;
        }
        self.for_ = Some((*fit, image.color));
        self.colors = ToRgb::new(image.color);
        for (columns, plane) in self.columns.iter_mut().zip([&image.luma, &image.chroma[0]]) {
            let halved = plane.width() != image.luma.width();
            *columns = Columns::new((0..fit.size.0).map(|x| {
                let x = if fit.mirrored { fit.size.0 - 1 - x } else { x };
                tap(x, fit.size.0, image.luma.width(), halved, plane.width())
            }));
        }
    }

    fn line(&mut self, image: &Yuv420, fit: &Fit, y: usize, out: &mut [u32]) {
        let planes = [&image.luma, &image.chroma[0], &image.chroma[1]];
        let [fine, coarse] = &self.columns;
        for ((plane, [high, wide]), columns) in
            planes.into_iter().zip(&mut self.rows).zip([fine, coarse, coarse])
        {
            let halved = plane.height() != image.luma.height();
            blend_rows(plane, tap(y, fit.size.1, image.luma.height(), halved, plane.height()), high);
            columns.apply(high, wide);
        }
        let [[_, luma], [_, blue], [_, red]] = &self.rows;
        for (((out, &y), &cb), &cr) in out.iter_mut().zip(luma).zip(blue).zip(red) {
            *out = self.colors.rgb(y, cb, cr);
        }
    }
}

impl Columns {
    fn new(taps: impl ExactSizeIterator<Item = Tap>) -> Self {
        let last = taps.len().saturating_sub(1);
        let taps: Vec<_> = taps.collect();
        let all = |place: fn(usize, usize) -> usize| {
            taps.iter().enumerate().all(|(x, tap)| tap.weight == 0 && tap.first == place(x, last))
        };
        if all(|x, _| x) {
            Self::Same
        } else if all(|x, last| last - x) {
            Self::Reversed
        } else {
            Self::Between(taps)
        }
    }

    fn apply(&self, row: &[u8], out: &mut Vec<u8>) {
        out.clear();
        match self {
            Self::Same => out.extend_from_slice(row),
            Self::Reversed => out.extend(row.iter().rev()),
            Self::Between(taps) => {
                out.extend(taps.iter().map(|tap| blend(row[tap.first], row[tap.second], tap.weight)));
            }
        }
    }
}

/// The samples for the shown pixel `at` of `shown`, in a plane of `samples` that covers `pixels` luma pixels.
fn tap(at: usize, shown: usize, pixels: usize, halved: bool, samples: usize) -> Tap {
    let scale = if halved { 0.5 } else { 1.0 };
    let place = ((at as f64 + 0.5) * pixels as f64 / shown as f64) * scale - 0.5;
    let place = place.clamp(0.0, samples.saturating_sub(1) as f64);
    let first = place as usize;
    let weight = ((place - first as f64) * f64::from(WEIGHT_ONE)).round() as u16;
    Tap { first, second: (first + 1).min(samples.saturating_sub(1)), weight }
}

fn blend_rows(plane: &Plane, Tap { first, second, weight }: Tap, out: &mut Vec<u8>) {
    let row = |y: usize| &plane.data()[y * plane.width()..][..plane.width()];
    out.clear();
    if weight == 0 {
        out.extend_from_slice(row(first));
    } else {
        out.extend(row(first).iter().zip(row(second)).map(|(&a, &b)| blend(a, b, weight)));
    }
}

fn blend(a: u8, b: u8, weight: u16) -> u8 {
    let (one, weight) = (WEIGHT_ONE as u16, weight);
    ((u16::from(a) * (one - weight) + u16::from(b) * weight + one / 2) >> WEIGHT_BITS) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wide_window_gets_bars_at_the_sides_and_a_high_one_above_and_below() {
        let wide = Fit::new((640, 480), 1.0, (1000, 480), false);
        assert_eq!((wide.left, wide.top, wide.size), (180, 0, (640, 480)));
        let high = Fit::new((640, 480), 1.0, (320, 480), false);
        assert_eq!((high.left, high.top, high.size), (0, 120, (320, 240)));
        let anamorphic = Fit::new((720, 576), 16.0 / 15.0, (768, 576), false);
        assert_eq!((anamorphic.left, anamorphic.top, anamorphic.size), (0, 0, (768, 576)));
        assert_eq!(Fit::new((10_000, 1), 1.0, (20, 20), false).size, (20, 1));
    }

    #[test]
    fn places_go_to_the_window_and_mirrored_ones_to_the_other_side() {
        let fit = Fit::new((100, 50), 1.0, (200, 120), false);
        assert_eq!(fit.to_window(Point::new(0.0, 0.0)), Point::new(0.5, 10.5));
        assert_eq!(fit.to_window(Point::new(99.5, 49.5)), Point::new(199.5, 109.5));
        let mirrored = Fit { mirrored: true, ..fit };
        assert_eq!(mirrored.to_window(Point::new(0.0, 0.0)), Point::new(198.5, 10.5));
        assert_eq!(mirrored.to_window(Point::new(-0.5, 10.0)), Point::new(199.5, 30.5));
    }

    #[test]
    fn a_picture_of_the_windows_size_keeps_every_sample() {
        let mut image = Yuv420::flat((4, 2), [0, 128, 128], ColorTags::JPEG);
        image.luma.data_mut().copy_from_slice(&[0, 10, 20, 30, 40, 50, 60, 70]);
        let gray = |values: [u32; 8]| values.map(|v| v * 0x01_01_01);
        let mut out = [u32::MAX; 8];
        let mut renderer = Renderer::default();
        renderer.render(&image, &Fit::new((4, 2), 1.0, (4, 2), false), &mut out, 4);
        assert_eq!(out, gray([0, 10, 20, 30, 40, 50, 60, 70]));
        renderer.render(&image, &Fit::new((4, 2), 1.0, (4, 2), true), &mut out, 4);
        assert_eq!(out, gray([30, 20, 10, 0, 70, 60, 50, 40]));
    }

    #[test]
    fn scaling_blends_and_bars_are_black() {
        let mut image = Yuv420::flat((2, 1), [0, 128, 128], ColorTags::JPEG);
        image.luma.data_mut().copy_from_slice(&[0, 100]);
        let mut out = [u32::MAX; 12];
        Renderer::default().render(&image, &Fit::new((2, 1), 1.0, (4, 3), false), &mut out, 4);
        let bar = [0; 4];
        let row = [0, 25, 75, 100].map(|v| v * 0x01_01_01);
        assert_eq!(out[..4], row);
        assert_eq!(out[4..8], row);
        assert_eq!(out[8..], bar);
    }

    #[test]
    fn odd_sizes_and_tiny_windows_are_harmless() {
        let mut renderer = Renderer::default();
        for window in [(1, 1), (3, 7), (641, 2), (2, 999)] {
            for picture in [(1, 1), (33, 17), (2, 3)] {
                let image = Yuv420::flat(picture, [76, 85, 255], ColorTags::JPEG);
                let mut out = vec![u32::MAX; window.0 * window.1];
                renderer.render(&image, &Fit::new(picture, 1.0, window, true), &mut out, window.0);
                assert!(out.iter().all(|&v| v == 0 || v == 0xFE_00_00));
                assert!(out.contains(&0xFE_00_00));
            }
        }
    }
}
