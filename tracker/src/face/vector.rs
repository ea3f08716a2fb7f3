//! Vectors in space.

pub type Vector = [f32; 3];
/// Three rows.
pub type Matrix = [Vector; 3];

pub fn dot(a: Vector, b: Vector) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

pub fn cross(a: Vector, b: Vector) -> Vector {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

/// `s·a + t·b`.
pub fn combined(s: f32, a: Vector, t: f32, b: Vector) -> Vector {
    std::array::from_fn(|i| s * a[i] + t * b[i])
}

pub fn normalised(a: Vector) -> Option<Vector> {
    let length = dot(a, a).sqrt();
    (length.is_finite() && length > 0.0).then(|| a.map(|v| v / length))
}

/// The matrix with rows and columns exchanged: of a rotation, its inverse.
pub fn transposed(matrix: &Matrix) -> Matrix {
    std::array::from_fn(|i| matrix.map(|row| row[i]))
}
