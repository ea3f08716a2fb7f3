//! Finds the faces in photos and videos, follows them from frame to frame, and gives the 68 landmarks of
//! each.
//!
//! It is pure Rust and takes about a millisecond per face on one core of a laptop. The models are built in,
//! so there is nothing else to install.
//!
//! ```
//! use facemark::{Image, Options, Tracker};
//!
//! # fn main() -> facemark::Result<()> {
//! # let (width, height, frames) = (640, 480, vec![vec![0; 640 * 480 * 3]; 2]);
//! let mut tracker = Tracker::new(Options::default())?;
//! for (i, rgb) in frames.iter().enumerate() {
//!     let seconds = i as f64 / 25.0; // 25 frames per second
//!     for face in tracker.track(&Image::rgb(width, height, rgb)?, seconds)? {
//!         println!("face {}: the tip of the nose is at {:?}", face.id, face.landmarks[30]);
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! A [`Tracker`] follows the faces of one video: pass its frames to [`track`](Tracker::track) in order. Pass
//! photos that have nothing to do with each other to [`still`](Tracker::still). An [`Image`] borrows the
//! pixels: grey, RGB, BGR, RGBA or YUV 4:2:0. [`Options`] sets how many faces to follow, how much to smooth,
//! which models to use, and more.
//!
//! # Results
//!
//! A [`Face`] keeps its [`id`](Face::id) for as long as it is followed. Its [`landmarks`](Face::landmarks)
//! are in pixels: x to the right, y downwards, and (0, 0) is the centre of the top left pixel. The model's
//! [`Scheme`] says which landmark is which. The built-in model has the 68 landmarks of 300-W, where left and
//! right are the picture's:
//!
//! | landmarks | part | landmarks | part |
//! |---|---|---|---|
//! | 0–16 | jaw, from left to right | 36–41 | left eye |
//! | 17–21, 22–26 | left and right brow | 42–47 | right eye |
//! | 27–30, 31–35 | bridge and bottom of the nose | 48–59, 60–67 | outer and inner lips |
//!
//! With [`Options::measures`] a face also has [`Measures`]: which way the head is turned and where it is, and
//! how far the eyes and the mouth are open. [`Model::Mesh`] has the 478 landmarks of MediaPipe's face mesh,
//! from which the measures also tell where the eyes look, and gives [more](face::More): depths, expected
//! errors, and 52 blendshapes.
//!
//! # Models
//!
//! The built-in models are in [`models`]. [`Options`] takes other ones as files, which `facemark-train`
//! exports; each is checked before it runs, see [`onnx`]. `compact` was trained on 300-W, whose photos may
//! only be used for research; `mesh` was trained on photos that allow any use.
//!
//! # Modules
//!
//! The types at the top level are all that most programs need. The modules have the parts, for programs with
//! nets of their own and for the trainer. Each module uses only those above it:
//!
//! | module | contents |
//! |---|---|
//! | `error` | [`Error`] |
//! | `image` | [`Image`], a borrowed picture, and [`Plane`], an owned one; picture sizes are checked here |
//! | [`geometry`] | points, affine maps, regions |
//! | `timing` | [`Timing`]: how long each stage took |
//! | [`face`] | [`Face`], landmark schemes, head pose, measures, smoothing |
//! | [`crop`] | cuts a net's input out of a picture |
//! | [`onnx`] | model files: limits, metadata, running them with tract |
//! | [`model`] | landmark models |
//! | [`detect`] | the face detector |
//! | [`models`] | the built-in models |
//! | `track` | [`Tracker`]: new and lost faces, IDs, cuts |
//!
//! # Invariants
//!
//! 1. The library knows no devices and no file formats except its models'. It starts no threads, except for
//!    nets if [`Options::threads`] is more than 1.
//! 2. Only [`crop`] uses OpenCV, behind the feature `opencv`. Crops are the same without it.
//! 3. All crops are cut and normalised in [`crop`], the trainer's included.
//! 4. Time is data: smoothing and tracking use the time passed with each picture, never a clock.
//! 5. Bad input never makes the library panic, whatever values the public fields have. Only running out of
//!    memory panics or aborts, as usual in Rust. tract panics on some broken model files, which becomes an
//!    [`Error`] unless the program is built with `panic = "abort"`.

#![warn(missing_debug_implementations)]

pub mod crop;
pub mod detect;
mod error;
pub mod face;
pub mod geometry;
mod image;
mod local_contrast;
pub mod model;
pub mod models;
pub mod onnx;
mod timing;
mod track;

pub use error::{Error, Result};
pub use face::{Face, Measures, Pose, Scheme, Smoothing};
pub use geometry::{Point, Region};
pub use image::{Image, Layout, Luma, Plane};
pub use timing::{Span, Stage, Timing};
pub use track::{Model, Options, Tracker};
