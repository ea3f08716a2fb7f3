//! Who is to blame when something fails, and the exit code that says so.

use std::fmt::Display;
use std::io::{self, Write as _};

use anyhow::Error;

/// What kind of thing went wrong. The number is the program's exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Fault {
    /// Anything else; more often than not a bug of ours.
    Failure = 1,
    /// The command line asks for something impossible.
    Usage = 2,
    /// The input is missing, unreadable or has no picture.
    Input = 3,
    /// A camera or display fails.
    Device = 4,
    /// A model file is missing, broken or not what it claims to be.
    Model = 5,
    /// The output cannot be written.
    Output = 6,
    /// The input ended early; what could be read was processed and written.
    EndedEarly = 7,
    /// The reader of our standard output is gone: what a shell reports for SIGPIPE, and no reason to complain.
    ClosedPipe = 141,
}

/// A message with the fault behind it, carried as a context inside [`anyhow::Error`].
#[derive(Debug)]
struct Blamed {
    fault: Fault,
    message: String,
}

impl Display for Blamed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Blamed {}

impl Fault {
    /// A new error of this kind.
    pub fn error(self, message: impl Display) -> Error {
        Error::new(Blamed { fault: self, message: message.to_string() })
    }

    /// The fault with this exit code; [`Fault::Failure`] for any other number.
    pub fn from_code(code: u8) -> Self {
        let all = [Self::Usage, Self::Input, Self::Device, Self::Model, Self::Output, Self::EndedEarly];
        all.into_iter().find(|&fault| fault as u8 == code).unwrap_or(Self::Failure)
    }

    /// The fault that an error carries; [`Fault::Failure`] if it has none.
    pub fn of(error: &Error) -> Self {
        match (error.downcast_ref::<Blamed>(), error.downcast_ref()) {
            (Some(blamed), _) => blamed.fault,
            (None, Some(facemark::Error::Model(_) | facemark::Error::Read { .. })) => Self::Model,
            (None, _) => Self::Failure,
        }
    }
}

/// Adds what was tried, and whose fault the failure is.
pub trait Blame<T> {
    /// Like [`anyhow::Context::with_context`], with a fault.
    ///
    /// # Errors
    /// The same error, with this context.
    fn blame<M: Display>(self, fault: Fault, message: impl FnOnce() -> M) -> anyhow::Result<T>;
}

impl<T, E: Into<Error>> Blame<T> for Result<T, E> {
    fn blame<M: Display>(self, fault: Fault, message: impl FnOnce() -> M) -> anyhow::Result<T> {
        self.map_err(|error| error.into().context(Blamed { fault, message: message().to_string() }))
    }
}

/// Writes a line to standard error. If that fails (a full disk, a closed terminal), the work goes on.
pub fn tell(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// The text with its line feeds and other control characters escaped.
pub fn one_line(text: &str) -> String {
    let escaped = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(escaped).collect()
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn the_fault_survives_more_context() {
        let error: anyhow::Result<()> = Err(Fault::Model.error("bad weights"));
        let error = error.context("while loading x.onnx").unwrap_err();
        assert_eq!(Fault::of(&error), Fault::Model);
        assert_eq!(format!("{error:#}"), "while loading x.onnx: bad weights");
    }

    #[test]
    fn a_line_feed_in_a_name_leaves_one_line() {
        assert_eq!(one_line("a\nb\u{7}ü 'c'"), "a\\nb\\u{7}ü 'c'");
        assert_eq!(Fault::from_code(Fault::Input as u8), Fault::Input);
        assert_eq!(Fault::from_code(99), Fault::Failure);
    }

    #[test]
    fn the_outermost_blame_wins_and_no_blame_is_failure() {
        let inner: anyhow::Result<()> = Err(io::Error::other("disk")).blame(Fault::Input, || "reading");
        let outer = inner.blame(Fault::Output, || "writing").unwrap_err();
        assert_eq!(Fault::of(&outer), Fault::Output);
        assert_eq!(Fault::of(&anyhow::anyhow!("?")), Fault::Failure);
    }
}
