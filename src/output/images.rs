//! Annotated copies of pictures, under their own names in another folder.

use std::collections::HashSet;
use std::fs;
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::slice;
use std::time::Instant;

use anyhow::Result;
use image::codecs::jpeg::JpegEncoder;
use image::{ImageFormat, Rgb, RgbImage};

use super::partial::write_whole;
use super::sink::{End, Sink};
use super::target::FileTarget;
use crate::error::{Blame, Fault};
use crate::frame::{Stage, Tracked, Yuv420};

/// High enough that thin lines keep clean edges.
const JPEG_QUALITY: u8 = 95;

/// Writes each picture into a folder, in the format of its own name's ending.
pub struct ImagesSink {
    /// By the frames' indices.
    targets: Vec<FileTarget>,
}

impl ImagesSink {
    /// Makes the folder if it is not there, and checks the name that each of the `files` will have in it.
    ///
    /// # Errors
    /// [`Fault::Output`] if the folder cannot be made, and as [`FileTarget::new`]; [`Fault::Usage`] if two pictures have
    /// the same name, or the folder is a file.
    pub fn check(folder: &Path, files: &[PathBuf], overwrite: bool) -> Result<Vec<FileTarget>> {
        if folder.is_file() {
            let message = format!("{} is a file; pictures need a folder for -o", folder.display());
            return Err(Fault::Usage.error(message));
        }
        fs::create_dir_all(folder)
            .blame(Fault::Output, || format!("cannot make the folder {}", folder.display()))?;
        let mut names = HashSet::new();
        let check = |file: &PathBuf| {
            let path = folder.join(file.file_name().unwrap_or_default());
            if !names.insert(path.clone()) {
                let message = format!("two pictures would become {}; annotate them apart", path.display());
                return Err(Fault::Usage.error(message));
            }
            FileTarget::new(&path, slice::from_ref(file), overwrite)
        };
        files.iter().map(check).collect()
    }

    /// Pictures under these names, one for each file of the source.
    pub fn new(targets: Vec<FileTarget>) -> Self {
        Self { targets }
    }

    fn save(&self, tracked: &Tracked) -> Result<()> {
        let index = usize::try_from(tracked.frame.index).unwrap_or(usize::MAX);
        let target = self.targets.get(index);
        let target = target.ok_or_else(|| Fault::Failure.error("there are more pictures than files"))?;
        let picture = to_rgb(&tracked.frame.image);
        write_whole(target, |out| encode(&picture, target.path(), out))
    }
}

impl Sink for ImagesSink {
    fn write(&mut self, tracked: &mut Tracked) -> Result<()> {
        let start = Instant::now();
        let result = self.save(tracked);
        tracked.frame.timing.since(Stage::Encode, start);
        result
    }

    fn finish(&mut self, _: End) -> Result<()> {
        Ok(())
    }
}

/// Writes the picture in the format that `name` ends in.
fn encode(picture: &RgbImage, name: &Path, out: &mut (impl Write + Seek)) -> Result<()> {
    if ImageFormat::from_path(name)? == ImageFormat::Jpeg {
        picture.write_with_encoder(JpegEncoder::new_with_quality(out, JPEG_QUALITY))?;
    } else {
        picture.write_to(out, ImageFormat::Png)?;
    }
    Ok(())
}

/// From the colours of JPEG files, full range and BT.601, to RGB (JFIF 1.02, page 4).
fn to_rgb(image: &Yuv420) -> RgbImage {
    let (width, height) = image.size();
    let [blue, red] = &image.chroma;
    RgbImage::from_fn(width as u32, height as u32, |x, y| {
        let (x, y) = (x as usize, y as usize);
        let chroma = y / 2 * blue.width() + x / 2;
        let luma = f32::from(image.luma.data()[y * width + x]);
        let (cb, cr) = (f32::from(blue.data()[chroma]) - 128.0, f32::from(red.data()[chroma]) - 128.0);
        let rgb = [luma + 1.402 * cr, luma - 0.344_14 * cb - 0.714_14 * cr, luma + 1.772 * cb];
        Rgb(rgb.map(|v| v.round().clamp(0.0, 255.0) as u8))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::ColorTags;

    #[test]
    fn jfif_numbers_become_their_colours() {
        for (yuv, rgb) in
            [([255, 128, 128], [255, 255, 255]), ([76, 85, 255], [254, 0, 0]), ([29, 255, 107], [0, 0, 254])]
        {
            let mut image = Yuv420 { color: ColorTags::JPEG, ..Yuv420::default() };
            image.resize(3, 1);
            image.luma.data_mut().fill(yuv[0]);
            image.chroma[0].data_mut().fill(yuv[1]);
            image.chroma[1].data_mut().fill(yuv[2]);
            let pixel = to_rgb(&image).get_pixel(2, 0).0;
            assert!(pixel.iter().zip(rgb).all(|(a, b)| a.abs_diff(b) <= 1), "{pixel:?} is not {rgb:?}");
        }
    }
}
