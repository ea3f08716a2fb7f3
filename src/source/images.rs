//! Picture files as frames, one each.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Result;
use image::{DynamicImage, ImageDecoder, ImageReader};

use super::{Source, SourceInfo};
use crate::color::from_rgb;
use crate::error::{Blame, Fault};
use crate::frame::{ColorTags, Frame, MediaTime, Stage, Yuv420};

/// The endings of the formats that can be read.
const ENDINGS: [&str; 3] = ["jpg", "jpeg", "png"];
/// Pictures have no time; 25 of them count as a second.
const TIME_BASE: (i32, i32) = (1, 25);

/// JPEG and PNG files. A frame's index is the position of its file in the list, so broken pictures leave a gap.
pub struct ImagesSource {
    info: SourceInfo,
    next: usize,
    broken: usize,
}

impl ImagesSource {
    /// Takes the files in the given order. They are opened one by one, later.
    ///
    /// # Errors
    /// [`Fault::Input`] when there is no file.
    pub fn open(files: Vec<PathBuf>) -> Result<Self> {
        let Some(first) = files.first() else {
            return Err(Fault::Input.error("no pictures are given; name JPEG or PNG files"));
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

    /// The judgement at the end.
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

/// Whether the name has the ending of a picture that can be read, and is no folder's.
pub fn is_picture(path: &Path) -> bool {
    let ending = path.extension().unwrap_or_default().to_ascii_lowercase();
    ENDINGS.iter().any(|known| ending == *known) && !path.is_dir()
}

/// The pictures in a folder, by name. Other files and folders in it are passed over.
///
/// # Errors
/// [`Fault::Input`] when the folder cannot be read or holds no picture.
pub fn pictures_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let shown = folder.display();
    let entries = fs::read_dir(folder).blame(Fault::Input, || format!("cannot open the folder {shown}"))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.blame(Fault::Input, || format!("cannot read the folder {shown}"))?.path();
        if is_picture(&path) {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(Fault::Input.error(format!("there is no JPEG or PNG picture in {shown}")));
    }
    files.sort();
    Ok(files)
}

fn decoder(file: &Path) -> Result<impl ImageDecoder> {
    let cannot = || format!("cannot read {} as a picture", file.display());
    // A pipe would block on opening.
    if fs::metadata(file).is_ok_and(|found| !found.is_file()) {
        return Err(Fault::Input.error(format!("{} is not a plain file", file.display())));
    }
    let reader = ImageReader::open(file).blame(Fault::Input, || format!("cannot open {}", file.display()))?;
    // By content, since endings lie.
    let reader = reader.with_guessed_format().blame(Fault::Input, cannot)?;
    reader.into_decoder().blame(Fault::Input, cannot)
}

fn upright_size(file: &Path) -> Result<(usize, usize)> {
    use image::metadata::Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
    let mut decoder = decoder(file)?;
    let (width, height) = decoder.dimensions();
    let (width, height) = (width as usize, height as usize);
    Ok(match decoder.orientation()? {
        Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH => (height, width),
        _ => (width, height),
    })
}

/// Reads a picture into `image` and turns it upright as its EXIF data says.
fn read(file: &Path, image: &mut Yuv420) -> Result<()> {
    let cannot = || format!("cannot read {} as a picture", file.display());
    let mut decoder = decoder(file)?;
    let orientation = decoder.orientation().blame(Fault::Input, cannot)?;
    let mut picture = DynamicImage::from_decoder(decoder).blame(Fault::Input, cannot)?;
    picture.apply_orientation(orientation);
    from_rgb(&picture.into_rgb8(), image).blame(Fault::Input, cannot)
}
