//! The frames in a file of landmarks, JSON lines or CSV.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use csv::{ByteRecord, Reader, ReaderBuilder, WriterBuilder};

use super::ids::Seen;
use crate::error::{Blame, Fault};
use crate::output::jsonl::OwnedLine;

/// A frame.
pub(super) struct Shot {
    /// When it is shown, in seconds.
    pub(super) time: f64,
    pub(super) faces: Vec<Seen>,
    rows: Rows,
}

/// A frame as it is in the file.
enum Rows {
    Json(OwnedLine),
    /// One row per face, or a single one without a face.
    Csv(Vec<ByteRecord>),
}

/// Reads a file's frames.
pub(super) struct Shots {
    path: PathBuf,
    kind: Kind,
}

enum Kind {
    Json(BufReader<File>),
    Csv(Box<Table>),
}

/// A CSV file.
struct Table {
    reader: Reader<File>,
    /// The first line as written, if there is one.
    header: Option<Vec<u8>>,
    /// The columns of x and of y.
    axes: [Vec<usize>; 2],
    /// The first row of the next frame.
    ahead: Option<ByteRecord>,
}

/// The columns that all of our tables begin with.
const FRAME: usize = 0;
const TIME: usize = 1;
const ID: usize = 2;
const SUCCESS: &[u8] = b"success";

impl Shots {
    /// Opens a file, whose name says what it is.
    ///
    /// # Errors
    /// [`Fault::Input`] if it cannot be read.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let cannot = || format!("cannot read {}", path.display());
        let file = File::open(path).blame(Fault::Input, cannot)?;
        let kind = if path.extension().is_some_and(|ending| ending == "csv") {
            Kind::Csv(Box::new(Table::open(file).blame(Fault::Input, cannot)?))
        } else {
            Kind::Json(BufReader::new(file))
        };
        Ok(Self { path: path.to_owned(), kind })
    }

    /// The line before all frames, if the file has one.
    pub(super) fn header(&self) -> Option<&[u8]> {
        match &self.kind {
            Kind::Json(_) => None,
            Kind::Csv(table) => table.header.as_deref(),
        }
    }

    /// The next frame; `None` at the end.
    ///
    /// # Errors
    /// [`Fault::Input`] if the file cannot be read, or was not written by facemark.
    pub(super) fn next(&mut self) -> Result<Option<Shot>> {
        let shot = match &mut self.kind {
            Kind::Json(reader) => json(reader),
            Kind::Csv(table) => table.next(),
        };
        shot.blame(Fault::Input, || format!("{} is not as facemark writes it", self.path.display()))
    }
}

fn json(reader: &mut BufReader<File>) -> Result<Option<Shot>> {
    let mut text = String::new();
    if reader.read_line(&mut text)? == 0 {
        return Ok(None);
    }
    let line: OwnedLine = serde_json::from_str(&text)?;
    let faces = line.faces.iter().map(|face| Seen { id: face.id, bounds: face.bounds }).collect();
    Ok(Some(Shot { time: line.time, faces, rows: Rows::Json(line) }))
}

impl Table {
    fn open(file: File) -> Result<Self> {
        let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(file);
        let mut names = ByteRecord::new();
        let header = reader.read_byte_record(&mut names)?.then(|| to_bytes([&names])).transpose()?;
        ensure!(header.is_none() || names.iter().any(|name| name == SUCCESS), "there is no column 'success'");
        let axis = |axis: &[u8]| {
            let is_ours = |name: &[u8]| {
                name.strip_prefix(axis).is_some_and(|i| !i.is_empty() && i.iter().all(u8::is_ascii_digit))
            };
            names.iter().enumerate().filter(|(_, name)| is_ours(name)).map(|(i, _)| i).collect()
        };
        Ok(Self { header, axes: [axis(b"x_"), axis(b"y_")], reader, ahead: None })
    }

    fn next(&mut self) -> Result<Option<Shot>> {
        let Some(first) = self.ahead.take().map_or_else(|| self.row(), |row| Ok(Some(row)))? else {
            return Ok(None);
        };
        let mut rows = vec![first];
        while let Some(row) = self.row()? {
            if row.get(FRAME) != rows[0].get(FRAME) {
                self.ahead = Some(row);
                break;
            }
            rows.push(row);
        }
        let faces = rows.iter().filter(|row| row.get(ID) != Some(b"0")).map(|row| self.seen(row));
        let faces = faces.collect::<Result<_>>()?;
        Ok(Some(Shot { time: number(&rows[0], TIME)?, faces, rows: Rows::Csv(rows) }))
    }

    fn row(&mut self) -> Result<Option<ByteRecord>> {
        let mut row = ByteRecord::new();
        Ok(self.reader.read_byte_record(&mut row)?.then_some(row))
    }

    fn seen(&self, row: &ByteRecord) -> Result<Seen> {
        let span = |columns: &[usize]| {
            columns.iter().try_fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), &column| {
                let value = number(row, column)?;
                anyhow::Ok((least.min(value), most.max(value)))
            })
        };
        let ((left, right), (top, bottom)) = (span(&self.axes[0])?, span(&self.axes[1])?);
        Ok(Seen { id: number(row, ID)? as u32, bounds: [left, top, right - left, bottom - top] })
    }
}

fn number(row: &ByteRecord, column: usize) -> Result<f64> {
    let field = row.get(column).and_then(|field| std::str::from_utf8(field).ok());
    field.and_then(|field| field.parse().ok()).with_context(|| format!("column {} is no number", column + 1))
}

fn to_bytes<'a>(rows: impl IntoIterator<Item = &'a ByteRecord>) -> Result<Vec<u8>> {
    let mut out = WriterBuilder::new().flexible(true).from_writer(Vec::new());
    rows.into_iter().try_for_each(|row| out.write_byte_record(row))?;
    Ok(out.into_inner()?)
}

impl Shot {
    /// The frame's lines with this number and these IDs of its faces.
    ///
    /// # Errors
    /// Never in practice: what was read can be written.
    pub(super) fn renumbered(&mut self, frame: u64, ids: &[u32]) -> Result<Vec<u8>> {
        match &mut self.rows {
            Rows::Json(line) => {
                line.frame = frame;
                line.faces.iter_mut().zip(ids).for_each(|(face, &id)| face.id = id);
                // As the tracker has them.
                line.faces.sort_by_key(|face| face.id);
                Ok((serde_json::to_string(line)? + "\n").into_bytes())
            }
            Rows::Csv(rows) => {
                let mut renamed: Vec<(u32, ByteRecord)> = rows
                    .iter()
                    .enumerate()
                    .map(|(place, row)| {
                        let id = ids.get(place).copied().unwrap_or(0);
                        let fields = [frame.to_string(), id.to_string()].map(String::into_bytes);
                        let field = |(column, field): (usize, &[u8])| match column {
                            FRAME => fields[0].clone(),
                            ID => fields[1].clone(),
                            _ => field.to_vec(),
                        };
                        (id, row.iter().enumerate().map(field).collect())
                    })
                    .collect();
                renamed.sort_by_key(|(id, _)| *id);
                to_bytes(renamed.iter().map(|(_, row)| row))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shots(name: &str, text: &str) -> Shots {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        Shots::open(&path).unwrap()
    }

    const JSON: &str = concat!(
        r#"{"file":"a.mp4","frame":0,"time":1.5,"start":5.0,"faces":[{"id":1,"score":0.9,"box":[1.0,2.0,3.0,4.0],"#,
        r#""points":[[1.0,2.0],[4.0,6.01]],"pose":{"pitch":1.0,"yaw":2.5,"roll":-3.0},"eyes":[0.3,0.25],"blink":false,"mouth":0.1},"#,
        r#"{"id":2,"score":1.0,"box":[9.0,9.0,1.0,1.0],"points":[[9.0,9.0],[10.0,10.0]]}]}"#,
        "\n"
    );

    #[test]
    fn lines_come_out_as_they_were_but_for_numbers_and_ids() {
        let mut shots = shots("a.jsonl", JSON);
        let mut shot = shots.next().unwrap().unwrap();
        assert_eq!(shot.faces[0], Seen { id: 1, bounds: [1.0, 2.0, 3.0, 4.0] });
        let same = shot.renumbered(0, &[1, 2]).unwrap();
        assert_eq!(String::from_utf8(same).unwrap(), JSON);
        let other = String::from_utf8(shot.renumbered(70, &[8, 3]).unwrap()).unwrap();
        assert!(
            other.contains(r#""frame":70,"#) && other.find(r#""id":3"#) < other.find(r#""id":8"#),
            "{other}"
        );
        assert!(shots.next().unwrap().is_none());
    }

    #[test]
    fn tables_come_out_as_they_were_but_for_numbers_and_ids() {
        let header = "frame,timestamp,face_id,confidence,success,x_0,x_1,y_0,y_1,file\n";
        let rows = "0,0.000000,1,0.900,1,1.00,4.00,2.00,6.00,\"a,b.mp4\"\n0,0.000000,2,0.900,1,7.00,8.00,2.00,6.00,x\n";
        let none = "1,0.040000,0,0.000,0,0.00,0.00,0.00,0.00,x\n";
        let mut shots = shots("a.csv", &format!("{header}{rows}{none}"));
        assert_eq!(shots.header(), Some(header.as_bytes()));
        let mut shot = shots.next().unwrap().unwrap();
        assert_eq!(shot.faces[0], Seen { id: 1, bounds: [1.0, 2.0, 3.0, 4.0] });
        assert_eq!(String::from_utf8(shot.renumbered(0, &[1, 2]).unwrap()).unwrap(), rows);
        let other = String::from_utf8(shot.renumbered(9, &[5, 4]).unwrap()).unwrap();
        assert!(
            other.starts_with("9,0.000000,4,") && other.contains("\n9,0.000000,5,0.900,1,1.00"),
            "{other}"
        );
        let mut shot = shots.next().unwrap().unwrap();
        assert!(shot.faces.is_empty() && shot.time == 0.04);
        assert_eq!(String::from_utf8(shot.renumbered(1, &[]).unwrap()).unwrap(), none);
    }

    #[test]
    fn other_files_are_refused() {
        assert_eq!(Fault::of(&shots("a.jsonl", "{\"a\":1}\n").next().err().unwrap()), Fault::Input);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        std::fs::write(&path, "a,b\n1,2\n").unwrap();
        assert_eq!(Fault::of(&Shots::open(&path).err().unwrap()), Fault::Input);
        assert!(shots("a.csv", "").next().unwrap().is_none());
    }
}
