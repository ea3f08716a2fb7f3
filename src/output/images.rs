//! Annotated copies of pictures, under their own names in another folder.

use std::collections::HashSet;
use std::fs;
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::slice;
use std::time::Instant;

use anyhow::Result;
use image::codecs::jpeg::JpegEncoder;
use image::{ImageFormat, RgbImage};

use super::partial::write_whole;
use super::sink::{End, Sink};
use super::target::FileTarget;
use crate::color::to_rgb;
use crate::error::{Blame, Fault};
use crate::frame::{Stage, Tracked};

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

/// Writes the picture in the format that `name` ends in.
fn encode(picture: &RgbImage, name: &Path, out: &mut (impl Write + Seek)) -> Result<()> {
    if ImageFormat::from_path(name)? == ImageFormat::Jpeg {
        picture.write_with_encoder(JpegEncoder::new_with_quality(out, JPEG_QUALITY))?;
    } else {
        picture.write_to(out, ImageFormat::Png)?;
    }
    Ok(())
}
