//! facemark finds facial landmarks in video, frame by frame.
//!
//! # A frame's way
//!
//! ```text
//!  Source ──Frame──▶ Tracker ──Tracked──▶ Sinks
//!  capture thread    inference thread     main thread
//!  decoder           detector, net,       overlay, encoder,
//!                    smoothing, IDs       JSON lines, CSV, report
//! ```
//!
//! Pixels travel as the video's own 4:2:0 planes. The nets read luma alone, the overlay is drawn into the planes,
//! and the encoder takes the planes: annotating a file converts no colours. The detector looks at the whole picture only
//! while a face is missing and every so often; otherwise the next crop comes from the last landmarks, and the detector tells
//! whether a face is there.
//!
//! # Layout
//!
//! | module | what is there |
//! |---|---|
//! | [`frame`] | pictures as planes, media time, the stages' times |
//! | [`face`] | regions and landmarks, and every transform between a net's crop and the picture |
//! | [`scheme`] | the point schemes: contours, mirror pairs, eye corners |
//! | [`spec`] | what a model file says of itself |
//! | [`crop`] | luma and a region in, a net's input out |
//! | `net`, `model` | an ONNX file run by tract, checked beforehand; a landmark model (feature `onnx`) |
//! | [`detect`] | the face detector: a net's grids of cells, non-maximum suppression, and a look at one place (feature `onnx`) |
//! | `track` | following faces: new, seen, lost and back; matching, cuts, IDs (features `onnx` and `opencv`) |
//! | `square` | pictures whose pixels are not square, as they look (features `onnx` and `opencv`) |
//! | [`smooth`] | the One-Euro filter |
//! | [`pose`], [`measure`] | what follows from the landmarks: head pose; eyes and mouth |
//! | `draw` | the overlay (feature `opencv`) |
//! | [`view`] | a picture scaled, mirrored and in RGB, for a window |
//! | [`source`], [`sink`] | where frames come from and go to |
//! | `pipeline` | the threads and channels (feature `cli`, as all below) |
//! | `report` | percentiles of the stages' times, as text, JSON and a page |
//! | `catalog` | the models that are there |
//! | `cli`, `command` | arguments, and what the subcommands do |
//! | [`error`] | faults and exit codes |
//!
//! # Invariants
//!
//! 1. libav, nokhwa and the window library are named only in [`source`] and [`sink`]; OpenCV only in [`crop`] and `draw`.
//! 2. Only `pipeline`, with its `worker`, makes threads and channels, and every channel is bounded.
//! 3. Frames are dropped only at capture, only live, and are counted: each leaves a gap in the numbers. (Who watches a page too slowly sees fewer.)
//! 4. Crops are cut and normalised in [`crop`] and nowhere else, in the trainer too.
//! 5. Time is data: smoothing and tracking take the frames' times, never a clock.
//! 6. An output appears under its final name only once it is complete and, if a video, read again. Until then what
//!    has been written is readable as `NAME.partial`, however the program ends.
//! 7. This crate never links Burn; the trainer never links OpenCV, libav or a camera.

pub mod av;
pub mod catalog;
pub mod cli;
pub mod command;
pub mod error;
pub mod frame;
pub mod output;
pub mod pipeline;
pub mod show;
pub mod source;
pub mod threads;
