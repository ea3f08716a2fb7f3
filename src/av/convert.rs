//! Converts libav's pictures to upright 8-bit 4:2:0 planes. Only the pixel format changes, never the colours.

use std::ffi::c_int;
use std::{ptr, slice};

use anyhow::{Result, anyhow};
use ffmpeg_next::ffi;
use ffmpeg_next::format::Pixel;
use ffmpeg_next::frame::Video;
use ffmpeg_next::software::scaling;

use super::orient::Orientation;
use crate::frame::{ColorTags, Fields, Yuv420};

/// BT.601 in its NTSC variant, as numbered in H.273.
const MATRIX_601: u8 = 6;
const MATRIX_709: u8 = 1;
/// Chroma value of a picture without colour.
const NEUTRAL: u8 = 128;

/// Converts pictures; keeps its scaler while the format stays the same.
#[derive(Default)]
pub(crate) struct Converter {
    scaler: Option<Scaler>,
}

struct Scaler {
    context: scaling::Context,
    color: ColorTags,
    /// Whether it takes one field after the other.
    by_field: bool,
    output: Video,
}

// SAFETY: a SwsContext is plain memory without thread affinity, and `Scaler` is its only owner.
unsafe impl Send for Scaler {}

impl Converter {
    /// Fills `image` with the picture, turned upright.
    pub(crate) fn convert(
        &mut self,
        raw: &Video,
        fields: Fields,
        orientation: Orientation,
        image: &mut Yuv420,
    ) -> Result<()> {
        let color = color_tags(raw);
        image.color = color;
        if !copy_direct(raw, orientation, image) {
            let picture = self.scale(raw, fields, color)?;
            if !copy_direct(picture, orientation, image) {
                return Err(anyhow!("swscale gave {:?}", picture.format()));
            }
        }
        Ok(())
    }

    fn scale(&mut self, raw: &Video, fields: Fields, color: ColorTags) -> Result<&Video> {
        // The chroma of the two fields must not be mixed.
        let by_field =
            fields != Fields::Progressive && !is_rgb(raw.format()) && raw.height().is_multiple_of(4);
        let height = if by_field { raw.height() / 2 } else { raw.height() };
        let wanted = scaling::context::Definition { format: raw.format(), width: raw.width(), height };
        let scaler = match self.scaler.take() {
            Some(scaler) if scaler.fits(&wanted, color, by_field) => scaler,
            _ => Scaler::new(wanted, color, by_field)?,
        };
        let scaler = self.scaler.insert(scaler);
        if by_field {
            scaler.run_by_field(raw)?;
        } else {
            scaler.context.run(raw, &mut scaler.output)?;
        }
        Ok(&scaler.output)
    }
}

impl Scaler {
    fn fits(&self, input: &scaling::context::Definition, color: ColorTags, by_field: bool) -> bool {
        self.context.input() == input && self.color == color && self.by_field == by_field
    }

    /// Each field as a picture of its own, with half the rows.
    fn run_by_field(&mut self, raw: &Video) -> Result<()> {
        const PLANES: usize = 4;
        let half = self.context.input().height as c_int;
        for field in 0..2 {
            // SAFETY: the pictures have twice as many rows as the context, so every second row of each plane, from the
            // first or the second one on, is inside; the context and the output are ours.
            let rows = unsafe {
                let rows_of = |frame: *const ffi::AVFrame| {
                    let (mut data, mut strides) = ([ptr::null_mut::<u8>(); PLANES], [0; PLANES]);
                    for plane in (0..PLANES).filter(|&plane| !(*frame).data[plane].is_null()) {
                        let stride = (*frame).linesize[plane];
                        data[plane] = (*frame).data[plane].offset(field * stride as isize);
                        strides[plane] = 2 * stride;
                    }
                    (data, strides)
                };
                let (from, from_strides) = rows_of(raw.as_ptr());
                let (to, to_strides) = rows_of(self.output.as_ptr());
                ffi::sws_scale(
                    self.context.as_mut_ptr(),
                    from.as_ptr().cast(),
                    from_strides.as_ptr(),
                    0,
                    half,
                    to.as_ptr(),
                    to_strides.as_ptr(),
                )
            };
            if rows != half {
                return Err(anyhow!("swscale gave {rows} rows of {half}"));
            }
        }
        Ok(())
    }

    fn new(input: scaling::context::Definition, color: ColorTags, by_field: bool) -> Result<Self> {
        let scaling::context::Definition { format, width, height } = input;
        let flags = scaling::Flags::BILINEAR | scaling::Flags::ACCURATE_RND | scaling::Flags::FULL_CHR_H_INP;
        let mut context = scaling::Context::get(format, width, height, Pixel::YUV420P, width, height, flags)?;
        let range = c_int::from(color.full_range);
        // SAFETY: the context is ours and initialised; the tables are constants inside swscale. The same matrix and
        // range on both sides leave YUV values unchanged. -1, "unsupported", is returned for RGB targets only.
        unsafe {
            let table = ffi::sws_getCoefficients(c_int::from(color.matrix));
            ffi::sws_setColorspaceDetails(
                context.as_mut_ptr(),
                table,
                range,
                table,
                range,
                0,
                1 << 16,
                1 << 16,
            );
        }
        let rows = if by_field { 2 * height } else { height };
        Ok(Self { context, color, by_field, output: Video::new(Pixel::YUV420P, width, rows) })
    }
}

/// Copies pictures that already have 8-bit 4:2:0 planes, or only luma.
fn copy_direct(raw: &Video, orientation: Orientation, image: &mut Yuv420) -> bool {
    let size = (raw.width() as usize, raw.height() as usize);
    let half = (size.0.div_ceil(2), size.1.div_ceil(2));
    let Some((luma, stride)) = plane(raw, 0, size) else { return false };
    match raw.format() {
        Pixel::GRAY8 => {
            orientation.copy_plane(luma, stride, size, &mut image.luma);
            let (width, height) = orientation.turn(half);
            for chroma in &mut image.chroma {
                chroma.resize(width, height);
                chroma.data_mut().fill(NEUTRAL);
            }
            true
        }
        Pixel::YUV420P | Pixel::YUVJ420P | Pixel::YUVA420P => {
            let (Some(blue), Some(red)) = (plane(raw, 1, half), plane(raw, 2, half)) else { return false };
            orientation.copy_plane(luma, stride, size, &mut image.luma);
            orientation.copy_plane(blue.0, blue.1, half, &mut image.chroma[0]);
            orientation.copy_plane(red.0, red.1, half, &mut image.chroma[1]);
            true
        }
        _ => false,
    }
}

/// The samples of a plane and its stride. `None` for pictures stored bottom up; swscale turns those.
fn plane(raw: &Video, index: usize, (width, height): (usize, usize)) -> Option<(&[u8], usize)> {
    // SAFETY: the frame outlives the reference to it.
    let (data, stride) = unsafe { ((*raw.as_ptr()).data[index], (*raw.as_ptr()).linesize[index]) };
    let stride = usize::try_from(stride).ok()?;
    if data.is_null() || stride < width || height == 0 {
        return None;
    }
    // SAFETY: a decoded plane has `height` rows of `width` bytes that start `stride` apart. The padding after the
    // last row is left out: in a cropped picture it may be outside the buffer.
    Some((unsafe { slice::from_raw_parts(data, stride * (height - 1) + width) }, stride))
}

/// The colour tags of the converted planes: those of the picture or, where it has none, what its format implies.
pub(crate) fn color_tags(raw: &Video) -> ColorTags {
    let mut color = ColorTags {
        full_range: range(raw).unwrap_or_else(|| implies_full_range(raw.format())),
        // SAFETY: the frame outlives the reference; the enums are C ints.
        primaries: unsafe { code_point(&raw const (*raw.as_ptr()).color_primaries) },
        // SAFETY: as above.
        transfer: unsafe { code_point(&raw const (*raw.as_ptr()).color_trc) },
        // SAFETY: as above.
        matrix: unsafe { code_point(&raw const (*raw.as_ptr()).colorspace) },
    };
    if is_rgb(raw.format()) {
        color.full_range = false;
        color.matrix = if raw.width().min(raw.height()) >= 720 { MATRIX_709 } else { MATRIX_601 };
    }
    color
}

/// Whether the picture is tagged as full range; `None` if it is not tagged.
pub(crate) fn range(raw: &Video) -> Option<bool> {
    // SAFETY: the frame outlives the reference; the enum is a C int.
    match unsafe { code_point(&raw const (*raw.as_ptr()).color_range) } {
        1 => Some(false),
        2 => Some(true),
        _ => None,
    }
}

/// Reads one of libav's enums as a plain number, since newer libraries may have values that our enum lacks.
///
/// # Safety
/// `value` must be readable and as wide as a C int.
unsafe fn code_point<E>(value: *const E) -> u8 {
    const { assert!(size_of::<E>() == size_of::<c_int>()) };
    // SAFETY: promised by the caller and checked above.
    let number = unsafe { ptr::read(value.cast::<c_int>()) };
    u8::try_from(number).unwrap_or(2)
}

/// Whether libav treats untagged pictures in this format as full range.
fn implies_full_range(format: Pixel) -> bool {
    let name = format.descriptor().map_or("", |descriptor| descriptor.name());
    ["yuvj", "gray", "ya", "mono"].iter().any(|prefix| name.starts_with(prefix))
}

fn is_rgb(format: Pixel) -> bool {
    let Some(descriptor) = format.descriptor() else { return false };
    // SAFETY: descriptors are constants inside libavutil.
    let flags = unsafe { (*descriptor.as_ptr()).flags };
    let rgb = ffi::AV_PIX_FMT_FLAG_RGB | ffi::AV_PIX_FMT_FLAG_PAL | ffi::AV_PIX_FMT_FLAG_BAYER;
    flags & rgb as u64 != 0
}
