//! facemark finds facial landmarks in video, frame by frame.
pub mod error;
pub mod frame;
pub mod sink;
pub mod source;
