//! What a face net answers: a few numbers for each cell of three grids that lie over its input.
//!
//! A grid of stride 8, 16 or 32 has a cell for every square of so many pixels. Each grid looks for faces of its
//! sizes only, and each of its cells for a face whose centre is in or near it (as in Liu et al., "SSD", ECCV 2016).
//! The trainer encodes faces here, and the detector decodes them.

use super::Detection;
use crate::geometry::{Point, Region};

/// Side of a cell in pixels, for each grid. The input's sides are multiples of the last.
pub const STRIDES: [usize; 3] = [8, 16, 32];
/// Numbers per cell: the score's logit, the way to the face's centre right and down in strides, the natural
/// logarithm of its size in strides, cosine and sine of its roll.
pub const VALUES: usize = 6;
/// A face's size is taken to be at most e to this power strides, whatever the net says.
const MAX_LN_SIZE: f32 = 4.0;

/// A cell of a grid.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cell {
    /// Its side in pixels.
    pub stride: f32,
    /// Its middle, in pixels from the input's upper left edge.
    pub center: Point,
    /// Where its first number is in the net's answer.
    pub index: usize,
    /// How far it is from one of its numbers to the next.
    pub step: usize,
}

/// All cells over an input. The answer holds the grids one after another, each as [`VALUES`] planes of rows.
pub fn cells(width: usize, height: usize) -> impl Iterator<Item = Cell> {
    let mut start = 0;
    STRIDES.into_iter().flat_map(move |stride| {
        let (columns, rows) = (width / stride, height / stride);
        let step = columns * rows;
        let first = start;
        start += VALUES * step;
        let side = stride as f32;
        (0..step).map(move |i| Cell {
            stride: side,
            center: Point::new(((i % columns) as f32 + 0.5) * side, ((i / columns) as f32 + 0.5) * side),
            index: first + i,
            step,
        })
    })
}

/// How many numbers a net answers for an input of this size.
pub fn n_values(width: usize, height: usize) -> usize {
    STRIDES.iter().map(|stride| VALUES * (width / stride) * (height / stride)).sum()
}

impl Cell {
    /// What the cell is to say of a face in this region of the input, all but the score.
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

    /// The region that the cell speaks of, in the input.
    pub fn decode(&self, values: [f32; VALUES - 1]) -> Region {
        let [right, down, ln_size, cos, sin] = values;
        Region {
            center: Point::new(self.center.x + right * self.stride, self.center.y + down * self.stride),
            size: ln_size.min(MAX_LN_SIZE).exp() * self.stride,
            angle: sin.atan2(cos),
        }
    }

    /// The cell's numbers in a net's answer; NaN where that is too short.
    pub fn values(&self, answer: &[f32]) -> [f32; VALUES] {
        std::array::from_fn(|i| answer.get(self.index + i * self.step).copied().unwrap_or(f32::NAN))
    }
}

/// The faces that a net sees in an input of `width × height` pixels, in the input's pixels, those with at least
/// `min_score`; several cells may see the same one.
/// None if the answer does not hold [`n_values`] numbers.
pub fn decode(answer: &[f32], width: usize, height: usize, min_score: f32) -> Vec<Detection> {
    if answer.len() != n_values(width, height) {
        return Vec::new();
    }
    // Most cells see nothing, so the logit is compared and not every score computed.
    let min_logit = (min_score / (1.0 - min_score)).ln();
    cells(width, height)
        .filter(|cell| answer[cell.index] >= min_logit)
        .map(|cell| {
            let [logit, geometry @ ..] = cell.values(answer);
            Detection { region: cell.decode(geometry), score: 1.0 / (1.0 + (-logit).exp()) }
        })
        .filter(|face| face.region.is_usable())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_lie_side_by_side_and_share_the_answer_out() {
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
        let mut answer = vec![-9.0; n_values(64, 64)];
        let region = Region { center: Point::new(30.0, 36.0), size: 40.0, angle: 0.2 };
        let put = |answer: &mut [f32], cell: &Cell, logit: f32| {
            let [a, b, c, d, e] = cell.encode(&region);
            for (i, value) in [logit, a, b, c, d, e].into_iter().enumerate() {
                answer[cell.index + i * cell.step] = value;
            }
        };
        let all: Vec<Cell> = cells(64, 64).collect();
        put(&mut answer, &all[5], 0.1);
        put(&mut answer, &all[70], 2.0);
        put(&mut answer, &all[80], -0.1);
        let found = decode(&answer, 64, 64, 0.5);
        assert_eq!(found.len(), 2);
        assert!((found[1].score - 0.880_797).abs() < 1e-5);
        assert!(found.iter().all(|face| face.region.center.distance(region.center) < 1e-3));
    }

    #[test]
    fn nonsense_from_a_net_is_no_face() {
        let cell = cells(32, 32).next().unwrap();
        assert!(cell.decode([0.0, 0.0, 1e30, 1.0, 0.0]).size < 500.0);
        let mut answer = vec![f32::NAN; n_values(32, 32)];
        assert_eq!(decode(&answer, 32, 32, 0.5), []);
        answer.fill(f32::INFINITY);
        assert_eq!(decode(&answer, 32, 32, 0.5), []);
    }
}
