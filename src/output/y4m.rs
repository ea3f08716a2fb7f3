//! Raw video in the YUV4MPEG2 format, for other programs: a line of text, then the planes of each picture.

use anyhow::Result;

use super::data::DataFile;
use super::sink::{End, Sink};
use super::target::Target;
use crate::error::Fault;
use crate::frame::{Fields, Tracked, Yuv420};
use crate::info::SourceInfo;

/// The most repeats that fill a gap: a long outage of the source is not worth gigabytes.
const MOST_REPEATS: i64 = 300;
/// Pictures per second if the source does not say.
const RATE: (i32, i32) = (30, 1);

/// Writes pictures at a constant rate. The format has no time stamps: if a frame is late or was dropped, the previous
/// one is repeated, so that the video does not run fast. No frame is left out.
pub struct Y4m {
    out: DataFile,
    info: SourceInfo,
    rate: (i32, i32),
    /// The size of the pictures, once there is one.
    size: Option<(usize, usize)>,
    /// The last picture as written, for repeats.
    last: Vec<u8>,
    /// The time of the first frame in seconds, and how many pictures have been written.
    first: Option<f64>,
    written: i64,
}

impl Y4m {
    /// Opens the output.
    ///
    /// # Errors
    /// [`Fault::Output`] if it cannot be created, [`Fault::Usage`] for pictures that are not a video.
    pub fn create(target: &Target, info: SourceInfo) -> Result<Self> {
        if info.stills {
            return Err(Fault::Usage.error("single pictures make no yuv4mpeg video; name a folder with -o"));
        }
        Ok(Self {
            out: DataFile::create(target)?,
            rate: info.frame_rate.filter(|&(n, d)| n > 0 && d > 0).unwrap_or(RATE),
            info,
            size: None,
            last: Vec::new(),
            first: None,
            written: 0,
        })
    }

    /// How often the last picture is repeated before one that is due `seconds` after the first.
    fn repeats(&self, seconds: f64) -> i64 {
        let due = (seconds * f64::from(self.rate.0) / f64::from(self.rate.1)).round() as i64;
        if self.written == 0 { 0 } else { due.saturating_sub(self.written).clamp(0, MOST_REPEATS) }
    }
}

impl Sink for Y4m {
    fn write(&mut self, tracked: &mut Tracked) -> Result<()> {
        let image = &tracked.frame.image;
        match self.size.replace(image.size()) {
            None => self.out.put(header(image, &self.info, self.rate).as_bytes())?,
            Some(was) if was != image.size() => {
                let is = image.size();
                let message = format!("a frame of {is:?} pixels came into a video of {was:?}");
                return Err(Fault::Output.error(message));
            }
            Some(_) => {}
        }
        let seconds = tracked.frame.time.seconds();
        let first = *self.first.get_or_insert(seconds);
        let repeats = self.repeats(seconds - first);
        for _ in 0..repeats {
            self.out.put(&self.last)?;
        }
        self.last.clear();
        self.last.extend(b"FRAME\n");
        for plane in [&image.luma, &image.chroma[0], &image.chroma[1]] {
            self.last.extend_from_slice(plane.data());
        }
        self.out.put(&self.last)?;
        self.written += repeats + 1;
        Ok(())
    }

    fn finish(&mut self, end: End) -> Result<()> {
        self.out.finish(end)
    }
}

/// The first line. Range and chroma position are given in the extensions that FFmpeg and mpv read.
fn header(image: &Yuv420, info: &SourceInfo, rate: (i32, i32)) -> String {
    let (width, height) = image.size();
    let aspect = info.pixel_aspect.map_or("0:0".to_owned(), |(x, y)| format!("{x}:{y}"));
    let (chroma, range) = if image.color.full_range { ("420jpeg", "FULL") } else { ("420mpeg2", "LIMITED") };
    let order = match info.fields {
        Fields::Progressive => 'p',
        Fields::TopFirst => 't',
        Fields::BottomFirst => 'b',
    };
    format!(
        "YUV4MPEG2 W{width} H{height} F{}:{} I{order} A{aspect} C{chroma} XYSCSS={} XCOLORRANGE={range}\n",
        rate.0,
        rate.1,
        chroma.to_uppercase(),
    )
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::frame::{ColorTags, Frame, MediaTime};

    fn tracked(value: u8, ticks: i64) -> Tracked {
        let mut frame = Frame::empty();
        frame.image.resize(3, 1);
        frame.image.luma.data_mut().fill(value);
        frame.image.chroma[0].data_mut().fill(value + 1);
        frame.image.chroma[1].data_mut().fill(value + 2);
        frame.time = MediaTime { ticks, base: (1, 1000) };
        Tracked { frame, faces: Vec::new() }
    }

    fn written(frames: &[(u8, i64)], info: SourceInfo) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.y4m");
        let mut y4m = Y4m::create(&Target::new(&path, &[], false).unwrap(), info).unwrap();
        for &(value, ticks) in frames {
            y4m.write(&mut tracked(value, ticks)).unwrap();
        }
        y4m.finish(End::Complete).unwrap();
        std::fs::read(path).unwrap()
    }

    fn info() -> SourceInfo {
        SourceInfo { size: (3, 1), frame_rate: Some((25, 1)), ..SourceInfo::empty(Path::new("x")) }
    }

    #[test]
    fn the_bytes_are_a_line_and_the_planes() {
        let bytes = written(&[(10, 0), (20, 40)], SourceInfo { pixel_aspect: Some((16, 15)), ..info() });
        let mut expected =
            b"YUV4MPEG2 W3 H1 F25:1 Ip A16:15 C420mpeg2 XYSCSS=420MPEG2 XCOLORRANGE=LIMITED\n".to_vec();
        expected.extend(b"FRAME\n\x0a\x0a\x0a\x0b\x0b\x0c\x0cFRAME\n\x14\x14\x14\x15\x15\x16\x16");
        assert_eq!(bytes, expected);
    }

    #[test]
    fn gaps_are_filled_and_early_frames_are_kept() {
        let values = |frames: &[(u8, i64)]| {
            let bytes = written(frames, info());
            let body = bytes.iter().position(|&b| b == b'\n').unwrap() + 1;
            bytes[body..].chunks_exact(13).map(|frame| frame[6]).collect::<Vec<_>>()
        };
        // Frames 0, 1, 4, and then one that arrives too early for its slot.
        assert_eq!(values(&[(1, 5000), (2, 5040), (3, 5160), (4, 5165)]), [1, 2, 2, 2, 3, 4]);
        assert_eq!(values(&[(1, 0), (2, i64::MAX / 2000)]).len(), 2 + MOST_REPEATS as usize);
    }

    #[test]
    fn full_range_is_said() {
        let mut image = Yuv420 { color: ColorTags::JPEG, ..Yuv420::default() };
        image.resize(4, 2);
        let line = header(&image, &info(), (30_000, 1001));
        assert_eq!(line, "YUV4MPEG2 W4 H2 F30000:1001 Ip A0:0 C420jpeg XYSCSS=420JPEG XCOLORRANGE=FULL\n");
    }
}
