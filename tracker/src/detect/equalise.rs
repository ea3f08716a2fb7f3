//! Even light: contrast-limited adaptive histogram equalisation (K. Zuiderveld, "Contrast limited adaptive histogram
//! equalization", Graphics Gems IV, 1994), so that a dark face before a bright window keeps its contrast.

/// About the side of a tile in pixels.
const TILE: usize = 32;
/// No grey level counts for more than this many times the mean.
const CLIP: f32 = 3.0;

/// New grey levels.
type Table = [u8; 256];

/// Spreads the grey levels of rows of `width` pixels over the whole range, each according to what is around it. A last row
/// that is not whole is left alone, and so are pictures smaller than a tile.
pub fn equalise(pixels: &mut [u8], width: usize) {
    let height = pixels.len().checked_div(width).unwrap_or(0);
    let (columns, rows) = (width / TILE, height / TILE);
    if columns == 0 || rows == 0 {
        return;
    }
    let tables: Vec<Table> = (0..columns * rows)
        .map(|i| table(pixels, width, (i % columns, columns), (i / columns, rows)))
        .collect();
    let across: Vec<(usize, usize, f32)> = (0..width).map(|x| between(x, width, columns)).collect();
    for (y, row) in pixels.chunks_exact_mut(width).enumerate() {
        let (above, below, down) = between(y, height, rows);
        let (above, below) = (&tables[above * columns..], &tables[below * columns..]);
        for (pixel, &(left, right, t)) in row.iter_mut().zip(&across) {
            let v = usize::from(*pixel);
            let mix = |row: &[Table]| f32::from(row[left][v]) * (1.0 - t) + f32::from(row[right][v]) * t;
            *pixel = (mix(above) * (1.0 - down) + mix(below) * down + 0.5) as u8;
        }
    }
}

/// The tiles on both sides of a place, and how far it is from the first one's middle to the other's, 0 to 1.
fn between(at: usize, side: usize, n: usize) -> (usize, usize, f32) {
    let place = (at as f32 + 0.5) * n as f32 / side as f32 - 0.5;
    let first = place.floor().clamp(0.0, n as f32 - 1.0);
    ((first as usize), (first as usize + 1).min(n - 1), (place - first).clamp(0.0, 1.0))
}

/// The grey levels of a tile: `column` and `row` are its index and how many there are.
fn table(pixels: &[u8], width: usize, column: (usize, usize), row: (usize, usize)) -> Table {
    let span = |(i, n): (usize, usize), side: usize| i * side / n..(i + 1) * side / n;
    let (columns, rows) = (span(column, width), span(row, pixels.len() / width));
    let area = columns.len() * rows.len();
    let mut counts = [0_u32; 256];
    for y in rows {
        for &pixel in &pixels[y * width..][columns.clone()] {
            counts[usize::from(pixel)] += 1;
        }
    }
    let most = ((CLIP * area as f32 / 256.0) as u32).max(1);
    let excess: u32 = counts.iter().map(|count| count.saturating_sub(most)).sum();
    // What is cut off is given to all levels alike, so that even areas stay even.
    let (share, scale) = (excess as f32 / 256.0, 255.0 / area as f32);
    let mut below = 0.0;
    counts.map(|count| {
        below += count.min(most) as f32 + share;
        (below * scale) as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dark_texture_before_a_bright_wall_becomes_visible() {
        // 32 grey levels on the left.
        let pixel = |i: usize| if i % 192 < 96 { 10 + (i * 37 / 3 % 32) as u8 } else { 250 };
        let mut pixels: Vec<u8> = (0..192 * 128).map(pixel).collect();
        equalise(&mut pixels, 192);
        let row = &pixels[64 * 192 + 20..][..40];
        let (least, most) = (row.iter().min().unwrap(), row.iter().max().unwrap());
        assert!(most - least > 70, "{least} {most}");
    }

    #[test]
    fn an_even_picture_stays_even_and_small_ones_are_left_alone() {
        let mut even = vec![90; 64 * 64];
        equalise(&mut even, 64);
        assert!(even.iter().all(|&v| v == even[0]));
        let mut small = vec![3, 1, 2];
        equalise(&mut small, 2);
        equalise(&mut small, 0);
        equalise(&mut [], 7);
        assert_eq!(small, [3, 1, 2]);
    }

    #[test]
    fn tiles_run_into_each_other() {
        let mut slope: Vec<u8> = (0..160 * 96).map(|i| (i % 160) as u8).collect();
        equalise(&mut slope, 160);
        let row = &slope[48 * 160..49 * 160];
        assert!(row.windows(2).all(|pair| pair[0].abs_diff(pair[1]) < 24), "{row:?}");
    }
}
