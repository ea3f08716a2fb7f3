//! A single picture as a PNG file, and names for what is saved while frames go on.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use anyhow::Result;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};
use jiff::Zoned;

use crate::error::{Blame, Fault};

/// `facemark-DATE-TIME.ENDING`, in the working folder and to the millisecond.
pub fn name(ending: &str) -> PathBuf {
    format!("facemark-{}.{ending}", Zoned::now().strftime("%Y%m%d-%H%M%S-%3f")).into()
}

/// Writes pixels `0x00RRGGBB`, `width` to a row, as a PNG file that appears under its name once it is complete.
///
/// # Errors
/// [`Fault::Output`] if it cannot be written.
pub fn write_png(path: &Path, pixels: &[u32], width: usize) -> Result<()> {
    let cannot = || format!("cannot write {}", path.display());
    let bytes: Vec<u8> = pixels.iter().flat_map(|pixel| pixel.to_be_bytes().into_iter().skip(1)).collect();
    let partial = path.with_extension("png.partial");
    let file = BufWriter::new(File::create(&partial).blame(Fault::Output, cannot)?);
    let rows = pixels.len() / width.max(1);
    let encoder = PngEncoder::new_with_quality(file, CompressionType::Fast, FilterType::Sub);
    let written = encoder.write_image(&bytes, width as u32, rows as u32, ExtendedColorType::Rgb8);
    let named = written.map_err(anyhow::Error::from).and_then(|()| Ok(fs::rename(&partial, path)?));
    if named.is_err() {
        // The failure is told; a broken picture is of no use.
        let _ = fs::remove_file(&partial);
    }
    named.blame(Fault::Output, cannot)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_comes_back_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        write_png(&path, &[0xFF_00_00, 0x00_FF_00, 0x00_00_FF, 0x12_34_56], 2).unwrap();
        let read = image::open(&path).unwrap().to_rgb8();
        assert_eq!(read.dimensions(), (2, 2));
        assert_eq!(read.into_raw(), [255, 0, 0, 0, 255, 0, 0, 0, 255, 0x12, 0x34, 0x56]);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let nowhere = write_png(Path::new("/nowhere/a.png"), &[0], 1).unwrap_err();
        assert_eq!(Fault::of(&nowhere), Fault::Output);
    }

    #[test]
    fn names_have_the_time_and_the_ending() {
        let name = name("mp4").to_string_lossy().into_owned();
        assert!(name.starts_with("facemark-20") && name.ends_with(".mp4"), "{name}");
        assert_eq!(name.len(), "facemark-20260101-120000-123.mp4".len());
    }
}
