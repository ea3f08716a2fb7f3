//! Videos go in and come out intact: checked against the `ffmpeg` and `ffprobe` programs.
// The helpers are test code too; clippy only recognises functions marked as tests.
#![allow(clippy::unwrap_used)]

mod decode;
mod encode;
mod refuse;
mod support;
