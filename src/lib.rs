//! The program `facemark`: annotates videos, pictures and what a camera sees with the landmarks that the library
//! [`facemark`] finds.
//!
//! # A frame's path
//!
//! ```text
//!  Source ──Frame──▶ Tracker ──Tracked──▶ Outputs
//!  capture thread    inference thread     main thread
//!  decoder, camera   the library          overlay, encoder, window,
//!                                         JSON lines, CSV, report
//! ```
//!
//! Pixels travel as the video's own 4:2:0 planes. The nets read luma alone, the overlay is drawn into the planes, and the
//! encoder takes the planes: annotating a file converts no colours.
//!
//! # Layout
//!
//! | module | what is there |
//! |---|---|
//! | [`cli`], [`command`] | arguments, and what the subcommands do |
//! | [`pipeline`] | the three threads of a frame's path, and their channels |
//! | [`show`] | what people see while a run goes on: the window, the page |
//! | [`output`] | what is written and sent: videos, pictures, data, the report; the order of all outputs |
//! | [`source`] | where frames come from: videos, pictures, cameras |
//! | [`draw`] | the overlay, and pictures scaled for a window |
//! | [`av`] | the libav code that sources and outputs share |
//! | [`frame`], [`info`] | a picture on its way: planes, media time, the stages' times; what is known of its source |
//! | [`threads`] | all other threads and channels |
//! | [`color`] | from planes to RGB and back |
//! | [`catalog`] | the available models |
//! | [`error`] | faults and exit codes |
//!
//! Each module uses only modules below it in this table, or in its own line.
//!
//! # Invariants
//!
//! 1. libav, nokhwa and the window library are named only in [`source`], [`output`], [`av`] and [`show`]; OpenCV only in the
//!    library's crop and in [`draw`].
//! 2. Only [`pipeline`] and [`threads`] create threads or channels, and every channel is bounded.
//! 3. Frames are dropped only at capture, only live, and are counted: each leaves a gap in the numbers. (A viewer
//!    who is too slow for a page sees fewer.)
//! 4. An output appears under its final name only once it is complete and, if a video, was re-read as a check. Until then what
//!    has been written is readable as `NAME.partial`, however the program ends.
//! 5. The program never links Burn; the trainer never links OpenCV, libav or a camera.

pub mod av;
pub mod catalog;
pub mod cli;
pub mod color;
pub mod command;
pub mod draw;
pub mod error;
pub mod frame;
pub mod info;
pub mod output;
pub mod pipeline;
pub mod show;
pub mod source;
pub mod threads;
