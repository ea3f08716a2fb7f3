//! Annotated copies of pictures, under their own names in another folder.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Result;
use image::codecs::jpeg::JpegEncoder;
use image::{ImageFormat, RgbImage};

use crate::color::to_rgb;
use crate::error::{Blame, Fault};
use crate::frame::{Stage, Tracked};
use crate::output::partial::{Partial, SUFFIX, check_target};
use crate::output::{End, Sink};
use crate::source::SourceInfo;

/// High enough that thin lines keep clean edges.
const JPEG_QUALITY: u8 = 95;

/// Writes each picture into a folder, in the format of its own name's ending.
pub struct ImagesSink {
    folder: PathBuf,
    info: SourceInfo,
}

impl ImagesSink {
    /// Makes the folder if it is not there.
    ///
    /// # Errors
    /// [`Fault::Output`] if the folder cannot be made, or holds one of the names already and nothing may be
    /// overwritten; [`Fault::Usage`] if two pictures have the same name, or would overwrite themselves.
    pub fn create(folder: &Path, info: SourceInfo, overwrite: bool) -> Result<Self> {
        if folder.is_file() {
            let message = format!("{} is a file; pictures need a folder for -o", folder.display());
            return Err(Fault::Usage.error(message));
        }
        fs::create_dir_all(folder)
            .blame(Fault::Output, || format!("cannot make the folder {}", folder.display()))?;
        let mut names = HashSet::new();
        for file in &info.files {
            let target = target(folder, file);
            if !names.insert(target.clone()) {
                let message = format!("two pictures would become {}; annotate them apart", target.display());
                return Err(Fault::Usage.error(message));
            }
            check_target(&target, &[file], overwrite)?;
        }
        Ok(Self { folder: folder.to_owned(), info })
    }

    fn save(&self, tracked: &Tracked) -> Result<()> {
        let target = target(&self.folder, self.info.file(tracked.frame.index));
        let save = || {
            let picture = to_rgb(&tracked.frame.image)?;
            let partial = Partial::create(&target, SUFFIX, &[], true)?;
            let result = encode(&picture, &target, partial.writer()?).and_then(|()| partial.publish());
            if result.is_err() {
                // Half a picture is of no use.
                partial.remove();
            }
            result
        };
        save().blame(Fault::Output, || format!("cannot write {}", target.display()))
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

fn target(folder: &Path, file: &Path) -> PathBuf {
    folder.join(file.file_name().unwrap_or_default())
}

/// Writes the picture to `file` in the format that `target` is named after.
fn encode(picture: &RgbImage, target: &Path, file: File) -> Result<()> {
    let mut out = BufWriter::new(file);
    if ImageFormat::from_path(target)? == ImageFormat::Jpeg {
        picture.write_with_encoder(JpegEncoder::new_with_quality(&mut out, JPEG_QUALITY))?;
    } else {
        picture.write_to(&mut out, ImageFormat::Png)?;
    }
    Ok(out.flush()?)
}
