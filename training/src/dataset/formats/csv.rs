//! A table of our own, for data that comes in no other format.
//!
//! The first line names the columns: `file,x,y,w,h,x0,y0,x1,y1` and so on, two for each of the scheme's points. A line a
//! face: the picture's path below the table's folder, the face's box (left, top, width, height; or four empty fields), and
//! the points; 0-based pixels, pixel centres on integers. 478 points are a mesh's, 68 iBUG's, 58 IMM's, 1 the nose.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use csv::{ReaderBuilder, StringRecord};
use facemark::face::Scheme;
use facemark::geometry::Point;

use crate::dataset::annotation::{Annotation, Place, number};
use crate::dataset::face_box::FaceBox;
use crate::dataset::split::{Part, is_for_testing, photo_name};

/// Columns before the points.
const N_BEFORE: usize = 5;
const HEADER: &str = "file,x,y,w,h,x0,y0";

/// Whether a file's first line is that of such a table.
pub fn is_header(line: &str) -> bool {
    line.trim_start_matches('\u{feff}').starts_with(HEADER)
}

/// Reads a table.
pub fn read(table: &Path) -> Result<Vec<Result<Annotation>>> {
    let unreadable = || format!("cannot read {}", table.display());
    let mut reader = ReaderBuilder::new().flexible(true).from_path(table).with_context(unreadable)?;
    let n_columns = columns(reader.headers().with_context(unreadable)?)
        .map_err(|error| Place::line(table, 1).error(format!("{error:#}")))?;
    let mut faces = Vec::new();
    for record in reader.into_records() {
        let record = record.with_context(unreadable)?;
        let line = record.position().map_or(0, csv::Position::line);
        let place = Place::line(table, line as usize);
        let face = annotation(&record, n_columns, &place);
        faces.push(face.map_err(|error| place.error(format!("{error:#}"))));
    }
    Ok(faces)
}

/// Checks the first line; how many columns there are.
fn columns(header: &StringRecord) -> Result<usize> {
    let names: Vec<&str> = header.iter().map(str::trim).collect();
    let n_points = names.len().saturating_sub(N_BEFORE) / 2;
    let expected: Vec<String> = self::names(n_points).collect();
    if let Some(i) = (0..names.len()).find(|&i| expected.get(i).map(String::as_str) != Some(names[i])) {
        let wanted = expected.get(i).map_or("no more", String::as_str);
        bail!("its column {} is called {:?} instead of {wanted:?}", i + 1, names[i]);
    }
    ensure!(
        Scheme::ALL.iter().any(|scheme| scheme.n_points() == n_points),
        "it has columns for {n_points} points; known are 478 (a mesh), 68 (iBUG), 58 (IMM) and 1 (the nose)"
    );
    Ok(names.len())
}

/// A table of these pictures' points.
pub fn table(faces: &[(PathBuf, Vec<Point>)]) -> Result<Vec<u8>> {
    let n_points = faces.first().map_or(0, |(_, points)| points.len());
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(names(n_points))?;
    for (picture, points) in faces {
        let picture = picture.to_str().with_context(|| format!("{} is not UTF-8", picture.display()))?;
        let no_box = std::iter::repeat_n(String::new(), N_BEFORE - 1);
        let points = points.iter().flat_map(|p| [format!("{:.2}", p.x), format!("{:.2}", p.y)]);
        writer.write_record(std::iter::once(picture.to_owned()).chain(no_box).chain(points))?;
    }
    writer.into_inner().context("cannot write the table")
}

/// The columns of a table for so many points.
fn names(n_points: usize) -> impl Iterator<Item = String> {
    let before = ["file", "x", "y", "w", "h"].map(str::to_owned).into_iter();
    before.chain((0..n_points).flat_map(|i| [format!("x{i}"), format!("y{i}")]))
}

fn annotation(record: &StringRecord, n_columns: usize, place: &Place) -> Result<Annotation> {
    ensure!(record.len() == n_columns, "it has {} fields instead of {n_columns}", record.len());
    let file = Path::new(record[0].trim());
    let numbers =
        |range: std::ops::Range<usize>| range.map(|i| number(&record[i])).collect::<Result<Vec<_>>>();
    let has_box = (1..N_BEFORE).any(|i| !record[i].trim().is_empty());
    let face_box = has_box.then(|| numbers(1..N_BEFORE)).transpose()?;
    let photo = photo_name(file);
    let is_test = is_for_testing(file, false) || is_for_testing(&place.file, true);
    Ok(Annotation {
        mesh: None,
        place: place.clone(),
        points: numbers(N_BEFORE..n_columns)?.chunks_exact(2).map(|xy| Point::new(xy[0], xy[1])).collect(),
        relative: false,
        picture: place.file.with_file_name(file),
        face_box: face_box.map(|b| FaceBox { left: b[0], top: b[1], width: b[2], height: b[3] }),
        part: if is_test { Part::Test } else { Part::of_photo(&photo) },
        identity: file.with_extension("").display().to_string(),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn header(n: usize) -> String {
        let points: String = (0..n).map(|i| format!(",x{i},y{i}")).collect();
        format!("file,x,y,w,h{points}\n")
    }

    #[test]
    fn boxes_may_be_left_out_and_bad_lines_are_named() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let table = dir.path().join("mine.csv");
        let points: String = (0..58).map(|i| format!(",{i}.25,{}", 2 * i)).collect();
        let lines = [
            format!("photos/a.jpg,1,2,30,40{points}"),
            format!("photos/b.jpg,,,,{points}"),
            format!("photos/c.jpg,1,2,30,40{points},7"),
            format!("photos/d.jpg,1,2,thirty,40{points}"),
        ];
        fs::write(&table, header(58) + &lines.join("\n"))?;
        let mut faces = read(&table)?.into_iter();
        let face = faces.next().context("a first face")??;
        assert_eq!(face.points[3], Point::new(3.25, 6.0));
        assert_eq!(face.picture, dir.path().join("photos/a.jpg"));
        assert_eq!(face.face_box, Some(FaceBox { left: 1.0, top: 2.0, width: 30.0, height: 40.0 }));
        assert_eq!(faces.next().context("a second face")??.face_box, None);
        for part in ["mine.csv:4: it has 122 fields", "mine.csv:5: \"thirty\" is not a number"] {
            let error = faces.next().context("another line")?.expect_err("the line is bad");
            assert!(error.to_string().contains(part), "{error}");
        }
        Ok(())
    }

    #[test]
    fn other_columns_are_refused() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let table = dir.path().join("mine.csv");
        for (text, part) in
            [(header(67), "67 points"), (header(68).replace("y9", "z9"), "\"z9\" instead of \"y9\"")]
        {
            fs::write(&table, text)?;
            let message = read(&table).expect_err("the header is bad").to_string();
            assert!(message.contains("mine.csv:1: ") && message.contains(part), "{message}");
        }
        Ok(())
    }
}
