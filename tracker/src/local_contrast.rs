//! Grey levels relative to what is around them, so that a face keeps its contrast before a bright window.
//!
//! The logarithm makes a face in the shade as rich in contrast as one in the light. The mean and the deviation
//! of a square around each pixel then take away what is bright or dark as a whole.

/// Half the side of the square, in pixels of a net's input: a face at the detector's second look fills it.
const REACH: usize = 24;
/// Added to grey levels before the logarithm is taken, so that noise in the dark stays small.
const OFFSET: f32 = 16.0;
/// What the logarithms, 0 to 2.83, are multiplied by: squares of 1023, summed over a square, fit 32 bits.
const SCALE: f32 = 1023.0 / 2.829_5;
/// The least deviation in units of the logarithm, so that noise on an even wall stays small.
const FLOOR: f32 = 0.1 * SCALE;

/// Fills `out` with the local contrast of `pixels`, rows of `width` pixels. If the slices differ in length, or
/// the last row is not whole, the rest is left alone.
pub fn local_contrast(pixels: &[u8], width: usize, out: &mut [f32]) {
    let height = pixels.len().min(out.len()).checked_div(width).unwrap_or(0);
    if height == 0 {
        return;
    }
    let table: [u16; 256] =
        std::array::from_fn(|v| (SCALE * ((v as f32 + OFFSET) / OFFSET).ln()).round() as u16);
    let levels: Vec<u16> = pixels[..width * height].iter().map(|&v| table[usize::from(v)]).collect();
    let row = |y: usize| &levels[y * width..][..width];
    let mut columns = Columns::new(width);
    for y in 0..REACH.min(height) {
        columns.add(row(y));
    }
    for (y, out) in out.chunks_exact_mut(width).take(height).enumerate() {
        if y + REACH < height {
            columns.add(row(y + REACH));
        }
        if let Some(gone) = y.checked_sub(REACH) {
            columns.remove(row(gone));
        }
        columns.normalise(row(y), out);
    }
}

/// Sums over the rows that the squares around one row span.
struct Columns {
    n_rows: usize,
    levels: Vec<u32>,
    squares: Vec<u32>,
    /// The same, summed up from the left. They wrap around, which does not harm their differences.
    levels_so_far: Vec<u32>,
    squares_so_far: Vec<u32>,
}

impl Columns {
    fn new(width: usize) -> Self {
        let (zeros, one_more) = (vec![0; width], vec![0; width + 1]);
        Self {
            n_rows: 0,
            levels: zeros.clone(),
            squares: zeros,
            levels_so_far: one_more.clone(),
            squares_so_far: one_more,
        }
    }

    fn add(&mut self, row: &[u16]) {
        self.n_rows += 1;
        for ((sum, squares), &level) in self.levels.iter_mut().zip(&mut self.squares).zip(row) {
            *sum += u32::from(level);
            *squares += u32::from(level) * u32::from(level);
        }
    }

    fn remove(&mut self, row: &[u16]) {
        self.n_rows -= 1;
        for ((sum, squares), &level) in self.levels.iter_mut().zip(&mut self.squares).zip(row) {
            *sum -= u32::from(level);
            *squares -= u32::from(level) * u32::from(level);
        }
    }

    /// Writes a row's contrast.
    fn normalise(&mut self, row: &[u16], out: &mut [f32]) {
        sum_up(&self.levels, &mut self.levels_so_far);
        sum_up(&self.squares, &mut self.squares_so_far);
        let width = row.len();
        // The last square that begins at the left edge, and the first that ends at the right one.
        let (left, right) = (REACH.min(width), width.saturating_sub(REACH).max(REACH.min(width)));
        for x in (0..left).chain(right..width) {
            let (start, end) = (x.saturating_sub(REACH), (x + REACH).min(width));
            let sum = self.levels_so_far[end].wrapping_sub(self.levels_so_far[start]);
            let squares = self.squares_so_far[end].wrapping_sub(self.squares_so_far[start]);
            out[x] = contrast(row[x], sum, squares, ((end - start) * self.n_rows) as f32);
        }
        // All others are whole, and several are computed at once.
        let n = (2 * REACH * self.n_rows) as f32;
        let whole = right - left;
        let (starts, ends) = (&self.levels_so_far[..whole], &self.levels_so_far[width.min(2 * REACH)..]);
        let (first, last) = (&self.squares_so_far[..whole], &self.squares_so_far[width.min(2 * REACH)..]);
        for (i, (value, &level)) in out[left..right].iter_mut().zip(&row[left..right]).enumerate() {
            let sum = ends[i].wrapping_sub(starts[i]);
            *value = contrast(level, sum, last[i].wrapping_sub(first[i]), n);
        }
    }
}

fn sum_up(columns: &[u32], so_far: &mut [u32]) {
    let mut total = 0_u32;
    for (sum, &column) in so_far[1..].iter_mut().zip(columns) {
        total = total.wrapping_add(column);
        *sum = total;
    }
}

/// A level less the mean of `n` levels, divided by their deviation.
#[inline(always)]
fn contrast(level: u16, sum: u32, squares: u32, n: f32) -> f32 {
    let mean = sum as f32 / n;
    let variance = (squares as f32 / n - mean * mean).max(0.0);
    (f32::from(level) - mean) / (variance + FLOOR * FLOOR).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same, straight from its definition.
    fn slow(pixels: &[u8], width: usize) -> Vec<f32> {
        let height = pixels.len() / width;
        let log = |v: u8| ((f32::from(v) + OFFSET) / OFFSET).ln();
        let mut out = Vec::new();
        for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
            let columns = x.saturating_sub(REACH)..(x + REACH).min(width);
            let rows = (y + 1).saturating_sub(REACH)..(y + REACH + 1).min(height);
            let square: Vec<f32> =
                rows.flat_map(|y| columns.clone().map(move |x| log(pixels[y * width + x]))).collect();
            let n = square.len() as f32;
            let mean = square.iter().sum::<f32>() / n;
            let variance = square.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / n;
            out.push((log(pixels[y * width + x]) - mean) / (variance + 0.01).sqrt());
        }
        out
    }

    #[test]
    fn fast_sums_give_what_the_definition_does() {
        for (width, height) in [(96, 70), (60, 30), (20, 90), (48, 49), (1, 1), (3, 200)] {
            let pixels: Vec<u8> = (0..width * height).map(|i| (i * i / 7 % 251) as u8).collect();
            let mut out = vec![f32::NAN; pixels.len()];
            local_contrast(&pixels, width, &mut out);
            for (i, (fast, slow)) in out.iter().zip(slow(&pixels, width)).enumerate() {
                assert!((fast - slow).abs() < 0.02, "{width}×{height}, {i}: {fast} {slow}");
            }
        }
    }

    #[test]
    fn a_face_before_a_bright_window_keeps_its_contrast() {
        let texture = |light: f32| {
            let inside = |x: usize, y: usize| x.abs_diff(100) < 40 && y.abs_diff(75) < 40;
            let pixel = |i: usize| match (i % 200, i / 200) {
                (x, y) if inside(x, y) => (light * if (x / 4 + y / 4) % 2 == 0 { 150.0 } else { 75.0 }) as u8,
                _ => 250,
            };
            let pixels: Vec<u8> = (0..200 * 150).map(pixel).collect();
            let mut out = vec![0.0; pixels.len()];
            local_contrast(&pixels, 200, &mut out);
            out[75 * 200 + 100] - out[75 * 200 + 104]
        };
        let (bright, dark) = (texture(1.0).abs(), texture(0.2).abs());
        assert!(dark > 0.6 * bright && bright > 1.0, "{bright} {dark}");
    }

    #[test]
    fn odd_sizes_are_no_danger() {
        let mut out = [7.0; 10];
        local_contrast(&[1, 2, 3], 0, &mut out);
        local_contrast(&[], 5, &mut out);
        assert_eq!(out, [7.0; 10]);
        local_contrast(&[9; 13], 4, &mut out);
        assert_eq!(out, [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 7.0, 7.0]);
    }
}
