//! iBUG's `.pts` files (300-W): 68 points, 1-based pixels, a picture of the same name beside each.
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

use anyhow::{Context, Result, ensure};
use facemark::face::Point;

use super::{Annotation, number, picture_beside};

const N_POINTS: usize = 68;

/// One photo in this many is held out for validation.
const HELD_OUT: u64 = 10;

/// Reads a `.pts` file; its points become 0-based.
pub fn read(file: &Path) -> Result<Annotation> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let points = parse(&text).with_context(|| format!("{}", file.display()))?;
    Ok(Annotation { points, picture: picture_beside(file)? })
}

fn parse(text: &str) -> Result<Vec<Point>> {
    let mut points = Vec::with_capacity(N_POINTS);
    let mut inside = false;
    for (index, line) in text.lines().enumerate() {
        match line.trim() {
            "{" => inside = true,
            "}" => inside = false,
            "" => {}
            line if inside => points.push(point(line).with_context(|| format!("line {}", index + 1))?),
            _header => {}
        }
    }
    ensure!(points.len() == N_POINTS, "it has {} points instead of {N_POINTS}", points.len());
    Ok(points)
}

fn point(line: &str) -> Result<Point> {
    let mut numbers = line.split_whitespace();
    let (Some(x), Some(y), None) = (numbers.next(), numbers.next(), numbers.next()) else {
        anyhow::bail!("{line:?} is not two coordinates");
    };
    Ok(Point::new(number(x)? - 1.0, number(y)? - 1.0))
}

/// Whether a file's photo is held out. Decided by its name alone, so that the split stays the same when photos are added.
pub fn is_held_out(file: &Path) -> bool {
    // FNV-1a: stable across platforms and Rust versions, unlike the standard library's hasher.
    let hash = photo_name(file).bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    // Names that differ in one digit have related hashes; MurmurHash3's finaliser scatters them.
    let mixed = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    (mixed ^ (mixed >> 33)).is_multiple_of(HELD_OUT)
}

/// The photo's name: AFW and Helen call the faces of one photo `NAME_1`, `NAME_2` …; LFPW's `image_0001` is a whole name.
fn photo_name(file: &Path) -> String {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    match stem.rsplit_once('_') {
        Some((name, face)) if face.len() <= 2 && face.bytes().all(|b| b.is_ascii_digit()) => name.to_owned(),
        _ => stem.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pts(lines: impl Iterator<Item = String>) -> String {
        format!("version: 1\nn_points: 68\n{{\n{}\n}}\n", lines.collect::<Vec<_>>().join("\n"))
    }

    #[test]
    fn points_become_zero_based() -> Result<()> {
        let points = parse(&pts((0..68).map(|i| format!("{}.5 {}", i + 1, 2 * i + 1))))?;
        assert_eq!(points[0], Point::new(0.5, 0.0));
        assert_eq!(points[67], Point::new(67.5, 134.0));
        Ok(())
    }

    #[test]
    fn a_wrong_count_is_an_error() {
        let error = parse(&pts((0..67).map(|_| "1 1".to_owned()))).expect_err("one is missing");
        assert!(error.to_string().contains("67 points"), "{error}");
    }

    #[test]
    fn a_bad_line_is_named() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let file = dir.path().join("a.pts");
        for bad in ["NaN 1", "1", "1 2 3", "1 x"] {
            let lines = (0..68).map(|i| if i == 4 { bad.to_owned() } else { "1 1".to_owned() });
            fs::write(&file, pts(lines))?;
            let message = format!("{:#}", read(&file).err().context("the line is bad")?);
            assert!(message.contains("a.pts: line 8: "), "{message}");
        }
        Ok(())
    }

    #[test]
    fn a_missing_picture_is_an_error_that_names_the_file() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let file = dir.path().join("a.pts");
        fs::write(&file, pts((0..68).map(|_| "1 1".to_owned())))?;
        let message = read(&file).err().context("there is no picture")?.to_string();
        assert!(message.contains("a.pts") && message.contains(".jpg"), "{message}");
        Ok(())
    }

    #[test]
    fn faces_of_one_photo_stay_on_one_side() {
        assert_eq!(photo_name(Path::new("afw/437595409_1.pts")), "437595409");
        assert_eq!(photo_name(Path::new("afw/437595409_12.pts")), "437595409");
        assert_eq!(photo_name(Path::new("lfpw/image_0021.pts")), "image_0021");
        let held_out = (0..1000).filter(|i| is_held_out(Path::new(&format!("image_{i:04}.pts")))).count();
        assert!((70..=130).contains(&held_out), "{held_out} of 1000");
    }
}
