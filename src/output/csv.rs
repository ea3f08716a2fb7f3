//! One wide row per face, under OpenFace's column names.

use anyhow::Result;
use csv::{ErrorKind, Writer, WriterBuilder};
use facemark::Face;
use facemark::face::{Measures, Pose, Scheme};

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
/// in radians (OpenFace's names and convention) and `eye_left,eye_right,blink,mouth` come before the landmarks.
/// Times count from the start of the film; if the file's own clock is not 0 there, a last column `start` has its
/// value in seconds.
pub struct Csv {
    table: Table,
    info: SourceInfo,
    scheme: Scheme,
    measures: bool,
}

/// The measures' columns.
const MEASURES: [&str; 7] = ["pose_Rx", "pose_Ry", "pose_Rz", "eye_left", "eye_right", "blink", "mouth"];

impl Csv {
    /// Opens the output; `measures` adds the measures' columns.
    ///
    /// # Errors
    /// [`Fault::Output`] if it cannot be written.
    pub fn create(target: &Target, info: SourceInfo, scheme: Scheme, measures: bool) -> Result<Self> {
        let mut header = vec!["frame", "timestamp", "face_id", "confidence", "success"];
        header.extend(MEASURES.iter().filter(|_| measures));
        let mut header: Vec<String> = header.into_iter().map(str::to_owned).collect();
        let column = |axis| (0..scheme.n_points()).map(move |i| format!("{axis}_{i}"));
        header.extend(column('x').chain(column('y')).chain(["file".to_owned()]));
        header.extend((info.start != 0.0).then(|| "start".to_owned()));
        Ok(Self { table: Table::create(target, header)?, info, scheme, measures })
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
        if self.measures {
            row.extend(measures(face.and_then(|face| face.measures.as_ref())));
        }
        row.extend((0..n_points).map(|i| format!("{:.2}", landmark(i).x)));
        row.extend((0..n_points).map(|i| format!("{:.2}", landmark(i).y)));
        row.push(self.info.file(tracked.frame.index).to_string_lossy().into_owned());
        row.extend((self.info.start != 0.0).then(|| format!("{:.6}", self.info.start)));
        self.table.row(row)
    }
}

/// Rows of fields under column names.
pub(super) struct Table {
    out: Writer<DataFile>,
    /// The column names, until the first row: a run that is rejected leaves no output.
    header: Option<Vec<String>>,
}

impl Table {
    pub(super) fn create(target: &Target, header: Vec<String>) -> Result<Self> {
        let out = WriterBuilder::new().buffer_capacity(BUFFER).from_writer(DataFile::create(target)?);
        Ok(Self { out, header: Some(header) })
    }

    /// Writes a row, after the column names if it is the first one.
    pub(super) fn row(&mut self, fields: Vec<String>) -> Result<()> {
        self.begin()?;
        self.put(fields)
    }

    /// Completes the file; without any row, it has only the column names.
    pub(super) fn finish(&mut self, end: End) -> Result<()> {
        self.begin()?;
        self.out.get_ref().finish(end)
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
fn measures(measures: Option<&Measures>) -> [String; 7] {
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

    fn finish(&mut self, end: End) -> Result<()> {
        self.table.finish(end)
    }
}
