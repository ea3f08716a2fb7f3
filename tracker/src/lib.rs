//! Finds the faces in pictures and videos, follows them, and gives the 68 landmarks of each.
//!
//! It takes about a millisecond a face on one core of a laptop, is pure Rust, and carries its models: nothing else
//! needs to be installed.
//!
//! ```
//! use facemark::{Image, Options, Tracker};
//!
//! # fn main() -> facemark::Result<()> {
//! # let (width, height, frames) = (640, 480, vec![vec![0; 640 * 480 * 3]; 2]);
//! let mut tracker = Tracker::new(Options::default())?;
//! for (i, rgb) in frames.iter().enumerate() {
//!     let seconds = i as f64 / 25.0;
//!     for face in tracker.track(&Image::rgb(width, height, rgb)?, seconds)? {
//!         println!("face {}: its nose tip is at {:?}", face.id, face.landmarks[30]);
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Photos that have nothing to do with one another go to [`Tracker::still`]. [`Options`] has the rest: how many faces,
//! how calm, other models.
//!
//! # What comes out
//!
//! A [`Face`] has an [`id`](Face::id) that stays with the person while they are followed, and its
//! [`landmarks`](Face::landmarks) in pixels: 0-based, from the upper left, pixel centres on whole numbers. Which
//! landmark is which is up to the model's [`Scheme`]; the default model has those of 300-W:
//!
//! | landmarks | part | landmarks | part |
//! |---|---|---|---|
//! | 0–16 | jaw, from the picture's left | 36–41 | left eye |
//! | 17–21, 22–26 | left and right brow | 42–47 | right eye |
//! | 27–30, 31–35 | bridge and bottom of the nose | 48–59, 60–67 | outer and inner lips |
//!
//! With [`Options::measures`] a face also has [`Measures`](face::Measures): where the head is turned to, and how far eyes
//! and mouth are open.
//!
//! # Models
//!
//! The default models are in [`models`]; others are files that facemark-train exports. A file is checked before anything
//! in it is run: see [`onnx`]. The default models were trained on 300-W, whose photos may only be used for
//! research.
//!
//! # Layout
//!
//! Each module uses only those above it.
//!
//! | module | what is there |
//! |---|---|
//! | `image` | [`Image`], a picture that somebody else holds, and [`Plane`]: the sizes are checked here |
//! | [`geometry`] | points, affine maps, regions |
//! | [`face`] | a face; point schemes, pose, measures, smoothing |
//! | [`crop`] | luma and a region in, a net's input out |
//! | [`onnx`] | model files: limits, metadata, running them with tract |
//! | [`model`] | a landmark model |
//! | [`detect`] | the face detector: grids of cells, non-maximum suppression, a look at one place |
//! | `track` | [`Tracker`]: faces that are new, seen, lost and back; cuts; IDs |
//!
//! # Invariants
//!
//! 1. The library names no device, no file format but its models', and no thread of its own. (A net may use several if
//!    [`Options::threads`] says so.)
//! 2. OpenCV is named only in [`crop`], behind the feature `opencv`, and changes no result by more than two grey levels.
//! 3. Crops are cut and normalised in [`crop`] and nowhere else; the trainer uses it, too.
//! 4. Time is data: smoothing and tracking take the pictures' times, never a clock.
//! 5. Bad input is an [`Error`]. No public type can be put into a state that makes the library panic.

pub mod crop;
pub mod detect;
mod error;
pub mod face;
pub mod geometry;
mod image;
pub mod model;
pub mod models;
pub mod onnx;
mod timing;
mod track;

pub use error::{Error, Result};
pub use face::{Face, Scheme, Smoothing};
pub use geometry::Point;
pub use image::{Image, Layout, Luma, Plane};
pub use timing::{Span, Stage, Timing};
pub use track::{Options, Tracker};
