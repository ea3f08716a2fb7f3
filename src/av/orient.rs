//! Turns pictures upright: exact quarter turns and mirroring, plane by plane.

use facemark::Plane;

/// One of the eight possible orientations. The transposition comes first, then the flips.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Orientation {
    /// Rows become columns.
    pub transpose: bool,
    /// Left becomes right.
    pub flip_x: bool,
    /// Top becomes bottom.
    pub flip_y: bool,
}

/// Transposing works tile by tile, so that reads and writes both stay in the cache.
const TILE: usize = 16;

impl Orientation {
    /// Reads the upper left 2×2 part of a display matrix, `[a, b, c, d]`: a pixel at (p, q) is shown
    /// at (a·p + c·q, b·p + d·q), y downwards. Skewed matrices count as the nearest quarter turn.
    pub fn from_matrix([a, b, c, d]: [i32; 4]) -> Self {
        let weight = |x: i32, y: i32| i64::from(x).abs() + i64::from(y).abs();
        if weight(b, c) > weight(a, d) {
            Self { transpose: true, flip_x: c < 0, flip_y: b < 0 }
        } else {
            Self { transpose: false, flip_x: a < 0, flip_y: d < 0 }
        }
    }

    /// The size after turning.
    pub fn turn<T>(self, (width, height): (T, T)) -> (T, T) {
        if self.transpose { (height, width) } else { (width, height) }
    }

    /// Copies a plane of `width × height` samples, whose rows start `stride` apart, turned upright.
    pub fn copy_plane(
        self,
        source: &[u8],
        stride: usize,
        (width, height): (usize, usize),
        plane: &mut Plane,
    ) {
        let (out_width, out_height) = self.turn((width, height));
        plane.resize(out_width, out_height);
        if self.transpose {
            self.copy_transposed(source, stride, (width, height), plane);
        } else {
            self.copy_rows(source, stride, (width, height), plane);
        }
    }

    fn copy_rows(self, source: &[u8], stride: usize, (width, height): (usize, usize), plane: &mut Plane) {
        for (y, out) in plane.data_mut().chunks_exact_mut(width.max(1)).enumerate() {
            let y = if self.flip_y { height - 1 - y } else { y };
            out.copy_from_slice(&source[y * stride..][..width]);
            if self.flip_x {
                out.reverse();
            }
        }
    }

    fn copy_transposed(
        self,
        source: &[u8],
        stride: usize,
        (width, height): (usize, usize),
        plane: &mut Plane,
    ) {
        for top in (0..height).step_by(TILE) {
            for left in (0..width).step_by(TILE) {
                for p in left..width.min(left + TILE) {
                    let y = if self.flip_y { width - 1 - p } else { p };
                    let out = &mut plane.data_mut()[y * height..][..height];
                    for q in top..height.min(top + TILE) {
                        let x = if self.flip_x { height - 1 - q } else { q };
                        out[x] = source[q * stride + p];
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 3×2 samples with a stride of 4.
    const PICTURE: [u8; 7] = [1, 2, 3, 0, 4, 5, 6];

    fn turned(matrix: [i32; 4]) -> (usize, Vec<u8>) {
        let mut plane = Plane::default();
        Orientation::from_matrix(matrix).copy_plane(&PICTURE, 4, (3, 2), &mut plane);
        (plane.width(), plane.data().to_vec())
    }

    #[test]
    fn quarter_turns_and_mirrors_put_every_sample_in_its_place() {
        let cases = [
            ([1, 0, 0, 1], 3, [1, 2, 3, 4, 5, 6]),
            ([0, 1, -1, 0], 2, [4, 1, 5, 2, 6, 3]), // a quarter clockwise
            ([-1, 0, 0, -1], 3, [6, 5, 4, 3, 2, 1]), // half a turn
            ([0, -1, 1, 0], 2, [3, 6, 2, 5, 1, 4]), // a quarter anticlockwise
            ([-1, 0, 0, 1], 3, [3, 2, 1, 6, 5, 4]), // mirrored left to right
            ([1, 0, 0, -1], 3, [4, 5, 6, 1, 2, 3]), // mirrored top to bottom
            ([0, 1, 1, 0], 2, [1, 4, 2, 5, 3, 6]),  // transposed
            ([0, -1, -1, 0], 2, [6, 3, 5, 2, 4, 1]), // transposed over the other diagonal
        ];
        for (matrix, width, samples) in cases {
            assert_eq!(turned(matrix), (width, samples.to_vec()), "{matrix:?}");
        }
    }

    #[test]
    fn planes_larger_than_a_tile_are_turned_whole() {
        let (width, height) = (TILE * 2 + 5, TILE + 3);
        let source: Vec<u8> = (0..width * height).map(|i| (i % 251) as u8).collect();
        let mut plane = Plane::default();
        Orientation { transpose: true, flip_x: true, flip_y: false }.copy_plane(
            &source,
            width,
            (width, height),
            &mut plane,
        );
        for (i, sample) in plane.data().iter().enumerate() {
            let (x, y) = (i % height, i / height);
            assert_eq!(*sample, source[(height - 1 - x) * width + y], "at {x}, {y}");
        }
    }
}
