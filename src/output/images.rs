//! Annotated copies of pictures, under their own names in another folder, or one under a name of its own.

use std::collections::HashSet;
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::slice;
use std::time::Instant;

use anyhow::Result;
use image::codecs::jpeg::JpegEncoder;
use image::{ImageFormat, Rgb, RgbImage};

use super::made::MadeFolder;
use super::partial::write_whole;
use super::sink::{End, Sink};
use super::target::{FileTarget, means_folder};
use crate::error::Fault;
use crate::frame::{Stage, Tracked, Yuv420};

/// The endings of the formats that can be written, and can be read as well.
pub const ENDINGS: [&str; 9] = ["jpg", "jpeg", "jfif", "png", "webp", "bmp", "tif", "tiff", "gif"];
/// High enough that thin lines keep clean edges.
const JPEG_QUALITY: u8 = 95;

/// Writes each picture in the format of its name's ending.
pub struct ImagesSink {
    /// By the frames' indices.
    targets: Vec<FileTarget>,
}

impl ImagesSink {
    /// Checks the name of each picture: of a single one `out`, if that ends as a file's name, and otherwise its own in the
    /// folder `out`, which is made if it is not there.
    ///
    /// # Errors
    /// [`Fault::Output`] if the folder cannot be made, and as [`FileTarget::new`]; [`Fault::Usage`] if two pictures have
    /// the same name, the folder is a file or has a picture's name, or there is no such format.
    pub fn check(
        out: &Path,
        files: &[PathBuf],
        overwrite: bool,
    ) -> Result<(Vec<FileTarget>, Option<MadeFolder>)> {
        if out.extension().is_some() && !means_folder(out) {
            return match files {
                [_] if can_write(out) => Ok((vec![FileTarget::new(out, files, overwrite)?], None)),
                [_] => Err(Fault::Usage.error(format!(
                    "{}: name the picture {}, or a folder with a / at its end",
                    out.display(),
                    ENDINGS.map(|ending| format!(".{ending}")).join(", ")
                ))),
                _ if can_write(out) && !out.is_file() => Err(Fault::Usage.error(format!(
                    "{0} is the name of one picture; for several, name a folder, or {0}/",
                    out.display()
                ))),
                _ => Self::in_folder(out, files, overwrite),
            };
        }
        Self::in_folder(out, files, overwrite)
    }

    fn in_folder(
        folder: &Path,
        files: &[PathBuf],
        overwrite: bool,
    ) -> Result<(Vec<FileTarget>, Option<MadeFolder>)> {
        if folder.is_file() {
            let message = format!("{} is a file; pictures need a folder for -o", folder.display());
            return Err(Fault::Usage.error(message));
        }
        let made = MadeFolder::new(folder)?;
        let mut names = HashSet::new();
        let check = |file: &PathBuf| {
            let path = folder.join(file.file_name().unwrap_or_default());
            if !names.insert(path.clone()) {
                let message = format!("two pictures would become {}; annotate them apart", path.display());
                return Err(Fault::Usage.error(message));
            }
            FileTarget::new(&path, slice::from_ref(file), overwrite)
        };
        Ok((files.iter().map(check).collect::<Result<_>>()?, Some(made)))
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
    match ImageFormat::from_path(name)? {
        ImageFormat::Jpeg => {
            picture.write_with_encoder(JpegEncoder::new_with_quality(out, JPEG_QUALITY))?;
        }
        format => picture.write_to(out, format)?,
    }
    Ok(())
}

/// Whether there is a format of the name's ending.
fn can_write(name: &Path) -> bool {
    let ending = name.extension().unwrap_or_default().to_ascii_lowercase();
    ENDINGS.iter().any(|known| ending == *known)
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
