//! iBUG's `.pts` files (300-W): 68 points, counted from 1, a picture of the same name beside each.
//!
//! ```text
//! version: 1
//! n_points: 68
//! {
//! 181.363 170.370
//! …
//! }
//! ```

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use facemark::geometry::Point;

use crate::dataset::annotation::{Annotation, Place, number};
use crate::dataset::picture;
use crate::dataset::split::{Part, is_for_testing, photo_name};

/// Points of a face.
pub const N_POINTS: usize = 68;

/// What a file calls the centre of the first pixel: its coordinates begin with 1 at the picture's edge.
///
/// Measured: with 1.0 in its place, a net that is trained on mirrored faces, too, and so cannot learn a shift to one side,
/// answers 0.6 px too far to the left, in photos of all sizes, reduced or not.
const FIRST_PIXEL: f32 = 1.5;

/// Reads a `.pts` file below the folder `data`; its points become 0-based.
pub fn read(data: &Path, file: &Path) -> Result<Annotation> {
    let points = points(file)?;
    let below = file.strip_prefix(data).unwrap_or(file);
    let photo = photo_name(file);
    let part = if is_for_testing(below, false) { Part::Test } else { Part::of_photo(&photo) };
    // Only names with a face's number are the same photo wherever they are: LFPW counts from 1 in each of its folders.
    let is_numbered = file.file_stem().is_some_and(|stem| stem.to_string_lossy() != photo);
    Ok(Annotation {
        mesh: None,
        place: Place::file(file),
        points,
        relative: false,
        picture: picture::beside(file)?,
        face_box: None,
        identity: if is_numbered { photo } else { below.with_extension("").display().to_string() },
        part,
    })
}

/// The points in a file, 0-based.
pub fn points(file: &Path) -> Result<Vec<Point>> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    parse(file, &text)
}

fn parse(file: &Path, text: &str) -> Result<Vec<Point>> {
    let mut points = Vec::with_capacity(N_POINTS);
    let mut inside = false;
    for (index, line) in text.lines().enumerate() {
        match line.trim() {
            "{" => inside = true,
            "}" => inside = false,
            "" => {}
            line if inside => {
                let error = |error| Place::line(file, index + 1).error(format!("{error:#}"));
                points.push(point(line).map_err(error)?);
            }
            _header => {}
        }
    }
    if points.len() != N_POINTS {
        bail!(
            "{}:{}: it has {} points instead of {N_POINTS}",
            file.display(),
            text.lines().count(),
            points.len()
        );
    }
    Ok(points)
}

fn point(line: &str) -> Result<Point> {
    let mut numbers = line.split_whitespace();
    let (Some(x), Some(y), None) = (numbers.next(), numbers.next(), numbers.next()) else {
        bail!("{line:?} is not two coordinates");
    };
    Ok(Point::new(number(x)? - FIRST_PIXEL, number(y)? - FIRST_PIXEL))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pts(lines: impl Iterator<Item = String>) -> String {
        format!("version: 1\nn_points: 68\n{{\n{}\n}}\n", lines.collect::<Vec<_>>().join("\n"))
    }

    #[test]
    fn points_become_zero_based_with_pixel_centres_on_integers() -> Result<()> {
        let points = parse(Path::new("a.pts"), &pts((0..68).map(|i| format!("{}.5 {}", i + 1, 2 * i + 1))))?;
        assert_eq!(points[0], Point::new(0.0, -0.5));
        assert_eq!(points[67], Point::new(67.0, 133.5));
        Ok(())
    }

    #[test]
    fn a_wrong_count_is_an_error() {
        let text = pts((0..67).map(|_| "1 1".to_owned()));
        let error = parse(Path::new("a.pts"), &text).expect_err("one is missing");
        assert_eq!(error.to_string(), "a.pts:71: it has 67 points instead of 68");
    }

    #[test]
    fn a_bad_line_is_named() {
        for bad in ["NaN 1", "1", "1 2 3", "1 x", "inf 2"] {
            let lines = (0..68).map(|i| if i == 4 { bad.to_owned() } else { "1 1".to_owned() });
            let error = parse(Path::new("a.pts"), &pts(lines)).expect_err("the line is bad");
            assert!(error.to_string().starts_with("a.pts:8: "), "{error}");
        }
    }
}
