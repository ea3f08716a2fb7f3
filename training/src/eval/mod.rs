//! Measures an exported model the way that the tracker uses it: tract, and the tracker's own crop.

pub mod calibrate;
pub mod faces;
pub mod find;
pub mod groups;
pub mod hard;
pub mod landmarks;
pub mod looks;
pub mod record;
