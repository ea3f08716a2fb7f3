//! What makes a face hard, judged by its true landmarks.

use facemark::face::Scheme;
use facemark::geometry::{Point, Region, bounds, mean};

/// A head counts as turned if its nose is this much nearer to one end of the jaw than to the other.
const TURNED: f32 = 0.5;
/// Eyes whose landmarks' box is flatter than this, height over width, count as closed or nearly so. (Soukupová and Čech,
/// "Real-Time Eye Blink Detection using Facial Landmarks", 2016, take 0.2 for a blink.)
const CLOSED: f32 = 0.2;
/// Beyond this roll, in degrees, a head counts as tilted.
const TILTED: f32 = 15.0;

/// What makes a face hard, judged by its true landmarks. Empty for a scheme without eyes.
pub fn traits(points: &[Point], scheme: Scheme) -> Vec<&'static str> {
    let (Some(eyes), Some(region)) = (scheme.eyes(), Region::from_landmarks(points, scheme)) else {
        return Vec::new();
    };
    let level: Vec<Point> = points.iter().map(|p| p.rotated(-region.angle)).collect();
    let picked = |indices: &[usize]| indices.iter().map(|&i| level[i]).collect::<Vec<Point>>();
    let part = |name: &str| scheme.contours().iter().find(|c| c.name == name).map(|c| picked(c.points));
    let openness = |eye: &[Point]| {
        let (min, max) = bounds(eye.iter().copied());
        (max.y - min.y) / (max.x - min.x)
    };
    let is_closed = eyes.iter().all(|eye| openness(&picked(eye)) < CLOSED);
    let asymmetry = part("nose").zip(part("jaw")).and_then(|(nose, jaw)| {
        let nose = mean(&nose).x;
        let [a, b] = [jaw.first()?, jaw.last()?].map(|end| (end.x - nose).abs());
        Some(a.min(b) / a.max(b))
    });
    let mut traits = Vec::new();
    traits.extend(asymmetry.filter(|&a| a < TURNED).map(|_| "turned head"));
    traits.extend(is_closed.then_some("closed eyes"));
    traits.extend((region.angle.to_degrees().abs() > TILTED).then_some("tilted head"));
    traits
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A face of 100 px: jaw ends at 0 and 100, eyes `open` high at 25 and 75, the nose's middle at `nose`.
    fn face(nose: f32, open: f32) -> Vec<Point> {
        let eye = |x: f32| [-10.0, -5.0, 5.0, 10.0, 5.0, -5.0].map(|dx| x + dx);
        let lids = [0.0, -0.5, -0.5, 0.0, 0.5, 0.5].map(|dy| 20.0 * open * dy);
        let point = |i: usize| match i {
            0..17 => Point::new(100.0 * i as f32 / 16.0, 50.0),
            31..36 => Point::new(nose + 5.0 * (i as f32 - 33.0), 30.0),
            36..42 => Point::new(eye(25.0)[i - 36], lids[i - 36]),
            42..48 => Point::new(eye(75.0)[i - 42], lids[i - 42]),
            _ => Point::new(50.0, 60.0),
        };
        (0..68).map(point).collect()
    }

    #[test]
    fn turned_tilted_and_sleeping_faces_are_told_apart() {
        let told = |points: &[Point]| traits(points, Scheme::Ibug68);
        assert_eq!(told(&face(50.0, 0.3)), Vec::<&str>::new());
        assert_eq!(told(&face(20.0, 0.3)), ["turned head"]);
        assert_eq!(told(&face(50.0, 0.1)), ["closed eyes"]);
        let tilted: Vec<Point> = face(50.0, 0.3).into_iter().map(|p| p.rotated(0.4)).collect();
        assert_eq!(told(&tilted), ["tilted head"]);
        assert_eq!(traits(&[Point::new(1.0, 2.0)], Scheme::Nose), Vec::<&str>::new());
    }
}
