//! What picture decoders do not report: whether a JPEG file ends too early, and whether there is more than one picture.

use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read as _};
use std::path::Path;

use image::codecs::gif::GifDecoder;
use image::codecs::png::PngDecoder;
use image::codecs::webp::WebPDecoder;
use image::{AnimationDecoder as _, ImageFormat};

/// Whether a JPEG file ends before its end marker: its decoder fills the missing part with grey.
///
/// # Errors
/// If it cannot be read.
pub(super) fn is_cut_short(file: &Path) -> io::Result<bool> {
    match skip_to_end(&mut BufReader::new(File::open(file)?)) {
        Ok(()) => Ok(false),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(true),
        Err(error) => Err(error),
    }
}

/// Skips from marker to marker (ITU-T T.81, B.1.1) up to the end marker.
fn skip_to_end(file: &mut BufReader<File>) -> io::Result<()> {
    let byte = |file: &mut BufReader<File>| {
        let mut byte = [0];
        file.read_exact(&mut byte).map(|()| byte[0])
    };
    loop {
        file.skip_until(0xFF)?;
        let mut marker = byte(file)?;
        while marker == 0xFF {
            marker = byte(file)?;
        }
        match marker {
            0xD9 => return Ok(()),
            // A stuffed 0xFF sample, and markers without a length.
            0 | 1 | 0xD0..=0xD8 => {}
            // A thumbnail inside a segment has its own end marker.
            _ => {
                let length = u16::from_be_bytes([byte(file)?, byte(file)?]);
                file.seek_relative(i64::from(length.saturating_sub(2)))?;
            }
        }
    }
}

/// Whether the file is an animation; `false` if it cannot be read.
pub(super) fn is_animated(file: &Path, format: ImageFormat) -> bool {
    let open = || File::open(file).map(BufReader::new).ok();
    let is_animated = || match format {
        ImageFormat::Gif => Some(GifDecoder::new(open()?).ok()?.into_frames().take(2).flatten().count() > 1),
        ImageFormat::WebP => Some(WebPDecoder::new(open()?).ok()?.has_animation()),
        ImageFormat::Png => PngDecoder::new(open()?).ok()?.is_apng().ok(),
        _ => None,
    };
    is_animated().unwrap_or(false)
}
