//! Where eyes look: an eyeball behind the lids' corners, and the ray through the iris that meets it. Sideways, the iris is where
//! the net sees it; up and down, the upper lid tells where it is.

use super::pose::space::in_parallel;
use super::vector::{Matrix, Vector, combined, dot, normalised, transposed};
use super::{Camera, Scheme, mesh};
use crate::geometry::{Point, mean};

/// Both corners of the eyes on the picture's left and right, the left corner first.
const CORNERS: [[usize; 2]; 2] = [[33, 133], [362, 263]];
/// The middle of their upper lids.
const LIDS: [[usize; 3]; 2] = [[160, 159, 158], [385, 386, 387]];
/// How far below the middle of the upper lid the iris' centre is, as a share of the way between the corners: the mean of 4,516
/// faces that look ahead, as MediaPipe sees them. People differ by 0.04.
const BELOW_LID: f32 = 0.13;
/// The middle between an eye's corners on the mean head, on the picture's right, in millimetres.
const EYE: Vector = [31.5, -27.0, 14.6];
/// How far behind the middle between an eye's corners the middle of its eyeball is taken to be, in millimetres, and how far
/// from that the iris' centre. Fitted to the meshes that `mesh` and MediaPipe see of a rendered head whose gaze is known; true
/// eyes have 6 and 10.
const DEPTH: f32 = 8.0;
const RADIUS: f32 = 8.5;

/// Where both eyes look, the picture's left one first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gaze {
    /// Unit vectors in the camera's axes: x to the picture's right, y downwards, z away from the camera, so that z is -1
    /// for an eye that looks along the camera's axis towards it.
    pub eyes: [[f32; 3]; 2],
    /// The same in the head's axes: z is -1 for an eye that looks where the nose points.
    pub in_head: [[f32; 3]; 2],
}

impl Gaze {
    /// Where the eyes look as this camera sees them. `None` for a scheme without irises, and for points that are too few or
    /// not finite. Closed eyes have a gaze, too, but it means nothing.
    ///
    /// The head's rotation is that in parallel projection: with a wrong field of view, the one in perspective is
    /// far off for a near head.
    pub fn of(landmarks: &[Point], scheme: Scheme, camera: &Camera) -> Option<Self> {
        let has_irises = scheme == Scheme::Mesh478;
        let (rotation, at) = has_irises.then(|| in_parallel(landmarks, scheme, camera)).flatten()?;
        Self::of_head(landmarks, &rotation, at, camera)
    }

    /// The same for a head that is turned so, with its middle there.
    fn of_head(landmarks: &[Point], rotation: &Matrix, at: Vector, camera: &Camera) -> Option<Self> {
        let forward = rotation.map(|row| row[2]);
        let eye = |i: usize| -> Option<Vector> {
            let corners = CORNERS[i].map(|corner| landmarks.get(corner).copied());
            let middle = mean(&[corners[0]?, corners[1]?]);
            // As deep as the head's middle plus the way from there to this eye.
            let side = if i == 0 { -EYE[0] } else { EYE[0] };
            let depth = at[2] + dot(rotation[2], [side, EYE[1], EYE[2]]);
            let corner = camera.ray(middle).map(|v| v * depth);
            let eyeball = combined(1.0, corner, DEPTH, forward);
            look(camera.ray(iris(landmarks, i)?), eyeball)
        };
        let eyes = [eye(0)?, eye(1)?];
        let to_head = transposed(rotation);
        let in_head = eyes.map(|eye| to_head.map(|row| dot(row, eye)));
        Some(Self { eyes, in_head })
    }

    /// The mean direction's angles to the right and downwards in radians, 0 towards the camera (OpenFace's
    /// `gaze_angle_x` and `gaze_angle_y`).
    pub fn angles(&self) -> [f32; 2] {
        let [x, y, z] = combined(0.5, self.eyes[0], 0.5, self.eyes[1]);
        [x.atan2(-z), y.atan2(-z)]
    }
}

/// The centre of an eye's iris: as far below the upper lid as usual, since lids go along where eyes look up or down, and hide
/// how far the iris does. `mesh` hardly moves it: by a quarter of what a rendered head's iris moves, and the lid by two thirds
/// of it.
fn iris(landmarks: &[Point], eye: usize) -> Option<Point> {
    let at = |i: usize| landmarks.get(i).copied();
    let [left, right] = CORNERS[eye].map(at);
    let (left, right, iris) = (left?, right?, at(mesh::IRISES[eye])?);
    let along = Point::new(right.x - left.x, right.y - left.y);
    let square = along.x.powi(2) + along.y.powi(2);
    // How far below the line between the corners a point is, in eye widths.
    let below = |p: Point| ((p.y - left.y) * along.x - (p.x - left.x) * along.y) / square;
    let [a, b, c] = LIDS[eye].map(at);
    let down = below(mean(&[a?, b?, c?])) + BELOW_LID - below(iris);
    Some(Point::new(iris.x - down * along.y, iris.y + down * along.x))
}

/// The direction from the middle of an eyeball to where the ray meets it first, or passes it most closely.
fn look(ray: Vector, eyeball: Vector) -> Option<Vector> {
    let ray = normalised(ray)?;
    let along = dot(ray, eyeball);
    let nearest = combined(along, ray, -1.0, eyeball);
    let short = (RADIUS * RADIUS - dot(nearest, nearest)).max(0.0).sqrt();
    normalised(combined(1.0, nearest, -short, ray))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::face::{Place, Pose};

    /// The landmarks that matter of a head in this place whose eyes look along `gaze`, in the camera's axes.
    fn seen(place: &Place, gaze: Vector) -> Vec<Point> {
        let Camera { focal, center } = place.camera;
        let project = |p: Vector| Point::new(center.x + focal * p[0] / p[2], center.y + focal * p[1] / p[2]);
        let rotation = place.rotation.matrix();
        let on_head = |p: Vector| {
            let turned = rotation.map(|row| dot(row, p));
            combined(1.0, turned, 1.0, place.translation)
        };
        let mut points = vec![Point::default(); 478];
        for (i, side) in [-1.0, 1.0].into_iter().enumerate() {
            let middle = [side * EYE[0], EYE[1], EYE[2]];
            for (corner, dx) in CORNERS[i].into_iter().zip([-12.0, 12.0]) {
                points[corner] = project(on_head([middle[0] + dx, middle[1], middle[2]]));
            }
            let eyeball = on_head([middle[0], middle[1], middle[2] + DEPTH]);
            let iris = project(combined(1.0, eyeball, RADIUS, gaze));
            let [left, right] = CORNERS[i].map(|corner| points[corner]);
            let up = Point::new(BELOW_LID * (right.y - left.y), -BELOW_LID * (right.x - left.x));
            LIDS[i].into_iter().for_each(|lid| points[lid] = Point::new(iris.x + up.x, iris.y + up.y));
            points[mesh::IRISES[i]] = iris;
        }
        points
    }

    fn angle(a: Vector, b: Vector) -> f32 {
        dot(a, b).clamp(-1.0, 1.0).acos().to_degrees()
    }

    #[test]
    fn eyes_look_where_their_irises_are() {
        let camera = Camera::with_fov(1.0, 640, 480);
        for (translation, yaw) in [([0.0, 0.0, 500.0], 0.0), ([120.0, -60.0, 400.0], 0.4)] {
            let rotation = Pose { pitch: 0.1, yaw, roll: -0.2 };
            let place = Place { translation, rotation, camera };
            for gaze in [[0.0, 0.0, -1.0], [0.4, -0.1, -0.9], [-0.3, 0.3, -0.9]] {
                let gaze = normalised(gaze).unwrap();
                let points = seen(&place, gaze);
                let found = Gaze::of_head(&points, &rotation.matrix(), translation, &camera).unwrap();
                assert!(found.eyes.iter().all(|&eye| angle(eye, gaze) < 2.0), "{found:?} is not {gaze:?}");
                let in_head = transposed(&rotation.matrix()).map(|row| dot(row, gaze));
                assert!(angle(found.in_head[0], in_head) < 2.0);
            }
        }
    }

    #[test]
    fn up_and_down_an_eye_looks_where_its_lid_says() {
        let camera = Camera::with_fov(1.0, 640, 480);
        let place = Place {
            translation: [0.0, 0.0, 500.0],
            rotation: Pose { pitch: 0.0, yaw: 0.0, roll: 0.6 },
            camera,
        };
        let points = seen(&place, [0.0, 0.0, -1.0]);
        let gaze = |points: &[Point]| {
            Gaze::of_head(points, &place.rotation.matrix(), place.translation, &camera).unwrap().in_head[0]
        };
        let moved = |indices: &[usize], way: Point| {
            let mut points = points.clone();
            indices.iter().for_each(|&i| points[i] = Point::new(points[i].x + way.x, points[i].y + way.y));
            gaze(&points)
        };
        // By 2 mm to the eye's right, and downwards.
        let (right, down) = (Point::new(2.0, 0.0), Point::new(0.0, 2.0));
        let in_picture =
            |mm: Point| Point::new(mm.x * camera.focal / 500.0, mm.y * camera.focal / 500.0).rotated(0.6);
        let [x, y, _] = gaze(&points);
        let [right, down] = [right, down].map(in_picture);
        let iris = [mesh::IRISES[0]];
        assert!(moved(&iris, right)[0] > x + 0.15 && (moved(&iris, down)[1] - y).abs() < 1e-3);
        assert!(moved(&LIDS[0], down)[1] > y + 0.15 && (moved(&LIDS[0], right)[0] - x).abs() < 1e-3);
    }

    #[test]
    fn angles_are_openfaces() {
        let gaze = Gaze { eyes: [[0.6, 0.0, -0.8]; 2], in_head: [[0.0, 0.0, -1.0]; 2] };
        let [right, down] = gaze.angles();
        assert!((right.to_degrees() - 36.87).abs() < 0.01 && down == 0.0);
    }

    #[test]
    fn what_has_no_irises_has_no_gaze() {
        let camera = Camera::with_fov(1.0, 640, 480);
        assert_eq!(Gaze::of(&[Point::new(1.0, 2.0); 68], Scheme::Ibug68, &camera), None);
        assert_eq!(Gaze::of(&[Point::new(1.0, 2.0); 9], Scheme::Mesh478, &camera), None);
        assert_eq!(Gaze::of(&[Point::new(f32::NAN, 2.0); 478], Scheme::Mesh478, &camera), None);
    }
}
