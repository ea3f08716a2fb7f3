//! The built-in models, as the bytes of their ONNX files.

/// The default landmark model: 68 landmarks, about a millisecond per face.
pub const COMPACT: &[u8] = include_bytes!("../models/compact.onnx");

/// The default face detector.
pub const FACE: &[u8] = include_bytes!("../models/face.onnx");
