//! Detects cuts: pictures that have nothing to do with the last one.

use crate::image::Luma;

/// The size of the thumbnails that are compared, and how many pixels are sampled along each side of a cell.
const COLUMNS: usize = 32;
const ROWS: usize = 18;
const TAPS: usize = 4;
/// Pictures whose thumbnails correlate less than this are of different scenes. Measured: at most 0.26 at cuts
/// between views of one stage, at least 0.69 in 9,000 frames of moving faces, hands and walking people.
const SAME_SCENE: f32 = 0.5;
/// The least contrast that a thumbnail is normalised by, in grey levels, so that noise in the dark does not
/// count as a scene.
const LEAST_CONTRAST: f32 = 2.0;

type Cells = [f32; COLUMNS * ROWS];

/// A thumbnail of the last picture.
pub struct Scene {
    /// Grey levels, minus their mean, divided by their standard deviation. Zeros before the first picture.
    cells: Cells,
    is_first: bool,
}

impl Scene {
    /// A scene before its first picture.
    pub fn new() -> Self {
        Self { cells: [0.0; COLUMNS * ROWS], is_first: true }
    }

    /// Takes the next picture. Whether it shows another scene than the last one; false for the first picture.
    pub fn changes(&mut self, luma: Luma) -> bool {
        let cells = thumbnail(luma);
        let product = |a: &Cells, b: &Cells| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        // Both products are equal, except for thumbnails with hardly any contrast.
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

/// The mean of pixels spread evenly over a cell.
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

    /// Vertical stripes, shifted by `phase` pixels, of this brightness and contrast.
    fn stripes(phase: usize, brightness: u8, contrast: u8) -> Plane {
        let mut plane = Plane::default();
        plane.resize(320, 180);
        for (i, pixel) in plane.data_mut().iter_mut().enumerate() {
            *pixel = brightness + if ((i + phase) % 320 / 80).is_multiple_of(2) { contrast } else { 0 };
        }
        plane
    }

    #[test]
    fn another_picture_is_a_cut_but_movement_and_exposure_are_not() {
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
