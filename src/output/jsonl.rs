//! One line of JSON per frame.

use anyhow::Result;
use facemark::Face;
use facemark::face::{Measures, Pose};
use facemark::geometry::{Point, bounds};
use serde::{Deserialize, Serialize};

use super::data::DataFile;
use super::sink::{End, Sink};
use super::target::Target;
use crate::error::{Blame, Fault};
use crate::frame::Tracked;
use crate::info::SourceInfo;

/// Writes `{"file":…,"frame":…,"time":…,"faces":[{"id":…,"score":…,"box":[x,y,w,h],"points":[[x,y],…]}]}`
/// per frame. Coordinates are 0-based pixels of the upright picture, pixel centres on integers. With measures a face
/// also has `"pose":{"pitch":…,"yaw":…,"roll":…}` in degrees, `"eyes":[left,right]`, `"blink":…` and `"mouth":…`.
/// Times count from the start of the film; if the file's own clock is not 0 there, `"start":…` after `time` has its
/// value in seconds.
pub struct Jsonl {
    file: DataFile,
    info: SourceInfo,
}

/// A line, with the text `T` for names.
#[derive(Serialize, Deserialize)]
pub(crate) struct Line<T> {
    file: T,
    pub(crate) frame: u64,
    pub(crate) time: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    start: Option<f64>,
    pub(crate) faces: Vec<LineFace>,
}

/// A line that was read.
pub(crate) type OwnedLine = Line<String>;

/// A face in a line.
#[derive(Serialize, Deserialize)]
pub(crate) struct LineFace {
    pub(crate) id: u32,
    score: f64,
    /// The landmarks' bounding box: left, top, width, height.
    #[serde(rename = "box")]
    pub(crate) bounds: [f64; 4],
    points: Vec<[f64; 2]>,
    #[serde(flatten)]
    measures: Option<LineMeasures>,
}

/// See [`Measures`]; angles are in degrees.
#[derive(Serialize, Deserialize)]
struct LineMeasures {
    pose: LinePose,
    eyes: [f64; 2],
    blink: bool,
    mouth: f64,
}

#[derive(Serialize, Deserialize)]
struct LinePose {
    pitch: f64,
    yaw: f64,
    roll: f64,
}

impl Jsonl {
    /// Opens the output.
    ///
    /// # Errors
    /// [`Fault::Output`] if it cannot be created.
    pub fn create(target: &Target, info: SourceInfo) -> Result<Self> {
        Ok(Self { file: DataFile::create(target)?, info })
    }
}

impl Sink for Jsonl {
    fn write(&mut self, tracked: &mut Tracked) -> Result<()> {
        if tracked.frame.held {
            return Ok(());
        }
        let line = to_line(tracked, &tracked.faces, &self.info)? + "\n";
        self.file.put(line.as_bytes())
    }

    fn finish(&mut self, end: End) -> Result<()> {
        self.file.finish(end)
    }
}

/// The line for a frame with the given faces, without a line break.
pub(crate) fn to_line(tracked: &Tracked, faces: &[Face], info: &SourceInfo) -> Result<String> {
    let frame = &tracked.frame;
    let file = info.file(frame.index).to_string_lossy();
    let time = round(frame.time.seconds(), 1e6);
    let faces = faces.iter().map(LineFace::new).collect();
    let start = (info.start != 0.0).then(|| round(info.start, 1e6));
    let line = Line { file: &*file, frame: frame.index, time, start, faces };
    serde_json::to_string(&line).blame(Fault::Failure, || "turning a frame into JSON")
}

impl LineFace {
    fn new(face: &Face) -> Self {
        let (min, max) = bounds(face.landmarks.iter().copied());
        let hundredths = |v: f32| round(f64::from(v), 100.0);
        Self {
            id: face.id,
            score: round(f64::from(face.score), 1000.0),
            bounds: [min.x, min.y, max.x - min.x, max.y - min.y].map(hundredths),
            points: face.landmarks.iter().map(|&Point { x, y }| [hundredths(x), hundredths(y)]).collect(),
            measures: face.measures.as_ref().map(LineMeasures::new),
        }
    }
}

impl LineMeasures {
    fn new(measures: &Measures) -> Self {
        let degrees = |radians: f32| round(f64::from(radians).to_degrees(), 100.0);
        let thousandths = |v: f32| round(f64::from(v), 1000.0);
        let Measures { pose: Pose { pitch, yaw, roll }, eyes, mouth } = *measures;
        Self {
            pose: LinePose { pitch: degrees(pitch), yaw: degrees(yaw), roll: degrees(roll) },
            eyes: eyes.map(thousandths),
            blink: measures.blink(),
            mouth: thousandths(mouth),
        }
    }
}

/// Rounds to a multiple of `1 / steps`: more digits would only be noise and make the files larger.
fn round(value: f64, steps: f64) -> f64 {
    (value * steps).round() / steps
}
