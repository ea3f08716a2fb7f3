//! JPEG pictures from a camera, decoded to planes without a detour through RGB.

use anyhow::{Context, Result, anyhow};
use ffmpeg_next as ffmpeg;
use ffmpeg_next::codec::{self, Id, threading};
use ffmpeg_next::frame::Video;
use ffmpeg_next::{Packet, decoder};

use crate::av::convert::Converter;
use crate::av::demux;
use crate::av::orient::Orientation;
use crate::frame::{Fields, Yuv420};

/// libav's decoder: it has the tables that cameras leave out.
pub(super) struct JpegDecoder {
    decoder: decoder::Opened,
    picture: Video,
    converter: Converter,
}

impl JpegDecoder {
    /// Opens a decoder that returns each picture immediately.
    ///
    /// # Errors
    /// If this system's libav has no JPEG decoder.
    pub(super) fn open() -> Result<Self> {
        demux::init();
        let codec = decoder::find(Id::MJPEG).context("this system's libav cannot decode JPEG")?;
        let mut context = codec::Context::new_with_codec(codec).decoder();
        context.set_threading(threading::Config::count(1));
        // Otherwise broken parts are filled with grey, and the picture counts as decoded.
        let strict = [("err_detect", "explode")].into_iter().collect();
        let decoder = context.open_as_with(codec, strict)?;
        Ok(Self { decoder, picture: Video::empty(), converter: Converter::default() })
    }

    /// Fills `image` with the JPEG at the start of the buffer, and returns its length.
    ///
    /// # Errors
    /// If it is broken or incomplete.
    pub(super) fn decode(&mut self, buffer: &[u8], image: &mut Yuv420) -> Result<usize> {
        let jpeg = whole(buffer).ok_or_else(|| anyhow!("a JPEG without an end"))?;
        let decoded = self.decoder.send_packet(&Packet::copy(jpeg));
        if let Err(error) = decoded.and_then(|()| self.decoder.receive_frame(&mut self.picture)) {
            self.decoder.flush();
            return Err(match error {
                ffmpeg::Error::Other { errno: ffmpeg::error::EAGAIN } => anyhow!("a JPEG without a picture"),
                error => anyhow!("a broken JPEG ({error})"),
            });
        }
        self.converter.convert(&self.picture, Fields::Progressive, Orientation::default(), image)?;
        Ok(jpeg.len())
    }
}

/// The JPEG at the start of the buffer, up to its own end marker; `None` if it has none. It may be followed by the
/// end of an older, larger one, so the last end marker in the buffer is not reliable. (ITU-T T.81, annex B.)
pub(super) fn whole(buffer: &[u8]) -> Option<&[u8]> {
    let mut at = 2;
    if !buffer.starts_with(&[0xff, 0xd8]) {
        return None;
    }
    loop {
        if *buffer.get(at)? != 0xff {
            return None;
        }
        match *buffer.get(at + 1)? {
            // Fill bytes.
            0xff => at += 1,
            0xd9 => return Some(&buffer[..at + 2]),
            // Another picture begins before the end of this one.
            0xd8 => return None,
            0x01 | 0xd0..=0xd7 => at += 2,
            marker => {
                at += 2 + usize::from(u16::from_be_bytes([*buffer.get(at + 2)?, *buffer.get(at + 3)?]));
                if marker == 0xda {
                    at += coded(buffer.get(at..)?)?;
                }
            }
        }
    }
}

/// Length of the entropy-coded data: up to a marker that is neither a stuffed byte nor a restart.
fn coded(data: &[u8]) -> Option<usize> {
    data.windows(2).position(|pair| pair[0] == 0xff && !matches!(pair[1], 0x00 | 0xd0..=0xd7))
}

#[cfg(test)]
mod tests {
    use image::codecs::jpeg::JpegEncoder;
    use image::{Rgb, RgbImage};

    use super::*;

    /// A ramp at the top, texture below.
    fn picture(width: u32, height: u32, grey: u8) -> Vec<u8> {
        let mut jpeg = Vec::new();
        let picture = RgbImage::from_fn(width, height, |x, y| {
            Rgb([grey + x as u8 + if y < 8 { 0 } else { (x * y % 13) as u8 }; 3])
        });
        JpegEncoder::new_with_quality(&mut jpeg, 90).encode_image(&picture).unwrap();
        jpeg
    }

    #[test]
    fn a_picture_is_decoded_whatever_lies_behind_it() {
        let mut decoder = JpegDecoder::open().unwrap();
        let mut buffer = picture(64, 48, 60);
        let length = buffer.len();
        buffer.extend(&picture(64, 48, 160)[300..]);
        assert_eq!(whole(&buffer).unwrap().len(), length);
        let mut image = Yuv420::default();
        decoder.decode(&buffer, &mut image).unwrap();
        assert_eq!(image.size(), (64, 48));
        assert!(image.luma.data()[0].abs_diff(60) < 3 && image.luma.data()[63].abs_diff(123) < 3);
        assert!(image.color.full_range && image.color.matrix == 5);
    }

    #[test]
    fn what_is_broken_or_not_whole_is_said_and_the_next_picture_is_fine() {
        let mut decoder = JpegDecoder::open().unwrap();
        let mut image = Yuv420::default();
        let good = picture(64, 48, 60);
        let cut = &good[..good.len() / 2];
        assert_eq!(decoder.decode(cut, &mut image).unwrap_err().to_string(), "a JPEG without an end");
        assert!(decoder.decode(&[0; 1000], &mut image).is_err());
        let mut short = good[..good.len() * 9 / 10].to_vec();
        short.extend([0xff, 0xd9]);
        let error = decoder.decode(&short, &mut image).unwrap_err().to_string();
        assert!(error.starts_with("a broken JPEG"), "{error}");
        decoder.decode(&good, &mut image).unwrap();
        assert_eq!(image.size(), (64, 48));
    }
}
