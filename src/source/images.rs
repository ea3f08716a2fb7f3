//! Picture files as frames, one each.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Result;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, RgbImage};

use super::whole::{is_animated, is_cut_short};
use super::{Source, SourceInfo};
use crate::av::foreign;
use crate::error::{Blame, Fault};
use crate::frame::{ColorTags, Frame, MediaTime, Stage, Yuv420};

/// The endings of the formats that can be read.
const ENDINGS: [&str; 10] = ["jpg", "jpeg", "jfif", "png", "apng", "webp", "bmp", "tif", "tiff", "gif"];
/// What pictures can be, for messages.
pub const KINDS: &str = "JPEG, PNG, WebP, BMP, TIFF or GIF";
/// Pictures have no time; 25 of them count as a second.
const TIME_BASE: (i32, i32) = (1, 25);

/// Picture files. A frame's index is the position of its file in the list, so broken pictures leave a gap.
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
            match read(file) {
                Ok(picture) => {
                    from_rgb(&picture, &mut frame.image);
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

/// Whether the name has a picture's ending and is no folder's. Of pictures that are not read, opening tells how to convert
/// them.
pub fn is_picture(path: &Path) -> bool {
    let ending = path.extension().unwrap_or_default().to_ascii_lowercase();
    ENDINGS.iter().chain(&foreign::ENDINGS).any(|known| ending == *known) && !path.is_dir()
}

/// Whether the file is a GIF picture that moves, which is a video unless it lies among pictures.
pub fn is_moving_gif(path: &Path) -> bool {
    let ending = path.extension().unwrap_or_default();
    ending.eq_ignore_ascii_case("gif") && path.is_file() && is_animated(path, ImageFormat::Gif)
}

/// The decoder by the file's content, since endings lie, and the format.
fn decoder(file: &Path) -> Result<(impl ImageDecoder, Option<ImageFormat>)> {
    let cannot = || format!("cannot read {} as a picture", file.display());
    // A pipe would block on opening.
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

/// Reads a picture and turns it upright as its EXIF data says.
fn read(file: &Path) -> Result<RgbImage> {
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
    Ok(picture.into_rgb8())
}

/// Converts to the colours of JPEG files: full range, BT.601; each chroma sample is the mean of up to four pixels.
fn from_rgb(picture: &RgbImage, image: &mut Yuv420) {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    image.resize(width, height);
    image.color = ColorTags::JPEG;
    let pixels = picture.as_raw();
    for (luma, pixel) in image.luma.data_mut().iter_mut().zip(pixels.chunks_exact(3)) {
        *luma = weigh(pixel, [19_595, 38_470, 7_471], 0);
    }
    let [blue, red] = &mut image.chroma;
    for y in 0..blue.height() {
        for x in 0..blue.width() {
            let mean = mean_2x2(pixels, (width, height), (2 * x, 2 * y));
            blue.data_mut()[y * width.div_ceil(2) + x] = weigh(&mean, [-11_059, -21_709, 32_768], 128);
            red.data_mut()[y * width.div_ceil(2) + x] = weigh(&mean, [32_768, -27_439, -5_329], 128);
        }
    }
}

/// A weighted sum of red, green and blue, weights in units of 1/65536, rounded.
fn weigh(rgb: &[u8], weights: [i32; 3], offset: i32) -> u8 {
    let sum: i32 = rgb.iter().zip(weights).map(|(&sample, weight)| i32::from(sample) * weight).sum();
    ((sum + (offset << 16) + (1 << 15)) >> 16).clamp(0, 255) as u8
}

fn mean_2x2(pixels: &[u8], (width, height): (usize, usize), (left, top): (usize, usize)) -> [u8; 3] {
    let (right, bottom) = ((left + 1).min(width - 1), (top + 1).min(height - 1));
    let corners = [(left, top), (right, top), (left, bottom), (right, bottom)];
    std::array::from_fn(|channel| {
        let sum: u32 = corners.iter().map(|(x, y)| u32::from(pixels[(y * width + x) * 3 + channel])).sum();
        ((sum + 2) / 4) as u8
    })
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    fn converted(picture: &RgbImage) -> Yuv420 {
        let mut image = Yuv420::default();
        from_rgb(picture, &mut image);
        image
    }

    #[test]
    fn primary_colours_become_their_jfif_numbers() {
        // JFIF 1.02, page 4.
        let cases = [
            ([255, 255, 255], [255, 128, 128]),
            ([0, 0, 0], [0, 128, 128]),
            ([255, 0, 0], [76, 85, 255]),
            ([0, 255, 0], [150, 44, 21]),
            ([0, 0, 255], [29, 255, 107]),
        ];
        for (rgb, yuv) in cases {
            let image = converted(&RgbImage::from_pixel(2, 2, Rgb(rgb)));
            assert_eq!(
                [image.luma.data()[0], image.chroma[0].data()[0], image.chroma[1].data()[0]],
                yuv,
                "{rgb:?}"
            );
        }
    }

    #[test]
    fn odd_sizes_keep_their_last_column_and_row() {
        let mut picture = RgbImage::from_pixel(3, 3, Rgb([0, 0, 0]));
        picture.put_pixel(2, 2, Rgb([0, 0, 255]));
        let image = converted(&picture);
        assert_eq!(image.size(), (3, 3));
        assert_eq!(image.luma.data()[8], 29);
        assert_eq!(image.chroma[0].data(), [128, 128, 128, 255]);
    }
}
