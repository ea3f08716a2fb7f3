//! facemark finds facial landmarks in video, frame by frame.
pub mod crop;
pub mod error;
pub mod face;
pub mod frame;
pub mod scheme;
pub mod spec;
