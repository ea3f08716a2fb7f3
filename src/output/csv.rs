//! One wide row per face, under OpenFace's column names.

use anyhow::Result;
use csv::{ErrorKind, Writer, WriterBuilder};
use facemark::face::{BLENDSHAPES, Measures, Pose, Scheme};
use facemark::{Face, Tracker};

use super::data::DataFile;
use super::sink::{End, Sink};
use super::target::Target;
use crate::error::Fault;
use crate::frame::Tracked;
use crate::info::SourceInfo;

/// Larger than any row, so that each row is written in one piece.
const BUFFER: usize = 1 << 16;

/// Writes `frame,timestamp,face_id,confidence,success,x_0…,y_0…,file`. As in OpenFace, a frame without a face has
/// one row with `success` 0 and zeros; unlike OpenFace, frames count from 0. With measures, `pose_Rx,pose_Ry,pose_Rz`
/// in radians (OpenFace's names and convention) and `eye_left,eye_right,blink,mouth` come before the landmarks, and
/// the blendshapes under their own names if the model gives them. Depths, `z_0…`, and expected errors, `sigma_0…`, come
/// after the landmarks if the model gives them.
/// Times count from the start of the film; if the file's own clock is not 0 there, a last column `start` has its
/// value in seconds.
pub struct Csv {
    out: Writer<DataFile>,
    /// The column names, until the first row: a run that is rejected leaves no output.
    header: Option<Vec<String>>,
    info: SourceInfo,
    scheme: Scheme,
    columns: Columns,
}

/// What is written of each face besides its landmarks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Columns {
    /// Pose, eyes and mouth.
    pub measures: bool,
    /// The shares of the blendshapes.
    pub blendshapes: bool,
    /// How far each landmark is behind the face's middle.
    pub depths: bool,
    /// How far off each landmark may be.
    pub sigmas: bool,
}

impl Columns {
    /// What a tracker's faces have.
    pub fn of(tracker: &Tracker) -> Self {
        let (model, measures) = (tracker.model(), tracker.measures());
        let blendshapes = measures && model.blendshapes;
        Self { measures, blendshapes, depths: model.depth, sigmas: model.sigma }
    }
}

/// The measures' columns.
const MEASURES: [&str; 7] = ["pose_Rx", "pose_Ry", "pose_Rz", "eye_left", "eye_right", "blink", "mouth"];

impl Csv {
    /// Opens the output.
    ///
    /// # Errors
    /// [`Fault::Output`] if it cannot be written.
    pub fn create(target: &Target, info: SourceInfo, scheme: Scheme, columns: Columns) -> Result<Self> {
        let out = WriterBuilder::new().buffer_capacity(BUFFER).from_writer(DataFile::create(target)?);
        let mut header = vec!["frame", "timestamp", "face_id", "confidence", "success"];
        header.extend(MEASURES.iter().filter(|_| columns.measures));
        header.extend(BLENDSHAPES.iter().filter(|_| columns.blendshapes));
        let mut header: Vec<String> = header.into_iter().map(str::to_owned).collect();
        let column = |axis| (0..scheme.n_points()).map(move |i| format!("{axis}_{i}"));
        header.extend(column("x").chain(column("y")));
        header.extend(column("z").filter(|_| columns.depths));
        header.extend(column("sigma").filter(|_| columns.sigmas));
        header.push("file".to_owned());
        header.extend((info.start != 0.0).then(|| "start".to_owned()));
        Ok(Self { out, header: Some(header), info, scheme, columns })
    }

    fn face(&mut self, tracked: &Tracked, face: Option<&Face>) -> Result<()> {
        let n_points = self.scheme.n_points();
        let landmark = |i: usize| face.and_then(|face| face.landmarks.get(i)).copied().unwrap_or_default();
        let mut row = vec![
            tracked.frame.index.to_string(),
            format!("{:.6}", tracked.frame.time.seconds()),
            face.map_or(0, |face| face.id).to_string(),
            format!("{:.3}", face.map_or(0.0, |face| face.score)),
            u8::from(face.is_some()).to_string(),
        ];
        let Columns { measures, blendshapes, depths, sigmas } = self.columns;
        if measures {
            row.extend(measured(face.and_then(|face| face.measures.as_ref())));
        }
        let more = face.map(|face| &face.more);
        let list = |wanted: bool, n: usize, values: Option<&Vec<f32>>, digits: usize| {
            let value = |i: usize| values.and_then(|values| values.get(i)).copied().unwrap_or_default();
            (0..if wanted { n } else { 0 }).map(|i| format!("{:.digits$}", value(i))).collect::<Vec<_>>()
        };
        row.extend(list(blendshapes, BLENDSHAPES.len(), more.map(|more| &more.blendshapes), 3));
        row.extend((0..n_points).map(|i| format!("{:.2}", landmark(i).x)));
        row.extend((0..n_points).map(|i| format!("{:.2}", landmark(i).y)));
        row.extend(list(depths, n_points, more.map(|more| &more.depths), 2));
        row.extend(list(sigmas, n_points, more.map(|more| &more.sigmas), 2));
        row.push(self.info.file(tracked.frame.index).to_string_lossy().into_owned());
        row.extend((self.info.start != 0.0).then(|| format!("{:.6}", self.info.start)));
        self.row(row)
    }

    fn row(&mut self, fields: Vec<String>) -> Result<()> {
        self.begin()?;
        self.put(fields)
    }

    /// Writes the header if there is none yet.
    fn begin(&mut self) -> Result<()> {
        self.header.take().map_or(Ok(()), |header| self.put(header))
    }

    fn put(&mut self, fields: Vec<String>) -> Result<()> {
        let written = self.out.write_record(fields).and_then(|()| Ok(self.out.flush()?));
        written.map_err(|error| match error.into_kind() {
            ErrorKind::Io(error) => self.out.get_ref().failure(&error),
            other => Fault::Failure.error(format!("turning a face into CSV: {other:?}")),
        })
    }
}

/// The fields of [`MEASURES`].
fn measured(measures: Option<&Measures>) -> [String; 7] {
    let Some(measures) = measures else { return MEASURES.map(|_| "0".to_owned()) };
    let Measures { pose: Pose { pitch, yaw, roll }, eyes: [left, right], mouth } = *measures;
    let [pitch, yaw, roll] = [pitch, yaw, roll].map(|v| format!("{v:.4}"));
    let [left, right, mouth] = [left, right, mouth].map(|v| format!("{v:.3}"));
    [pitch, yaw, roll, left, right, u8::from(measures.blink()).to_string(), mouth]
}

impl Sink for Csv {
    fn write(&mut self, tracked: &mut Tracked) -> Result<()> {
        if tracked.frame.held {
            return Ok(());
        }
        if tracked.faces.is_empty() {
            return self.face(tracked, None);
        }
        tracked.faces.iter().try_for_each(|face| self.face(tracked, Some(face)))
    }

    fn finish(&mut self, _: End) -> Result<()> {
        self.begin()?;
        self.out.get_ref().finish()
    }
}
