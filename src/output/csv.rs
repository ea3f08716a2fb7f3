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
/// one row with `success` 0 and zeros; unlike OpenFace, frames count from 0. With measures, these come before the
/// landmarks: `gaze_0_x … gaze_angle_y` (OpenFace's names and convention) and `closed_0,closed_1` if the model gives
/// irises, `fov` in degrees, `pose_Tx,pose_Ty,pose_Tz` in millimetres and `pose_Rx,pose_Ry,pose_Rz` in radians
/// (OpenFace's again), `eye_left,eye_right,blink,mouth`, and the blendshapes if the model gives them. Depths, `z_0…`, and expected errors, `sigma_0…`, come
/// after the landmarks if the model gives them.
/// Times count from the start of the film; if the file's own clock is not 0 there, a last column `start` has its
/// value in seconds.
pub struct Csv {
    table: Table,
    info: SourceInfo,
    scheme: Scheme,
    columns: Columns,
}

/// What is written of each face besides its landmarks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Columns {
    /// Pose, eyes and mouth; the camera's horizontal field of view in degrees.
    pub fov: Option<f32>,
    /// Where the eyes look.
    pub gaze: bool,
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
        Self {
            fov: measures.then_some(tracker.fov()),
            gaze: measures && model.scheme == Scheme::Mesh478,
            blendshapes: measures && model.blendshapes,
            depths: model.depth,
            sigmas: model.sigma,
        }
    }
}

/// The measures' columns.
pub(super) const MEASURES: [&str; 11] = [
    "fov",
    "pose_Tx",
    "pose_Ty",
    "pose_Tz",
    "pose_Rx",
    "pose_Ry",
    "pose_Rz",
    "eye_left",
    "eye_right",
    "blink",
    "mouth",
];
/// The gaze's columns, eye 0 on the picture's left.
pub(super) const GAZE: [&str; 10] = [
    "gaze_0_x",
    "gaze_0_y",
    "gaze_0_z",
    "gaze_1_x",
    "gaze_1_y",
    "gaze_1_z",
    "gaze_angle_x",
    "gaze_angle_y",
    "closed_0",
    "closed_1",
];

impl Csv {
    /// Opens the output.
    ///
    /// # Errors
    /// [`Fault::Output`] if it cannot be written.
    pub fn create(target: &Target, info: SourceInfo, scheme: Scheme, columns: Columns) -> Result<Self> {
        let mut header = vec!["frame", "timestamp", "face_id", "confidence", "success"];
        header.extend(GAZE.iter().filter(|_| columns.gaze));
        header.extend(MEASURES.iter().filter(|_| columns.fov.is_some()));
        header.extend(BLENDSHAPES.iter().filter(|_| columns.blendshapes));
        let mut header: Vec<String> = header.into_iter().map(str::to_owned).collect();
        let column = |axis| (0..scheme.n_points()).map(move |i| format!("{axis}_{i}"));
        header.extend(column("x").chain(column("y")));
        header.extend(column("z").filter(|_| columns.depths));
        header.extend(column("sigma").filter(|_| columns.sigmas));
        header.push("file".to_owned());
        header.extend((info.start != 0.0).then(|| "start".to_owned()));
        Ok(Self { table: Table::create(target, header)?, info, scheme, columns })
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
        let Columns { fov, gaze, blendshapes, depths, sigmas } = self.columns;
        let measures = face.and_then(|face| face.measures.as_ref());
        if gaze {
            row.extend(gazing(measures));
        }
        if let Some(fov) = fov {
            row.extend(measured(measures, fov));
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
fn measured(measures: Option<&Measures>, fov: f32) -> [String; 11] {
    let Some(measures) = measures else { return MEASURES.map(|_| "0".to_owned()) };
    let Measures { pose: Pose { pitch, yaw, roll }, eyes: [left, right], mouth, place, .. } = *measures;
    let [x, y, z] = place.map_or([0.0; 3], |place| place.translation).map(|v| format!("{v:.1}"));
    let [pitch, yaw, roll] = [pitch, yaw, roll].map(|v| format!("{v:.4}"));
    let [left, right, mouth] = [left, right, mouth].map(|v| format!("{v:.3}"));
    let blink = u8::from(measures.blink()).to_string();
    [fov.to_string(), x, y, z, pitch, yaw, roll, left, right, blink, mouth]
}

/// The fields of [`GAZE`].
fn gazing(measures: Option<&Measures>) -> [String; 10] {
    let gaze = measures.and_then(|measures| Some((measures.gaze?, measures.closed())));
    let Some((gaze, closed)) = gaze else { return GAZE.map(|_| "0".to_owned()) };
    let [[a, b, c], [d, e, f]] = gaze.eyes;
    let [right, down] = gaze.angles();
    let [a, b, c, d, e, f, right, down] = [a, b, c, d, e, f, right, down].map(|v| format!("{v:.4}"));
    let [first, second] = closed.map(|closed| u8::from(closed).to_string());
    [a, b, c, d, e, f, right, down, first, second]
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use facemark::face::{Camera, Gaze, More, Place};
    use facemark::geometry::{Point, Region};

    use super::*;
    use crate::frame::Frame;

    #[test]
    fn each_number_of_a_mesh_stands_under_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        let target = Target::new(&path, &[], false).unwrap();
        let columns = Columns { fov: Some(60.0), gaze: true, blendshapes: true, depths: true, sigmas: true };
        let info = SourceInfo::empty(Path::new("cam"));
        let mut csv = Csv::create(&target, info, Scheme::Mesh478, columns).unwrap();
        let rotation = Pose { pitch: 0.0, yaw: 0.1, roll: 0.0 };
        let camera = Camera::with_fov(60_f32.to_radians(), 64, 48);
        let measures = Measures {
            pose: rotation,
            eyes: [0.3, 0.1],
            mouth: 0.25,
            place: Some(Place { translation: [10.0, -20.0, 500.0], rotation, camera }),
            gaze: Some(Gaze { eyes: [[0.0, 0.6, -0.8]; 2], in_head: [[0.0, 0.0, -1.0]; 2] }),
        };
        let face = Face {
            id: 1,
            region: Region { center: Point::new(5.0, 5.0), size: 9.0, angle: 0.0 },
            landmarks: (0..478).map(|i| Point::new(i as f32, 1.0)).collect(),
            more: More {
                depths: (0..478).map(|i| -(i as f32)).collect(),
                sigmas: vec![0.5; 478],
                blendshapes: (0..52).map(|i| i as f32 / 100.0).collect(),
            },
            score: 0.75,
            measures: Some(measures),
        };
        csv.write(&mut Tracked { frame: Frame::empty(), faces: vec![face] }).unwrap();
        csv.write(&mut Tracked { frame: Frame::empty(), faces: Vec::new() }).unwrap();
        csv.finish(End::Complete).unwrap();
        let text = std::fs::read_to_string(path).unwrap();
        let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
        assert!(rows.iter().all(|row| row.len() == rows[0].len()));
        let value = |name: &str| rows[1][rows[0].iter().position(|column| *column == name).unwrap()];
        for (name, expected) in [
            ("gaze_1_y", "0.6000"),
            ("gaze_angle_y", "0.6435"),
            ("closed_0", "0"),
            ("closed_1", "1"),
            ("fov", "60"),
            ("pose_Tz", "500.0"),
            ("pose_Ry", "0.1000"),
            ("eye_left", "0.300"),
            ("browDownRight", "0.020"),
            ("x_477", "477.00"),
            ("z_477", "-477.00"),
            ("sigma_0", "0.50"),
            ("file", "cam"),
        ] {
            assert_eq!(value(name), expected, "{name}");
        }
    }
}
