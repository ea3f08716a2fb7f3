//! Landmark schemes: how many landmarks there are, what each is, and which form a contour.

use serde::{Deserialize, Serialize};

use super::contour::{Contour, IBUG68, IMM58, MESH478};

/// Which landmarks a model finds, and in which order. Left and right are the picture's, not the person's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// One landmark: the middle of the bottom of the nose (number 52 of [`Imm58`](Self::Imm58)).
    Nose,
    /// The 58 landmarks of the IMM face database (Nordstrøm et al., 2004).
    Imm58,
    /// The 68 landmarks of 300-W (Sagonas et al., 2013), in Multi-PIE's order.
    Ibug68,
    /// The 478 landmarks of MediaPipe's face mesh, in its order: 468 on the skin, then the irises, each its
    /// centre and four points on its edge. Besides x and y they have a depth.
    Mesh478,
}

/// For each landmark, the index it has in the mirrored picture.
static IMM58_MIRROR: [usize; 58] = [
    12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, // jaw
    21, 22, 23, 24, 25, 26, 27, 28, 13, 14, 15, 16, 17, 18, 19, 20, // eyes
    34, 35, 36, 37, 38, 29, 30, 31, 32, 33, // brows
    43, 42, 41, 40, 39, 46, 45, 44, // mouth
    57, 56, 55, 54, 53, 52, 51, 50, 49, 48, 47, // nose
];

static IBUG68_MIRROR: [usize; 68] = [
    16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, // jaw
    26, 25, 24, 23, 22, 21, 20, 19, 18, 17, // brows
    27, 28, 29, 30, 35, 34, 33, 32, 31, // nose
    45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40, // eyes
    54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, // outer lips
    64, 63, 62, 61, 60, 67, 66, 65, // inner lips
];

static MESH478_MIRROR: [usize; 478] = mesh_mirror();

/// The mesh lists its midline and the picture's left half first, as far as 247, then the right half in the same
/// order. (So derived from the mean shape of 2,184 frontal faces: each landmark's counterpart is the nearest
/// one to its mirror image.)
const fn mesh_mirror() -> [usize; 478] {
    const MIDLINE: [usize; 28] = [
        0, 1, 2, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 94, 151, 152, 164, 168, 175, 195,
        197, 199, 200,
    ];
    let mut mirror = [0; 478];
    let (mut left, mut right, mut middle) = (0, 248, 0);
    while left < 248 {
        if middle < MIDLINE.len() && MIDLINE[middle] == left {
            mirror[left] = left;
            middle += 1;
        } else {
            mirror[left] = right;
            mirror[right] = left;
            right += 1;
        }
        left += 1;
    }
    // The irises: centre, then the edge anticlockwise from the picture's right.
    let order = [473, 476, 475, 474, 477];
    let mut i = 0;
    while i < order.len() {
        mirror[468 + i] = order[i];
        mirror[order[i]] = 468 + i;
        i += 1;
    }
    mirror
}

impl Scheme {
    /// All schemes.
    pub const ALL: [Self; 4] = [Self::Nose, Self::Imm58, Self::Ibug68, Self::Mesh478];

    /// The name, as used in model files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nose => "nose",
            Self::Imm58 => "imm58",
            Self::Ibug68 => "ibug68",
            Self::Mesh478 => "mesh478",
        }
    }

    /// The scheme with this name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scheme| scheme.name() == name)
    }

    /// The number of landmarks.
    pub fn n_points(self) -> usize {
        self.mirror().len()
    }

    /// The contours to draw. Of [`Imm58`](Self::Imm58) and [`Ibug68`](Self::Ibug68) each landmark is in exactly
    /// one; [`Nose`](Self::Nose) has none.
    pub fn contours(self) -> &'static [Contour] {
        match self {
            Self::Nose => &[],
            Self::Imm58 => &IMM58,
            Self::Ibug68 => &IBUG68,
            Self::Mesh478 => &MESH478,
        }
    }

    /// For each landmark, the index it has in the mirrored picture: `mirror()[36]` is 45 in
    /// [`Ibug68`](Self::Ibug68).
    pub fn mirror(self) -> &'static [usize] {
        match self {
            Self::Nose => &[0],
            Self::Imm58 => &IMM58_MIRROR,
            Self::Ibug68 => &IBUG68_MIRROR,
            Self::Mesh478 => &MESH478_MIRROR,
        }
    }

    /// The landmarks around the left and the right eye, if the scheme has eyes.
    pub fn eyes(self) -> Option<[&'static [usize]; 2]> {
        let contour = |name| self.contours().iter().find(|contour| contour.name == name);
        Some([contour("left eye")?.points, contour("right eye")?.points])
    }

    /// The outer corners of the left and the right eye, if the scheme has eyes. 300-W divides errors by their
    /// distance (NME).
    pub fn eye_corners(self) -> Option<[usize; 2]> {
        match self {
            Self::Nose => None,
            Self::Imm58 => Some([21, 13]),
            Self::Ibug68 => Some([36, 45]),
            Self::Mesh478 => Some([33, 263]),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn mirroring_twice_changes_nothing_and_swaps_the_sides() {
        for scheme in Scheme::ALL {
            let mirror = scheme.mirror();
            for (i, &j) in mirror.iter().enumerate() {
                assert_eq!(mirror[j], i, "{} point {i}", scheme.name());
            }
            if let Some([left, right]) = scheme.eyes() {
                assert!(left.iter().all(|&i| right.contains(&mirror[i])));
            }
            if let Some([left, right]) = scheme.eye_corners() {
                assert_eq!(mirror[left], right);
            }
        }
    }

    #[test]
    fn contours_cover_each_point_once() {
        for scheme in [Scheme::Imm58, Scheme::Ibug68] {
            let covered: Vec<usize> = scheme.contours().iter().flat_map(|c| c.points).copied().collect();
            assert_eq!(covered, (0..scheme.n_points()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_mirrored_contour_is_a_contour_or_the_same_one() {
        for scheme in Scheme::ALL {
            let sets = |map: &dyn Fn(usize) -> usize| -> BTreeSet<BTreeSet<usize>> {
                scheme.contours().iter().map(|c| c.points.iter().map(|&i| map(i)).collect()).collect()
            };
            assert_eq!(sets(&|i| i), sets(&|i| scheme.mirror()[i]), "{}", scheme.name());
        }
    }

    #[test]
    fn schemes_are_found_by_their_names() {
        for scheme in Scheme::ALL {
            assert_eq!(Scheme::from_name(scheme.name()), Some(scheme));
        }
        assert_eq!(Scheme::from_name("ibug69"), None);
    }
}
