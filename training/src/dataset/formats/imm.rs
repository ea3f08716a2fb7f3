//! The IMM face database (Nordstrøm, Larsen, Sierakowski, Stegmann: "The IMM Face Database", 2004).
//!
//! 240 photos of 40 people, `NN-Pg.jpg` (person, pose, sex) with an `.asf` beside each: 58 lines of
//! `<path> <type> <x> <y> <point> <from> <to>`, in some files with three more numbers, coordinates relative to the
//! picture's width and height; and the picture's name at the end. `#` starts a comment.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use facemark::geometry::Point;

use crate::dataset::annotation::{Annotation, Place, number};
use crate::dataset::split::Part;

/// Points of a face.
pub const N_POINTS: usize = 58;

/// The bottom middle of the nose, which the nose net finds.
pub const NOSE: usize = 52;

/// People with higher numbers are held out for validation.
const LAST_TRAINED_PERSON: u32 = 32;

/// Reads an `.asf` file.
pub fn read(file: &Path) -> Result<Annotation> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let (points, picture) = parse(file, &text)?;
    let person = person(file)?;
    let is_held_out = person > LAST_TRAINED_PERSON;
    Ok(Annotation {
        mesh: None,
        place: Place::file(file),
        points,
        relative: true,
        picture: file.with_file_name(picture),
        face_box: None,
        identity: format!("person {person}"),
        part: if is_held_out { Part::HeldOut } else { Part::Training },
    })
}

fn parse(file: &Path, text: &str) -> Result<(Vec<Point>, String)> {
    let error = |line: usize, message: String| Place::line(file, line).error(message);
    let mut lines = text
        .lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line.trim()))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let (line, count) = lines.next().ok_or_else(|| Place::file(file).error("it holds no point count"))?;
    if count != N_POINTS.to_string() {
        return Err(error(line, format!("it announces {count:?} points instead of {N_POINTS}")));
    }
    let mut points = Vec::with_capacity(N_POINTS);
    for (line, text) in lines {
        let is_point = text.split_whitespace().count() >= 4;
        match (is_point, points.len()) {
            (false, N_POINTS) => return Ok((points, text.to_owned())),
            (false, n) => return Err(error(line, format!("only {n} of {N_POINTS} points"))),
            (true, N_POINTS) => return Err(error(line, format!("more than {N_POINTS} points"))),
            (true, _) => points.push(point(text).map_err(|e| error(line, format!("{e:#}")))?),
        }
    }
    Err(anyhow!("{}: it ends after {} points without naming its picture", file.display(), points.len()))
}

fn point(line: &str) -> Result<Point> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    ensure!((7..=10).contains(&fields.len()), "{line:?} has {} fields instead of 7 to 10", fields.len());
    Ok(Point::new(number(fields[2])?, number(fields[3])?))
}

/// The person's number, which the file's name begins with.
fn person(file: &Path) -> Result<u32> {
    let name = file.file_stem().unwrap_or_default().to_string_lossy();
    let digits = name.split('-').next().unwrap_or_default();
    digits
        .parse()
        .with_context(|| format!("{}: its name does not begin with a person's number", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asf(n: usize, bad: Option<&str>) -> String {
        let lines = (0..n).map(|i| match bad {
            Some(bad) if i == 2 => bad.to_owned(),
            _ => format!("0\t4\t0.5\t{}\t{i}\t0\t1", i as f32 / 100.0),
        });
        format!(
            "# shape\n\n58\n# points\n{}\n\n# host image\n07-1m.jpg\n",
            lines.collect::<Vec<_>>().join(" \n")
        )
    }

    #[test]
    fn points_are_relative_to_the_picture() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let file = dir.path().join("07-1m.asf");
        fs::write(&file, asf(58, None))?;
        let annotation = read(&file)?;
        assert_eq!((annotation.identity.as_str(), annotation.part), ("person 7", Part::Training));
        assert_eq!(annotation.picture, dir.path().join("07-1m.jpg"));
        assert!(annotation.relative);
        assert_eq!(annotation.points[50], Point::new(0.5, 0.5));
        Ok(())
    }

    #[test]
    fn bad_lines_and_counts_are_named() {
        let cases = [
            (asf(57, None), "a.asf:64: only 57 of 58"),
            (asf(59, None), "a.asf:63: more than 58"),
            (asf(58, Some("0 4 nan 0.5 2 0 1")), "a.asf:7: "),
            (asf(58, Some("0 4 0.5 0.5 2 0")), "a.asf:7: "),
            ("58\n0 4 0.5 0.5 2 0 1\n".to_owned(), "after 1 points"),
            ("12\n".to_owned(), "a.asf:1: it announces \"12\" points"),
        ];
        for (text, part) in cases {
            let message = format!("{:#}", parse(Path::new("a.asf"), &text).expect_err("the text is bad"));
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn people_are_split_not_photos() -> Result<()> {
        let dir = tempfile::tempdir()?;
        for (name, part) in [("32-6m.asf", Part::Training), ("33-1f.asf", Part::HeldOut)] {
            let file = dir.path().join(name);
            fs::write(&file, asf(58, None))?;
            assert_eq!(read(&file)?.part, part);
        }
        assert!(person(Path::new("face.asf")).is_err());
        Ok(())
    }
}
