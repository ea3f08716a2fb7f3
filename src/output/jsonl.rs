//! One line of JSON per frame.

use std::collections::BTreeMap;

use anyhow::Result;
use facemark::Face;
use facemark::face::{BLENDSHAPES, Gaze, Measures, Place, Pose};
use facemark::geometry::{Point, bounds};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::data::DataFile;
use super::sink::{End, Sink};
use super::target::Target;
use crate::error::{Blame, Fault};
use crate::frame::Tracked;
use crate::info::SourceInfo;

/// Writes `{"file":…,"frame":…,"time":…,"faces":[{"id":…,"score":…,"box":[x,y,w,h],"points":[[x,y],…]}]}`
/// per frame. Coordinates are 0-based pixels of the upright picture, pixel centres on integers. With measures a face
/// also has `"pose":{"pitch":…,"yaw":…,"roll":…}` in degrees, `"eyes":[left,right]`, `"blink":…` and `"mouth":…`,
/// `"head":{"fov":…,"x":…,"y":…,"z":…,"pitch":…,"yaw":…,"roll":…}`, where it is in millimetres and how it is turned in the
/// camera's axes, seen by a camera with the horizontal field of view `"fov"` in degrees, and, if the model gives them,
/// `"gaze":{"left":[x,y,z],"right":[x,y,z],"in_head":[[x,y,z],[x,y,z]],"closed":[…,…]}` and
/// `"blendshapes":{name:share,…}`. If it gives depths and expected errors, a face has
/// `"depths":[z,…]` and `"sigma":[…]`, in pixels.
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
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    depths: Vec<f64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    sigma: Vec<f64>,
    #[serde(flatten)]
    measures: Option<LineMeasures>,
    #[serde(default, skip_serializing_if = "Blendshapes::is_empty")]
    blendshapes: Blendshapes,
}

/// An object of names and shares, in their order.
#[derive(Default)]
struct Blendshapes(Vec<(&'static str, f64)>);

impl Blendshapes {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Blendshapes {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().copied())
    }
}

impl<'de> Deserialize<'de> for Blendshapes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let shares = BTreeMap::<String, f64>::deserialize(deserializer)?;
        Ok(Self(BLENDSHAPES.iter().filter_map(|&name| Some((name, *shares.get(name)?))).collect()))
    }
}

/// See [`Measures`]; angles are in degrees.
#[derive(Serialize, Deserialize)]
struct LineMeasures {
    pose: LinePose,
    eyes: [f64; 2],
    blink: bool,
    mouth: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    head: Option<LineHead>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gaze: Option<LineGaze>,
}

/// See [`Place`].
#[derive(Serialize, Deserialize)]
struct LineHead {
    fov: f64,
    x: f64,
    y: f64,
    z: f64,
    #[serde(flatten)]
    rotation: LinePose,
}

/// See [`Gaze`].
#[derive(Serialize, Deserialize)]
struct LineGaze {
    left: [f64; 3],
    right: [f64; 3],
    in_head: [[f64; 3]; 2],
    closed: [bool; 2],
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
            depths: face.more.depths.iter().copied().map(hundredths).collect(),
            sigma: face.more.sigmas.iter().copied().map(hundredths).collect(),
            measures: face.measures.as_ref().map(LineMeasures::new),
            blendshapes: Blendshapes(if face.measures.is_some() { shares(face) } else { Vec::new() }),
        }
    }
}

fn shares(face: &Face) -> Vec<(&'static str, f64)> {
    let shares = face.more.blendshapes.iter().map(|&share| round(f64::from(share), 1000.0));
    BLENDSHAPES.into_iter().zip(shares).collect()
}

impl LineMeasures {
    fn new(measures: &Measures) -> Self {
        let thousandths = |v: f32| round(f64::from(v), 1000.0);
        let Measures { pose, eyes, mouth, place, gaze } = *measures;
        let direction = |eye: [f32; 3]| eye.map(|v| round(f64::from(v), 10_000.0));
        Self {
            pose: LinePose::new(pose),
            eyes: eyes.map(thousandths),
            blink: measures.blink(),
            mouth: thousandths(mouth),
            head: place.map(|Place { translation, rotation, camera }| {
                let [x, y, z] = translation.map(|v| round(f64::from(v), 10.0));
                let fov = round(f64::from(camera.fov()).to_degrees(), 100.0);
                LineHead { fov, x, y, z, rotation: LinePose::new(rotation) }
            }),
            gaze: gaze.map(|Gaze { eyes: [left, right], in_head }| LineGaze {
                left: direction(left),
                right: direction(right),
                in_head: in_head.map(direction),
                closed: measures.closed(),
            }),
        }
    }
}

impl LinePose {
    fn new(Pose { pitch, yaw, roll }: Pose) -> Self {
        let [pitch, yaw, roll] = [pitch, yaw, roll].map(|v| round(f64::from(v).to_degrees(), 100.0));
        Self { pitch, yaw, roll }
    }
}

/// Rounds to a multiple of `1 / steps`: more digits would only be noise and make the files larger.
fn round(value: f64, steps: f64) -> f64 {
    (value * steps).round() / steps
}
