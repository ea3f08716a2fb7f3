//! Cuts a net's input out of a picture. The tracker and the trainer both cut their crops here.
//!
//! The bilinear resampling is done by OpenCV with the feature `opencv`, else by our own loop. A test checks
//! that the two give the same bytes.

use serde::{Deserialize, Serialize};

use crate::geometry::{Affine, Point, Region, bounds};
use crate::image::{Luma, Plane};
use crate::local_contrast::local_contrast;

/// Which part of the picture around a face a net wants to see, in units of the region's size.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Framing {
    /// Width of the crop.
    pub width: f32,
    /// Height of the crop.
    pub height: f32,
    /// How far the crop's centre is to the right of the region's, along the region's axes.
    pub shift_x: f32,
    /// How far the crop's centre is below the region's, along the region's axes.
    pub shift_y: f32,
}

impl Framing {
    /// The map from unit crop coordinates to image pixels for a face in this region.
    pub fn crop_to_image(&self, region: &Region) -> Affine {
        let (sin, cos) = region.angle.sin_cos();
        let (w, h) = (self.width * region.size, self.height * region.size);
        // The crop's top left corner relative to the region's centre, along the region's axes.
        let left = self.shift_x * region.size - w / 2.0;
        let top = self.shift_y * region.size - h / 2.0;
        Affine {
            rows: [
                [cos * w, -sin * h, region.center.x + cos * left - sin * top],
                [sin * w, cos * h, region.center.y + sin * left + cos * top],
            ],
        }
    }
}

/// How 8-bit luma becomes a net's input.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Normalisation {
    /// Each crop gets mean 0 and standard deviation 1, so exposure, contrast and the video's range do not
    /// matter.
    PerCrop,
    /// The logarithm of each pixel less the mean of those around it, divided by their deviation, so a bright
    /// window does not spoil a face before it.
    Local,
    /// `(luma / 255 - mean) / std`.
    Fixed {
        /// Subtracted, 0 to 1.
        mean: f32,
        /// Divided by, positive.
        std: f32,
    },
}

/// Cuts a crop out of `luma` and fills `out` with it: rows of `width` pixels, without padding. What remains
/// of `out` if its length is not a multiple of `width` is left alone.
///
/// `to_image` maps unit crop coordinates to image pixels. Resampling is bilinear. A crop that shrinks the
/// picture to half or less first averages blocks of pixels, so that fine texture does not alias. Beyond the
/// picture's edges, its edge pixels are repeated. A crop entirely outside the picture is black, and so is one
/// whose map is not finite.
pub fn crop(luma: Luma, to_image: &Affine, width: usize, out: &mut [u8]) {
    let height = out.len().checked_div(width).unwrap_or(0);
    if height == 0 {
        return;
    }
    let out = &mut out[..width * height];
    let pixel_to_unit = Affine::shift_then_scale(-0.5, -0.5, 1.0 / width as f32, 1.0 / height as f32);
    let map = pixel_to_unit.then(to_image);
    let usable = map.rows.iter().flatten().all(|v| v.is_finite());
    let seen = usable.then(|| Window::around(luma, &map, width, height)).flatten();
    let Some(window) = seen else {
        return out.fill(0);
    };
    if window.block == 1 {
        return warp(luma, &map, width, out);
    }
    let small = shrink(luma, &window);
    let block = window.block as f32;
    let center = (block - 1.0) / 2.0;
    let image_to_small = Affine::shift_then_scale(
        window.left as f32 + center,
        window.top as f32 + center,
        1.0 / block,
        1.0 / block,
    );
    warp(small.luma(), &map.then(&image_to_small), width, out);
}

/// Larger blocks are never needed, and the sums of 128 pixels fit 16 bits.
const MAX_BLOCK: usize = 128;

/// The part of the picture that a shrinking crop covers, cut into square blocks.
#[derive(Debug, PartialEq)]
struct Window {
    left: usize,
    top: usize,
    /// Size in blocks.
    columns: usize,
    rows: usize,
    /// Side of a block in pixels.
    block: usize,
}

impl Window {
    /// `None` if the crop is entirely outside the picture or the picture is smaller than a block.
    fn around(luma: Luma, map: &Affine, width: usize, height: usize) -> Option<Self> {
        let [[a, b, _], [d, e, _]] = map.rows;
        let scale = a.hypot(d).min(b.hypot(e));
        let block = (scale as usize).clamp(1, luma.width().min(luma.height()).clamp(1, MAX_BLOCK));
        let (w, h) = (width as f32 - 1.0, height as f32 - 1.0);
        let corners = [(0.0, 0.0), (w, 0.0), (0.0, h), (w, h)];
        let (min, max) = bounds(corners.map(|(x, y)| map.apply(Point::new(x, y))).into_iter());
        let (left, columns) = blocks(min.x, max.x, luma.width(), block)?;
        let (top, rows) = blocks(min.y, max.y, luma.height(), block)?;
        Some(Self { left, top, columns, rows, block })
    }
}

/// The first pixel and the number of whole blocks within `limit` pixels that cover `low..=high` and one block
/// more on each side.
fn blocks(low: f32, high: f32, limit: usize, block: usize) -> Option<(usize, usize)> {
    if limit < block || high < 0.0 || low > limit as f32 - 1.0 {
        return None;
    }
    let margin = block as f32;
    let start = ((low - margin).max(0.0) as usize).min(limit - block);
    let end = ((high + margin).max(0.0) as usize).min(limit - 1) + 1;
    Some((start, (end.saturating_sub(start) / block).max(1)))
}

/// The window with each block shrunk to one pixel, its mean.
///
/// Rows are summed first, many columns at once. Except for blocks of two, this is four times as fast as
/// OpenCV's `INTER_AREA`.
fn shrink(image: Luma, window: &Window) -> Plane {
    let &Window { left, top, columns, rows, block } = window;
    let mut small = Plane::default();
    small.resize(columns, rows);
    let mut sums = vec![0_u16; columns * block];
    for (i, means) in small.data_mut().chunks_exact_mut(columns).enumerate() {
        sums.fill(0);
        for y in top + i * block..top + (i + 1) * block {
            let row = &image.data()[y * image.width() + left..][..sums.len()];
            for (sum, &pixel) in sums.iter_mut().zip(row) {
                *sum += u16::from(pixel);
            }
        }
        // With the common sizes as constants it takes half the time.
        match block {
            2 => write_means::<2>(&sums, means),
            3 => write_means::<3>(&sums, means),
            4 => write_means::<4>(&sums, means),
            5 => write_means::<5>(&sums, means),
            6 => write_means::<6>(&sums, means),
            7 => write_means::<7>(&sums, means),
            _ => divide(sums.chunks_exact(block).map(total), block, means),
        }
    }
    small
}

/// The sum over a block, from the sums of its columns.
fn total(run: &[u16]) -> u32 {
    run.iter().map(|&sum| u32::from(sum)).sum()
}

/// Writes the means of blocks whose size the compiler knows.
fn write_means<const BLOCK: usize>(sums: &[u16], means: &mut [u8]) {
    divide(sums.as_chunks::<BLOCK>().0.iter().map(|run| total(run)), BLOCK, means);
}

/// Writes the rounded means of blocks, from their sums.
#[inline(always)]
fn divide(totals: impl Iterator<Item = u32>, block: usize, means: &mut [u8]) {
    let area = (block * block) as u32;
    for (mean, total) in means.iter_mut().zip(totals) {
        *mean = ((total + area / 2) / area) as u8;
    }
}

/// Bilinear resampling; `map` maps output pixels to pixels of `image`.
fn warp(image: Luma, map: &Affine, width: usize, out: &mut [u8]) {
    if !fixed::reaches(map, width, out.len() / width) {
        // Only for crops far larger than any picture.
        for (i, pixel) in out.iter_mut().enumerate() {
            *pixel = bilinear(image, map.apply(Point::new((i % width) as f32, (i / width) as f32)));
        }
        return;
    }
    #[cfg(feature = "opencv")]
    if with_opencv::warp(image, map, width, out).is_ok() {
        return;
    }
    fixed::warp(image, map, width, out);
}

/// Resampling in whole numbers: positions are rounded as OpenCV's `warpAffine` rounds them, to 1/32 of a pixel, so that
/// crops are the same byte for byte, whoever cuts them.
mod fixed {
    use super::{Affine, Luma, Point};

    /// Steps along an axis are summed in 1/1024 of a pixel, and their sum is rounded to 1/32.
    const STEP: f64 = 1024.0;
    const ROUND: i32 = 16;
    /// Coordinates up to 2 million pixels from the origin fit into such numbers.
    const REACH: f32 = 1e6;

    /// Whether all coordinates of a crop of `width × height` pixels can be computed.
    pub fn reaches(map: &Affine, width: usize, height: usize) -> bool {
        let (width, height) = (width as f32, height as f32);
        let corners = [(0.0, 0.0), (width, 0.0), (0.0, height), (width, height)];
        let near = |p: Point| p.x.abs() < REACH && p.y.abs() < REACH;
        corners.into_iter().all(|(x, y)| near(map.apply(Point::new(x, y))))
    }

    pub fn warp(image: Luma, map: &Affine, width: usize, out: &mut [u8]) {
        let [[a, b, c], [d, e, f]] = map.rows.map(|row| row.map(f64::from));
        let steps: Vec<[i32; 2]> = (0..width).map(|x| [a, d].map(|v| whole(v * x as f64))).collect();
        for (y, row) in out.chunks_exact_mut(width).enumerate() {
            let [left, top] = [b * y as f64 + c, e * y as f64 + f].map(|v| whole(v) + ROUND);
            for (pixel, [x, y]) in row.iter_mut().zip(&steps) {
                *pixel = at(image, (left + x) >> 5, (top + y) >> 5);
            }
        }
    }

    fn whole(pixels: f64) -> i32 {
        (pixels * STEP).round_ties_even() as i32
    }

    /// The grey level at a position in 1/32 of a pixel.
    fn at(image: Luma, x: i32, y: i32) -> u8 {
        let (column, row) = (x >> 5, y >> 5);
        let (right, bottom) = (image.width() as i32 - 1, image.height() as i32 - 1);
        let (data, width) = (image.data(), image.width());
        let (upper, lower) = if (0..right).contains(&column) && (0..bottom).contains(&row) {
            let start = row as usize * width + column as usize;
            ([data[start], data[start + 1]], [data[start + width], data[start + width + 1]])
        } else {
            let columns = [column, column + 1].map(|x| x.clamp(0, right) as usize);
            let line = |y: i32| columns.map(|x| data[y.clamp(0, bottom) as usize * width + x]);
            (line(row), line(row + 1))
        };
        let (fx, fy) = ((x & 31) as u32, (y & 31) as u32);
        let mix = |[a, b]: [u8; 2]| (32 - fx) * u32::from(a) + fx * u32::from(b);
        (((32 - fy) * mix(upper) + fy * mix(lower) + 512) >> 10) as u8
    }
}

/// OpenCV's resampling.
#[cfg(feature = "opencv")]
mod with_opencv {
    use opencv::core::{self, Mat, Size};
    use opencv::imgproc;

    use super::{Affine, Luma};

    /// Fails for sides of 32,767 pixels and more.
    pub fn warp(image: Luma, map: &Affine, width: usize, out: &mut [u8]) -> opencv::Result<()> {
        let height = out.len() / width;
        let source = Mat::new_rows_cols_with_data(image.height() as i32, image.width() as i32, image.data())?;
        let mut target = Mat::new_rows_cols_with_data_mut(height as i32, width as i32, out)?;
        let matrix = Mat::from_slice_2d(&map.rows.map(|row| row.map(f64::from)))?;
        imgproc::warp_affine(
            &source,
            &mut target,
            &matrix,
            Size::new(width as i32, height as i32),
            imgproc::INTER_LINEAR | imgproc::WARP_INVERSE_MAP,
            core::BORDER_REPLICATE,
            core::Scalar::default(),
        )
    }
}

/// The grey level at `p`, in image pixels, interpolated between the four nearest pixels. Beyond the picture's
/// edges, its edge pixels are repeated. A picture without pixels is black, and so is a point that is NaN.
pub fn bilinear(image: Luma, p: Point) -> u8 {
    if image.data().is_empty() {
        return 0;
    }
    let (right, bottom) = (image.width() - 1, image.height() - 1);
    let x = p.x.clamp(0.0, right as f32);
    let y = p.y.clamp(0.0, bottom as f32);
    let (x0, y0) = (x as usize, y as usize);
    let (fx, fy) = (x - x0 as f32, y - y0 as f32);
    let at = |x: usize, y: usize| f32::from(image.data()[y.min(bottom) * image.width() + x.min(right)]);
    let top = at(x0, y0) + fx * (at(x0 + 1, y0) - at(x0, y0));
    let low = at(x0, y0 + 1) + fx * (at(x0 + 1, y0 + 1) - at(x0, y0 + 1));
    (top + fy * (low - top) + 0.5) as u8
}

/// Turns 8-bit luma, rows of `width` pixels, into a net's input, one number per pixel. If the slices differ in
/// length, the rest of the longer one is left alone.
pub fn normalise(pixels: &[u8], width: usize, how: Normalisation, out: &mut [f32]) {
    let (mean, deviation) = match how {
        Normalisation::Fixed { mean, std } => (mean * 255.0, std * 255.0),
        Normalisation::PerCrop => mean_and_deviation(pixels),
        Normalisation::Local => return local_contrast(pixels, width, out),
    };
    for (value, &pixel) in out.iter_mut().zip(pixels) {
        *value = (f32::from(pixel) - mean) / deviation;
    }
}

/// Mean and standard deviation in grey levels. The latter is at least 1, so that a uniform crop stays finite.
fn mean_and_deviation(pixels: &[u8]) -> (f32, f32) {
    let n = pixels.len() as f64;
    let (sum, squares) = pixels.iter().fold((0_u64, 0_u64), |(sum, squares), &v| {
        (sum + u64::from(v), squares + u64::from(v) * u64::from(v))
    });
    let mean = sum as f64 / n;
    let variance = (squares as f64 / n - mean * mean).max(1.0);
    (mean as f32, variance.sqrt() as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAMING: Framing = Framing { width: 1.0, height: 1.0, shift_x: 0.0, shift_y: 0.0 };

    /// A smooth picture with some texture, so that a shift by one pixel shows.
    fn picture(width: usize, height: usize) -> Plane {
        let mut plane = Plane::default();
        plane.resize(width, height);
        for (i, pixel) in plane.data_mut().iter_mut().enumerate() {
            let (x, y) = ((i % width) as f32, (i / width) as f32);
            *pixel = (128.0 + 60.0 * (x / 9.0).sin() + 50.0 * (y / 7.0 + x / 31.0).cos()) as u8;
        }
        plane
    }

    fn assert_near(a: Point, b: Point) {
        assert!(a.distance(b) < 1e-3, "{a:?} is not {b:?}");
    }

    #[test]
    fn an_upright_crop_spans_the_framing() {
        let region = Region { center: Point::new(100.0, 50.0), size: 40.0, angle: 0.0 };
        let framing = Framing { width: 2.0, height: 1.5, shift_x: 0.25, shift_y: -0.5 };
        let map = framing.crop_to_image(&region);
        assert_near(map.apply(Point::new(0.5, 0.5)), Point::new(110.0, 30.0));
        assert_near(map.apply(Point::new(0.0, 0.0)), Point::new(70.0, 0.0));
        assert_near(map.apply(Point::new(1.0, 1.0)), Point::new(150.0, 60.0));
    }

    #[test]
    fn a_rotated_crops_map_has_an_inverse() {
        let region = Region { center: Point::new(321.0, 123.0), size: 77.0, angle: 0.6 };
        let framing = Framing { width: 1.3, height: 1.1, shift_x: 0.1, shift_y: 0.2 };
        let map = framing.crop_to_image(&region);
        for p in [Point::new(0.0, 0.0), Point::new(0.3, 0.9), Point::new(1.2, -0.4)] {
            assert_near(map.inverse().apply(map.apply(p)), p);
            assert_near(map.then(&map.inverse()).apply(p), p);
        }
    }

    #[test]
    fn a_crop_of_the_whole_picture_is_the_picture() {
        let luma = picture(64, 64);
        let whole = Region { center: Point::new(31.5, 31.5), size: 64.0, angle: 0.0 };
        let mut out = vec![0; 64 * 64];
        crop(luma.luma(), &FRAMING.crop_to_image(&whole), 64, &mut out);
        assert_eq!(out, luma.data());
    }

    #[test]
    fn shrinking_keeps_positions_and_means() {
        let mut luma = Plane::default();
        luma.resize(400, 300);
        luma.data_mut().fill(40);
        // A bright block around (200, 100) must be in the crop where the map says.
        for y in 96..=104 {
            luma.data_mut()[y * 400 + 196..=y * 400 + 204].fill(240);
        }
        let region = Region { center: Point::new(180.0, 120.0), size: 256.0, angle: 0.3 };
        let map = FRAMING.crop_to_image(&region);
        let mut out = vec![0; 32 * 32];
        crop(luma.luma(), &map, 32, &mut out);
        let place = map.inverse().apply(Point::new(200.0, 100.0));
        let weights: Vec<f32> = out.iter().map(|&v| f32::from(v) - 40.0).collect();
        let total: f32 = weights.iter().sum();
        let center = |axis: fn(usize) -> usize| -> f32 {
            weights.iter().enumerate().map(|(i, w)| w * (axis(i) as f32 + 0.5) / 32.0).sum::<f32>() / total
        };
        assert!((center(|i| i % 32) - place.x).abs() < 0.01);
        assert!((center(|i| i / 32) - place.y).abs() < 0.01);
        let expected = 81.0 * 200.0 / 64.0;
        assert!((total / expected - 1.0).abs() < 0.15, "brightness {total} is not {expected}");
    }

    #[test]
    fn blocks_become_their_rounded_means() {
        let white = Plane::new(256, 128, vec![255; 256 * 128]).unwrap();
        let mut luma = picture(256, 128);
        luma.data_mut()[..20_000].fill(255);
        for block in 1..=MAX_BLOCK {
            let window = Window { left: 0, top: 0, columns: 256 / block, rows: 128 / block, block };
            assert!(
                shrink(white.luma(), &window).data().iter().all(|&mean| mean == 255),
                "blocks of {block}"
            );
            for (i, &mean) in shrink(luma.luma(), &window).data().iter().enumerate() {
                let (x, y) = (i % window.columns * block, i / window.columns * block);
                let row = |row: usize| &luma.data()[row * 256 + x..][..block];
                let sum: usize = (y..y + block).flat_map(row).map(|&v| usize::from(v)).sum();
                assert_eq!(
                    usize::from(mean),
                    (sum + block * block / 2) / (block * block),
                    "blocks of {block}"
                );
            }
        }
    }

    #[test]
    fn crops_outside_the_picture_or_not_finite_are_harmless() {
        let luma = picture(32, 20);
        let mut out = vec![7; 16 * 16];
        for size in [1.0, 5.0, 500.0, 5e6] {
            for center in [Point::new(-4.0, 3.0), Point::new(31.0, 19.0), Point::new(1e7, -1e7)] {
                crop(luma.luma(), &FRAMING.crop_to_image(&Region { center, size, angle: 1.0 }), 16, &mut out);
            }
        }
        let lost = Region { center: Point::new(f32::NAN, 0.0), size: 10.0, angle: 0.0 };
        crop(luma.luma(), &FRAMING.crop_to_image(&lost), 16, &mut out);
        assert!(out.iter().all(|&v| v == 0));
    }

    #[test]
    fn crops_far_larger_than_the_picture_repeat_its_edges() {
        let halves = (0..256 * 256).map(|i| if i % 256 < 128 { 0 } else { 255 }).collect();
        let halves = Plane::new(256, 256, halves).unwrap();
        for size in [5e3, 5e6, 1e30] {
            let region = Region { center: Point::new(127.5, 127.5), size, angle: 0.0 };
            let mut out = vec![7; 16 * 16];
            crop(halves.luma(), &FRAMING.crop_to_image(&region), 16, &mut out);
            assert!(out.chunks(16).all(|row| (row[0], row[15]) == (0, 255)), "size {size}: {out:?}");
        }
    }

    #[test]
    fn normalised_crops_have_the_documented_values() {
        let mut out = [0.0; 4];
        normalise(&[0, 255, 0, 255], 2, Normalisation::PerCrop, &mut out);
        assert!(out.iter().zip([-1.0, 1.0, -1.0, 1.0]).all(|(a, b)| (a - b).abs() < 1e-6));
        normalise(&[0, 51, 255, 0], 2, Normalisation::Fixed { mean: 0.2, std: 0.4 }, &mut out);
        assert!(out.iter().zip([-0.5, 0.0, 2.0, -0.5]).all(|(a, b)| (a - b).abs() < 1e-6));
        normalise(&[9; 4], 2, Normalisation::PerCrop, &mut out);
        assert_eq!(out, [0.0; 4]);
    }

    /// The program crops with OpenCV, the trainer and the Python package without it.
    #[cfg(feature = "opencv")]
    #[test]
    fn both_resamplers_give_the_same_bytes() {
        let luma = picture(640, 480);
        for (i, size) in [50.0, 111.9, 150.0, 333.0, 460.0, 700.0].into_iter().enumerate() {
            for angle in [0.0, 0.2, -0.4, 0.7, 3.0] {
                let region = Region { center: Point::new(300.3 - 50.0 * i as f32, 222.2), size, angle };
                let map = Affine::shift_then_scale(-0.5, -0.5, 1.0 / 112.0, 1.0 / 112.0)
                    .then(&FRAMING.crop_to_image(&region));
                let (mut ours, mut theirs) = (vec![0; 112 * 112], vec![0; 112 * 112]);
                fixed::warp(luma.luma(), &map, 112, &mut ours);
                with_opencv::warp(luma.luma(), &map, 112, &mut theirs).unwrap();
                assert!(ours == theirs, "size {size}, angle {angle}");
            }
        }
    }
}
