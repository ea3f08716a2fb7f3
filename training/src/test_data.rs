//! Small made-up data for tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use burn::module::{ModuleMapper, Param};
use burn::tensor::{Distribution, Tensor};
use facemark::model::Landmarks;
use image::GrayImage;
use npyz::{AutoSerialize, WriteOptions, WriterBuilder};

static RANDOM_NUMBERS: Mutex<()> = Mutex::new(());

/// Keeps other tests from drawing from Burn's random numbers, which all threads share, until it is dropped.
pub fn random_numbers() -> MutexGuard<'static, ()> {
    RANDOM_NUMBERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Fills a folder with photos of 80×80 px in the iBUG format, no two alike.
pub fn ibug(dir: &Path, names: &[&str]) -> Result<()> {
    fs::create_dir_all(dir)?;
    for name in names {
        let shade = name.bytes().fold(7_u8, |shade, byte| shade.wrapping_mul(31).wrapping_add(byte));
        let photo = GrayImage::from_fn(80, 80, |i, j| image::Luma([shade.wrapping_add((i * j / 8) as u8)]));
        photo.save(dir.join(format!("{name}.jpg")))?;
        write_pts(&dir.join(format!("{name}.pts")), 68, (40.0, 40.0), 30.0)?;
    }
    Ok(())
}

/// Writes `n` points in a circle around a centre, 1-based as `.pts` files are.
pub fn write_pts(file: &Path, n: usize, center: (f32, f32), size: f32) -> Result<()> {
    let point = |i: usize| {
        let angle = std::f32::consts::TAU * i as f32 / n as f32;
        let (x, y) = (center.0 + size / 2.0 * angle.cos(), center.1 + size / 2.0 * angle.sin());
        format!("{:.3} {:.3}\n", x + 1.0, y + 1.0)
    };
    let points: String = (0..n).map(point).collect();
    Ok(fs::write(file, format!("version: 1\nn_points: {n}\n{{\n{points}}}\n"))?)
}

/// Fills a folder with photos of people 27 to 36 in the IMM format, 8 to train on: a bright dot is the nose.
pub fn imm(dir: &Path) -> Result<PathBuf> {
    fs::create_dir_all(dir)?;
    for person in 27..=36_u32 {
        let (x, y) = (20 + person * 7 % 24, 18 + person * 5 % 14);
        let photo = GrayImage::from_fn(64, 48, |i, j| {
            let near = i.abs_diff(x) <= 2 && j.abs_diff(y) <= 2;
            image::Luma([if near { 240 } else { 60 + (i + j) as u8 }])
        });
        photo.save(dir.join(format!("{person}-1m.png")))?;
        // The nose, point 52, lies in the dot; the others around it.
        let line = |i: u32| {
            let (dx, dy) = if i == 52 { (0, 0) } else { (i % 8 * 3, i / 8 * 3) };
            let offset =
                |d: u32, side: u32| (f64::from(d) - if i == 52 { 0.0 } else { 10.0 }) / f64::from(side);
            let (rx, ry) = (f64::from(x) / 64.0 + offset(dx, 64), f64::from(y) / 48.0 + offset(dy, 48));
            format!("0 4 {rx:.6} {ry:.6} {i} 0 1\n")
        };
        let lines: String = (0..58).map(line).collect();
        fs::write(dir.join(format!("{person}-1m.asf")), format!("58\n{lines}{person}-1m.png\n"))?;
    }
    Ok(dir.to_owned())
}

/// Fills a folder with `n` photos of 120×90 px, each with a bright disc for a face, and the list of their boxes; every third
/// face has points beside it.
pub fn faces(dir: &Path, n: usize) -> Result<()> {
    fs::create_dir_all(dir)?;
    let mut list = "file,x,y,w,h,source,score\n".to_owned();
    for i in 0..n as u32 {
        let (x, y) = (40 + i * 7 % 40, 35 + i * 5 % 20);
        let photo = GrayImage::from_fn(120, 90, |column, row| {
            let near = column.abs_diff(x).pow(2) + row.abs_diff(y).pow(2) <= 15 * 15;
            image::Luma([if near { 230 } else { 50 + (column / 2) as u8 }])
        });
        let name = format!("photo_{i:03}");
        photo.save(dir.join(format!("{name}.png")))?;
        if i.is_multiple_of(3) {
            write_pts(&dir.join(format!("{name}.pts")), 68, (x as f32, y as f32), 30.0)?;
        }
        list += &format!("{name}.png,{},{},30,30,landmarks,1.0\n", x - 15, y - 15);
        // The detector's boxes reach further up.
        list += &format!("{name}.png,{},{},30,40,detector,0.9\n", x - 15, y - 25);
    }
    Ok(fs::write(dir.join("faces.csv"), list)?)
}

/// Fills a folder with `n` photos of 80×60 px and what is known of their faces, as [`open`](crate::dataset::formats::open)
/// describes it. The points lie on a circle around (40, 40).
pub fn open(dir: &Path, n: usize) -> Result<()> {
    fs::create_dir_all(dir.join("photos"))?;
    let names: Vec<String> = (b'a'..).take(n).map(|letter| format!("{}.png", char::from(letter))).collect();
    for name in &names {
        GrayImage::from_fn(80, 60, |i, j| image::Luma([(i * j) as u8]))
            .save(dir.join("photos").join(name))?;
    }
    fs::write(dir.join("names.txt"), names.join("\n") + "\n")?;
    let point = |i: usize| {
        let angle = std::f32::consts::TAU * i as f32 / 478.0;
        [40.0 + 20.0 * angle.cos(), 40.0 + 20.0 * angle.sin(), -1.0].map(|v| (v * 32.0) as i16)
    };
    npy(&dir.join("mesh478.npy"), &[n, 478, 3], (0..n * 478).flat_map(|i| point(i % 478)))?;
    npy(&dir.join("blendshapes.npy"), &[n, 52], (0..n * 52).map(|i| if i % 52 == 0 { 255_u8 } else { 0 }))?;
    npy(&dir.join("pose.npy"), &[n, 4, 4], (0..n * 16).map(|i| if i % 16 % 5 == 0 { 1.0_f32 } else { 0.0 }))
}

/// Writes a NumPy array.
fn npy<T: AutoSerialize>(file: &Path, shape: &[usize], values: impl Iterator<Item = T>) -> Result<()> {
    let shape: Vec<u64> = shape.iter().map(|&n| n as u64).collect();
    let mut bytes = Vec::new();
    let mut writer = WriteOptions::new().default_dtype().shape(&shape).writer(&mut bytes).begin_nd()?;
    writer.extend(values)?;
    writer.finish()?;
    Ok(fs::write(file, bytes)?)
}

/// Moves all weights away from their initial values, so that a forgotten bias or statistic is noticed.
pub struct Shaken;

#[cfg(feature = "flex")]
impl ModuleMapper<burn_flex::Flex> for Shaken {
    fn map_float<const D: usize>(
        &mut self,
        param: Param<Tensor<burn_flex::Flex, D>>,
    ) -> Param<Tensor<burn_flex::Flex, D>> {
        param.map(|tensor| match D {
            // Biases, gains and running statistics; upwards, since variances must stay positive.
            1 => tensor.clone() + tensor.random_like(Distribution::Uniform(0.0, 0.2)),
            // The heads start so small that every crop would give the mean shape.
            2 => tensor * 5.0,
            _ => tensor,
        })
    }
}

/// A landmark net's answer in numbers, as the net gave them.
pub fn values(found: Landmarks) -> Vec<f32> {
    let Landmarks { points, presence, more } = found;
    let mut values: Vec<f32> = points.into_iter().flat_map(|p| [p.x, p.y]).chain(more.depths).collect();
    values.extend(more.sigmas.into_iter().map(f32::ln));
    values.extend(presence.map(|p| (p / (1.0 - p)).ln()));
    values.extend(more.blendshapes);
    values
}
