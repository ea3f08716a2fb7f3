//! Landmark schemes: how many landmarks there are, what each is, and which form a contour.

use std::ops::Range;

use serde::{Deserialize, Serialize};

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
}

/// A run of landmarks that form a line, such as a brow or an eye.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contour {
    /// The part of the face.
    pub name: &'static str,
    /// Their indices.
    pub points: Range<usize>,
    /// Whether the last landmark is joined to the first.
    pub closed: bool,
}

const fn open(name: &'static str, points: Range<usize>) -> Contour {
    Contour { name, points, closed: false }
}

const fn closed(name: &'static str, points: Range<usize>) -> Contour {
    Contour { name, points, closed: true }
}

static IMM58: [Contour; 7] = [
    open("jaw", 0..13),
    closed("right eye", 13..21),
    closed("left eye", 21..29),
    open("right brow", 29..34),
    open("left brow", 34..39),
    closed("mouth", 39..47),
    open("nose", 47..58),
];

static IBUG68: [Contour; 9] = [
    open("jaw", 0..17),
    open("left brow", 17..22),
    open("right brow", 22..27),
    open("nose bridge", 27..31),
    open("nose", 31..36),
    closed("left eye", 36..42),
    closed("right eye", 42..48),
    closed("mouth", 48..60),
    closed("inner mouth", 60..68),
];

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

impl Scheme {
    /// All schemes.
    pub const ALL: [Self; 3] = [Self::Nose, Self::Imm58, Self::Ibug68];

    /// The name, as used in model files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nose => "nose",
            Self::Imm58 => "imm58",
            Self::Ibug68 => "ibug68",
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

    /// The contours to draw. Each landmark is in exactly one, except that [`Nose`](Self::Nose) has no
    /// contour.
    pub fn contours(self) -> &'static [Contour] {
        match self {
            Self::Nose => &[],
            Self::Imm58 => &IMM58,
            Self::Ibug68 => &IBUG68,
        }
    }

    /// For each landmark, the index it has in the mirrored picture: `mirror()[36]` is 45 in
    /// [`Ibug68`](Self::Ibug68).
    pub fn mirror(self) -> &'static [usize] {
        match self {
            Self::Nose => &[0],
            Self::Imm58 => &IMM58_MIRROR,
            Self::Ibug68 => &IBUG68_MIRROR,
        }
    }

    /// The landmarks of the left and the right eye, if the scheme has eyes.
    pub fn eyes(self) -> Option<[Range<usize>; 2]> {
        match self {
            Self::Nose => None,
            Self::Imm58 => Some([21..29, 13..21]),
            Self::Ibug68 => Some([36..42, 42..48]),
        }
    }

    /// The outer corners of the left and the right eye, if the scheme has eyes. 300-W divides errors by their
    /// distance (NME).
    pub fn eye_corners(self) -> Option<[usize; 2]> {
        match self {
            Self::Nose => None,
            Self::Imm58 => Some([21, 13]),
            Self::Ibug68 => Some([36, 45]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirroring_twice_changes_nothing_and_swaps_the_sides() {
        for scheme in Scheme::ALL {
            let mirror = scheme.mirror();
            for (i, &j) in mirror.iter().enumerate() {
                assert_eq!(mirror[j], i, "{} point {i}", scheme.name());
            }
            if let Some([left, right]) = scheme.eyes() {
                assert!(left.clone().all(|i| right.contains(&mirror[i])));
            }
            if let Some([left, right]) = scheme.eye_corners() {
                assert_eq!(mirror[left], right);
            }
        }
    }

    #[test]
    fn contours_cover_each_point_once() {
        for scheme in [Scheme::Imm58, Scheme::Ibug68] {
            let covered: Vec<usize> = scheme.contours().iter().flat_map(|c| c.points.clone()).collect();
            assert_eq!(covered, (0..scheme.n_points()).collect::<Vec<_>>());
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
