//! Photos and the regions of all faces in them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use facemark::Plane;
use facemark::crop::crop;
use facemark::face::{Scheme, mesh};
use facemark::geometry::{Affine, Point, Region};
use rayon::iter::Either;
use rayon::prelude::*;

use super::boxes;
use super::face_box::{self, FaceBox, Habit};
use super::formats::{ibug, open};
use super::mask::Mask;
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
    /// The 68 points of the first one, if they are known.
    pub points: Vec<Point>,
    /// What it may be used for.
    pub part: Part,
}

impl Photo {
    /// Whether the first face is turned to one side by about 30° or more: its nose's tip is so much nearer to one eye. Unknown
    /// without points.
    pub fn is_turned(&self) -> bool {
        let [nose, left, right] = [30, 36, 45].map(|i| self.points.get(i).copied().unwrap_or_default());
        let along = Point::new(right.x - left.x, right.y - left.y);
        let middle = Point::new(nose.x - (left.x + right.x) / 2.0, nose.y - (left.y + right.y) / 2.0);
        let square = along.x * along.x + along.y * along.y;
        (middle.x * along.x + middle.y * along.y).abs() > TURNED * square
    }
}

/// How far from the middle between the eyes the nose's tip of a turned face is, along the line between the eyes and in units of it.
const TURNED: f32 = 0.25;

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

/// What training pictures of the detector are pasted together from.
#[derive(Default)]
pub struct Pictures {
    /// Photos with faces.
    pub photos: Vec<Photo>,
    /// Pictures without any.
    pub plain: Vec<Photo>,
    /// Masks that people wear.
    pub masks: Arc<[Mask]>,
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
        let luma = picture::luma(&folder.join(path))?;
        Ok(Photo { name: name.clone(), luma, faces, points: Vec::new(), part })
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

/// Reads the photos of all folders below this one that have meshes of their faces.
///
/// # Errors
/// If there are none, or if one cannot be read and is not to be skipped.
pub fn load_meshes(folder: &Path, skip_bad: bool) -> Result<Vec<Photo>> {
    let mut photos = Vec::new();
    for meshes in mesh_files(folder)? {
        let below = meshes.parent().unwrap_or(Path::new(""));
        let read: Vec<Result<Photo>> = open::faces(below)?.into_par_iter().map(with_mesh).collect();
        for photo in read {
            match photo {
                Ok(photo) => photos.push(photo),
                Err(error) if skip_bad => eprintln!("left out: {error:#}"),
                Err(error) => return Err(error),
            }
        }
    }
    Ok(photos)
}

/// The files of meshes below a folder.
pub fn mesh_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = picture::files(folder, &["npy"])?;
    files.retain(|file| file.file_name().is_some_and(|name| name == open::MESHES));
    Ok(files)
}

/// Faces are reduced to this size in pixels, so that thousands of photos fit in memory.
const LARGE: f32 = 160.0;

fn with_mesh(face: open::Face) -> Result<Photo> {
    let mut luma = picture::luma(&face.picture)?;
    let points = mesh::IBUG68.map(|i| Point::new(face.mesh[i][0], face.mesh[i][1]));
    let region = Region::from_landmarks(&points, Scheme::Ibug68)
        .with_context(|| format!("{}: all points of its face lie in one place", face.picture.display()))?;
    let smaller = (LARGE / region.size).min(1.0);
    if smaller < 1.0 {
        luma = reduced(&luma, smaller);
    }
    let move_point = |p: Point| Point::new((p.x + 0.5) * smaller - 0.5, (p.y + 0.5) * smaller - 0.5);
    let region = Region { center: move_point(region.center), size: region.size * smaller, ..region };
    let part = Part::of_photo(&photo_name(&face.picture));
    Ok(Photo {
        name: face.picture.display().to_string(),
        luma,
        faces: vec![KnownFace { region, has_roll: true, is_annotated: true }],
        points: points.map(move_point).to_vec(),
        part,
    })
}

/// A picture made smaller by a factor below 1.
fn reduced(luma: &Plane, by: f32) -> Plane {
    let side = |side: usize| ((side as f32 * by) as usize).max(1);
    let mut small = Plane::default();
    let (width, height) = (side(luma.width()), side(luma.height()));
    small.resize(width, height);
    // Not by the rounded sides: the points are scaled by this factor.
    let (w, h) = (width as f32 / by, height as f32 / by);
    let to_image = Affine { rows: [[w, 0.0, -0.5], [0.0, h, -0.5]] };
    crop(luma.luma(), &to_image, width, small.data_mut());
    small
}

/// The pictures below a folder in which there is no face.
pub fn load_plain(folder: &Path) -> Result<Vec<Photo>> {
    let files = picture::files(folder, &["jpg", "jpeg", "png"])?;
    ensure!(!files.is_empty(), "{} holds no .jpg or .png", folder.display());
    let read = |file: PathBuf| {
        let (name, luma) = (file.display().to_string(), picture::luma(&file)?);
        Ok(Photo { name, luma, faces: Vec::new(), points: Vec::new(), part: Part::Training })
    };
    files.into_par_iter().map(read).collect()
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
