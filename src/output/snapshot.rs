//! A single picture as a PNG file, and names for files that are saved during a run.

use std::path::PathBuf;

use anyhow::Result;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};
use jiff::Zoned;

use super::partial::write_whole;
use super::target::FileTarget;

/// `facemark-DATE-TIME.ENDING` in the working folder, with the time in milliseconds.
pub fn name(ending: &str) -> PathBuf {
    format!("facemark-{}.{ending}", Zoned::now().strftime("%Y%m%d-%H%M%S-%3f")).into()
}

/// Writes pixels `0x00RRGGBB`, `width` per row, as a PNG file that gets its final name once it is complete.
///
/// # Errors
/// [`Fault::Output`](crate::error::Fault::Output) if it cannot be written.
pub fn write_png(target: &FileTarget, pixels: &[u32], width: usize) -> Result<()> {
    let bytes: Vec<u8> = pixels.iter().flat_map(|pixel| pixel.to_be_bytes().into_iter().skip(1)).collect();
    let rows = pixels.len() / width.max(1);
    write_whole(target, |out| {
        let encoder = PngEncoder::new_with_quality(out, CompressionType::Fast, FilterType::Sub);
        Ok(encoder.write_image(&bytes, width as u32, rows as u32, ExtendedColorType::Rgb8)?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Fault;

    #[test]
    fn a_picture_comes_back_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        let target = FileTarget::new(&path, &[], false).unwrap();
        write_png(&target, &[0xFF_00_00, 0x00_FF_00, 0x00_00_FF, 0x12_34_56], 2).unwrap();
        let read = image::open(&path).unwrap().to_rgb8();
        assert_eq!(read.dimensions(), (2, 2));
        assert_eq!(read.into_raw(), [255, 0, 0, 0, 255, 0, 0, 0, 255, 0x12, 0x34, 0x56]);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        std::fs::remove_dir_all(folder.path()).unwrap();
        assert_eq!(Fault::of(&write_png(&target, &[0], 1).unwrap_err()), Fault::Output);
    }

    #[test]
    fn names_have_the_time_and_the_ending() {
        let name = name("mp4").to_string_lossy().into_owned();
        assert!(name.starts_with("facemark-20") && name.ends_with(".mp4"), "{name}");
        assert_eq!(name.len(), "facemark-20260101-120000-123.mp4".len());
    }
}
