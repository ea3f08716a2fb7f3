//! Colours: from planes to RGB and back, by the equations of ITU-T H.273, section 8.3.
//!
//! Whole pictures go through the `yuv` crate, without its features for x86: those round worse, and lose colour where
//! luma is below black. The window and the page have loops of their own, which do more than convert, and take their numbers from
//! here.

use anyhow::{Context, Result};
use image::RgbImage;
use yuv::{
    BufferStoreMut, YuvConversionMode, YuvPlanarImage, YuvPlanarImageMut, YuvRange, YuvStandardMatrix,
};

use crate::frame::{ColorTags, Yuv420};

/// Fixed-point bits of [`ToRgb`] and [`ToJpeg`].
const BITS: i32 = 13;

/// Fills the planes with the picture's colours as JPEG files have them: full range, BT.601. Each chroma sample is the
/// mean of up to four pixels.
///
/// # Errors
/// If the picture has no pixels.
pub fn from_rgb(picture: &RgbImage, image: &mut Yuv420) -> Result<()> {
    let (width, height) = picture.dimensions();
    image.resize(width as usize, height as usize);
    image.color = ColorTags::JPEG;
    let (range, matrix) = named(image.color);
    let [u_plane, v_plane] = image.chroma.each_mut().map(|plane| BufferStoreMut::Borrowed(plane.data_mut()));
    let half = width.div_ceil(2);
    let mut planes = YuvPlanarImageMut {
        y_plane: BufferStoreMut::Borrowed(image.luma.data_mut()),
        y_stride: width,
        u_plane,
        u_stride: half,
        v_plane,
        v_stride: half,
        width,
        height,
    };
    let mode = YuvConversionMode::Balanced;
    yuv::rgb_to_yuv420(&mut planes, picture.as_raw(), 3 * width, range, matrix, mode)
        .context("cannot turn RGB into planes")
}

/// The planes as RGB. A chroma sample applies to all four of its pixels.
///
/// # Errors
/// If the picture has no pixels.
pub fn to_rgb(image: &Yuv420) -> Result<RgbImage> {
    let (width, height) = (image.luma.width() as u32, image.luma.height() as u32);
    let (range, matrix) = named(image.color);
    let [blue, red] = &image.chroma;
    let planes = YuvPlanarImage {
        y_plane: image.luma.data(),
        y_stride: width,
        u_plane: blue.data(),
        u_stride: blue.width() as u32,
        v_plane: red.data(),
        v_stride: red.width() as u32,
        width,
        height,
    };
    let mut picture = RgbImage::new(width, height);
    yuv::yuv420_to_rgb(&planes, &mut picture, 3 * width, range, matrix)
        .context("cannot turn planes into RGB")?;
    Ok(picture)
}

/// One colour, red, green and blue, as luma, blue and red difference.
pub fn to_yuv(rgb: [u8; 3], tags: ColorTags) -> [u8; 3] {
    let to = Equations::new(tags);
    let [r, g, b] = rgb.map(f32::from);
    let luma = to.shares[0] * r + to.shares[1] * g + to.shares[2] * b;
    [to.offset as f32 + luma / to.luma, 128.0 + (b - luma) / to.blue, 128.0 + (r - luma) / to.red]
        .map(|v| v.round().clamp(0.0, 255.0) as u8)
}

/// The tags as the `yuv` crate calls them. An unknown matrix is taken as BT.601.
fn named(tags: ColorTags) -> (YuvRange, YuvStandardMatrix) {
    let range = if tags.full_range { YuvRange::Full } else { YuvRange::Limited };
    let matrix = match tags.matrix {
        1 => YuvStandardMatrix::Bt709,
        9 | 10 => YuvStandardMatrix::Bt2020,
        _ => YuvStandardMatrix::Bt601,
    };
    (range, matrix)
}

/// How luma and the differences, minus their values for grey, become RGB. With Y, B and R for these:
/// `red = luma·Y + red·R`, `green = luma·Y + green·(B, R)`, `blue = luma·Y + blue·B`.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Equations {
    /// The shares of red, green and blue in luma.
    shares: [f32; 3],
    /// Luma of black.
    offset: i32,
    luma: f32,
    red: f32,
    green: [f32; 2],
    blue: f32,
}

impl Equations {
    fn new(tags: ColorTags) -> Self {
        let bias = named(tags).1.get_kr_kb();
        let shares @ [kr, kg, kb] = [bias.kr, 1.0 - bias.kr - bias.kb, bias.kb];
        let (offset, luma, chroma) =
            if tags.full_range { (0, 1.0, 1.0) } else { (16, 255.0 / 219.0, 255.0 / 224.0) };
        let (red, blue) = (2.0 * (1.0 - kr) * chroma, 2.0 * (1.0 - kb) * chroma);
        Self { shares, offset, luma, red, green: [-kb / kg * blue, -kr / kg * red], blue }
    }
}

/// From luma and chroma to RGB, one pixel at a time.
#[derive(Clone, Copy, Debug, Default)]
pub struct ToRgb {
    offset: i32,
    luma: i32,
    red: i32,
    green: [i32; 2],
    blue: i32,
}

impl ToRgb {
    /// For pictures with these tags.
    pub fn new(tags: ColorTags) -> Self {
        let Equations { offset, luma, red, green, blue, .. } = Equations::new(tags);
        Self { offset, luma: fixed(luma), red: fixed(red), green: green.map(fixed), blue: fixed(blue) }
    }

    /// The pixel as `0x00RRGGBB`.
    #[inline]
    pub fn rgb(&self, y: u8, cb: u8, cr: u8) -> u32 {
        let y = (i32::from(y) - self.offset) * self.luma;
        let (cb, cr) = (i32::from(cb) - 128, i32::from(cr) - 128);
        let [red, green, blue] =
            [self.red * cr, self.green[0] * cb + self.green[1] * cr, self.blue * cb].map(|v| byte(y + v));
        u32::from_be_bytes([0, red, green, blue])
    }
}

/// From luma and chroma of any tags to those of JPEG files, one sample at a time and without going through RGB.
#[derive(Clone, Copy, Debug)]
pub struct ToJpeg {
    offset: i32,
    gain: i32,
    /// What the differences add to luma.
    luma: [i32; 2],
    /// What they add to the new differences, blue and red.
    chroma: [[i32; 2]; 2],
}

impl ToJpeg {
    /// For pictures with these tags; `None` if their samples can stay.
    pub fn new(tags: ColorTags) -> Option<Self> {
        let (from, to) = (Equations::new(tags), Equations::new(ColorTags::JPEG));
        if from == to {
            return None;
        }
        let [kr, kg, kb] = to.shares;
        let luma = [kb * from.blue + kg * from.green[0], kr * from.red + kg * from.green[1]];
        let chroma = [
            [(from.blue - luma[0]) / to.blue, -luma[1] / to.blue],
            [-luma[0] / to.red, (from.red - luma[1]) / to.red],
        ];
        Some(Self {
            offset: from.offset,
            gain: fixed(from.luma),
            luma: luma.map(fixed),
            chroma: chroma.map(|weights| weights.map(fixed)),
        })
    }

    /// The new luma of a pixel.
    #[inline]
    pub fn luma(&self, y: u8, cb: u8, cr: u8) -> u8 {
        byte((i32::from(y) - self.offset) * self.gain + weigh(self.luma, cb, cr))
    }

    /// A new difference, blue (0) or red (1).
    #[inline]
    pub fn chroma(&self, which: usize, cb: u8, cr: u8) -> u8 {
        byte((128 << BITS) + weigh(self.chroma[which], cb, cr))
    }
}

fn weigh([a, b]: [i32; 2], cb: u8, cr: u8) -> i32 {
    a * (i32::from(cb) - 128) + b * (i32::from(cr) - 128)
}

fn fixed(v: f32) -> i32 {
    (v * (1 << BITS) as f32).round() as i32
}

fn byte(v: i32) -> u8 {
    ((v + (1 << (BITS - 1))) >> BITS).clamp(0, 255) as u8
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    const BT709: ColorTags = ColorTags { matrix: 1, ..ColorTags::UNSPECIFIED };

    fn converted(picture: &RgbImage) -> Yuv420 {
        let mut image = Yuv420::default();
        from_rgb(picture, &mut image).unwrap();
        image
    }

    fn flat([y, cb, cr]: [u8; 3], color: ColorTags) -> Yuv420 {
        let mut image = Yuv420 { color, ..Yuv420::default() };
        image.resize(3, 1);
        image.luma.data_mut().fill(y);
        image.chroma[0].data_mut().fill(cb);
        image.chroma[1].data_mut().fill(cr);
        image
    }

    #[test]
    fn primary_colours_become_their_jfif_numbers() {
        // JFIF 1.02, page 4.
        let cases = [
            ([255, 255, 255], [255, 128, 128]),
            ([0, 0, 0], [0, 128, 128]),
            ([255, 0, 0], [76, 85, 255]),
            ([0, 255, 0], [150, 44, 21]),
            ([0, 0, 255], [29, 255, 107]),
        ];
        for (rgb, yuv) in cases {
            // Wider than any vector of the processor, and not a multiple of one.
            let image = converted(&RgbImage::from_pixel(70, 3, Rgb(rgb)));
            let [blue, red] = &image.chroma;
            for (plane, value) in [&image.luma, blue, red].into_iter().zip(yuv) {
                assert!(plane.data().iter().all(|v| v.abs_diff(value) <= 1), "{rgb:?}");
            }
            assert_eq!(to_yuv(rgb, ColorTags::JPEG), yuv);
        }
    }

    #[test]
    fn odd_sizes_keep_their_last_column_and_row() {
        let mut picture = RgbImage::from_pixel(3, 3, Rgb([0, 0, 0]));
        picture.put_pixel(2, 2, Rgb([0, 0, 255]));
        let image = converted(&picture);
        assert_eq!(image.size(), (3, 3));
        assert_eq!(image.luma.data()[8], 29);
        assert_eq!(image.chroma[0].data(), [128, 128, 128, 255]);
        let back = to_rgb(&image).unwrap();
        assert_eq!(back.dimensions(), (3, 3));
        assert_eq!((back.get_pixel(1, 1).0, back.get_pixel(2, 2).0), ([0; 3], [0, 0, 254]));
    }

    /// By hand: red in full-range BT.601, in limited-range BT.709 and BT.2020.
    #[test]
    fn every_way_knows_range_and_matrix() {
        let bt2020 = ColorTags { matrix: 9, ..ColorTags::UNSPECIFIED };
        let cases = [
            ([235, 128, 128], BT709, [255, 255, 255]),
            ([16, 128, 128], BT709, [0, 0, 0]),
            ([63, 102, 240], BT709, [255, 1, 0]),
            ([74, 97, 240], bt2020, [255, 1, 0]),
            ([255, 128, 128], ColorTags::JPEG, [255, 255, 255]),
            ([76, 85, 255], ColorTags::JPEG, [254, 0, 0]),
            ([100, 128, 128], ColorTags::JPEG, [100, 100, 100]),
        ];
        for (yuv @ [y, cb, cr], tags, rgb) in cases {
            let near = |found: [u8; 3], wanted: [u8; 3]| {
                let near = found.iter().zip(wanted).all(|(a, b)| a.abs_diff(b) <= 1);
                assert!(near, "{yuv:?} {tags:?}: {found:?} is not {wanted:?}");
            };
            let [_, pixel @ ..] = ToRgb::new(tags).rgb(y, cb, cr).to_be_bytes();
            near(pixel, rgb);
            near(to_rgb(&flat(yuv, tags)).unwrap().get_pixel(2, 0).0, rgb);
            near(to_yuv(rgb, tags), yuv);
            let jpeg = ToJpeg::new(tags)
                .map_or(yuv, |to| [to.luma(y, cb, cr), to.chroma(0, cb, cr), to.chroma(1, cb, cr)]);
            near(jpeg, to_yuv(rgb, ColorTags::JPEG));
        }
    }

    #[test]
    fn one_colour_has_its_standard_numbers() {
        assert_eq!(to_yuv([255, 255, 255], BT709), [235, 128, 128]);
        assert_eq!(to_yuv([255, 0, 0], BT709), [63, 102, 240]);
    }

    #[test]
    fn only_other_colours_than_jpegs_change() {
        assert!(ToJpeg::new(ColorTags::JPEG).is_none());
        assert!(ToJpeg::new(ColorTags { matrix: 2, ..ColorTags::JPEG }).is_none());
        assert!(ToJpeg::new(ColorTags::UNSPECIFIED).is_some());
        assert!(ToJpeg::new(ColorTags { matrix: 1, ..ColorTags::JPEG }).is_some());
    }
}
