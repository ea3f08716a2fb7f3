//! Folders of photos with what MediaPipe's Face Landmarker sees in them: one face each, as a mesh of 478 points.
//!
//! | file | what |
//! |---|---|
//! | `names.txt` | the photos' names, one a line, in the order of the arrays |
//! | `photos/` | the photos. Those with a `.pts` file beside them, points placed by hand, are for testing |
//! | `mesh478.npy` | int16 `[n, 478, 3]`: x, y and z times 32; x and y in pixels, 0-based, pixel centres on integers; smaller z is nearer |
//! | `blendshapes.npy` | uint8 `[n, 52]`: shares times 255 |
//! | `pose.npy` | float32 `[n, 4, 4]`: takes the Face Landmarker's canonical face to the camera, row by row |

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, ensure};
use facemark::face::mesh;
use facemark::geometry::Point;
use npyz::{Deserialize, NpyFile, Order};

use crate::dataset::annotation::{Annotation, Mesh, Place};
use crate::dataset::split::{Part, photo_name};

/// Numbers in one unit of x, y and z.
const UNIT: f32 = 32.0;
/// Shares that a face's expression is described with.
pub const N_BLENDSHAPES: usize = 52;

/// The name of the file that makes a folder one of this format.
pub const MESHES: &str = "mesh478.npy";

/// A face in a photo.
pub struct Face {
    /// The photo's path.
    pub picture: PathBuf,
    /// The 478 points: x, y and z in pixels.
    pub mesh: Vec<[f32; 3]>,
    /// The expression: 52 shares of 0 to 1.
    pub blendshapes: Vec<f32>,
    /// Takes the canonical face to the camera, row by row.
    #[cfg_attr(not(test), expect(dead_code, reason = "nothing is trained on it yet"))]
    pub pose: [f32; 16],
}

/// Reads a folder's faces.
///
/// # Errors
/// If a file cannot be read, is not an array of the kind that it should be, or does not have a row for each name.
pub fn faces(folder: &Path) -> Result<Vec<Face>> {
    let names = names(folder)?;
    let n = names.len();
    let meshes = array::<i16>(&folder.join(MESHES), &[n, mesh::N_POINTS, 3])?;
    let blendshapes = array::<u8>(&folder.join("blendshapes.npy"), &[n, N_BLENDSHAPES])?;
    let poses = array::<f32>(&folder.join("pose.npy"), &[n, 4, 4])?;
    let rows = names
        .into_iter()
        .zip(meshes.as_chunks::<3>().0.chunks_exact(mesh::N_POINTS))
        .zip(blendshapes.chunks_exact(N_BLENDSHAPES))
        .zip(poses.as_chunks::<16>().0);
    Ok(rows
        .map(|(((name, mesh), blendshapes), &pose)| Face {
            picture: folder.join("photos").join(name),
            mesh: mesh.iter().map(|point| point.map(|v| f32::from(v) / UNIT)).collect(),
            blendshapes: blendshapes.iter().map(|&share| f32::from(share) / 255.0).collect(),
            pose,
        })
        .collect())
}

/// The faces of the folder that a file of meshes lies in, as annotations with 478 points.
pub(super) fn read(meshes: &Path) -> Result<Vec<Result<Annotation>>> {
    let folder = meshes.parent().unwrap_or(Path::new(""));
    let list = folder.join("names.txt");
    let annotation = |(index, face): (usize, Face)| {
        let photo = photo_name(&face.picture);
        let depths = face.mesh.iter().map(|&[_, _, z]| z).collect();
        // What people marked by hand is the better test.
        let is_marked = face.picture.with_extension("pts").exists();
        Ok(Annotation {
            mesh: Some(Mesh { depths, blendshapes: face.blendshapes }),
            place: Place::line(&list, index + 1),
            points: face.mesh.iter().map(|&[x, y, _]| Point::new(x, y)).collect(),
            relative: false,
            part: if is_marked { Part::Test } else { Part::of_photo(&photo) },
            identity: format!("{} {photo}", folder.display()),
            picture: face.picture,
            face_box: None,
        })
    };
    Ok(faces(folder)?.into_iter().enumerate().map(annotation).collect())
}

fn names(folder: &Path) -> Result<Vec<String>> {
    let file = folder.join("names.txt");
    let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let names: Vec<String> = text.lines().map(|line| line.trim().to_owned()).collect();
    ensure!(!names.is_empty(), "{} names no photo", file.display());
    let is_name = |name: &str| Path::new(name).file_name().is_some_and(|last| last == name);
    for (index, name) in names.iter().enumerate() {
        let place = Place::line(&file, index + 1);
        ensure!(is_name(name), place.error(format!("{name:?} is not the name of a photo in photos/")));
    }
    Ok(names)
}

/// The numbers of an array of this shape.
fn array<T: Deserialize>(file: &Path, shape: &[usize]) -> Result<Vec<T>> {
    let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    parse(&bytes, shape).with_context(|| format!("{} cannot be used", file.display()))
}

fn parse<T: Deserialize>(bytes: &[u8], shape: &[usize]) -> Result<Vec<T>> {
    let array = NpyFile::new(bytes).map_err(|error| anyhow!("it is not a NumPy array: {error}"))?;
    let wanted: Vec<u64> = shape.iter().map(|&n| n as u64).collect();
    ensure!(
        array.shape() == wanted,
        "its shape is {:?}, and with as many names as there are it should be {wanted:?}",
        array.shape()
    );
    ensure!(array.order() == Order::C, "its columns come one after another, not its rows");
    let numbers = array.data::<T>().map_err(|error| anyhow!("its numbers are of the wrong kind: {error}"))?;
    numbers.collect::<Result<_, _>>().context("it is cut short")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_data;

    #[test]
    fn points_are_in_pixels_and_the_68_are_chosen() -> Result<()> {
        let dir = tempfile::tempdir()?;
        test_data::open(dir.path(), 2)?;
        let faces = faces(dir.path())?;
        assert_eq!(faces.len(), 2);
        assert_eq!(faces[1].picture, dir.path().join("photos/b.png"));
        assert_eq!(faces[1].mesh[0], [60.0, 40.0, -1.0]);
        assert_eq!((faces[0].blendshapes[0], faces[0].pose[0]), (1.0, 1.0));
        let annotations = read(&dir.path().join(MESHES))?;
        assert_eq!(annotations[0].as_ref().map(|a| a.points.len()).ok(), Some(mesh::N_POINTS));
        Ok(())
    }

    #[test]
    fn broken_folders_are_named_and_what_is_wrong_with_them() -> Result<()> {
        type Spoil = fn(&Path) -> Result<()>;
        let cases: [(Spoil, &str); 6] = [
            (|dir| Ok(fs::write(dir.join("names.txt"), "a.png\n")?), "its shape is [2, 478, 3]"),
            (|dir| Ok(fs::write(dir.join("names.txt"), "a.png\n../b.png\n")?), "names.txt:2: "),
            (|dir| Ok(fs::write(dir.join("names.txt"), "")?), "names no photo"),
            (|dir| Ok(fs::write(dir.join("pose.npy"), "x")?), "pose.npy cannot be used: it is not a NumPy"),
            (|dir| Ok(fs::remove_file(dir.join("blendshapes.npy"))?), "cannot read"),
            (cut_short, "mesh478.npy cannot be used: it is cut short"),
        ];
        for (spoil, part) in cases {
            let dir = tempfile::tempdir()?;
            test_data::open(dir.path(), 2)?;
            spoil(dir.path())?;
            let message = format!("{:#}", faces(dir.path()).err().expect(part));
            assert!(message.contains(part), "{message}");
        }
        Ok(())
    }

    fn cut_short(dir: &Path) -> Result<()> {
        let file = dir.join(MESHES);
        let bytes = fs::read(&file)?;
        Ok(fs::write(&file, &bytes[..bytes.len() - 20])?)
    }
}
