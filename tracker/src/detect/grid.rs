//! A face net's output: six numbers for each cell of three grids over its input.
//!
//! The grids have square cells of 8, 16 and 32 pixels. Each grid is responsible for faces of certain sizes,
//! and each cell for a face whose centre is in or near it (as in Liu et al., "SSD", ECCV 2016). The trainer
//! encodes faces here, and the detector decodes them.

use super::Detection;
use crate::geometry::{Point, Region};

/// The side of a cell in pixels, for each grid. The input's sides are multiples of the last.
pub const STRIDES: [usize; 3] = [8, 16, 32];
/// Numbers per cell: the score's logit; how far the face's centre is to the right of the cell's and below it,
/// in strides; the natural logarithm of the face's size in strides; the cosine and the sine of its roll.
pub const VALUES: usize = 6;
/// A face's size is at most e to this power strides, whatever the net says.
const MAX_LN_SIZE: f32 = 4.0;

/// A cell of a grid.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cell {
    /// Its side in pixels.
    pub stride: f32,
    /// Its centre, in pixels from the input's top left corner.
    pub center: Point,
    /// The index of its first number in the net's output.
    pub index: usize,
    /// The distance from each of its numbers to the next.
    pub step: usize,
}

/// All cells over an input of `width × height` pixels. The output holds one grid after another, each as
/// [`VALUES`] planes of rows.
pub fn cells(width: usize, height: usize) -> impl Iterator<Item = Cell> {
    let mut start = 0_usize;
    STRIDES.into_iter().flat_map(move |stride| {
        let (columns, rows) = (width / stride, height / stride);
        let step = columns.saturating_mul(rows);
        let first = start;
        start = first.saturating_add(step.saturating_mul(VALUES));
        let side = stride as f32;
        (0..step).map(move |i| Cell {
            stride: side,
            center: Point::new(((i % columns) as f32 + 0.5) * side, ((i / columns) as f32 + 0.5) * side),
            index: first + i,
            step,
        })
    })
}

/// How many numbers a net outputs for an input of `width × height` pixels.
pub fn n_values(width: usize, height: usize) -> usize {
    let values = |stride: usize| (width / stride).saturating_mul(height / stride).saturating_mul(VALUES);
    STRIDES.into_iter().map(values).fold(0, usize::saturating_add)
}

impl Cell {
    /// The numbers that describe a face in this region of the input, without the score.
    pub fn encode(&self, region: &Region) -> [f32; VALUES - 1] {
        let (sin, cos) = region.angle.sin_cos();
        [
            (region.center.x - self.center.x) / self.stride,
            (region.center.y - self.center.y) / self.stride,
            (region.size / self.stride).ln(),
            cos,
            sin,
        ]
    }

    /// The region of the input that these numbers describe; the inverse of [`encode`](Self::encode).
    pub fn decode(&self, values: [f32; VALUES - 1]) -> Region {
        let [right, down, ln_size, cos, sin] = values;
        Region {
            center: Point::new(self.center.x + right * self.stride, self.center.y + down * self.stride),
            size: ln_size.min(MAX_LN_SIZE).exp() * self.stride,
            angle: sin.atan2(cos),
        }
    }

    /// The cell's numbers in a net's output; NaN where that is too short.
    pub fn values(&self, output: &[f32]) -> [f32; VALUES] {
        let index = |i: usize| self.step.saturating_mul(i).saturating_add(self.index);
        std::array::from_fn(|i| output.get(index(i)).copied().unwrap_or(f32::NAN))
    }
}

/// The faces that a net found in an input of `width × height` pixels with a score of at least `min_score`.
/// Regions are in the input's pixels, and several cells may have found the same face. Empty if `output` does
/// not have [`n_values`] numbers.
pub fn decode(output: &[f32], width: usize, height: usize, min_score: f32) -> Vec<Detection> {
    if output.len() != n_values(width, height) {
        return Vec::new();
    }
    // Most cells see nothing, so logits are compared instead of computing every score.
    let min_logit = (min_score / (1.0 - min_score)).ln();
    cells(width, height)
        .filter(|cell| output[cell.index] >= min_logit)
        .map(|cell| {
            let [logit, geometry @ ..] = cell.values(output);
            Detection { region: cell.decode(geometry), score: 1.0 / (1.0 + (-logit).exp()) }
        })
        .filter(|face| face.region.is_usable())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_lie_side_by_side_and_use_each_output_once() {
        let all: Vec<Cell> = cells(96, 64).collect();
        assert_eq!(all.len(), 12 * 8 + 6 * 4 + 3 * 2);
        assert_eq!(n_values(96, 64), VALUES * all.len());
        assert_eq!((all[0].center, all[13].center), (Point::new(4.0, 4.0), Point::new(12.0, 12.0)));
        assert_eq!(all[96].center, Point::new(8.0, 8.0));
        assert_eq!(all[all.len() - 1].center, Point::new(80.0, 48.0));
        let mut taken: Vec<usize> =
            all.iter().flat_map(|cell| (0..VALUES).map(|i| cell.index + i * cell.step)).collect();
        taken.sort_unstable();
        assert_eq!(taken, (0..n_values(96, 64)).collect::<Vec<_>>());
    }

    #[test]
    fn an_encoded_region_is_decoded_again() {
        let region = Region { center: Point::new(41.3, 22.8), size: 17.7, angle: -0.6 };
        for cell in cells(96, 64) {
            let back = cell.decode(cell.encode(&region));
            assert!(back.center.distance(region.center) < 1e-3, "{cell:?}: {back:?}");
            assert!((back.size - region.size).abs() < 1e-3 && (back.angle - region.angle).abs() < 1e-5);
        }
    }

    #[test]
    fn only_certain_cells_are_detections() {
        let mut output = vec![-9.0; n_values(64, 64)];
        let region = Region { center: Point::new(30.0, 36.0), size: 40.0, angle: 0.2 };
        let put = |output: &mut [f32], cell: &Cell, logit: f32| {
            let [a, b, c, d, e] = cell.encode(&region);
            for (i, value) in [logit, a, b, c, d, e].into_iter().enumerate() {
                output[cell.index + i * cell.step] = value;
            }
        };
        let all: Vec<Cell> = cells(64, 64).collect();
        put(&mut output, &all[5], 0.1);
        put(&mut output, &all[70], 2.0);
        put(&mut output, &all[80], -0.1);
        let found = decode(&output, 64, 64, 0.5);
        assert_eq!(found.len(), 2);
        assert!((found[1].score - 0.880_797).abs() < 1e-5);
        assert!(found.iter().all(|face| face.region.center.distance(region.center) < 1e-3));
    }

    #[test]
    fn nonsense_from_a_net_is_no_face() {
        let cell = cells(32, 32).next().unwrap();
        assert!(cell.decode([0.0, 0.0, 1e30, 1.0, 0.0]).size < 500.0);
        let mut output = vec![f32::NAN; n_values(32, 32)];
        assert_eq!(decode(&output, 32, 32, 0.5), []);
        output.fill(f32::INFINITY);
        assert_eq!(decode(&output, 32, 32, 0.5), []);
    }
}
