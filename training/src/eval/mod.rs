//! Measures an exported model the way that the tracker uses it: tract, and the tracker's own crop.

pub mod faces;
pub mod find;
pub mod landmarks;
pub mod looks;
pub mod record;
