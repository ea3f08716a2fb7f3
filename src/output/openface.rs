//! A table as OpenFace 2's `FeatureExtraction` writes it, for programs that read that.

use anyhow::Result;
use facemark::Face;
use facemark::face::{Place, Scheme};

use super::csv::{GAZE, MEASURES, Table};
use super::sink::{End, Sink};
use super::target::Target;
use crate::frame::Tracked;

/// Which groups of columns are written, beside those that every table has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Columns {
    /// `gaze_0_x … gaze_1_z`, unit vectors in the camera's axes, and `gaze_angle_x,gaze_angle_y` in radians.
    pub gaze: bool,
    /// `pose_Tx,pose_Ty,pose_Tz` in millimetres and `pose_Rx,pose_Ry,pose_Rz` in radians, both in the camera's axes.
    pub pose: bool,
    /// `x_0…,y_0…`, in pixels.
    pub points: bool,
}

/// Writes `frame,face_id,timestamp,confidence,success`, then the requested groups in OpenFace's order and with its number
/// of decimals. There is one row per frame, for one face, whose ID is 0; frames count from 1, and a frame without a face has
/// zeros.
pub struct OpenFace {
    table: Table,
    scheme: Scheme,
    columns: Columns,
}

impl OpenFace {
    /// Opens the output.
    ///
    /// # Errors
    /// [`Fault::Output`](crate::error::Fault::Output) if it cannot be written.
    pub fn create(target: &Target, scheme: Scheme, columns: Columns) -> Result<Self> {
        let mut header: Vec<String> =
            ["frame", "face_id", "timestamp", "confidence", "success"].map(str::to_owned).into();
        let gaze = GAZE[..8].iter().filter(|_| columns.gaze);
        header
            .extend(gaze.chain(MEASURES[1..7].iter().filter(|_| columns.pose)).map(|&name| name.to_owned()));
        if columns.points {
            let column = |axis| (0..scheme.n_points()).map(move |i| format!("{axis}_{i}"));
            header.extend(column('x').chain(column('y')));
        }
        Ok(Self { table: Table::create(target, header)?, scheme, columns })
    }

    fn fields(&self, tracked: &Tracked) -> Vec<String> {
        let face = tracked.faces.first();
        let mut row = vec![
            (tracked.frame.index + 1).to_string(),
            "0".to_owned(),
            format!("{:.3}", tracked.frame.time.seconds()),
            format!("{:.2}", face.map_or(0.0, |face| face.score)),
            u8::from(face.is_some()).to_string(),
        ];
        let measures = face.and_then(|face| face.measures.as_ref());
        if self.columns.gaze {
            let gaze = measures.and_then(|measures| measures.gaze);
            let directions = gaze.map_or([[0.0; 3]; 2], |gaze| gaze.eyes);
            row.extend(directions.as_flattened().iter().map(|v| format!("{v:.6}")));
            row.extend(gaze.map_or([0.0; 2], |gaze| gaze.angles()).map(|v| format!("{v:.3}")));
        }
        if self.columns.pose {
            let (at, turned) = measures.and_then(|measures| measures.place).map_or(
                ([0.0; 3], [0.0; 3]),
                |Place { translation, rotation, .. }| {
                    (translation, [rotation.pitch, rotation.yaw, rotation.roll])
                },
            );
            row.extend(at.map(|v| format!("{v:.1}")));
            row.extend(turned.map(|v| format!("{v:.3}")));
        }
        if self.columns.points {
            let point =
                |i: usize| face.and_then(|face: &Face| face.landmarks.get(i)).copied().unwrap_or_default();
            let indices = 0..self.scheme.n_points();
            row.extend(indices.clone().map(|i| format!("{:.1}", point(i).x)));
            row.extend(indices.map(|i| format!("{:.1}", point(i).y)));
        }
        row
    }
}

impl Sink for OpenFace {
    fn write(&mut self, tracked: &mut Tracked) -> Result<()> {
        if tracked.frame.held {
            return Ok(());
        }
        self.table.row(self.fields(tracked))
    }

    fn finish(&mut self, end: End) -> Result<()> {
        self.table.finish(end)
    }
}
