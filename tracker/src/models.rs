//! The models that come with the library, as the bytes of their ONNX files.

/// The landmark model that is used when nobody names one: 68 points, about a millisecond a face.
pub const COMPACT: &[u8] = include_bytes!("../models/compact.onnx");

/// The face detector that is used when nobody names one.
pub const FACE: &[u8] = include_bytes!("../models/face.onnx");
