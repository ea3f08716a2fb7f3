//! The IMM face database (Nordstrøm, Larsen, Sierakowski, Stegmann: "The IMM Face Database", 2004).
//!
//! 240 photos of 40 people, `NN-Pg.jpg` (person, pose, sex) with an `.asf` beside each: 58 lines of
//! `<path> <type> <x> <y> <point> <from> <to>`, in some files with three more numbers, coordinates relative to the
//! picture's width and height; and the picture's name at the end. `#` starts a comment.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use facemark::face::Point;
use facemark::frame::Plane;

use super::{Annotation, number};

const N_POINTS: usize = 58;

/// The bottom middle of the nose, which the nose net finds.
pub const NOSE: usize = 52;

/// People with higher numbers are held out for validation.
const LAST_TRAINED_PERSON: u32 = 32;

/// Reads an `.asf` file. Its points are still relative to the picture; the number is the person's.
pub fn read(file: &Path) -> Result<(Annotation, u32)> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let (points, picture) = parse(&text).with_context(|| format!("{}", file.display()))?;
    let picture = file.with_file_name(picture);
    Ok((Annotation { points, picture }, person(file)?))
}

/// Turns relative points into pixels.
pub fn in_pixels(annotation: Annotation, photo: &Plane) -> Annotation {
    let (w, h) = (photo.width as f32, photo.height as f32);
    let points = annotation.points.into_iter().map(|p| Point::new(p.x * w, p.y * h)).collect();
    Annotation { points, ..annotation }
}

/// Whether a person's photos are held out.
pub fn is_held_out(person: u32) -> bool {
    person > LAST_TRAINED_PERSON
}

fn parse(text: &str) -> Result<(Vec<Point>, String)> {
    let mut lines = text
        .lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line.trim()))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let (number, count) = lines.next().context("it holds no point count")?;
    ensure!(
        count == N_POINTS.to_string(),
        "line {number}: it announces {count:?} points instead of {N_POINTS}"
    );
    let mut points = Vec::with_capacity(N_POINTS);
    for (number, line) in lines {
        if line.split_whitespace().count() < 4 {
            ensure!(points.len() == N_POINTS, "line {number}: only {} of {N_POINTS} points", points.len());
            return Ok((points, line.to_owned()));
        }
        ensure!(points.len() < N_POINTS, "line {number}: more than {N_POINTS} points");
        points.push(point(line).with_context(|| format!("line {number}"))?);
    }
    anyhow::bail!("it ends after {} points without naming its picture", points.len())
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
        let (annotation, person) = read(&file)?;
        assert_eq!(person, 7);
        assert_eq!(annotation.picture, dir.path().join("07-1m.jpg"));
        let photo = Plane { data: Vec::new(), width: 640, height: 480 };
        let points = in_pixels(annotation, &photo).points;
        assert_eq!(points[50], Point::new(320.0, 240.0));
        Ok(())
    }

    #[test]
    fn bad_lines_and_counts_are_named() {
        let cases = [
            (asf(57, None), "only 57 of 58"),
            (asf(59, None), "more than 58"),
            (asf(58, Some("0 4 nan 0.5 2 0 1")), "line 7: "),
            (asf(58, Some("0 4 0.5 0.5 2 0")), "line 7: "),
            ("58\n0 4 0.5 0.5 2 0 1\n".to_owned(), "after 1 points"),
            ("12\n".to_owned(), "\"12\" points"),
        ];
        for (text, part) in cases {
            let message = format!("{:#}", parse(&text).expect_err("the text is bad"));
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn people_are_split_not_photos() -> Result<()> {
        assert!(!is_held_out(person(Path::new("32-6m.asf"))?));
        assert!(is_held_out(person(Path::new("33-1f.asf"))?));
        assert!(person(Path::new("face.asf")).is_err());
        Ok(())
    }
}
