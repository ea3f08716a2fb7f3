//! What a window shows besides the picture: a panel with a histogram, and notices.

use anyhow::{Context, Result};
use facemark::geometry::Point;

use super::canvas::{Canvas, text_width};
use super::{LANDMARK, RECORDING, TEXT};

/// Lines of text over a bar chart.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Panel {
    /// The text.
    pub lines: Vec<String>,
    /// Heights of the bars, 0 to 1.
    pub bars: Vec<f32>,
    /// The label below the right end of the bars; the left end is labelled 0.
    pub end: String,
}

/// Draws the panel into the upper left corner of a window of `width` pixels per row.
///
/// # Errors
/// If OpenCV rejects the window, which does not happen for whole rows.
pub fn panel(pixels: &mut [u32], width: usize, panel: &Panel) -> Result<()> {
    let height = capital(pixels.len() / width.max(1), width);
    let (pad, pitch, chart) = (height, 1.9 * height, 5.0 * height);
    let longest = panel.lines.iter().map(|line| text_width(line, height));
    let inner = longest.collect::<opencv::Result<Vec<_>>>().context("measuring text")?;
    let inner = inner.into_iter().fold(20.0 * height, f32::max);
    let bottom = pad + panel.lines.len() as f32 * pitch + chart + pitch + 0.5 * pad;
    shade(pixels, width, (inner + 2.0 * pad) as usize, bottom as usize);
    let mut canvas = Canvas::Window { pixels, width };
    let mut draw = || -> opencv::Result<()> {
        let mut y = pad + height;
        for line in &panel.lines {
            canvas.text_of(line, Point::new(pad, y), TEXT, height)?;
            y += pitch;
        }
        let base = y + chart - height;
        let step = inner / panel.bars.len().max(1) as f32;
        for (i, &bar) in panel.bars.iter().enumerate().filter(|(_, bar)| **bar > 0.0) {
            let left = pad + i as f32 * step;
            let top = base - (bar.clamp(0.0, 1.0) * chart).max(1.0);
            let right = (left + step - 2.0).max(left);
            canvas.bar(Point::new(left, top), Point::new(right, base), LANDMARK)?;
        }
        canvas.bar(Point::new(pad, base + 1.0), Point::new(pad + inner, base + 1.0), TEXT)?;
        let below = base + 1.6 * height;
        canvas.text_of("0", Point::new(pad, below), TEXT, 0.8 * height)?;
        let right = pad + inner - text_width(&panel.end, 0.8 * height)?;
        canvas.text_of(&panel.end, Point::new(right, below), TEXT, 0.8 * height)
    };
    draw().context("drawing the panel")
}

/// Draws a line of text along the lower edge, and a red dot in the upper right corner during a recording.
///
/// # Errors
/// As [`panel`].
pub fn notice(pixels: &mut [u32], width: usize, text: Option<&str>, recording: bool) -> Result<()> {
    let rows = pixels.len() / width.max(1);
    let height = capital(rows, width);
    let mut canvas = Canvas::Window { pixels, width };
    let mut draw = || -> opencv::Result<()> {
        if let Some(text) = text {
            // A long name is drawn smaller instead of being cut off.
            let fitting = (width as f32 - 2.0 * height) / text_width(text, height)?.max(1.0);
            let at = Point::new(height, rows as f32 - height);
            canvas.text_of(text, at, TEXT, height * fitting.clamp(0.5, 1.0))?;
        }
        if recording {
            canvas.dot(Point::new(width as f32 - 2.0 * height, 2.0 * height), 0.7 * height, RECORDING)?;
        }
        Ok(())
    };
    draw().context("drawing a notice")
}

/// Height of a capital letter that suits a window of this size.
fn capital(rows: usize, width: usize) -> f32 {
    (width.min(rows) as f32 / 52.0).clamp(8.0, 16.0)
}

/// Darkens the upper left corner.
fn shade(pixels: &mut [u32], width: usize, columns: usize, rows: usize) {
    for row in pixels.chunks_exact_mut(width).take(rows) {
        for pixel in row.iter_mut().take(columns) {
            *pixel = *pixel >> 2 & 0x3F_3F_3F;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_stand_on_a_line_and_grow_with_their_numbers() {
        let mut pixels = vec![0x80_80_80; 640 * 480];
        let shown =
            Panel { lines: vec!["text".to_owned()], bars: vec![1.0, 0.0, 0.5], end: "9 ms".to_owned() };
        panel(&mut pixels, 640, &shown).unwrap();
        let green = |x: usize| (0..480).filter(|y| pixels[y * 640 + x] == 0x50_FF_78).count() as i32;
        // 480 rows: capitals of 9.2 pixels, a chart of 46, three bars of 61 from column 9 on.
        let [first, second, third] = [15, 100, 180].map(green);
        assert_eq!((first, second), (47, 0));
        assert!((third - 24).abs() <= 1, "{third}");
        assert_eq!(pixels[639], 0x80_80_80, "the rest of the window stays");
        assert_eq!(pixels[0], 0x20_20_20);
    }

    #[test]
    fn small_windows_are_harmless() {
        for (width, rows) in [(1, 1), (5, 200), (200, 5)] {
            let mut pixels = vec![0; width * rows];
            panel(&mut pixels, width, &Panel { bars: vec![1.0; 30], ..Panel::default() }).unwrap();
            notice(&mut pixels, width, Some("a text that is far too long"), true).unwrap();
        }
    }
}
