//! Photos and the regions of all faces in them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use facemark::Plane;
use facemark::face::Scheme;
use facemark::geometry::Region;
use rayon::iter::Either;
use rayon::prelude::*;

use super::boxes;
use super::face_box::{self, FaceBox, Habit};
use super::formats::ibug;
use super::picture;
use super::split::{Part, is_for_testing, photo_name};

/// A photo with its faces.
pub struct Photo {
    /// Its path below the CSV file's folder.
    pub name: String,
    /// Its luma.
    pub luma: Plane,
    /// All its faces, as far as they are known.
    pub faces: Vec<KnownFace>,
    /// What it may be used for.
    pub part: Part,
}

/// A face in a photo.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KnownFace {
    /// Where, in image pixels.
    pub region: Region,
    /// Whether its roll is known; otherwise the region is upright.
    pub has_roll: bool,
    /// Whether somebody annotated it; otherwise a detector found it.
    pub is_annotated: bool,
}

/// The boxes in one photo.
#[derive(Default)]
struct Boxes {
    landmarks: Vec<FaceBox>,
    detected: Vec<FaceBox>,
}

/// Reads the photos that a list, a CSV file with the columns `file`, `x`, `y`, `w`, `h` and perhaps `source`, names below a
/// folder. Faces of `source` `landmarks` have the region of the points beside the photo, if there are any; those that only
/// a detector found get the region that its boxes usually mean, as learnt from the whole list.
///
/// # Errors
/// If the list names no photo there, or a picture that cannot be read and is not to be skipped.
pub fn load(list: &Path, below: &Path, skip_bad: bool) -> Result<Vec<Photo>> {
    let folder = list.parent().unwrap_or(Path::new(""));
    let mut photos: BTreeMap<String, Boxes> = BTreeMap::new();
    for row in boxes::rows(list)? {
        let boxes = photos.entry(row.file).or_default();
        if row.is_landmarks { boxes.landmarks.push(row.face_box) } else { boxes.detected.push(row.face_box) }
    }
    ensure!(!photos.is_empty(), "{} names no face", list.display());
    let annotated: Vec<Vec<KnownFace>> = photos
        .par_iter()
        .map(|(name, boxes)| annotated(&folder.join(name), &boxes.landmarks))
        .collect::<Result<_>>()?;
    let habit = habit(photos.values(), &annotated);
    let below = boxes::canonical(below);
    let wanted: Vec<(&String, &Boxes, Vec<KnownFace>)> = photos
        .iter()
        .zip(annotated)
        .filter(|((name, _), _)| boxes::canonical(&folder.join(name)).starts_with(&below))
        .map(|((name, boxes), faces)| (name, boxes, faces))
        .collect();
    ensure!(!wanted.is_empty(), "{} names no photo in {}", list.display(), below.display());
    let read = wanted.into_par_iter().map(|(name, boxes, mut faces)| -> Result<Photo> {
        let new = boxes.detected.iter().filter(|detected| boxes.is_new(detected));
        faces.extend(habit.into_iter().flat_map(|habit| new.clone().map(move |b| detected(habit.region(b)))));
        let path = Path::new(name);
        let part = if is_for_testing(path, false) { Part::Test } else { Part::of_photo(&photo_name(path)) };
        Ok(Photo { name: name.clone(), luma: picture::luma(&folder.join(path))?, faces, part })
    });
    if !skip_bad {
        return read.collect();
    }
    let (good, bad): (Vec<_>, Vec<_>) = read.partition_map(|photo| match photo {
        Ok(photo) => Either::Left(photo),
        Err(error) => Either::Right(error),
    });
    bad.iter().for_each(|error| eprintln!("left out: {error:#}"));
    Ok(good)
}

fn detected(region: Region) -> KnownFace {
    KnownFace { region, has_roll: false, is_annotated: false }
}

/// The one CSV file of a folder that lists boxes, or the file itself.
///
/// # Errors
/// If there is none, or there are several.
pub fn find_list(folder: &Path) -> Result<PathBuf> {
    if boxes::is_list(folder) {
        return Ok(folder.to_owned());
    }
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let files = entries.flatten().map(|entry| entry.path());
    let mut lists: Vec<PathBuf> = files.filter(|path| boxes::is_list(path)).collect();
    lists.sort();
    match lists.len() {
        1 => Ok(lists.swap_remove(0)),
        0 => bail!("{} holds no .csv file with the columns file,x,y,w,h", folder.display()),
        _ => bail!(
            "{} holds several lists of faces, such as {} and {}; name one",
            folder.display(),
            lists[0].display(),
            lists[1].display()
        ),
    }
}

/// The annotated faces of a picture; with the points beside it, the one that they belong to is known exactly.
fn annotated(picture: &Path, boxes: &[FaceBox]) -> Result<Vec<KnownFace>> {
    let file = picture.with_extension("pts");
    let exact = match file.is_file() {
        true => {
            let points = ibug::points(&file)?;
            let region = Region::from_landmarks(&points, Scheme::Ibug68);
            region.map(|region| (FaceBox::around(&points), region))
        }
        false => None,
    };
    let face = |face_box: &FaceBox| match exact {
        Some((around, region)) if around.iou(face_box) > 0.5 => (region, true),
        _ => (face_box.region(), false),
    };
    let known = |face_box| {
        let (region, has_roll) = face(face_box);
        KnownFace { region, has_roll, is_annotated: true }
    };
    Ok(boxes.iter().map(known).collect())
}

/// What the detector's boxes mean, learnt where it found an annotated face; `None` if it never did.
fn habit<'a>(photos: impl Iterator<Item = &'a Boxes>, annotated: &[Vec<KnownFace>]) -> Option<Habit> {
    let mut pairs = Vec::new();
    for (boxes, faces) in photos.zip(annotated) {
        for (truth, face) in boxes.landmarks.iter().zip(faces) {
            let found = face_box::best_match(&boxes.detected, truth);
            pairs.extend(found.map(|found| (found, face.region)));
        }
    }
    (!pairs.is_empty()).then(|| Habit::of(&pairs))
}

impl Boxes {
    /// Whether a detector's box is of a face that is not annotated.
    fn is_new(&self, detected: &FaceBox) -> bool {
        self.landmarks.iter().all(|truth| truth.iou(detected) < face_box::SAME_FACE)
    }
}

#[cfg(test)]
mod tests {
    use facemark::geometry::Point;

    use super::*;
    use crate::test_data;

    #[test]
    fn photos_have_all_their_faces_once() -> Result<()> {
        let dir = tempfile::tempdir()?;
        test_data::faces(dir.path(), 4)?;
        let list = find_list(dir.path())?;
        // A second face, which only the detector has found: its box is 20×27, so its region 20 px wide.
        let more = "photo_001.png,90,60,20,26.667,detector,0.8\n";
        fs::write(&list, fs::read_to_string(&list)? + more)?;
        let photos = load(&list, dir.path(), false)?;
        let n_faces: Vec<usize> = photos.iter().map(|photo| photo.faces.len()).collect();
        assert_eq!(n_faces, [1, 2, 1, 1]);
        let rolls: Vec<bool> = photos.iter().map(|photo| photo.faces[0].has_roll).collect();
        assert_eq!(rolls, [true, false, false, true]);
        let KnownFace { region, is_annotated, has_roll } = photos[1].faces[1];
        assert!(!is_annotated && !has_roll);
        // The detector's boxes reach 10 of 40 px further up than the regions that they mean.
        assert!((region.size - 20.0).abs() < 0.1, "{region:?}");
        assert!(region.center.distance(Point::new(100.0, 76.67)) < 0.2, "{region:?}");
        assert_eq!(load(&list, &dir.path().join("photo_002.png"), false)?.len(), 1);
        assert!(load(&list, Path::new("/"), false).is_ok_and(|photos| photos.len() == 4));
        Ok(())
    }

    #[test]
    fn missing_lists_and_pictures_are_named() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let error = |result: Result<Vec<Photo>>| format!("{:#}", result.err().expect("it fails"));
        let none = find_list(dir.path()).expect_err("there is no list");
        assert!(none.to_string().contains("file,x,y,w,h"), "{none:#}");
        test_data::faces(dir.path(), 3)?;
        let list = find_list(dir.path())?;
        let elsewhere = tempfile::tempdir()?;
        assert!(error(load(&list, elsewhere.path(), false)).contains("names no photo in"));
        fs::remove_file(dir.path().join("photo_001.png"))?;
        assert!(error(load(&list, dir.path(), false)).contains("photo_001.png"));
        assert_eq!(load(&list, dir.path(), true)?.len(), 2);
        fs::copy(&list, dir.path().join("more.csv"))?;
        let several = find_list(dir.path()).expect_err("there are two");
        assert!(several.to_string().contains("more.csv"), "{several:#}");
        Ok(())
    }
}
