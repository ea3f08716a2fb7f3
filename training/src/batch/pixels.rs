//! What is done to a crop's pixels: what a camera, a hand before the face or a bad video does.

use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder, ImageFormat};
use rand::RngExt;
use rand::rngs::StdRng;

use super::regions::symmetric;
use crate::recipe::Augment;

/// Occludes, blurs, changes the exposure and adds noise, in the order in which a camera would.
pub fn spoil(pixels: &mut [u8], width: usize, how: &Augment, rng: &mut StdRng) {
    if rng.random::<f32>() < how.occlusion {
        occlude(pixels, width, rng);
    }
    if how.blur > 0.0 && rng.random::<bool>() {
        blur(pixels, width, rng.random_range(0.0..how.blur));
    }
    let exposure = exposure(how, rng);
    let noise = how.noise * rng.random::<f32>();
    for pixel in pixels.iter_mut() {
        let value = f32::from(exposure[usize::from(*pixel)]);
        *pixel = (value + noise * normal(rng)).round() as u8;
    }
    if rng.random::<f32>() < how.jpeg {
        compress(pixels, width, rng.random_range(10..50));
    }
}

/// What is left after JPEG at a quality of 1 to 100. Crops that cannot be compressed stay as they are.
pub fn compress(pixels: &mut [u8], width: usize, quality: u8) {
    let mut jpeg = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut jpeg, quality);
    let (w, h) = (width as u32, (pixels.len() / width) as u32);
    let decoded = encoder
        .write_image(pixels, w, h, ExtendedColorType::L8)
        .and_then(|()| image::load_from_memory_with_format(&jpeg, ImageFormat::Jpeg));
    if let Ok(decoded) = decoded {
        pixels.copy_from_slice(&decoded.into_luma8());
    }
}

/// A rectangle of a tenth to half of each side, anywhere: half of them grey, half of noise, which has edges as hands and
/// hair have.
fn occlude(pixels: &mut [u8], width: usize, rng: &mut StdRng) {
    let height = pixels.len() / width;
    let mut span = |side: usize| {
        let length = ((side as f32 * rng.random_range(0.1..0.5)) as usize).max(1);
        let start = rng.random_range(0..=side - length);
        start..start + length
    };
    let (columns, rows) = (span(width), span(height));
    let grey = rng.random();
    let is_noise = rng.random::<bool>();
    for y in rows {
        let row = &mut pixels[y * width..][columns.clone()];
        if is_noise { rng.fill(row) } else { row.fill(grey) }
    }
}

/// A table from grey level to grey level: gamma, contrast around the middle, brightness.
fn exposure(how: &Augment, rng: &mut StdRng) -> [u8; 256] {
    let gamma = symmetric(rng, how.gamma).exp();
    let contrast = symmetric(rng, how.contrast).exp();
    let brightness = symmetric(rng, how.brightness);
    std::array::from_fn(|level| {
        let bent = 255.0 * (level as f32 / 255.0).powf(gamma);
        ((bent - 128.0) * contrast + 128.0 + brightness).round() as u8
    })
}

/// A Gaussian blur, `sigma` in pixels; edges go on.
pub fn blur(pixels: &mut [u8], width: usize, sigma: f32) {
    let radius = (2.5 * sigma).ceil() as usize;
    if radius == 0 {
        return;
    }
    let weights: Vec<f32> = (0..=radius).map(|i| (-0.5 * (i as f32 / sigma).powi(2)).exp()).collect();
    let total = 2.0 * weights.iter().sum::<f32>() - weights[0];
    let height = pixels.len() / width;
    let mut lines = vec![0.0; pixels.len()];
    for (i, value) in lines.iter_mut().enumerate() {
        let (row, x) = (i / width * width, i % width);
        let at = |x: usize| f32::from(pixels[row + x]);
        *value = smoothed(&weights, total, x, width, at);
    }
    for (i, pixel) in pixels.iter_mut().enumerate() {
        let (y, x) = (i / width, i % width);
        *pixel = smoothed(&weights, total, y, height, |y| lines[y * width + x]).round() as u8;
    }
}

/// The weighted mean around position `i` of `0..n`.
fn smoothed(weights: &[f32], total: f32, i: usize, n: usize, at: impl Fn(usize) -> f32) -> f32 {
    let pairs = weights.iter().enumerate().skip(1);
    let sum: f32 = pairs.map(|(d, w)| w * (at(i.saturating_sub(d)) + at((i + d).min(n - 1)))).sum();
    (sum + weights[0] * at(i)) / total
}

/// Nearly normal with deviation 1, within ±3.5: four bytes summed, cheap enough for every pixel.
pub fn normal(rng: &mut StdRng) -> f32 {
    // A byte's mean is 127.5 and its variance (256² - 1) / 12; four of them double the deviation of one.
    let sum: u16 = rng.random::<[u8; 4]>().into_iter().map(u16::from).sum();
    (f32::from(sum) - 510.0) / 147.8
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn a_blurred_dot_is_a_gaussian() {
        let mut pixels = vec![30; 21 * 15];
        pixels[7 * 21 + 10] = 230;
        blur(&mut pixels, 21, 1.0);
        // 200 / 2π at the centre, e^-½ of it beside, e^-1 of it diagonally.
        assert!(pixels[7 * 21 + 10].abs_diff(62) <= 1);
        assert!(pixels[7 * 21 + 11].abs_diff(49) <= 1 && pixels[8 * 21 + 10].abs_diff(49) <= 1);
        assert!(pixels[8 * 21 + 11].abs_diff(42) <= 1);
        assert_eq!(pixels[0], 30);
    }

    #[test]
    fn noise_has_its_deviation() {
        let mut rng = StdRng::seed_from_u64(1);
        let values: Vec<f32> = (0..10_000).map(|_| normal(&mut rng)).collect();
        let squares: f32 = values.iter().map(|v| v * v).sum();
        assert!((squares / 10_000.0 - 1.0).abs() < 0.05);
        assert!((values.iter().sum::<f32>() / 10_000.0).abs() < 0.05);
    }
}
