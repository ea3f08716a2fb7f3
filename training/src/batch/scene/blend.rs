//! How a pasted photo goes over into what is behind it, and the light that falls on it.

use std::f32::consts::TAU;

use facemark::geometry::{Point, Region};
use rand::RngExt;
use rand::rngs::StdRng;

use crate::batch::regions::symmetric;

/// Directions in which a head's outline is known.
const N_WAYS: usize = 48;

/// Where a photo is opaque.
#[derive(Clone, Default)]
pub struct Blend {
    /// Width of the soft rim inside the photo's edges, in pixels of the photo.
    rim: f32,
    head: Option<Head>,
}

/// The soft outline of a head in a photo.
#[derive(Clone)]
struct Head {
    center: Point,
    angle: f32,
    /// From the centre to the outline, in pixels of the photo.
    radii: [f32; N_WAYS],
    /// Width of the outline, as a share of the radius.
    soft: f32,
}

impl Blend {
    /// The photo is a rectangle, perhaps with a soft rim.
    pub fn rectangle(face: &Region, rng: &mut StdRng) -> Self {
        let is_soft = rng.random::<f32>() < 0.7;
        Self { rim: if is_soft { face.size * rng.random_range(0.02..0.3) } else { 0.0 }, head: None }
    }

    /// Only the head is seen, with more or less of what is around it.
    pub fn head(face: &Region, rng: &mut StdRng) -> Self {
        let wide = rng.random_range(0.6..1.0);
        let (across, down) = (face.size * wide, face.size * (wide + rng.random_range(0.05..0.3)));
        let up = Point::new(0.0, -face.size * rng.random_range(0.05..0.25)).rotated(face.angle);
        let waves: [(f32, f32); 5] =
            std::array::from_fn(|i| (symmetric(rng, 0.12 / (i + 1) as f32), rng.random_range(0.0..TAU)));
        let radii = std::array::from_fn(|i| {
            let way = TAU * i as f32 / N_WAYS as f32;
            let ellipse = 1.0 / (way.cos() / across).hypot(way.sin() / down);
            let wave =
                |(k, &(size, phase)): (usize, &(f32, f32))| size * ((k + 2) as f32 * way + phase).sin();
            ellipse * (1.0 + waves.iter().enumerate().map(wave).sum::<f32>())
        });
        let head = Head {
            center: Point::new(face.center.x + up.x, face.center.y + up.y),
            angle: face.angle,
            radii,
            soft: rng.random_range(0.04..0.4),
        };
        Self { rim: face.size * rng.random_range(0.02..0.25), head: Some(head) }
    }

    /// How opaque the photo of `width × height` pixels is at a point of it, 0 to 1.
    pub fn alpha(&self, p: Point, width: f32, height: f32) -> f32 {
        let inside = (p.x + 0.5).min(width - 0.5 - p.x).min(p.y + 0.5).min(height - 0.5 - p.y);
        if inside < 0.0 {
            return 0.0;
        }
        let rim = if inside < self.rim { smooth(inside / self.rim) } else { 1.0 };
        rim * self.head.as_ref().map_or(1.0, |head| head.alpha(p))
    }
}

impl Head {
    fn alpha(&self, p: Point) -> f32 {
        let way = Point::new(p.x - self.center.x, p.y - self.center.y).rotated(-self.angle);
        let turn = way.y.atan2(way.x).rem_euclid(TAU) / TAU * N_WAYS as f32;
        let (i, part) = (turn as usize, turn.fract());
        let radius = self.radii[i % N_WAYS] * (1.0 - part) + self.radii[(i + 1) % N_WAYS] * part;
        let beyond = way.x.hypot(way.y) / radius - 1.0;
        smooth(0.5 - beyond / self.soft)
    }
}

/// Light that grows or falls across a face, as a factor of its grey levels.
#[derive(Clone, Copy)]
pub struct Light {
    /// Its logarithm at `center` of the picture.
    level: f32,
    center: Point,
    /// How its logarithm grows with each pixel of the picture.
    slope: Point,
}

impl Light {
    /// The light of `level` in the middle of a place of this size, that changes by e to the power of `slope` across it.
    pub fn new(level: f32, center: Point, size: f32, slope: f32, rng: &mut StdRng) -> Self {
        let slope = Point::new(slope / size, 0.0).rotated(rng.random_range(0.0..TAU));
        Self { level: level.ln(), center, slope }
    }

    /// A grey level in this light.
    pub fn on(&self, value: f32, p: Point) -> f32 {
        let far = (p.x - self.center.x) * self.slope.x + (p.y - self.center.y) * self.slope.y;
        (value * (self.level + far).exp()).min(255.0)
    }
}

/// From 0 to 1 without an edge at either end.
fn smooth(t: f32) -> f32 {
    let t = t.clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    const FACE: Region = Region { center: Point { x: 110.0, y: 100.0 }, size: 80.0, angle: 0.3 };

    #[test]
    fn a_face_is_opaque_and_its_photos_edges_are_not() {
        let mut rng = StdRng::seed_from_u64(1);
        for _ in 0..100 {
            let blend = Blend::head(&FACE, &mut rng);
            assert!(blend.alpha(FACE.center, 220.0, 220.0) > 0.99);
            assert!(blend.alpha(Point::new(0.0, 100.0), 220.0, 220.0) < 0.2);
            assert_eq!(blend.alpha(Point::new(-1.0, 100.0), 220.0, 220.0), 0.0);
            assert!(Blend::rectangle(&FACE, &mut rng).alpha(FACE.center, 220.0, 220.0) > 0.99);
        }
    }

    #[test]
    fn side_light_is_as_bright_in_the_middle_as_it_should_be() {
        let mut rng = StdRng::seed_from_u64(2);
        let light = Light::new(0.2, FACE.center, FACE.size, 1.0, &mut rng);
        assert!((light.on(100.0, FACE.center) - 20.0).abs() < 1e-3);
        let corners = FACE.corners().map(|p| light.on(100.0, p));
        assert!(corners.iter().any(|&v| v > 25.0) && corners.iter().any(|&v| v < 16.0), "{corners:?}");
    }
}
