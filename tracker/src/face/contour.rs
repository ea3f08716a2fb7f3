//! The contours of each scheme.

/// Landmarks that form a line, such as a brow or an eye.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contour {
    /// The part of the face.
    pub name: &'static str,
    /// Their indices, in the line's order.
    pub points: &'static [usize],
    /// Whether the last landmark is joined to the first.
    pub closed: bool,
}

const fn open(name: &'static str, points: &'static [usize]) -> Contour {
    Contour { name, points, closed: false }
}

const fn closed(name: &'static str, points: &'static [usize]) -> Contour {
    Contour { name, points, closed: true }
}

pub static IMM58: [Contour; 7] = [
    open("jaw", &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]),
    closed("right eye", &[13, 14, 15, 16, 17, 18, 19, 20]),
    closed("left eye", &[21, 22, 23, 24, 25, 26, 27, 28]),
    open("right brow", &[29, 30, 31, 32, 33]),
    open("left brow", &[34, 35, 36, 37, 38]),
    closed("mouth", &[39, 40, 41, 42, 43, 44, 45, 46]),
    open("nose", &[47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57]),
];

pub static IBUG68: [Contour; 9] = [
    open("jaw", &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]),
    open("left brow", &[17, 18, 19, 20, 21]),
    open("right brow", &[22, 23, 24, 25, 26]),
    open("nose bridge", &[27, 28, 29, 30]),
    open("nose", &[31, 32, 33, 34, 35]),
    closed("left eye", &[36, 37, 38, 39, 40, 41]),
    closed("right eye", &[42, 43, 44, 45, 46, 47]),
    closed("mouth", &[48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59]),
    closed("inner mouth", &[60, 61, 62, 63, 64, 65, 66, 67]),
];

/// As MediaPipe's package lists them (`FaceLandmarksConnections`, Apache-2.0), each as one line.
pub static MESH478: [Contour; 12] = [
    closed(
        "face oval",
        &[
            10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152,
            148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
        ],
    ),
    closed("left brow", &[46, 53, 52, 65, 55, 107, 66, 105, 63, 70]),
    closed("right brow", &[276, 283, 282, 295, 285, 336, 296, 334, 293, 300]),
    open("nose bridge", &[168, 6, 197, 195, 5, 4, 1, 19, 94, 2]),
    open("nose", &[64, 98, 97, 2, 326, 327, 294]),
    open("nostrils", &[64, 48, 115, 220, 45, 4, 275, 440, 344, 278, 294]),
    closed("left eye", &[33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7]),
    closed("right eye", &[362, 398, 384, 385, 386, 387, 388, 466, 263, 249, 390, 373, 374, 380, 381, 382]),
    closed("left iris", &[469, 470, 471, 472]),
    closed("right iris", &[474, 475, 476, 477]),
    closed(
        "mouth",
        &[61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146],
    ),
    closed(
        "inner mouth",
        &[78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95],
    ),
];
