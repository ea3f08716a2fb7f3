//! The 478 points of MediaPipe's face mesh, and how the 68 of 300-W are told from them.

use std::borrow::Cow;

use super::Scheme;
use crate::geometry::Point;

/// Points of a mesh. The last ten are the irises: the centre and four on its edge, of the eye on the picture's
/// left (468–472) and of the other one (473–477).
pub const N_POINTS: usize = 478;

/// The outer corners of the eyes on the picture's left and right.
const OUTER_EYE_CORNERS: [usize; 2] = [33, 263];
/// The centres of the irises of the eyes on the picture's left and right.
pub const IRISES: [usize; 2] = [468, 473];

/// Which of the mesh's points lie where 300-W's 68 do, in their order.
///
/// The jaw and the brows follow the mesh's outline and the upper edge of its brows. On 142 photos with points
/// placed by hand these 68 are 3.6 % of the distance between the outer corners of the eyes off on average, and
/// 1.5 % without the jaw and once each point's mean shift is taken out.
pub const IBUG68: [usize; 68] = [
    // Jaw, from the picture's left to its right.
    162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389, // Brows.
    71, 63, 105, 66, 107, 336, 296, 334, 293, 301, // Bridge and bottom of the nose.
    168, 197, 5, 4, 75, 97, 2, 326, 305, // Eyes.
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380, // Outer lips.
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, // Inner lips.
    78, 82, 13, 312, 308, 317, 14, 87,
];

/// How far 300-W's points are from the mesh's that [`IBUG68`] names, along the line between the outer corners of
/// the eyes and across it, in units of their distance.
///
/// Means over 71 of the 142 photos of the Face Research Lab London Set that have points placed by hand
/// (DeBruine and Jones, CC BY 4.0), and over both sides of the face. On the other 71, they reduce the
/// mean distance from 3.9 to 2.1 %: the mesh's jaw is in front of the ears, and its brows lie higher.
#[rustfmt::skip]
const OFFSETS: [[f32; 2]; 68] = [
    [-0.013, 0.179],
    [-0.001, 0.045],
    [0.013, 0.083],
    [-0.024, -0.080],
    [-0.024, -0.040],
    [0.011, 0.020],
    [-0.026, -0.002],
    [-0.060, -0.005],
    [0.000, 0.026],
    [0.060, -0.005],
    [0.026, -0.002],
    [-0.011, 0.020],
    [0.024, -0.040],
    [0.024, -0.080],
    [-0.013, 0.083],
    [0.001, 0.045],
    [0.013, 0.179],
    [0.053, 0.069],
    [0.029, -0.010],
    [0.061, -0.006],
    [0.055, 0.010],
    [0.007, 0.043],
    [-0.007, 0.043],
    [-0.055, 0.010],
    [-0.061, -0.006],
    [-0.029, -0.010],
    [-0.053, 0.069],
    [0.000, 0.008],
    [0.000, -0.026],
    [0.000, -0.044],
    [0.000, -0.023],
    [-0.012, 0.008],
    [0.037, -0.037],
    [0.000, -0.013],
    [-0.037, -0.037],
    [0.012, 0.008],
    [-0.001, 0.002],
    [0.021, -0.003],
    [0.012, 0.008],
    [-0.006, 0.001],
    [-0.010, -0.001],
    [0.002, -0.002],
    [0.006, 0.001],
    [-0.012, 0.008],
    [-0.021, -0.003],
    [0.001, 0.002],
    [-0.002, -0.002],
    [0.010, -0.001],
    [-0.001, 0.003],
    [-0.023, 0.017],
    [0.006, 0.005],
    [0.000, 0.001],
    [-0.006, 0.005],
    [0.023, 0.017],
    [0.001, 0.003],
    [0.026, -0.008],
    [-0.002, 0.002],
    [0.000, 0.004],
    [0.002, 0.002],
    [-0.026, -0.008],
    [0.019, 0.001],
    [-0.009, -0.003],
    [0.000, 0.000],
    [0.009, -0.003],
    [-0.019, 0.001],
    [0.009, -0.005],
    [0.000, -0.001],
    [-0.009, -0.005],
];

/// The 68 landmarks of 300-W that these landmarks show; `None` if the scheme does not show them or there are
/// too few.
///
/// Those of a mesh are shifted by what people place differently, as measured on faces that look into the
/// camera.
pub fn ibug68(landmarks: &[Point], scheme: Scheme) -> Option<Cow<'_, [Point]>> {
    match scheme {
        Scheme::Ibug68 => Some(Cow::Borrowed(landmarks)),
        Scheme::Mesh478 => Some(Cow::Owned(mapped(landmarks.first_chunk()?))),
        Scheme::Nose | Scheme::Imm58 => None,
    }
}

fn mapped(mesh: &[Point; N_POINTS]) -> Vec<Point> {
    let [left, right] = OUTER_EYE_CORNERS.map(|i| mesh[i]);
    let (x, y) = (right.x - left.x, right.y - left.y);
    let shifted = |(i, [right, down]): (usize, [f32; 2])| {
        Point::new(mesh[i].x + right * x - down * y, mesh[i].y + right * y + down * x)
    };
    IBUG68.into_iter().zip(OFFSETS).map(shifted).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_of_the_68_is_another_point_of_the_mesh() {
        let points: BTreeSet<usize> = IBUG68.into_iter().collect();
        assert_eq!(points.len(), 68);
        assert!(points.iter().all(|&i| i < N_POINTS));
    }

    #[test]
    fn the_68_turn_and_grow_with_the_mesh() {
        let mesh: Vec<Point> =
            (0..478).map(|i| Point::new((i * 37 % 61) as f32, (i * 53 % 67) as f32)).collect();
        let moved = |p: Point| {
            let p = p.rotated(0.7);
            Point::new(2.0 * p.x + 5.0, 2.0 * p.y - 3.0)
        };
        let points = ibug68(&mesh, Scheme::Mesh478).unwrap();
        let turned: Vec<Point> = mesh.iter().copied().map(moved).collect();
        for (&point, turned) in points.iter().zip(&*ibug68(&turned, Scheme::Mesh478).unwrap()) {
            assert!(moved(point).distance(*turned) < 1e-3);
        }
        // The tip of the nose is hardly moved, the jaw's upper ends are.
        let eyes = mesh[33].distance(mesh[263]);
        let shift = |i: usize| points[i].distance(mesh[IBUG68[i]]) / eyes;
        assert!(shift(30) < 0.06 && shift(0) > 0.1, "{} {}", shift(30), shift(0));
    }

    #[test]
    fn too_few_points_and_other_schemes_show_no_68() {
        assert_eq!(ibug68(&[Point::new(1.0, 2.0); 477], Scheme::Mesh478), None);
        assert_eq!(ibug68(&[Point::new(1.0, 2.0); 58], Scheme::Imm58), None);
    }
}
