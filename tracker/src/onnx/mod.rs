//! Model files: what they may hold, what they say of themselves, and how tract runs them.

mod limits;
pub(crate) mod net;
pub mod spec;
pub mod weights;

pub use limits::MAX_FILE;
