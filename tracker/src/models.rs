//! The built-in models, as the bytes of their ONNX files. They are statics, since each crate that uses a constant would
//! hold a copy of it.

/// The default landmark model: 68 landmarks, about a millisecond per face.
pub static COMPACT: &[u8] = include_bytes!("../models/compact.onnx");

/// The 478 landmarks of MediaPipe's face mesh with their depths and expected errors, and 52 blendshapes, in
/// about a millisecond and a half per face. It was trained on photos that allow any use.
pub static MESH: &[u8] = include_bytes!("../models/mesh.onnx");

/// The default face detector.
pub static FACE: &[u8] = include_bytes!("../models/face.onnx");
