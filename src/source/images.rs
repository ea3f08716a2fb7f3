//! Picture files as frames, one each.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Result;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader};

use super::whole::{is_animated, is_cut_short};
use super::{Source, SourceInfo};
use crate::av::foreign;
use crate::color::from_rgb;
use crate::error::{Blame, Fault};
use crate::frame::{ColorTags, Frame, MediaTime, Stage, Yuv420};

/// The extensions of the formats that can be read.
const ENDINGS: [&str; 10] = ["jpg", "jpeg", "jfif", "png", "apng", "webp", "bmp", "tif", "tiff", "gif"];
/// The supported picture formats, for messages.
pub const KINDS: &str = "JPEG, PNG, WebP, BMP, TIFF or GIF";
/// Pictures have no time stamps; 25 of them count as a second.
const TIME_BASE: (i32, i32) = (1, 25);

/// Picture files. A frame's index is the position of its file in the list, so broken pictures leave a gap.
pub struct ImagesSource {
    info: SourceInfo,
    next: usize,
    broken: usize,
}

impl ImagesSource {
    /// Takes the files in the given order. They are opened later, one by one.
    ///
    /// # Errors
    /// [`Fault::Input`] if there are no files.
    pub fn open(files: Vec<PathBuf>) -> Result<Self> {
        let Some(first) = files.first() else {
            return Err(Fault::Input.error("no pictures are given; name some"));
        };
        let size = files.iter().find_map(|file| upright_size(file).ok()).unwrap_or_default();
        let mut info = SourceInfo::empty(first);
        info.stills = true;
        info.frames = Some(files.len() as u64);
        info.size = size;
        info.time_base = TIME_BASE;
        info.frame_rate = Some((TIME_BASE.1, TIME_BASE.0));
        info.color = ColorTags::JPEG;
        info.range_stated = true;
        info.files = files;
        Ok(Self { info, next: 0, broken: 0 })
    }

    /// The verdict at the end.
    fn verdict(&self) -> Result<bool> {
        let (broken, all) = (self.broken, self.info.files.len());
        if broken == 0 {
            return Ok(false);
        }
        let message = format!("{broken} of {all} pictures could not be read; the warnings name them");
        Err(if broken == all { Fault::Input } else { Fault::EndedEarly }.error(message))
    }
}

impl Source for ImagesSource {
    fn next(&mut self, frame: &mut Frame) -> Result<bool> {
        loop {
            let Some(file) = self.info.files.get(self.next) else { return self.verdict() };
            let index = self.next as u64;
            self.next += 1;
            let start = Instant::now();
            match read(file, &mut frame.image) {
                Ok(()) => {
                    frame.index = index;
                    frame.time = MediaTime { ticks: index as i64, base: TIME_BASE };
                    frame.captured = Instant::now();
                    frame.timing.clear();
                    frame.timing.since(Stage::Decode, start);
                    return Ok(true);
                }
                Err(error) => {
                    log::warn!("{error:#}; skipped");
                    self.broken += 1;
                }
            }
        }
    }

    fn info(&self) -> &SourceInfo {
        &self.info
    }
}

/// Whether the name has a picture extension and is not a folder. For pictures in unsupported formats, the error on
/// opening says how to convert them.
pub fn is_picture(path: &Path) -> bool {
    let ending = path.extension().unwrap_or_default().to_ascii_lowercase();
    ENDINGS.iter().chain(&foreign::ENDINGS).any(|known| ending == *known) && !path.is_dir()
}

/// Whether the file is an animated GIF, which counts as a video unless it is among pictures.
pub fn is_moving_gif(path: &Path) -> bool {
    let ending = path.extension().unwrap_or_default();
    ending.eq_ignore_ascii_case("gif") && path.is_file() && is_animated(path, ImageFormat::Gif)
}

/// The format and its decoder, chosen by the file's content, since extensions can be wrong.
fn decoder(file: &Path) -> Result<(impl ImageDecoder, Option<ImageFormat>)> {
    let cannot = || format!("cannot read {} as a picture", file.display());
    // Opening a pipe would block.
    if fs::metadata(file).is_ok_and(|found| !found.is_file()) {
        return Err(Fault::Input.error(format!("{} is not a plain file", file.display())));
    }
    let reader = ImageReader::open(file).blame(Fault::Input, || format!("cannot open {}", file.display()))?;
    if let Some(told) = foreign::told(file) {
        return Err(Fault::Input.error(told));
    }
    let reader = reader.with_guessed_format().blame(Fault::Input, cannot)?;
    let format = reader.format();
    Ok((reader.into_decoder().blame(Fault::Input, cannot)?, format))
}

fn upright_size(file: &Path) -> Result<(usize, usize)> {
    use image::metadata::Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
    let (mut decoder, _) = decoder(file)?;
    let (width, height) = decoder.dimensions();
    let (width, height) = (width as usize, height as usize);
    Ok(match decoder.orientation()? {
        Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH => (height, width),
        _ => (width, height),
    })
}

/// Reads a picture into `image` and turns it upright according to its EXIF data.
fn read(file: &Path, image: &mut Yuv420) -> Result<()> {
    let cannot = || format!("cannot read {} as a picture", file.display());
    let (mut decoder, format) = decoder(file)?;
    if format == Some(ImageFormat::Jpeg) && is_cut_short(file).blame(Fault::Input, cannot)? {
        let message = "the file is cut short, its end is missing; copy it again";
        return Err(Fault::Input.error(message)).blame(Fault::Input, cannot);
    }
    if format.is_some_and(|format| is_animated(file, format)) {
        log::warn!("{} is animated; only its first picture is annotated", file.display());
    }
    let orientation = decoder.orientation().blame(Fault::Input, cannot)?;
    let mut picture = DynamicImage::from_decoder(decoder).blame(Fault::Input, cannot)?;
    picture.apply_orientation(orientation);
    from_rgb(&picture.into_rgb8(), image).blame(Fault::Input, cannot)
}
