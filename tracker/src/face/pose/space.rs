//! Where a head is in space: a metric head, seen in perspective.

use super::shape::MEAN_HEAD;
use super::{POINTS, Pose, rotation_of};
use crate::face::vector::{Matrix, Vector, combined, cross, dot, normalised, transposed};
use crate::face::{Scheme, mesh};
use crate::geometry::{Point, mean};

/// The distance between the outer corners of an adult's eyes in millimetres: the mean of women and men (Farkas,
/// "Anthropometry of the Head and Face", 2nd edition, 1994: 86.8 and 89.4 for North Americans).
pub const EYE_DISTANCE: f32 = 88.0;
/// Gauss-Newton steps. Further ones change nothing that can be seen.
const STEPS: usize = 6;

/// A camera without distortion that looks through the picture's middle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Camera {
    /// The focal length in pixels.
    pub focal: f32,
    /// Where its axis meets the picture.
    pub center: Point,
}

impl Camera {
    /// The camera whose picture of this width and height in pixels shows `fov` radians from left to right.
    pub fn with_fov(fov: f32, width: usize, height: usize) -> Self {
        let (width, height) = (width as f32, height as f32);
        let center = Point::new((width - 1.0) / 2.0, (height - 1.0) / 2.0);
        Self { focal: width / 2.0 / (fov / 2.0).tan(), center }
    }

    /// What it shows from left to right, in radians.
    pub fn fov(&self) -> f32 {
        2.0 * ((self.center.x + 0.5) / self.focal).atan()
    }

    /// The direction in which a point is seen, with a depth of 1.
    pub fn ray(&self, p: Point) -> Vector {
        [(p.x - self.center.x) / self.focal, (p.y - self.center.y) / self.focal, 1.0]
    }
}

/// Where a head is, and how it is turned. The camera is at the origin; x is to the picture's right, y downwards and
/// z away from the camera.
///
/// Sizes are those of a mean adult head: those of small children are told to be a third too far away.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// The middle of the 51 inner landmarks, about the nose's root, in millimetres.
    pub translation: [f32; 3],
    /// The rotation in the camera's axes. (That of [`Measures::pose`](crate::Measures::pose) is as seen along the
    /// line of sight.)
    pub rotation: Pose,
    /// The camera that sees it so.
    pub camera: Camera,
}

impl Place {
    /// The place whose perspective image fits these landmarks best.
    ///
    /// `None` as for [`Pose::of`], and if the camera's numbers are of no use.
    pub fn of(landmarks: &[Point], scheme: Scheme, camera: &Camera) -> Option<Self> {
        let landmarks = mesh::ibug68(landmarks, scheme)?;
        let points = landmarks.get(POINTS)?;
        let rays: Vec<Vector> = points.iter().map(|&p| camera.ray(p)).collect();
        let start = start(points, camera)?;
        let (rotation, at) = (0..STEPS).try_fold(start, |state, _| step(state, &rays))?;
        let is_seen = at.iter().all(|v| v.is_finite()) && at[2] > 0.0;
        is_seen.then(|| Self { translation: at, rotation: Pose::from_matrix(&rotation), camera: *camera })
    }
}

/// The rotation of a head in parallel projection, in the camera's axes, and where its middle is as its size tells: see
/// [`Place`], which needs to know the field of view better.
pub fn in_parallel(landmarks: &[Point], scheme: Scheme, camera: &Camera) -> Option<(Matrix, Vector)> {
    start(mesh::ibug68(landmarks, scheme)?.get(POINTS)?, camera)
}

/// The pose in parallel projection, turned from the line of sight to the camera's axes, as far away as its size tells.
fn start(points: &[Point], camera: &Camera) -> Option<(Matrix, Vector)> {
    let seen = rotation_of(points)?;
    let center = mean(points);
    let (mut spread, mut size) = (0.0, 0.0);
    for (head, p) in MEAN_HEAD.iter().zip(points) {
        let [x, y] = [dot(seen[0], *head), dot(seen[1], *head)];
        spread += (p.x - center.x) * x + (p.y - center.y) * y;
        size += x * x + y * y;
    }
    let depth = camera.focal * EYE_DISTANCE * size / spread;
    let sight = camera.ray(center);
    let at = sight.map(|v| v * depth);
    (depth.is_finite() && depth > 0.0).then_some(())?;
    // The rotation that takes the camera's axis to the line of sight.
    let forward = normalised(sight)?;
    let right = normalised(cross([0.0, 1.0, 0.0], forward))?;
    let down = cross(forward, right);
    let turn =
        |column: Vector| combined(1.0, combined(column[0], right, column[1], down), column[2], forward);
    let columns = transposed(&seen).map(turn);
    Some((transposed(&columns), at))
}

impl Pose {
    /// The rotation matrix, row by row.
    pub fn matrix(&self) -> [[f32; 3]; 3] {
        let ((sx, cx), (sy, cy), (sz, cz)) = (self.pitch.sin_cos(), self.yaw.sin_cos(), self.roll.sin_cos());
        [
            [cy * cz, -cy * sz, sy],
            [cx * sz + sx * sy * cz, cx * cz - sx * sy * sz, -sx * cy],
            [sx * sz - cx * sy * cz, sx * cz + cx * sy * sz, cx * cy],
        ]
    }
}

/// A Gauss-Newton step of rotation and translation.
fn step((rotation, at): (Matrix, Vector), rays: &[Vector]) -> Option<(Matrix, Vector)> {
    let (mut normal, mut right) = ([[0.0; 6]; 6], [0.0; 6]);
    for (head, ray) in MEAN_HEAD.iter().zip(rays) {
        let turned = rotation.map(|row| EYE_DISTANCE * dot(row, *head));
        let [x, y, z] = [turned[0] + at[0], turned[1] + at[1], turned[2] + at[2]];
        let [a, b, c] = turned;
        // The image is (x / z, y / z). A small rotation w moves the point by w × turned, a translation by itself.
        for (value, measured, [dx, dy]) in [(x / z, ray[0], [1.0, 0.0]), (y / z, ray[1], [0.0, 1.0])] {
            let slope = |by: Vector| (dx * by[0] + dy * by[1] - value * by[2]) / z;
            let slopes = [
                slope([0.0, -c, b]),
                slope([c, 0.0, -a]),
                slope([-b, a, 0.0]),
                slope([1.0, 0.0, 0.0]),
                slope([0.0, 1.0, 0.0]),
                slope([0.0, 0.0, 1.0]),
            ];
            for i in 0..6 {
                right[i] += slopes[i] * (measured - value);
                (0..6).for_each(|j| normal[i][j] += slopes[i] * slopes[j]);
            }
        }
    }
    let [p, q, r, tx, ty, tz] = solve(normal, right)?;
    let turned = |column: Vector| combined(1.0, column, 1.0, cross([p, q, r], column));
    let [first, second, _] = transposed(&rotation).map(turned);
    // Made a rotation again.
    let first = normalised(first)?;
    let second = normalised(combined(1.0, second, -dot(first, second), first))?;
    let rotation = transposed(&[first, second, cross(first, second)]);
    Some((rotation, [at[0] + tx, at[1] + ty, at[2] + tz]))
}

/// The solution of `n` linear equations by elimination; `None` if it is not finite.
fn solve<const N: usize>(mut matrix: [[f32; N]; N], mut right: [f32; N]) -> Option<[f32; N]> {
    for i in 0..N {
        let pivot = (i..N).max_by(|&a, &b| matrix[a][i].abs().total_cmp(&matrix[b][i].abs()))?;
        matrix.swap(i, pivot);
        right.swap(i, pivot);
        for row in i + 1..N {
            let factor = matrix[row][i] / matrix[i][i];
            (i..N).for_each(|column| matrix[row][column] -= factor * matrix[i][column]);
            right[row] -= factor * right[i];
        }
    }
    let mut solution = [0.0; N];
    for i in (0..N).rev() {
        let known: f32 = (i + 1..N).map(|j| matrix[i][j] * solution[j]).sum();
        solution[i] = (right[i] - known) / matrix[i][i];
    }
    solution.iter().all(|v| v.is_finite()).then_some(solution)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The landmarks of the mean head in this place.
    fn seen(rotation: &Matrix, at: Vector, camera: &Camera) -> Vec<Point> {
        let project = |head: Vector| {
            let turned = rotation.map(|row| EYE_DISTANCE * dot(row, head));
            let z = turned[2] + at[2];
            let x = camera.center.x + camera.focal * (turned[0] + at[0]) / z;
            Point::new(x, camera.center.y + camera.focal * (turned[1] + at[1]) / z)
        };
        // The jaw must not matter.
        vec![Point::new(-1e6, 7.0); 17].into_iter().chain(MEAN_HEAD.map(project)).collect()
    }

    #[test]
    fn a_head_is_found_where_it_is_however_it_is_turned() {
        let camera = Camera::with_fov(60_f32.to_radians(), 640, 480);
        assert!((camera.focal - 554.256).abs() < 1e-2 && (camera.fov().to_degrees() - 60.0).abs() < 1e-3);
        for at in [[0.0, 0.0, 500.0], [-180.0, 60.0, 450.0], [150.0, -90.0, 300.0], [30.0, 10.0, 2500.0]] {
            for (pitch, yaw, roll) in [(0.0, 0.0, 0.0), (0.2, -0.5, 0.3), (-0.3, 0.7, -0.6)] {
                let rotation = Pose { pitch, yaw, roll };
                let points = seen(&rotation.matrix(), at, &camera);
                let found = Place::of(&points, Scheme::Ibug68, &camera).unwrap();
                let off = (0..3).map(|i| (found.translation[i] - at[i]).abs()).fold(0.0, f32::max);
                assert!(off < 2e-3 * at[2], "{found:?} is not at {at:?}");
                let Pose { pitch: p, yaw: y, roll: r } = found.rotation;
                let off = [(p, pitch), (y, yaw), (r, roll)].map(|(a, b)| (a - b).abs());
                assert!(off.iter().all(|&off| off < 5e-3), "{found:?} is not turned by {rotation:?}");
            }
        }
    }

    #[test]
    fn what_shows_no_head_has_no_place() {
        let camera = Camera::with_fov(1.0, 640, 480);
        assert_eq!(Place::of(&[Point::new(3.0, 4.0); 68], Scheme::Ibug68, &camera), None);
        assert_eq!(Place::of(&[Point::new(f32::NAN, 4.0); 68], Scheme::Ibug68, &camera), None);
        assert_eq!(Place::of(&[], Scheme::Mesh478, &camera), None);
        let level = Pose { pitch: 0.0, yaw: 0.0, roll: 0.0 };
        let points = seen(&level.matrix(), [0.0, 0.0, 500.0], &camera);
        for focal in [0.0, f32::NAN, f32::INFINITY] {
            assert_eq!(Place::of(&points, Scheme::Ibug68, &Camera { focal, ..camera }), None, "{focal}");
        }
    }
}
