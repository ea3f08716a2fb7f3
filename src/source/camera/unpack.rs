//! Raw pictures from a camera as 4:2:0 planes.

use anyhow::{Result, anyhow};
use facemark::Plane;

use crate::frame::{ColorTags, Yuv420};

/// The V4L2 defaults for YUYV and NV12: limited range, BT.601.
const VIDEO: ColorTags = ColorTags { full_range: false, primaries: 2, transfer: 2, matrix: 6 };

/// Unpacks rows of Y₀ U Y₁ V; each chroma sample is the mean of two rows. Rows must not be padded. Returns the
/// length of the picture in the buffer.
pub(super) fn yuyv(data: &[u8], (width, height): (usize, usize), image: &mut Yuv420) -> Result<usize> {
    let stride = 2 * width.next_multiple_of(2);
    let data = data.get(..stride * height).ok_or_else(|| too_short(data, stride * height))?;
    begin(image, (width, height));
    let Yuv420 { luma, chroma: [blue, red], .. } = image;
    for (row, packed) in luma.data_mut().chunks_exact_mut(width).zip(data.chunks_exact(stride)) {
        for (sample, pair) in row.iter_mut().zip(packed.chunks_exact(2)) {
            *sample = pair[0];
        }
    }
    for y in 0..blue.height() {
        let upper = &data[2 * y * stride..][..stride];
        // If the number of rows is odd, the last one has no partner.
        let lower = &data[(2 * y + 1).min(height - 1) * stride..][..stride];
        let (blue, red) = (row(blue, y), row(red, y));
        let packed = upper.chunks_exact(4).zip(lower.chunks_exact(4));
        for ((blue, red), (upper, lower)) in blue.iter_mut().zip(red).zip(packed) {
            *blue = upper[1].midpoint(lower[1]);
            *red = upper[3].midpoint(lower[3]);
        }
    }
    Ok(data.len())
}

/// Unpacks a luma plane and a plane of U V pairs. Rows must not be padded. Returns the picture's length in the buffer.
pub(super) fn nv12(data: &[u8], (width, height): (usize, usize), image: &mut Yuv420) -> Result<usize> {
    let (luma, chroma) = (width * height, 2 * width.div_ceil(2) * height.div_ceil(2));
    let data = data.get(..luma + chroma).ok_or_else(|| too_short(data, luma + chroma))?;
    begin(image, (width, height));
    let (samples, pairs) = data.split_at(luma);
    image.luma.data_mut().copy_from_slice(samples);
    let [blue, red] = &mut image.chroma;
    for ((blue, red), pair) in blue.data_mut().iter_mut().zip(red.data_mut()).zip(pairs.chunks_exact(2)) {
        (*blue, *red) = (pair[0], pair[1]);
    }
    Ok(data.len())
}

fn begin(image: &mut Yuv420, (width, height): (usize, usize)) {
    image.resize(width, height);
    image.color = VIDEO;
}

fn row(plane: &mut Plane, y: usize) -> &mut [u8] {
    let width = plane.width();
    &mut plane.data_mut()[y * width..][..width]
}

fn too_short(data: &[u8], wanted: usize) -> anyhow::Error {
    anyhow!("{} bytes instead of {wanted}", data.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yuyv_becomes_planes_with_the_mean_of_two_rows_chroma() {
        #[rustfmt::skip]
        let data = [
            1, 100, 2, 200,  3, 10, 4, 20,
            5, 102, 6, 210,  7, 30, 8, 40,
            9,  50, 10, 60, 11, 70, 12, 80,
            99, 99, // Leftovers in the buffer.
        ];
        let mut image = Yuv420::default();
        assert_eq!(yuyv(&data, (4, 3), &mut image).unwrap(), 24);
        assert_eq!(image.luma.data(), (1..=12).collect::<Vec<u8>>());
        assert_eq!(image.chroma[0].data(), [101, 20, 50, 70]);
        assert_eq!(image.chroma[1].data(), [205, 30, 60, 80]);
        assert!(!image.color.full_range);
    }

    #[test]
    fn nv12_becomes_planes() {
        let mut image = Yuv420::default();
        nv12(&[1, 2, 3, 4, 5, 6, 100, 200], (2, 3), &mut image).unwrap_err();
        nv12(&[1, 2, 3, 4, 5, 6, 100, 200, 110, 210, 99], (2, 3), &mut image).unwrap();
        assert_eq!(image.luma.data(), [1, 2, 3, 4, 5, 6]);
        assert_eq!(image.chroma.each_ref().map(|plane| plane.data()), [[100, 110], [200, 210]]);
    }

    #[test]
    fn a_buffer_that_is_too_short_is_an_error() {
        let error = yuyv(&[0; 63], (8, 4), &mut Yuv420::default()).unwrap_err();
        assert_eq!(error.to_string(), "63 bytes instead of 64");
    }
}
