//! What makes a face hard, judged by its true landmarks and, for glasses, by its photo.

use facemark::Plane;
use facemark::face::Scheme;
use facemark::geometry::{Point, Region, bounds, mean};

use crate::dataset::Sample;

/// A head counts as turned if its nose is this much nearer to one end of the jaw than to the other.
const TURNED: f32 = 0.5;
/// Eyes whose landmarks' box is flatter than this, height over width, count as closed or nearly so. (Soukupová and Čech,
/// "Real-Time Eye Blink Detection using Facial Landmarks", 2016, take 0.2 for a blink.)
const CLOSED: f32 = 0.2;
/// Beyond this roll, in degrees, a head counts as tilted.
const TILTED: f32 = 15.0;

/// Dark rims: the least that the bridge of the glasses and the rims below both eyes are darker than the skin on either side of
/// them. Of LFPW's 224 test photos eleven pass: ten with glasses, and a deeply wrinkled face in hard light.
const BRIDGE: f32 = 0.65;
const RIM: f32 = 0.3;

/// What makes a face hard. Empty for a scheme without eyes.
pub fn traits(sample: &Sample, scheme: Scheme) -> Vec<&'static str> {
    let mut traits = by_points(&sample.points, scheme);
    traits.extend(has_dark_rims(sample, scheme).then_some("dark-rimmed glasses"));
    traits
}

fn by_points(points: &[Point], scheme: Scheme) -> Vec<&'static str> {
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

/// Whether something dark crosses the nose between the eyes, and the cheek below each of them.
fn has_dark_rims(sample: &Sample, scheme: Scheme) -> bool {
    let Some(eyes) = scheme.eyes() else { return false };
    let [left, right] = eyes.map(|eye| mean(&eye.iter().map(|&i| sample.points[i]).collect::<Vec<Point>>()));
    let middle = Point::new((left.x + right.x) / 2.0, (left.y + right.y) / 2.0);
    let across = Point::new(right.x - left.x, right.y - left.y);
    // Down the face, from `from` to `to`: the middle one of three lines side by side. All in distances between the eyes.
    let darkening = |start: Point, beside: f32, from: f32, to: f32| {
        let mut dips = [-beside, 0.0, beside].map(|aside| {
            let at = |i: usize| {
                let down = from + (to - from) * i as f32 / (N_STEPS - 1) as f32;
                let x = start.x + aside * across.x - down * across.y;
                let y = start.y + aside * across.y + down * across.x;
                grey(&sample.photo, x, y)
            };
            deepest_dip(&std::array::from_fn::<_, N_STEPS, _>(at))
        });
        dips.sort_by(f32::total_cmp);
        dips[1]
    };
    darkening(middle, 0.08, -0.3, 0.45) >= BRIDGE
        && [left, right].iter().all(|&eye| darkening(eye, 0.12, 0.14, 0.62) >= RIM)
}

/// Points along a line: of faces of 144 px, whose eyes are 60 px apart, about every pixel.
const N_STEPS: usize = 40;
/// In the dark, noise is not taken for rims.
const DARK: f32 = 30.0;

/// How much darker the deepest dip of a line is than the brightest pixels on both sides of it, as a share of the darker one.
fn deepest_dip(line: &[f32]) -> f32 {
    let brightest = |part: &[f32]| part.iter().copied().fold(0.0, f32::max);
    let dip = |i: usize| {
        let beside = brightest(&line[..=i]).min(brightest(&line[i..]));
        (beside - line[i]) / beside.max(DARK)
    };
    (0..line.len()).map(dip).fold(0.0, f32::max)
}

/// The nearest pixel, also for places beyond the edge.
fn grey(photo: &Plane, x: f32, y: f32) -> f32 {
    let nearest = |at: f32, n: usize| (at.round().max(0.0) as usize).min(n - 1);
    let (x, y) = (nearest(x, photo.width()), nearest(y, photo.height()));
    f32::from(photo.data()[y * photo.width() + x])
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;

    use super::*;

    /// A bright photo of 200 px with a face whose eyes are 100 px apart, and dark bars of 4 px below the eyes and across the nose.
    fn with_bars(bars: &[[usize; 3]]) -> Sample {
        let mut photo = Plane::new(200, 200, vec![200; 200 * 200]).unwrap();
        for &[left, right, top] in bars {
            for y in top..top + 4 {
                photo.data_mut()[200 * y + left..200 * y + right].fill(40);
            }
        }
        let eye = |i: usize| Point::new(if i < 42 { 50.0 } else { 150.0 } + (i % 3) as f32 - 1.0, 80.0);
        let points: Vec<Point> =
            (0..68).map(|i| if (36..48).contains(&i) { eye(i) } else { Point::new(100.0, 100.0) }).collect();
        Sample {
            name: String::new(),
            picture: PathBuf::new(),
            photo: Arc::new(photo),
            region: Region::from_points(points.iter().copied()),
            points,
            face_box: None,
            held_out: true,
            mesh: None,
        }
    }

    #[test]
    fn glasses_cross_the_nose_and_both_cheeks() {
        let (bridge, left, right) = ([85, 115, 78], [20, 85, 110], [115, 180, 110]);
        let is_seen = |bars: &[[usize; 3]]| has_dark_rims(&with_bars(bars), Scheme::Ibug68);
        assert!(is_seen(&[bridge, left, right]));
        assert!(!is_seen(&[]) && !is_seen(&[left, right]) && !is_seen(&[bridge, left]));
    }

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
        let told = |points: &[Point]| by_points(points, Scheme::Ibug68);
        assert_eq!(told(&face(50.0, 0.3)), Vec::<&str>::new());
        assert_eq!(told(&face(20.0, 0.3)), ["turned head"]);
        assert_eq!(told(&face(50.0, 0.1)), ["closed eyes"]);
        let tilted: Vec<Point> = face(50.0, 0.3).into_iter().map(|p| p.rotated(0.4)).collect();
        assert_eq!(told(&tilted), ["tilted head"]);
        assert_eq!(by_points(&[Point::new(1.0, 2.0)], Scheme::Nose), Vec::<&str>::new());
    }
}
