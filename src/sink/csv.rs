//! One wide row per face, under OpenFace's column names.

use std::path::Path;

use anyhow::Result;

use crate::error::{Blame, Fault};
use crate::face::Face;
use crate::scheme::Scheme;
use crate::sink::data::DataFile;
use crate::sink::{End, Sink};
use crate::source::SourceInfo;
use crate::track::Tracked;

/// Writes `frame,timestamp,face_id,confidence,success,x_0…,y_0…,file`. As in OpenFace a frame without a face has
/// one row with `success` 0 and zeros; unlike there, frames count from 0.
pub struct Csv {
    file: DataFile,
    info: SourceInfo,
    scheme: Scheme,
}

impl Csv {
    /// Opens the output, `-` being standard output, and writes the header.
    ///
    /// # Errors
    /// [`Fault::Output`] if it cannot be written.
    pub fn create(path: &Path, info: SourceInfo, scheme: Scheme, overwrite: bool) -> Result<Self> {
        let mut csv = Self { file: DataFile::create(path, overwrite)?, info, scheme };
        let fixed = ["frame", "timestamp", "face_id", "confidence", "success"].map(str::to_owned);
        let column = |axis| (0..scheme.n_points()).map(move |i| format!("{axis}_{i}"));
        csv.row(
            fixed.into_iter().chain(column('x')).chain(column('y')).chain(["file".to_owned()]).collect(),
        )?;
        Ok(csv)
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
        row.extend((0..n_points).map(|i| format!("{:.2}", landmark(i).x)));
        row.extend((0..n_points).map(|i| format!("{:.2}", landmark(i).y)));
        row.push(self.info.file(tracked.frame.index).to_string_lossy().into_owned());
        self.row(row)
    }

    fn row(&mut self, fields: Vec<String>) -> Result<()> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(fields).blame(Fault::Failure, || "turning a face into CSV")?;
        let bytes = writer.into_inner().map_err(|error| error.into_error());
        let bytes = bytes.blame(Fault::Failure, || "turning a face into CSV")?;
        self.file.put(|out| out.write_all(&bytes))
    }
}

impl Sink for Csv {
    fn write(&mut self, tracked: &mut Tracked) -> Result<()> {
        if tracked.faces.is_empty() {
            return self.face(tracked, None);
        }
        tracked.faces.iter().try_for_each(|face| self.face(tracked, Some(face)))
    }

    fn finish(&mut self, _: End) -> Result<()> {
        self.file.finish()
    }
}
