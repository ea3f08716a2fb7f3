//! A table as OpenFace 2's `FeatureExtraction` writes it, for programs that read that.

use anyhow::Result;
use facemark::Face;
use facemark::face::{Pose, Scheme};

use super::csv::Table;
use super::sink::{End, Sink};
use super::target::Target;
use crate::frame::Tracked;

/// Which groups of columns are written, beside those that every table has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Columns {
    /// `pose_Rx,pose_Ry,pose_Rz`, in radians.
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
        if columns.pose {
            header.extend(["pose_Rx", "pose_Ry", "pose_Rz"].map(str::to_owned));
        }
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
        if self.columns.pose {
            let measures = face.and_then(|face| face.measures.as_ref());
            let angles = measures
                .map_or([0.0; 3], |&facemark::Measures { pose: Pose { pitch, yaw, roll }, .. }| {
                    [pitch, yaw, roll]
                });
            row.extend(angles.map(|angle| format!("{angle:.3}")));
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
