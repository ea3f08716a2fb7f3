//! The net on the user's own photos. The tracker finds the faces in them, since the trainer has no face detector.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use facemark::geometry::{Point, Region};
use facemark::model::{LandmarkModel, Landmarker};
use facemark::{Plane, Timing};
use image::imageops::FilterType;
use serde::Deserialize;

use crate::files::files_in;

/// Largest side of a photo in the report, in pixels.
const SIDE: u32 = 480;

/// A photo with what the net found.
pub struct OwnPhoto {
    /// The file's name.
    pub name: String,
    /// Grey levels.
    pub pixels: Vec<u8>,
    /// Of `pixels`.
    pub width: usize,
    /// Each face's landmarks in the photo's width and height.
    pub faces: Vec<Vec<Point>>,
    /// How the faces were found.
    pub how: &'static str,
}

/// A line of `facemark annotate --jsonl`.
#[derive(Deserialize)]
struct Line {
    file: String,
    faces: Vec<LineFace>,
}

#[derive(Deserialize)]
struct LineFace {
    points: Vec<[f32; 2]>,
}

/// Runs the tracker with the model on the pictures of a folder. Where the tracker has not been built, the centre of each
/// picture is taken for the face.
pub fn find(folder: &Path, onnx: &[u8], model: &mut LandmarkModel) -> Result<Vec<OwnPhoto>> {
    let files: Vec<PathBuf> = files_in(folder)?.into_iter().filter(|file| is_picture(file)).collect();
    ensure!(!files.is_empty(), "{} holds no .jpg, .jpeg or .png", folder.display());
    let lines = match tracker() {
        Some(program) => Some(annotate(&program, &files, onnx)?),
        None => {
            eprintln!(
                "the faces are taken to be in the middle: build facemark beside this program to have them found"
            );
            None
        }
    };
    files.iter().map(|file| own_photo(file, lines.as_deref(), model)).collect()
}

fn own_photo(file: &Path, lines: Option<&[Line]>, model: &mut LandmarkModel) -> Result<OwnPhoto> {
    let picture = image::open(file).with_context(|| format!("cannot read the picture {}", file.display()))?;
    let luma = picture.to_luma8();
    let (width, height) = (luma.width() as f32, luma.height() as f32);
    let found: Vec<Vec<Point>> = match lines {
        Some(lines) => {
            let own = lines.iter().filter(|line| Path::new(&line.file) == file);
            let faces = own.flat_map(|line| &line.faces);
            faces.map(|face| face.points.iter().map(|&[x, y]| Point::new(x, y)).collect()).collect()
        }
        None => {
            let center = Point::new((width - 1.0) / 2.0, (height - 1.0) / 2.0);
            let region = Region { center, size: 0.4 * width.min(height), angle: 0.0 };
            let plane = Plane::new(width as usize, height as usize, luma.to_vec())?;
            vec![model.landmarks(plane.luma(), &region, &mut Timing::default())?.points]
        }
    };
    let scaled = |p: Point| Point::new((p.x + 0.5) / width, (p.y + 0.5) / height);
    let small = picture.resize(SIDE, SIDE, FilterType::Triangle).into_luma8();
    Ok(OwnPhoto {
        name: file.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        width: small.width() as usize,
        pixels: small.into_raw(),
        faces: found.into_iter().map(|face| face.into_iter().map(scaled).collect()).collect(),
        how: if lines.is_some() { "found by the tracker" } else { "the face taken to be in the middle" },
    })
}

/// What the tracker says of the pictures.
fn annotate(program: &Path, files: &[PathBuf], onnx: &[u8]) -> Result<Vec<Line>> {
    let model = env::temp_dir().join(format!("facemark-report-{}.onnx", std::process::id()));
    std::fs::write(&model, onnx).with_context(|| format!("cannot write {}", model.display()))?;
    let output = Command::new(program)
        .args(["--quiet", "annotate", "--jsonl", "-", "--model"])
        .arg(&model)
        .arg("--")
        .args(files)
        .output();
    let _ = std::fs::remove_file(&model);
    let output = output.with_context(|| format!("cannot run {}", program.display()))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{} failed: {}", program.display(), said.trim());
    let text = String::from_utf8_lossy(&output.stdout);
    let parse =
        |line| serde_json::from_str(line).with_context(|| format!("{} wrote {line:?}", program.display()));
    text.lines().map(parse).collect()
}

/// The program `facemark` beside this one.
fn tracker() -> Option<PathBuf> {
    let program = env::current_exe().ok()?.with_file_name("facemark");
    program.is_file().then_some(program)
}

fn is_picture(file: &Path) -> bool {
    let extension = file.extension().unwrap_or_default().to_ascii_lowercase();
    ["jpg", "jpeg", "png"].iter().any(|known| extension == *known)
}
