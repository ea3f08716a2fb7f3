//! Videos go in and come out whole: checked against the `ffmpeg` and `ffprobe` programs.
#![cfg(feature = "video")]

mod decode;
mod encode;
mod refuse;
mod support;
