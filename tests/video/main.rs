//! Videos go in and come out whole: checked against the `ffmpeg` and `ffprobe` programs.
// The helpers are tests too; clippy only sees the functions that are marked so.
#![allow(clippy::unwrap_used)]

mod decode;
mod encode;
mod refuse;
mod support;
