//! What is done to a crop's pixels: what a camera, a hand before the face or a bad video does.

use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder, ImageFormat};
use rand::RngExt;
use rand::rngs::StdRng;
use rand_distr::StandardNormal;

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
        *pixel = (value + noise * rng.sample::<f32, _>(StandardNormal)).round() as u8;
    }
    if rng.random::<f32>() < how.jpeg {
        compress(pixels, width, rng.random_range(10..50));
    }
}

/// What is left after JPEG at a quality of 1 to 100. Crops that cannot be compressed stay as they are.
fn compress(pixels: &mut [u8], width: usize, quality: u8) {
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

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;
    use crate::recipe::Start;

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
    fn noise_has_the_deviation_that_the_recipe_allows() {
        let how = Augment { noise: 8.0, ..Augment::none(Start::Face) };
        let mut rng = StdRng::seed_from_u64(1);
        // Each crop has noise of 0 to 8 grey levels.
        let deviations = (0..40).map(|_| {
            let mut pixels = vec![128; 1000];
            spoil(&mut pixels, 50, &how, &mut rng);
            let squares: f32 = pixels.iter().map(|&v| (f32::from(v) - 128.0).powi(2)).sum();
            (squares / 1000.0).sqrt()
        });
        let deviations: Vec<f32> = deviations.collect();
        let largest = deviations.iter().copied().fold(0.0, f32::max);
        assert!(largest > 6.5 && largest < 8.6, "{deviations:?}");
        assert!((deviations.iter().sum::<f32>() / 40.0 - 4.0).abs() < 1.0, "{deviations:?}");
    }
}
