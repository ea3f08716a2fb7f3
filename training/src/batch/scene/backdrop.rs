//! Backgrounds that nobody has to take a photo of: gradients, clouds, stripes and shapes.

use std::f32::consts::TAU;

use facemark::Plane;
use facemark::crop::bilinear;
use facemark::geometry::Point;
use rand::RngExt;
use rand::rngs::StdRng;

use super::area::Area;
use crate::batch::regions::symmetric;

/// Fills a picture with one or two of them.
pub fn made_up(picture: &mut Plane, rng: &mut StdRng) {
    match rng.random_range(0..4) {
        0 | 1 => gradient(picture, rng),
        2 => stripes(picture, rng),
        _ => {
            let grey: u8 = rng.random();
            picture.data_mut().fill(grey);
        }
    }
    if rng.random::<f32>() < 0.5 {
        clouds(picture, rng);
    }
    if rng.random::<f32>() < 0.6 {
        for _ in 0..rng.random_range(1..25) {
            shape(picture, rng);
        }
    }
}

/// Changes each pixel.
fn change(picture: &mut Plane, mut to: impl FnMut(f32, f32, u8) -> f32) {
    let width = picture.width();
    for (y, row) in picture.data_mut().chunks_exact_mut(width).enumerate() {
        for (x, pixel) in row.iter_mut().enumerate() {
            *pixel = to(x as f32, y as f32, *pixel) as u8;
        }
    }
}

/// From one grey to another, in some direction.
fn gradient(picture: &mut Plane, rng: &mut StdRng) {
    let (low, high) = (rng.random_range(0.0..255.0_f32), rng.random_range(0.0..255.0_f32));
    let (sin, cos) = rng.random_range(0.0..TAU).sin_cos();
    let side = picture.width().max(picture.height()) as f32;
    let middle = Point::new(picture.width() as f32 / 2.0, picture.height() as f32 / 2.0);
    change(picture, |x, y, _| {
        let t = 0.5 + ((x - middle.x) * cos + (y - middle.y) * sin) / side;
        low + (high - low) * t.clamp(0.0, 1.0)
    });
}

/// Stripes or squares, sharp or soft.
fn stripes(picture: &mut Plane, rng: &mut StdRng) {
    let grey = rng.random_range(20.0..235.0_f32);
    let height = rng.random_range(5.0..120.0);
    let period = rng.random_range(3.0..60.0_f32);
    let (sin, cos) = rng.random_range(0.0..TAU).sin_cos();
    let sharp = rng.random_range(1.0..8.0);
    let is_crossed = rng.random::<bool>();
    change(picture, |x, y, _| {
        let wave = |at: f32| (sharp * (TAU * at / period).sin()).clamp(-1.0, 1.0);
        let along = wave(x * cos + y * sin);
        grey + height * if is_crossed { along * wave(y * cos - x * sin) } else { along }
    });
}

/// Soft blotches of two sizes.
fn clouds(picture: &mut Plane, rng: &mut StdRng) {
    for _ in 0..2 {
        let cell = 4.0 * 24.0_f32.powf(rng.random());
        let height = rng.random_range(5.0..70.0_f32);
        let (columns, rows) = (picture.width() / cell as usize + 2, picture.height() / cell as usize + 2);
        let levels = (0..columns * rows).map(|_| rng.random()).collect();
        let Ok(grid) = Plane::new(columns, rows, levels) else { return };
        change(picture, |x, y, old| {
            let level = f32::from(bilinear(grid.luma(), Point::new(x / cell, y / cell)));
            f32::from(old) + height * (level - 127.5) / 127.5
        });
    }
}

/// A rectangle or an ellipse, lit from one side.
fn shape(picture: &mut Plane, rng: &mut StdRng) {
    let (width, height) = (picture.width() as f32, picture.height() as f32);
    let center = Point::new(width * rng.random::<f32>(), height * rng.random::<f32>());
    let side = 3.0 * 40.0_f32.powf(rng.random());
    let half = [side, side * rng.random_range(0.2..1.0)];
    let area = Area::new(center, half, symmetric(rng, 3.0), rng.random());
    let grey = rng.random_range(0.0..255.0_f32);
    let slope = symmetric(rng, 60.0);
    let unit = area.to_unit();
    let (columns, rows) = area.pixels(picture.width(), picture.height());
    let across = picture.width();
    for y in rows {
        for x in columns.clone() {
            let p = Point::new(x as f32 + 0.5, y as f32 + 0.5);
            if area.holds(p) {
                picture.data_mut()[y * across + x] = (grey + slope * (unit.apply(p).x - 0.5)) as u8;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn no_two_are_alike() {
        let make = |seed: u64| {
            let mut picture = Plane::default();
            picture.resize(64, 48);
            made_up(&mut picture, &mut StdRng::seed_from_u64(seed));
            picture.data().to_vec()
        };
        let all: std::collections::BTreeSet<Vec<u8>> = (0..50).map(make).collect();
        assert_eq!(all.len(), 50);
    }
}
