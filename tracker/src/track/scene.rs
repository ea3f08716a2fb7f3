//! Cuts: a picture that has nothing to do with the last one.

use crate::image::Luma;

/// Size of the thumbnails that are compared, and pixels looked at per side of each of its cells.
const COLUMNS: usize = 32;
const ROWS: usize = 18;
const TAPS: usize = 4;
/// Thumbnails that correlate less are of two scenes. Cuts between views of one stage had up to 0.26; moving
/// faces, hands and walkers never less than 0.69 in 9,000 frames of other video.
const SAME_SCENE: f32 = 0.5;
/// Contrast in grey levels below which a thumbnail is taken to have this much: noise in the dark is no scene.
const LEAST_CONTRAST: f32 = 2.0;

type Cells = [f32; COLUMNS * ROWS];

/// A thumbnail of the last picture.
pub struct Scene {
    /// Grey levels about their mean, by their deviation. Zeros before the first picture.
    cells: Cells,
    is_first: bool,
}

impl Scene {
    /// Has seen nothing.
    pub fn new() -> Self {
        Self { cells: [0.0; COLUMNS * ROWS], is_first: true }
    }

    /// Takes the next picture and tells whether it shows another scene than the last one. The first one does not.
    pub fn changes(&mut self, luma: Luma) -> bool {
        let cells = thumbnail(luma);
        let product = |a: &Cells, b: &Cells| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        // The products with themselves are equal but for thumbnails without contrast.
        let most = product(&cells, &cells).max(product(&self.cells, &self.cells));
        let differs = product(&cells, &self.cells) < SAME_SCENE * most;
        self.cells = cells;
        !std::mem::take(&mut self.is_first) && differs
    }
}

fn thumbnail(luma: Luma) -> Cells {
    let mut cells: Cells = std::array::from_fn(|cell| cell_mean(luma, cell % COLUMNS, cell / COLUMNS));
    let n = cells.len() as f32;
    let mean = cells.iter().sum::<f32>() / n;
    let variance = cells.iter().map(|v| (v - mean) * (v - mean)).sum::<f32>() / n;
    let deviation = variance.sqrt().max(LEAST_CONTRAST);
    cells.iter_mut().for_each(|v| *v = (*v - mean) / deviation);
    cells
}

/// Mean of pixels spread evenly over a cell.
fn cell_mean(luma: Luma, column: usize, row: usize) -> f32 {
    let place =
        |cell: usize, tap: usize, cells: usize, pixels: usize| (cell * TAPS + tap) * pixels / (cells * TAPS);
    let mut sum = 0_u32;
    for tap_y in 0..TAPS {
        let line = place(row, tap_y, ROWS, luma.height()) * luma.width();
        for tap_x in 0..TAPS {
            sum += u32::from(luma.data()[line + place(column, tap_x, COLUMNS, luma.width())]);
        }
    }
    sum as f32 / (TAPS * TAPS) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Plane;

    /// Stripes across, `phase` pixels from the left, of this brightness and contrast.
    fn stripes(phase: usize, brightness: u8, contrast: u8) -> Plane {
        let mut plane = Plane::default();
        plane.resize(320, 180);
        for (i, pixel) in plane.data_mut().iter_mut().enumerate() {
            *pixel = brightness + if ((i + phase) % 320 / 80).is_multiple_of(2) { contrast } else { 0 };
        }
        plane
    }

    #[test]
    fn another_picture_is_a_cut_and_a_moving_or_brighter_one_is_none() {
        let mut scene = Scene::new();
        assert!(!scene.changes(stripes(0, 50, 80).luma()), "the first");
        assert!(!scene.changes(stripes(0, 50, 80).luma()));
        assert!(!scene.changes(stripes(10, 50, 80).luma()), "an eighth of a stripe");
        assert!(!scene.changes(stripes(10, 90, 40).luma()), "the exposure");
        assert!(scene.changes(stripes(80, 50, 80).luma()));
        assert!(!scene.changes(stripes(80, 50, 80).luma()));
        assert!(scene.changes(stripes(0, 50, 0).luma()), "to grey");
        assert!(!scene.changes(stripes(0, 50, 0).luma()));
    }

    #[test]
    fn pictures_of_any_size_are_compared() {
        let mut plane = Plane::default();
        for (width, height) in [(1, 1), (7, 300), (3000, 2)] {
            plane.resize(width, height);
            Scene::new().changes(plane.luma());
        }
    }
}
