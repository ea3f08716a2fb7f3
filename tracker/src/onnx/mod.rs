//! Model files: what they may contain, their metadata, and how tract runs them.
//!
//! A model file is untrusted input. Before tract sees it, its size, operators, shapes and weights are
//! checked, and if tract panics anyway, that becomes an [`Error`](crate::Error). (Rust's panic hook still
//! prints it.)

mod limits;
pub(crate) mod net;
pub mod spec;
pub mod weights;

pub use limits::MAX_FILE;
