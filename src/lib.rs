//! facemark finds facial landmarks in video, frame by frame.
#[cfg(feature = "cli")]
pub mod catalog;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "cli")]
pub mod command;
pub mod crop;
#[cfg(feature = "opencv")]
pub mod detect;
#[cfg(feature = "opencv")]
pub mod draw;
pub mod error;
pub mod face;
pub mod frame;
#[cfg(feature = "onnx")]
pub mod model;
#[cfg(feature = "cli")]
pub mod pipeline;
#[cfg(feature = "cli")]
pub mod report;
pub mod scheme;
pub mod sink;
pub mod smooth;
pub mod source;
pub mod spec;
#[cfg(all(feature = "onnx", feature = "opencv"))]
pub mod track;
