//! Where training looks: regions around faces, beside them, and whole photos.

use facemark::Plane;
use facemark::crop::Framing;
use facemark::geometry::{Point, Region};
use rand::RngExt;
use rand::rngs::StdRng;

use crate::dataset::Sample;
use crate::recipe::{Augment, Start};

/// The region whose crop is the whole photo, as far as the proportions agree.
pub fn whole_photo(framing: &Framing, photo: &Plane) -> Region {
    let (width, height) = (photo.width() as f32, photo.height() as f32);
    let size = (width / framing.width).max(height / framing.height);
    let center = Point::new(
        (width - 1.0) / 2.0 - framing.shift_x * size,
        (height - 1.0) / 2.0 - framing.shift_y * size,
    );
    Region { center, size, angle: 0.0 }
}

/// A region near this face in which it cannot be followed: beside it, much too large, or much too small.
pub fn elsewhere(face: &Region, rng: &mut StdRng) -> Region {
    let (way, growth) = match rng.random_range(0..4) {
        0 | 1 => (rng.random_range(0.55..1.3), symmetric(rng, 0.5)),
        2 => (rng.random_range(0.0..0.6), rng.random_range(0.8..1.3)),
        _ => (rng.random_range(0.0..0.5), rng.random_range(-1.6..-0.8)),
    };
    let towards: f32 = rng.random_range(0.0..std::f32::consts::TAU);
    let center = Point::new(
        face.center.x + way * face.size * towards.cos(),
        face.center.y + way * face.size * towards.sin(),
    );
    Region { center, size: face.size * growth.exp(), angle: face.angle + symmetric(rng, 0.5) }
}

/// A face's region as a training crop begins, moved, turned and scaled at random.
pub fn jittered(sample: &Sample, framing: &Framing, how: &Augment, rng: &mut StdRng) -> Region {
    let mut region = sample.region;
    // How far from the face to the whole photo.
    let t = match how.start {
        Start::Face => 0.0,
        Start::Between => rng.random(),
        Start::Photo => 1.0,
    };
    let whole = whole_photo(framing, &sample.photo);
    region.center.x += t * (whole.center.x - region.center.x);
    region.center.y += t * (whole.center.y - region.center.y);
    region.size += t * (whole.size - region.size);
    let size = region.size;
    region.center.x += size * framing.width * symmetric(rng, how.shift);
    region.center.y += size * framing.height * symmetric(rng, how.shift);
    region.size *= symmetric(rng, how.scale).exp();
    region.angle += symmetric(rng, how.roll).to_radians();
    region
}

/// Uniform between `-limit` and `limit`.
pub fn symmetric(rng: &mut StdRng, limit: f32) -> f32 {
    rng.random_range(-limit..=limit)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn elsewhere_is_never_where_the_face_could_be_followed() {
        let face = Region { center: Point::new(100.0, 80.0), size: 60.0, angle: 0.2 };
        let mut rng = StdRng::seed_from_u64(1);
        for _ in 0..1000 {
            let region = elsewhere(&face, &mut rng);
            let (small, large) = (region.size.min(face.size), region.size.max(face.size));
            let share_of_larger = region.overlap(&face) * (small / large).powi(2);
            assert!(region.is_usable() && share_of_larger < 0.5, "{region:?}");
        }
    }

    #[test]
    fn the_whole_photo_is_the_crop_of_its_region() {
        let photo = Plane::new(640, 480, vec![0; 640 * 480]).unwrap();
        let framing = Framing { width: 3.2, height: 2.4, shift_x: -0.03, shift_y: -0.3 };
        let map = framing.crop_to_image(&whole_photo(&framing, &photo));
        assert!(map.apply(Point::new(0.0, 0.0)).distance(Point::new(-0.5, -0.5)) < 1e-3);
        assert!(map.apply(Point::new(1.0, 1.0)).distance(Point::new(639.5, 479.5)) < 1e-3);
    }
}
