//! Pictures as JPEG, by libav's encoder.

use anyhow::Result;
use facemark::Plane;
use ffmpeg_next::codec::{self, Id, threading};
use ffmpeg_next::format::Pixel;
use ffmpeg_next::frame::Video;
use ffmpeg_next::{Packet, Rational, encoder, ffi};

use crate::av::demux;
use crate::color::ToJpeg;
use crate::error::{Blame, Fault};
use crate::frame::Yuv420;

/// Quantiser, 1 (best) to 31: hardly visible losses at a tenth of a byte per pixel.
const QUANTISER: i32 = 4;

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
        // SAFETY: the picture is ours. This gives it new memory in case the encoder still reads the old.
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
    // Several threads would delay pictures.
    encoder.set_threading(threading::Config::count(1));
    let encoder = encoder.open().blame(Fault::Output, || "cannot start the JPEG encoder")?;
    let mut picture = Video::new(Pixel::YUVJ420P, width, height);
    // SAFETY: the picture is ours, and this is a plain number in it: the lowest quantiser it may use.
    unsafe { (*picture.as_mut_ptr()).quality = QUANTISER * ffi::FF_QP2LAMBDA };
    Ok((encoder, picture))
}

fn fill(picture: &mut Video, image: &Yuv420) {
    let strides = [0, 1, 2].map(|plane| picture.stride(plane));
    let [blue, red] = &image.chroma;
    let Some(to_jpeg) = ToJpeg::new(image.color) else {
        for (index, plane) in [&image.luma, blue, red].into_iter().enumerate() {
            for (out, row) in picture.data_mut(index).chunks_mut(strides[index]).zip(rows(plane)) {
                out[..row.len()].copy_from_slice(row);
            }
        }
        return;
    };
    for (y, row) in rows(&image.luma).enumerate() {
        let chroma = |plane: &Plane, x: usize| plane.data()[y / 2 * plane.width() + x / 2];
        let out = &mut picture.data_mut(0)[y * strides[0]..][..row.len()];
        for (x, (out, &luma)) in out.iter_mut().zip(row).enumerate() {
            *out = to_jpeg.luma(luma, chroma(blue, x), chroma(red, x));
        }
    }
    for which in 0..2 {
        let stride = strides[1 + which];
        for (y, (blue, red)) in rows(blue).zip(rows(red)).enumerate() {
            let out = &mut picture.data_mut(1 + which)[y * stride..][..blue.len()];
            for ((out, &blue), &red) in out.iter_mut().zip(blue).zip(red) {
                *out = to_jpeg.chroma(which, blue, red);
            }
        }
    }
}

fn rows(plane: &Plane) -> impl Iterator<Item = &[u8]> {
    plane.data().chunks_exact(plane.width().max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::ColorTags;

    #[test]
    fn a_picture_is_a_jpeg_of_its_colour_and_size() {
        let mut encoder = JpegEncoder::default();
        let limited = ColorTags { matrix: 1, ..ColorTags::UNSPECIFIED };
        for (size, numbers, tags) in [
            ((64, 48), [76, 85, 255], ColorTags::JPEG),
            ((33, 17), [63, 102, 240], limited),
            ((64, 48), [63, 102, 240], limited),
        ] {
            let jpeg = encoder.encode(&Yuv420::flat(size, numbers, tags)).unwrap();
            let read = image::load_from_memory(&jpeg).unwrap().to_rgb8();
            assert_eq!(read.dimensions(), (size.0 as u32, size.1 as u32));
            let [r, g, b] = read.get_pixel(8, 8).0;
            assert!(r > 245 && g < 10 && b < 10, "{r} {g} {b}");
        }
    }
}
