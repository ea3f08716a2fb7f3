//! Pictures as JPEG, by libav's encoder.

use anyhow::Result;
use facemark::Plane;
use ffmpeg_next::codec::{self, Id, threading};
use ffmpeg_next::format::Pixel;
use ffmpeg_next::frame::Video;
use ffmpeg_next::{Packet, Rational, encoder, ffi};

use crate::av::demux;
use crate::error::{Blame, Fault};
use crate::frame::{ColorTags, Yuv420};

/// Quantiser, 1 (best) to 31: hardly visible losses at a tenth of a byte per pixel.
const QUANTISER: i32 = 4;
/// Fixed-point bits of [`Recolor`].
const BITS: i32 = 13;

/// Turns pictures of any size into JPEG files in memory.
#[derive(Default)]
pub(super) struct JpegEncoder {
    /// The encoder and its picture, for pictures of one size.
    open: Option<(encoder::Video, Video)>,
    count: i64,
}

impl JpegEncoder {
    /// The picture as a JPEG file, full range and BT.601 as JFIF demands.
    ///
    /// # Errors
    /// If libav was built without its JPEG encoder.
    pub(super) fn encode(&mut self, image: &Yuv420) -> Result<Vec<u8>> {
        let (width, height) = image.size();
        let (encoder, picture) = match self.open.take() {
            Some((encoder, picture))
                if (picture.width() as usize, picture.height() as usize) == (width, height) =>
            {
                self.open.insert((encoder, picture))
            }
            _ => self.open.insert(open(width as u32, height as u32)?),
        };
        // SAFETY: the picture is ours. This gives it new memory should the encoder still read the old.
        if unsafe { ffi::av_frame_make_writable(picture.as_mut_ptr()) } < 0 {
            return Err(Fault::Failure.error("no memory for a picture"));
        }
        fill(picture, image);
        self.count += 1;
        picture.set_pts(Some(self.count));
        encoder.send_frame(picture).blame(Fault::Failure, || "the JPEG encoder refuses a picture")?;
        let mut packet = Packet::empty();
        encoder.receive_packet(&mut packet).blame(Fault::Failure, || "the JPEG encoder failed")?;
        Ok(packet.data().unwrap_or_default().to_vec())
    }
}

fn open(width: u32, height: u32) -> Result<(encoder::Video, Video)> {
    demux::init();
    let codec = encoder::find(Id::MJPEG)
        .ok_or_else(|| Fault::Output.error("this system's libav has no JPEG encoder, which --serve needs"))?;
    let mut encoder = codec::Context::new_with_codec(codec).encoder().video()?;
    encoder.set_width(width);
    encoder.set_height(height);
    encoder.set_format(Pixel::YUVJ420P);
    encoder.set_time_base(Rational(1, 25));
    encoder.set_flags(codec::Flags::QSCALE);
    encoder.set_global_quality(QUANTISER * ffi::FF_QP2LAMBDA);
    // Several threads would hold pictures back.
    encoder.set_threading(threading::Config::count(1));
    let encoder = encoder.open().blame(Fault::Output, || "cannot start the JPEG encoder")?;
    let mut picture = Video::new(Pixel::YUVJ420P, width, height);
    // SAFETY: the picture is ours, and this is a plain number in it: the lowest quantiser it may use.
    unsafe { (*picture.as_mut_ptr()).quality = QUANTISER * ffi::FF_QP2LAMBDA };
    Ok((encoder, picture))
}

fn fill(picture: &mut Video, image: &Yuv420) {
    let strides = [0, 1, 2].map(|plane| picture.stride(plane));
    let recolor = Recolor::new(image.color);
    let [blue, red] = &image.chroma;
    if recolor == Recolor::NOTHING {
        for (index, plane) in [&image.luma, blue, red].into_iter().enumerate() {
            for (out, row) in picture.data_mut(index).chunks_mut(strides[index]).zip(rows(plane)) {
                out[..row.len()].copy_from_slice(row);
            }
        }
        return;
    }
    for (y, row) in rows(&image.luma).enumerate() {
        let chroma = |plane: &Plane, x: usize| plane.data()[y / 2 * plane.width() + x / 2];
        let out = &mut picture.data_mut(0)[y * strides[0]..][..row.len()];
        for (x, (out, &luma)) in out.iter_mut().zip(row).enumerate() {
            *out = recolor.luma(luma, chroma(blue, x), chroma(red, x));
        }
    }
    for (index, weights) in [(1, recolor.blue), (2, recolor.red)] {
        for (y, (blue, red)) in rows(blue).zip(rows(red)).enumerate() {
            let out = &mut picture.data_mut(index)[y * strides[index]..][..blue.len()];
            for ((out, &blue), &red) in out.iter_mut().zip(blue).zip(red) {
                *out = Recolor::chroma(weights, blue, red);
            }
        }
    }
}

fn rows(plane: &Plane) -> impl Iterator<Item = &[u8]> {
    plane.data().chunks_exact(plane.width().max(1))
}

/// The way from one set of YCbCr numbers to JPEG's, as weights of luma, blue and red difference.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Recolor {
    offset: i32,
    gain: i32,
    /// What the differences add to luma.
    cross: [i32; 2],
    blue: [i32; 2],
    red: [i32; 2],
}

impl Recolor {
    const NOTHING: Self =
        Self { offset: 0, gain: 1 << BITS, cross: [0, 0], blue: [1 << BITS, 0], red: [0, 1 << BITS] };

    fn new(tags: ColorTags) -> Self {
        let (kr, kb) = tags.luma_weights();
        let (to_red, to_blue) = ColorTags::JPEG.luma_weights();
        let (offset, gain, scale) =
            if tags.full_range { (0, 1.0, 1.0) } else { (16, 255.0 / 219.0, 255.0 / 224.0) };
        let kg = 1.0 - kr - kb;
        // Blue, red and green less luma, as multiples of the two differences.
        let blue = 2.0 * (1.0 - kb) * scale;
        let red = 2.0 * (1.0 - kr) * scale;
        let green = [-kb / kg * blue, -kr / kg * red];
        let to_green = 1.0 - to_red - to_blue;
        let cross = [to_blue * blue + to_green * green[0], to_red * red + to_green * green[1]];
        let fixed = |v: f32| (v * (1 << BITS) as f32).round() as i32;
        let (per_blue, per_red) = (2.0 * (1.0 - to_blue), 2.0 * (1.0 - to_red));
        Self {
            offset,
            gain: fixed(gain),
            cross: cross.map(fixed),
            blue: [(blue - cross[0]) / per_blue, -cross[1] / per_blue].map(fixed),
            red: [-cross[0] / per_red, (red - cross[1]) / per_red].map(fixed),
        }
    }

    fn luma(&self, y: u8, cb: u8, cr: u8) -> u8 {
        let differences = Self::sum(self.cross, cb, cr);
        byte((i32::from(y) - self.offset) * self.gain + differences)
    }

    fn chroma(weights: [i32; 2], cb: u8, cr: u8) -> u8 {
        byte((128 << BITS) + Self::sum(weights, cb, cr))
    }

    fn sum([a, b]: [i32; 2], cb: u8, cr: u8) -> i32 {
        a * (i32::from(cb) - 128) + b * (i32::from(cr) - 128)
    }
}

fn byte(v: i32) -> u8 {
    ((v + (1 << (BITS - 1))) >> BITS).clamp(0, 255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(size: (usize, usize), [y, cb, cr]: [u8; 3], color: ColorTags) -> Yuv420 {
        let mut image = Yuv420 { color, ..Yuv420::default() };
        image.resize(size.0, size.1);
        image.luma.data_mut().fill(y);
        image.chroma[0].data_mut().fill(cb);
        image.chroma[1].data_mut().fill(cr);
        image
    }

    #[test]
    fn jpegs_own_colours_stay_and_others_get_its_numbers() {
        assert_eq!(Recolor::new(ColorTags::JPEG), Recolor::NOTHING);
        let limited = Recolor::new(ColorTags { matrix: 1, ..ColorTags::UNSPECIFIED });
        // White, black and red of BT.709.
        assert_eq!(limited.luma(235, 128, 128), 255);
        assert_eq!(limited.luma(16, 128, 128), 0);
        let [y, cb, cr] = [63, 102, 240];
        let red = [
            limited.luma(y, cb, cr),
            Recolor::chroma(limited.blue, cb, cr),
            Recolor::chroma(limited.red, cb, cr),
        ];
        for (found, expected) in red.into_iter().zip([76_u8, 85, 255]) {
            assert!(found.abs_diff(expected) <= 1, "{red:?}");
        }
    }

    #[test]
    fn a_picture_is_a_jpeg_of_its_colour_and_size() {
        let mut encoder = JpegEncoder::default();
        let limited = ColorTags { matrix: 1, ..ColorTags::UNSPECIFIED };
        for (size, numbers, tags) in [
            ((64, 48), [76, 85, 255], ColorTags::JPEG),
            ((33, 17), [63, 102, 240], limited),
            ((64, 48), [63, 102, 240], limited),
        ] {
            let jpeg = encoder.encode(&flat(size, numbers, tags)).unwrap();
            let read = image::load_from_memory(&jpeg).unwrap().to_rgb8();
            assert_eq!(read.dimensions(), (size.0 as u32, size.1 as u32));
            let [r, g, b] = read.get_pixel(8, 8).0;
            assert!(r > 245 && g < 10 && b < 10, "{r} {g} {b}");
        }
    }
}
