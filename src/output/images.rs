//! Annotated copies of pictures, under the same names in another folder, or a single one under a new name.

use std::collections::HashSet;
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::slice;
use std::time::Instant;

use anyhow::Result;
use image::codecs::jpeg::JpegEncoder;
use image::{ImageFormat, RgbImage};

use super::made::MadeFolder;
use super::partial::write_whole;
use super::sink::{End, Sink};
use super::target::{FileTarget, means_folder};
use crate::color::to_rgb;
use crate::error::Fault;
use crate::frame::{Stage, Tracked};

/// The extensions of the formats that can be both read and written.
pub const ENDINGS: [&str; 9] = ["jpg", "jpeg", "jfif", "png", "webp", "bmp", "tif", "tiff", "gif"];
/// High enough that thin lines keep clean edges.
const JPEG_QUALITY: u8 = 95;

/// Writes each picture in the format that its file extension names.
pub struct ImagesSink {
    /// By frame index.
    targets: Vec<FileTarget>,
}

impl ImagesSink {
    /// Checks the name of each picture: `out` for a single one, if that has a file extension, and otherwise its own
    /// name in the folder `out`, which is created if it does not exist.
    ///
    /// # Errors
    /// [`Fault::Output`] if the folder cannot be created, and as [`FileTarget::new`]; [`Fault::Usage`] if two pictures
    /// have the same name, the folder is a file or has a picture's name, or the format is unknown.
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

    /// A sink for pictures under these names, one for each file of the source.
    pub fn new(targets: Vec<FileTarget>) -> Self {
        Self { targets }
    }

    fn save(&self, tracked: &Tracked) -> Result<()> {
        let index = usize::try_from(tracked.frame.index).unwrap_or(usize::MAX);
        let target = self.targets.get(index);
        let target = target.ok_or_else(|| Fault::Failure.error("there are more pictures than files"))?;
        let picture = to_rgb(&tracked.frame.image)?;
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

/// Writes the picture in the format that the extension of `name` stands for.
fn encode(picture: &RgbImage, name: &Path, out: &mut (impl Write + Seek)) -> Result<()> {
    match ImageFormat::from_path(name)? {
        ImageFormat::Jpeg => {
            picture.write_with_encoder(JpegEncoder::new_with_quality(out, JPEG_QUALITY))?;
        }
        format => picture.write_to(out, format)?,
    }
    Ok(())
}

/// Whether the name's extension is one of a known format.
fn can_write(name: &Path) -> bool {
    let ending = name.extension().unwrap_or_default().to_ascii_lowercase();
    ENDINGS.iter().any(|known| ending == *known)
}
