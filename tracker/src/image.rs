//! Pictures in memory. Their sizes are checked here, once.

use std::fmt;

use crate::error::{Error, Result};
use crate::geometry::Point;

/// A borrowed picture, the input of [`Tracker::track`](crate::Tracker::track).
///
/// It is upright, starts with the top row, and has one byte per sample. Only its luma is used: grey and 4:2:0
/// pictures whose rows have no padding are not copied, others are converted.
#[derive(Clone, Copy)]
pub struct Image<'a> {
    width: usize,
    height: usize,
    layout: Layout,
    /// Bytes from the start of one row to the start of the next.
    stride: usize,
    data: &'a [u8],
}

/// The order of the bytes in a pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Layout {
    /// Only luma (grey), one byte per pixel.
    Luma,
    /// Red, green, blue.
    Rgb,
    /// Blue, green, red: OpenCV's order.
    Bgr,
    /// Red, green, blue, and alpha, which is ignored.
    Rgba,
}

impl Layout {
    /// Bytes per pixel.
    pub fn bytes(self) -> usize {
        match self {
            Self::Luma => 1,
            Self::Rgb | Self::Bgr => 3,
            Self::Rgba => 4,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Luma => "luma",
            Self::Rgb => "RGB",
            Self::Bgr => "BGR",
            Self::Rgba => "RGBA",
        }
    }
}

impl<'a> Image<'a> {
    /// A grey picture of `width × height` bytes, rows without padding.
    ///
    /// # Errors
    /// [`Error::Image`] if the picture has no pixels or `data` has another length.
    pub fn luma(width: usize, height: usize, data: &'a [u8]) -> Result<Self> {
        Self::packed(Layout::Luma, width, height, data)
    }

    /// An RGB picture of `width × height × 3` bytes, rows without padding.
    ///
    /// # Errors
    /// As [`luma`](Self::luma).
    pub fn rgb(width: usize, height: usize, data: &'a [u8]) -> Result<Self> {
        Self::packed(Layout::Rgb, width, height, data)
    }

    /// A BGR picture (OpenCV's order) of `width × height × 3` bytes, rows without padding.
    ///
    /// # Errors
    /// As [`luma`](Self::luma).
    pub fn bgr(width: usize, height: usize, data: &'a [u8]) -> Result<Self> {
        Self::packed(Layout::Bgr, width, height, data)
    }

    /// An RGBA picture of `width × height × 4` bytes, rows without padding.
    ///
    /// # Errors
    /// As [`luma`](Self::luma).
    pub fn rgba(width: usize, height: usize, data: &'a [u8]) -> Result<Self> {
        Self::packed(Layout::Rgba, width, height, data)
    }

    /// A picture with `stride` bytes from the start of one row to the start of the next. Bytes between the
    /// rows and after the last one are ignored.
    ///
    /// # Errors
    /// [`Error::Image`] if the picture has no pixels, a row is longer than `stride`, or `data` is too short.
    pub fn with_stride(
        layout: Layout,
        width: usize,
        height: usize,
        stride: usize,
        data: &'a [u8],
    ) -> Result<Self> {
        let name = layout.name();
        if width == 0 || height == 0 {
            return Err(Error::Image(format!("a picture of {width}×{height} has no pixels")));
        }
        let row = width.checked_mul(layout.bytes()).filter(|&row| row <= stride);
        let Some(row) = row else {
            let message =
                format!("a row of {width} {name} pixels does not fit into a stride of {stride} bytes");
            return Err(Error::Image(message));
        };
        let needed = (height - 1).saturating_mul(stride).saturating_add(row);
        if data.len() < needed {
            let given = data.len();
            return Err(Error::Image(format!(
                "{given} bytes are too few for {width}×{height} {name} pixels, which need {needed}"
            )));
        }
        Ok(Self { width, height, layout, stride, data })
    }

    /// A YUV 4:2:0 picture: its Y, U and V planes, each with its stride. U and V have half the width and
    /// height, rounded up. Colour range and matrix do not matter.
    ///
    /// # Errors
    /// As [`with_stride`](Self::with_stride), for each plane.
    pub fn yuv420(width: usize, height: usize, planes: [(&'a [u8], usize); 3]) -> Result<Self> {
        let [(luma, stride), chroma @ ..] = planes;
        for (plane, stride) in chroma {
            Self::with_stride(Layout::Luma, width.div_ceil(2), height.div_ceil(2), stride, plane)?;
        }
        Self::with_stride(Layout::Luma, width, height, stride, luma)
    }

    fn packed(layout: Layout, width: usize, height: usize, data: &'a [u8]) -> Result<Self> {
        let stride = width.saturating_mul(layout.bytes());
        let expected = stride.saturating_mul(height);
        if data.len() != expected {
            return Err(Error::Image(format!(
                "{} pictures of {width}×{height} have {expected} bytes, not {}",
                layout.name(),
                data.len()
            )));
        }
        Self::with_stride(layout, width, height, stride, data)
    }

    /// Width and height in pixels.
    pub fn size(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    /// The picture's luma: borrowed if it lies there without padding, else written to `spare`.
    pub(crate) fn as_luma<'b>(&'b self, spare: &'b mut Plane) -> Luma<'b> {
        let &Self { width, height, layout, stride, data } = self;
        if layout == Layout::Luma && stride == width {
            return Luma { data: &data[..width * height], width, height };
        }
        spare.resize(width, height);
        for (pixels, row) in spare.data.chunks_exact_mut(width).zip(data.chunks(stride)) {
            let row = &row[..width * layout.bytes()];
            match layout {
                Layout::Luma => pixels.copy_from_slice(row),
                Layout::Rgb => write_luma::<3>(pixels, row, |[r, g, b]| [r, g, b]),
                Layout::Bgr => write_luma::<3>(pixels, row, |[b, g, r]| [r, g, b]),
                Layout::Rgba => write_luma::<4>(pixels, row, |[r, g, b, _]| [r, g, b]),
            }
        }
        spare.luma()
    }
}

/// The weights of red, green and blue in luma (ITU-R BT.601: 0.299, 0.587, 0.114), in parts of 256.
const WEIGHTS: [u32; 3] = [77, 150, 29];

fn write_luma<const N: usize>(pixels: &mut [u8], row: &[u8], rgb: impl Fn([u8; N]) -> [u8; 3]) {
    for (pixel, &bytes) in pixels.iter_mut().zip(row.as_chunks::<N>().0) {
        let sum: u32 = rgb(bytes).iter().zip(WEIGHTS).map(|(&value, weight)| u32::from(value) * weight).sum();
        *pixel = ((sum + 128) >> 8) as u8;
    }
}

/// Borrowed luma, one byte per pixel, rows without padding; what detectors and landmark models get. May have
/// no pixels.
#[derive(Clone, Copy)]
pub struct Luma<'a> {
    data: &'a [u8],
    width: usize,
    height: usize,
}

impl<'a> Luma<'a> {
    /// All pixels, the top row first: `width × height` bytes.
    pub fn data(&self) -> &'a [u8] {
        self.data
    }

    /// Pixels in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Whether a place is inside the picture. NaN is not.
    pub(crate) fn shows(&self, Point { x, y }: Point) -> bool {
        x >= 0.0 && y >= 0.0 && x < self.width as f32 && y < self.height as f32
    }
}

/// An owned picture of one byte per pixel, rows without padding. May have no pixels.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Plane {
    data: Vec<u8>,
    width: usize,
    height: usize,
}

impl Plane {
    /// A plane of `width × height` samples, the top row first.
    ///
    /// # Errors
    /// [`Error::Image`] if `data` has another length.
    pub fn new(width: usize, height: usize, data: Vec<u8>) -> Result<Self> {
        if width.checked_mul(height) != Some(data.len()) {
            return Err(Error::Image(format!("{} bytes are not a plane of {width}×{height}", data.len())));
        }
        Ok(Self { data, width, height })
    }

    /// All samples, the top row first.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// All samples, mutable.
    pub fn data_mut(&mut self) -> &mut [u8] {
        &mut self.data
    }

    /// Samples in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Changes the plane's size but keeps its memory. Afterwards the samples have unspecified values.
    ///
    /// # Panics
    /// Like [`Vec`], if `width × height` bytes cannot be allocated.
    pub fn resize(&mut self, width: usize, height: usize) {
        self.data.resize(width.saturating_mul(height), 0);
        (self.width, self.height) = (width, height);
    }

    /// Makes the plane a copy of `other` but keeps its memory.
    pub fn copy_from(&mut self, other: &Self) {
        self.data.clone_from(&other.data);
        (self.width, self.height) = (other.width, other.height);
    }

    /// The samples as luma.
    pub fn luma(&self) -> Luma<'_> {
        Luma { data: &self.data, width: self.width, height: self.height }
    }
}

// Debug shows sizes, not megabytes of samples.

impl fmt::Debug for Image<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self { width, height, layout, stride, .. } = self;
        write!(f, "Image({width}×{height} {}, stride {stride})", layout.name())
    }
}

impl fmt::Debug for Luma<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Luma({}×{})", self.width, self.height)
    }
}

impl fmt::Debug for Plane {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Plane({}×{})", self.width, self.height)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn luma_of(image: &Image) -> Vec<u8> {
        image.as_luma(&mut Plane::default()).data().to_vec()
    }

    #[test]
    fn every_layout_gives_the_same_luma() {
        // Red, green, blue and white become BT.601's weights.
        let colors = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]];
        let expected = [77, 149, 29, 255];
        let rgb: Vec<u8> = colors.concat();
        let bgr: Vec<u8> = colors.iter().flat_map(|&[r, g, b]| [b, g, r]).collect();
        let rgba: Vec<u8> = colors.iter().flat_map(|&[r, g, b]| [r, g, b, 7]).collect();
        assert_eq!(luma_of(&Image::rgb(2, 2, &rgb).unwrap()), expected);
        assert_eq!(luma_of(&Image::bgr(2, 2, &bgr).unwrap()), expected);
        assert_eq!(luma_of(&Image::rgba(2, 2, &rgba).unwrap()), expected);
        let padded = [77, 149, 0, 0, 29, 255];
        assert_eq!(luma_of(&Image::with_stride(Layout::Luma, 2, 2, 4, &padded).unwrap()), expected);
        let chroma = [128];
        let planes = [(&padded[..], 4), (&chroma[..], 1), (&chroma[..], 1)];
        assert_eq!(luma_of(&Image::yuv420(2, 2, planes).unwrap()), expected);
    }

    #[test]
    fn luma_without_padding_is_not_copied() {
        let data = [1, 2, 3, 4, 5, 6];
        let image = Image::luma(3, 2, &data).unwrap();
        assert_eq!(image.as_luma(&mut Plane::default()).data().as_ptr(), data.as_ptr());
    }

    #[test]
    fn wrong_sizes_are_refused_with_what_was_expected() {
        let refused = |image: Result<Image>| image.unwrap_err().to_string();
        assert_eq!(refused(Image::rgb(4, 2, &[0; 8])), "RGB pictures of 4×2 have 24 bytes, not 8");
        assert!(refused(Image::luma(0, 5, &[])).contains("no pixels"));
        assert!(refused(Image::luma(usize::MAX, usize::MAX, &[])).contains("bytes"));
        assert!(refused(Image::with_stride(Layout::Rgb, 4, 2, 11, &[0; 30])).contains("stride of 11"));
        assert!(refused(Image::with_stride(Layout::Rgb, 4, 2, 12, &[0; 23])).contains("too few"));
        assert!(refused(Image::with_stride(Layout::Luma, 1, usize::MAX, 9, &[0; 23])).contains("too few"));
        let planes = [(&[0_u8; 6][..], 3), (&[0_u8; 2][..], 2), (&[0_u8; 1][..], 2)];
        assert!(refused(Image::yuv420(3, 2, planes)).contains("too few"));
        assert!(Plane::new(2, 3, vec![0; 5]).is_err() && Plane::new(2, 3, vec![0; 6]).is_ok());
    }
}
