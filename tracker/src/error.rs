//! What can go wrong in the library.

use std::io;
use std::path::PathBuf;

use thiserror::Error as ThisError;

/// The library's errors. Each message is one line that says what was tried and what is wrong.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// A picture has no pixels, or its size does not match its bytes.
    #[error("{0}")]
    Image(String),
    /// A model file cannot be read.
    #[error("cannot read the model {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A model is not an ONNX file, was not exported by facemark-train, or does not do what its metadata
    /// says.
    #[error("the model cannot be used: {0}")]
    Model(String),
    /// A loaded net fails to run, or its input has the wrong size.
    #[error("the net cannot be run: {0}")]
    Run(String),
    /// A picture's time is not finite.
    #[error("a picture's time has to be a finite number of seconds, not {0}")]
    Time(f64),
}

/// A result with the library's error.
pub type Result<T> = std::result::Result<T, Error>;

/// Returns [`Error::Model`] with a formatted message unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err($crate::error::Error::Model(format!($($message)+)));
        }
    };
}
pub(crate) use ensure;
