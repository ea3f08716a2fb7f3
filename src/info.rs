//! What is known about a source in advance.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::frame::{ColorTags, Fields};

/// What is known about a source before its first frame.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceInfo {
    /// The files behind the frames: one video, or one picture a frame.
    pub files: Vec<PathBuf>,
    /// Pictures that have nothing to do with one another: no tracking from one to the next.
    pub stills: bool,
    /// Faces are looked for in every Nth frame; at least 1.
    pub every: u32,
    /// Width and height of the upright picture; of the first one if they differ.
    pub size: (usize, usize),
    /// The expected number of frames according to the header; an estimate.
    pub frames: Option<u64>,
    /// Length of a tick of the frames' times, in seconds.
    pub time_base: (i32, i32),
    /// What the file's own clock shows, in seconds, where the frames' times are 0.
    pub start: f64,
    /// The time of the first frame in ticks, if only the part of the file from there on is wanted.
    pub begin: Option<i64>,
    /// Where the wanted part of the file ends, in ticks; `None` for the file's own end.
    pub end: Option<i64>,
    /// Nominal frames per second.
    pub frame_rate: Option<(i32, i32)>,
    /// Width to height of one upright pixel, if the source states it.
    pub pixel_aspect: Option<(i32, i32)>,
    /// Whether the video as a whole is interlaced; single frames may differ.
    pub fields: Fields,
    /// The colours of the first frame.
    pub color: ColorTags,
    /// Whether the source itself states the range in `color`.
    pub range_stated: bool,
}

impl SourceInfo {
    /// A file about which nothing is known yet.
    pub(crate) fn empty(path: &Path) -> Self {
        Self {
            files: vec![path.to_owned()],
            stills: false,
            every: 1,
            size: (0, 0),
            frames: None,
            time_base: (1, 25),
            start: 0.0,
            begin: None,
            end: None,
            frame_rate: None,
            pixel_aspect: None,
            fields: Fields::default(),
            color: ColorTags::UNSPECIFIED,
            range_stated: false,
        }
    }

    /// Ticks from one frame to the next at the nominal rate.
    pub fn frame_ticks(&self) -> i64 {
        let ((base_n, base_d), Some((rate_n, rate_d))) = (self.time_base, self.frame_rate) else {
            return 1;
        };
        let ticks = f64::from(rate_d) / f64::from(rate_n) * f64::from(base_d) / f64::from(base_n);
        (ticks.round() as i64).max(1)
    }

    /// The time from one frame to the next at the nominal rate.
    pub fn interval(&self) -> Option<Duration> {
        self.frame_rate.map(|(n, d)| Duration::from_secs_f64(f64::from(d) / f64::from(n.max(1))))
    }

    /// The file that holds a frame.
    pub fn file(&self, index: u64) -> &Path {
        let index = if self.stills { usize::try_from(index).unwrap_or(usize::MAX) } else { 0 };
        self.files.get(index).map_or(Path::new(""), PathBuf::as_path)
    }
}
