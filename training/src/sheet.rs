//! `facemark-train data scenes`: a sheet of the pictures that a detector learns from, with their faces marked.

use std::path::Path;

use anyhow::{Context, Result};
use facemark::geometry::Point;
use image::{Rgb, RgbImage};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rayon::prelude::*;

use crate::batch::scene::{Placed, Scene, paste};
use crate::dataset::Source;
use crate::recipe::{NetKind, Recipe};
use crate::task::faces::Faces;

/// Pictures side by side.
const COLUMNS: usize = 6;
/// Faces that must be found.
const CLEAR: Rgb<u8> = Rgb([0, 255, 0]);
/// Faces that may be found.
const UNCLEAR: Rgb<u8> = Rgb([255, 160, 0]);

/// Writes a sheet of `n` pictures.
pub fn write(data: &Source, n: usize, seed: u64, output: &Path) -> Result<()> {
    let recipe = Recipe::best(NetKind::Face);
    let pictures = Faces::load(data, &recipe)?.into_pictures();
    let spec = recipe.net.spec(recipe.framing);
    let make = |i: usize| {
        let mut rng = StdRng::seed_from_u64(seed + i as u64);
        let index = i * 7919 % pictures.photos.len();
        paste(&pictures, index, &spec, &recipe.augment, &mut rng)
    };
    let started = std::time::Instant::now();
    let scenes: Vec<Scene> = (0..n).into_par_iter().map(make).collect();
    eprintln!("{:.2} ms a picture", started.elapsed().as_secs_f64() * 1e3 / n as f64);
    let rows = n.div_ceil(COLUMNS);
    let mut sheet = RgbImage::new((COLUMNS * spec.width) as u32, (rows * spec.height) as u32);
    for (i, scene) in scenes.iter().enumerate() {
        let corner = ((i % COLUMNS * spec.width) as u32, (i / COLUMNS * spec.height) as u32);
        for (k, &grey) in scene.pixels.iter().enumerate() {
            let (x, y) = ((k % spec.width) as u32, (k / spec.width) as u32);
            sheet.put_pixel(corner.0 + x, corner.1 + y, Rgb([grey; 3]));
        }
        for face in &scene.faces {
            mark(&mut sheet, corner, (spec.width, spec.height), face);
        }
    }
    sheet.save(output).with_context(|| format!("cannot write {}", output.display()))
}

/// Draws a face's square and a line from its middle to its forehead.
fn mark(sheet: &mut RgbImage, (left, top): (u32, u32), (width, height): (usize, usize), face: &Placed) {
    let color = if face.is_clear { CLEAR } else { UNCLEAR };
    let [a, b, c, d] = face.region.corners();
    let forehead = Point::new((a.x + b.x) / 2.0, (a.y + b.y) / 2.0);
    for (from, to) in [(a, b), (b, c), (c, d), (d, a), (face.region.center, forehead)] {
        let n = from.distance(to).ceil().max(1.0);
        for i in 0..=n as usize {
            let t = i as f32 / n;
            let (x, y) = (from.x + t * (to.x - from.x), from.y + t * (to.y - from.y));
            if (0.0..width as f32).contains(&x) && (0.0..height as f32).contains(&y) {
                sheet.put_pixel(left + x as u32, top + y as u32, color);
            }
        }
    }
}
