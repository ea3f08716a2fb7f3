//! One picture on its way through the program: the video's own planes, its time, and what it cost so far.

use std::time::{Duration, Instant};

use facemark::{Face, Plane};

/// A presentation time in exact ticks of the stream's own time base.
///
/// Floating-point seconds would not survive the trip from input to output unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MediaTime {
    /// Number of ticks since the film began. Can be negative.
    pub ticks: i64,
    /// Length of one tick in seconds as a fraction, numerator and denominator, both positive.
    pub base: (i32, i32),
}

impl MediaTime {
    /// The time in seconds.
    pub fn seconds(self) -> f64 {
        self.ticks as f64 * f64::from(self.base.0) / f64::from(self.base.1)
    }
}

/// How numbers in the planes become colours: code points of ITU-T H.273, which libav uses as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ColorTags {
    /// True: luma 0–255 ("full", "JPEG"). False: luma 16–235 ("limited", "MPEG").
    pub full_range: bool,
    /// Colour primaries; 2 means unspecified.
    pub primaries: u8,
    /// Transfer characteristics; 2 means unspecified.
    pub transfer: u8,
    /// Matrix coefficients; 2 means unspecified.
    pub matrix: u8,
}

impl ColorTags {
    /// What a JPEG file holds: full range with the BT.601 matrix (JFIF 1.02).
    pub const JPEG: Self = Self { full_range: true, primaries: 2, transfer: 2, matrix: 5 };

    /// Video without any tags: limited range, everything unspecified.
    pub const UNSPECIFIED: Self = Self { full_range: false, primaries: 2, transfer: 2, matrix: 2 };
}

/// An upright picture as 8-bit planes Y, Cb, Cr; the chroma planes have half the size, rounded up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Yuv420 {
    /// Luma; its size is the picture's size.
    pub luma: Plane,
    /// Blue difference, then red difference.
    pub chroma: [Plane; 2],
    /// Range and matrix of the numbers above.
    pub color: ColorTags,
}

impl Default for Yuv420 {
    fn default() -> Self {
        Self { luma: Plane::default(), chroma: Default::default(), color: ColorTags::UNSPECIFIED }
    }
}

impl Yuv420 {
    /// A picture of one colour, for tests.
    #[cfg(test)]
    pub(crate) fn flat((width, height): (usize, usize), [y, cb, cr]: [u8; 3], color: ColorTags) -> Self {
        let mut image = Self { color, ..Self::default() };
        image.resize(width, height);
        image.luma.data_mut().fill(y);
        image.chroma[0].data_mut().fill(cb);
        image.chroma[1].data_mut().fill(cr);
        image
    }

    /// Width and height in pixels.
    pub fn size(&self) -> (usize, usize) {
        (self.luma.width(), self.luma.height())
    }

    /// Resizes the picture, reusing the planes' memory. The samples' values are unspecified afterwards.
    pub fn resize(&mut self, width: usize, height: usize) {
        self.luma.resize(width, height);
        for plane in &mut self.chroma {
            plane.resize(width.div_ceil(2), height.div_ceil(2));
        }
    }

    /// Becomes a copy of `other`, reusing the planes' memory.
    pub fn copy_from(&mut self, other: &Self) {
        self.color = other.color;
        self.luma.copy_from(&other.luma);
        for (plane, other) in self.chroma.iter_mut().zip(&other.chroma) {
            plane.copy_from(other);
        }
    }
}

/// The timed steps of a frame's path, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Reading, decoding and conversion to upright 4:2:0 planes.
    Decode,
    /// Face detection; not in every frame.
    Detect,
    /// Cutting the net's inputs out of the picture.
    Crop,
    /// The landmark net, all faces together.
    Infer,
    /// The detector's second look at each face, to check that it is still there.
    Confirm,
    /// Smoothing.
    Smooth,
    /// Everything between a decoded frame and its faces, the five above included.
    Track,
    /// Drawing the overlay.
    Draw,
    /// Encoding and writing the video.
    Encode,
    /// From the frame's capture until its landmarks were delivered.
    Data,
    /// From the frame's capture until its picture was handed to the display.
    Display,
}

impl Stage {
    /// All stages, in order.
    pub const ALL: [Self; 11] = [
        Self::Decode,
        Self::Detect,
        Self::Crop,
        Self::Infer,
        Self::Confirm,
        Self::Smooth,
        Self::Track,
        Self::Draw,
        Self::Encode,
        Self::Data,
        Self::Display,
    ];

    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Decode => "decode",
            Self::Detect => "detect",
            Self::Crop => "crop",
            Self::Infer => "infer",
            Self::Confirm => "confirm",
            Self::Smooth => "smooth",
            Self::Track => "track",
            Self::Draw => "draw",
            Self::Encode => "encode",
            Self::Data => "to data",
            Self::Display => "to display",
        }
    }

    /// Whether this is the time since the capture and not work of its own.
    pub fn is_latency(self) -> bool {
        matches!(self, Self::Data | Self::Display)
    }
}

impl From<facemark::Stage> for Stage {
    fn from(stage: facemark::Stage) -> Self {
        match stage {
            facemark::Stage::Detect => Self::Detect,
            facemark::Stage::Crop => Self::Crop,
            facemark::Stage::Infer => Self::Infer,
            facemark::Stage::Confirm => Self::Confirm,
            facemark::Stage::Smooth => Self::Smooth,
        }
    }
}

/// For a frame with hundreds of faces, not every run of a stage is kept, only the sum.
const MAX_SPANS: usize = 256;

/// How long each stage took for one frame, and when it ran. A stage that did not run has no entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    sums: [Option<Duration>; Stage::ALL.len()],
    spans: Vec<Span>,
}

/// One run of a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Which stage.
    pub stage: Stage,
    /// When it began.
    pub start: Instant,
    /// How long it took.
    pub length: Duration,
}

impl Timing {
    /// Adds the time from `start` to now to the stage's: a stage can run several times, once per face.
    pub fn since(&mut self, stage: Stage, start: Instant) {
        self.add(Span { stage, start, length: start.elapsed() });
    }

    /// Adds the times that the tracker reports for its own stages.
    pub fn add_tracker(&mut self, timing: &facemark::Timing) {
        for &facemark::Span { stage, start, length } in timing.spans() {
            self.add(Span { stage: stage.into(), start, length });
        }
    }

    /// Adds a run of a stage.
    pub fn add(&mut self, span: Span) {
        let sum = &mut self.sums[span.stage as usize];
        *sum = Some(sum.unwrap_or_default() + span.length);
        if self.spans.len() < MAX_SPANS {
            self.spans.push(span);
        }
    }

    /// The stage's time, or `None` where it did not run.
    pub fn get(&self, stage: Stage) -> Option<Duration> {
        self.sums[stage as usize]
    }

    /// Every run of every stage, in the order in which they ended.
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// Becomes a copy of `other`, reusing the memory.
    pub fn copy_from(&mut self, other: &Self) {
        self.sums = other.sums;
        self.spans.clone_from(&other.spans);
    }

    /// Clears everything, keeping the memory.
    pub fn clear(&mut self) {
        self.sums = Default::default();
        self.spans.clear();
    }

    /// Runs `work` and adds its time to the stage.
    pub fn measure<T>(&mut self, stage: Stage, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = work();
        self.since(stage, start);
        result
    }
}

/// Which rows of a picture were captured first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fields {
    /// None: the whole picture was captured at once.
    #[default]
    Progressive,
    /// Rows 0, 2, 4 and so on; the others later, so that what moves has combs.
    TopFirst,
    /// Rows 1, 3, 5 and so on.
    BottomFirst,
}

/// A decoded picture. It owns its pixels; the owner of the frame can change them.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Position in the input, from 0. Dropped frames leave a gap.
    pub index: u64,
    /// When to show it.
    pub time: MediaTime,
    /// How long to show it, in ticks of its time; 0 if unknown.
    pub length: i64,
    /// When it became available, on the monotonic clock. Latencies count from here.
    pub captured: Instant,
    /// The upright picture.
    pub image: Yuv420,
    /// Whether it is interlaced.
    pub fields: Fields,
    /// Its closed captions: CEA-608/708 triplets as in ATSC A/53, Part 4; mostly none.
    pub captions: Vec<u8>,
    /// What it has cost so far.
    pub timing: Timing,
    /// Whether the search for faces was skipped: its faces are those of the last frame that was searched.
    pub held: bool,
}

impl Frame {
    /// A frame without a picture, for a source to fill.
    pub fn empty() -> Self {
        Self {
            index: 0,
            time: MediaTime { ticks: 0, base: (1, 1) },
            length: 0,
            captured: Instant::now(),
            image: Yuv420::default(),
            fields: Fields::default(),
            captions: Vec::new(),
            timing: Timing::default(),
            held: false,
        }
    }

    /// Becomes a copy of `other`, reusing the planes' memory.
    pub fn copy_from(&mut self, other: &Self) {
        let Self { index, time, length, captured, image, fields, captions, timing, held } = other;
        (self.index, self.time, self.length) = (*index, *time, *length);
        (self.captured, self.held, self.fields) = (*captured, *held, *fields);
        self.captions.clone_from(captions);
        self.timing.copy_from(timing);
        self.image.copy_from(image);
    }
}

/// A frame with its faces; no face is an empty list.
#[derive(Debug)]
pub struct Tracked {
    /// The picture they were found in.
    pub frame: Frame,
    /// The faces in order of their IDs.
    pub faces: Vec<Face>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_sizes_round_chroma_up() {
        let mut image = Yuv420::default();
        image.resize(641, 361);
        assert_eq!((image.chroma[0].width(), image.chroma[1].height()), (321, 181));
        assert_eq!(image.chroma[0].data().len(), 321 * 181);
    }

    #[test]
    fn time_is_exact_in_ticks() {
        let time = MediaTime { ticks: 1001, base: (1, 30_000) };
        assert!((time.seconds() - 0.033_366_666).abs() < 1e-6);
    }

    #[test]
    fn a_stage_adds_up_and_a_stage_not_run_is_none() {
        let mut timing = Timing::default();
        for ms in [2, 3] {
            let length = Duration::from_millis(ms);
            timing.add(Span { stage: Stage::Infer, start: Instant::now(), length });
        }
        assert_eq!(timing.get(Stage::Infer), Some(Duration::from_millis(5)));
        assert_eq!(timing.get(Stage::Detect), None);
        let spans: Vec<_> = timing.spans().iter().map(|span| (span.stage, span.length.as_millis())).collect();
        assert_eq!(spans, [(Stage::Infer, 2), (Stage::Infer, 3)]);
    }
}
