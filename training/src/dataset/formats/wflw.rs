//! WFLW's lists (Wu et al., "Look at Boundary: A Boundary-Aware Face Alignment Algorithm", CVPR 2018).
//!
//! A line a face: 98 points as `x y`, the face's box as `left top right bottom`, six attributes (0 or 1), and the picture's
//! path below `WFLW_images`; 0-based pixels. `WFLW_images` lies beside the list or a folder or two above it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use facemark::geometry::Point;

use crate::dataset::annotation::{Annotation, Place, number};
use crate::dataset::face_box::FaceBox;
use crate::dataset::split::{Part, is_for_testing, photo_name};

const N_POINTS: usize = 98;
const N_NUMBERS: usize = 2 * N_POINTS + 4 + 6;

/// Where iBUG's 68 points are among WFLW's 98: every second one of the jaw (WFLW has 33 there), the upper edges of the
/// brows, the nose, six of the eight around each eye, and the whole mouth.
///
/// The correspondence in common use for comparing models across both data sets, known in public code as
/// `DLIB_68_TO_WFLW_98_IDX_MAPPING`.
const IBUG: [usize; 68] = [
    0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, // jaw
    33, 34, 35, 36, 37, 42, 43, 44, 45, 46, // brows
    51, 52, 53, 54, 55, 56, 57, 58, 59, // nose
    60, 61, 63, 64, 65, 67, 68, 69, 71, 72, 73, 75, // eyes
    76, 77, 78, 79, 80, 81, 82, 83, 84, 85, 86, 87, // outer lips
    88, 89, 90, 91, 92, 93, 94, 95, // inner lips
];

/// Reads a list.
pub fn read(list: &Path) -> Result<Vec<Result<Annotation>>> {
    let text = fs::read_to_string(list).with_context(|| format!("cannot read {}", list.display()))?;
    let pictures = pictures(list)?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let read = |(index, line): (usize, &str)| {
        let place = Place::line(list, index + 1);
        annotation(line, &pictures, &place).map_err(|error| place.error(format!("{error:#}")))
    };
    Ok(lines.map(read).collect())
}

fn annotation(line: &str, pictures: &Path, place: &Place) -> Result<Annotation> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    ensure!(
        fields.len() == N_NUMBERS + 1,
        "it has {} fields instead of {N_POINTS} points, 4 numbers of a box, 6 attributes and a picture",
        fields.len()
    );
    let numbers: Vec<f32> = fields[..N_NUMBERS].iter().map(|text| number(text)).collect::<Result<_>>()?;
    let (left, top, right, bottom) = (numbers[196], numbers[197], numbers[198], numbers[199]);
    let picture = fields[N_NUMBERS];
    let photo = photo_name(Path::new(picture));
    let is_test = is_for_testing(&place.file, true);
    Ok(Annotation {
        mesh: None,
        place: place.clone(),
        points: IBUG.iter().map(|&i| Point::new(numbers[2 * i], numbers[2 * i + 1])).collect(),
        relative: false,
        picture: pictures.join(picture),
        face_box: Some(FaceBox { left, top, width: right - left, height: bottom - top }),
        part: if is_test { Part::Test } else { Part::of_photo(&photo) },
        identity: photo,
    })
}

/// The folder `WFLW_images` that belongs to a list.
fn pictures(list: &Path) -> Result<PathBuf> {
    let list = fs::canonicalize(list).with_context(|| format!("cannot find {}", list.display()))?;
    let mut candidates = list.ancestors().skip(1).take(4).map(|folder| folder.join("WFLW_images"));
    candidates
        .find(|folder| folder.is_dir())
        .with_context(|| format!("{}: no folder WFLW_images lies beside it or above it", list.display()))
}

#[cfg(test)]
mod tests {
    use facemark::face::Scheme;

    use super::*;

    /// Mirror images among WFLW's 98 points, as its authors' picture of the mark-up shows them.
    fn mirrored(i: usize) -> usize {
        match i {
            0..33 => 32 - i,
            33..38 => 79 - i,
            42..47 => 79 - i,
            51..55 => i,
            55..60 => 114 - i,
            60..=64 => 132 - i,
            65..=67 => 140 - i,
            68..=72 => 132 - i,
            73..=75 => 140 - i,
            76..=82 => 158 - i,
            83..=87 => 170 - i,
            88..=92 => 180 - i,
            _ => 188 - i,
        }
    }

    #[test]
    fn the_68_are_as_symmetric_as_the_98() {
        for (i, &j) in Scheme::Ibug68.mirror().iter().enumerate() {
            assert_eq!(mirrored(IBUG[i]), IBUG[j], "point {i}");
        }
    }

    #[test]
    fn a_line_is_points_box_attributes_and_picture() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let lists = dir.path().join("WFLW_annotations/list_98pt_rect_attr_train_test");
        fs::create_dir_all(&lists)?;
        fs::create_dir_all(dir.path().join("WFLW_images"))?;
        let points: String = (0..98).map(|i| format!("{i}.5 {} ", 2 * i)).collect();
        let line = format!("{points}10 20 110 140 0 0 1 0 0 0 44--Aerobics/44_1_77.jpg\n");
        let list = lists.join("list_98pt_rect_attr_test.txt");
        fs::write(&list, format!("{line}\n1 2 3\n{}", line.replace("97.5", "nan")))?;
        let mut read = read(&list)?.into_iter();
        let face = read.next().context("a first face")??;
        assert_eq!(face.points[1], Point::new(2.5, 4.0));
        assert_eq!(face.points[67], Point::new(95.5, 190.0));
        assert_eq!(face.face_box, Some(FaceBox { left: 10.0, top: 20.0, width: 100.0, height: 120.0 }));
        assert!(face.picture.ends_with("WFLW_images/44--Aerobics/44_1_77.jpg"));
        assert_eq!(face.part, Part::Test);
        for part in ["_test.txt:3: it has 3 fields", "_test.txt:4: \"nan\""] {
            let error = read.next().context("another line")?.expect_err("the line is bad");
            assert!(error.to_string().contains(part), "{error}");
        }
        Ok(())
    }
}
