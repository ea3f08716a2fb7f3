//! The command line: the last place that sees strings.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use facemark::Options;
use facemark::face::Smoothing;

use crate::catalog;
use crate::draw::hide;
use crate::error::Fault;
use crate::output::openface::Columns;
use crate::source::Part;
use crate::source::adjusted::Adjustment;
use crate::source::camera::{Encoding, Wanted};

mod shard;

pub use shard::{Merge, Shard, Sharding, Status};

const EXAMPLES: &str = "\
Examples:
  facemark annotate talk.mp4 -o talk-annotated.mp4
  facemark annotate talk.mp4 --jsonl landmarks.jsonl --csv landmarks.csv
  facemark annotate photos/ --jsonl - | jq .faces
  facemark annotate talks/ -o annotated/ --resume
  facemark annotate --list videos.txt --jsonl data/ --shard 2/8
  facemark bench talk.mp4 --json
  facemark live

Exit codes: 0 done, 1 failure, 2 usage, 3 input, 4 device, 5 model, 6 output, 7 the input ended early
(what could be read was annotated), 130 and 143 stopped by Ctrl-C and SIGTERM (the output is complete up to there)";

const LIVE_HELP: &str = "\
Keys in the window:
  q, Esc  quit             m  mirror          r  record, and stop recording
  space   pause            s  save a picture  o  overlay: both, points, contours, net, none
                           l  latency panel

Examples:
  facemark live
  facemark live --camera 2 --size 640x480 --fps 60 --reconnect
  facemark live talk.mp4 --serve 127.0.0.1:8080
  facemark live --no-window --jsonl - | jq .faces
  facemark live --no-window -o - --format yuv4mpeg | ffmpeg -i - -f v4l2 /dev/video9";

const OPENFACE_HELP: &str = "\
OpenFace's arguments that are known:
  -f VIDEO, once or several times; -fdir FOLDER, for a folder of pictures
  -out_dir FOLDER (processed), -of NAME: where the table goes
  -2Dfp, -pose: which columns it has; both if neither is given
  -q: print errors only; --overwrite: replace tables that exist

What facemark does not have (-gaze, -3Dfp, -pdmparams, -aus, -simalign, -hogalign, -tracked) is named and left out.
docs/openface.md says what is the same as there and what is not.

Examples:
  facemark openface -f talk.mp4 -out_dir features
  facemark openface -fdir pictures -of session1 -2Dfp -pose";

const COMPLETIONS_HELP: &str = "\
Examples:
  facemark completions bash >~/.local/share/bash-completion/completions/facemark
  facemark completions fish >~/.config/fish/completions/facemark.fish
  facemark completions zsh >~/.zfunc/_facemark

For zsh, put 'fpath+=~/.zfunc' before 'compinit' into ~/.zshrc.";

/// Finds facial landmarks in video, frame by frame.
#[derive(Debug, Parser)]
#[command(name = "facemark", version, after_help = EXAMPLES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Print errors only.
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Print more; given twice, even more.
    #[arg(short, long, global = true, action = ArgAction::Count, conflicts_with = "quiet")]
    pub verbose: u8,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Find the landmarks in a video or in pictures; write an annotated copy, JSON lines or CSV.
    Annotate(Annotate),
    /// Measure how long each stage takes per frame.
    Bench(Bench),
    /// Show a camera's picture, or a video at its own speed, with its landmarks, in a window or on a page.
    Live(Live),
    /// Take the arguments of OpenFace 2's FeatureExtraction and write its CSV.
    Openface(Openface),
    /// Say how far `annotate --list` has come on all machines, and which videos failed.
    Status(Status),
    /// Join the data of a film that `annotate --split` cut into ranges.
    Merge(Merge),
    /// List the cameras and the settings that they support.
    Devices(Devices),
    /// List the models.
    Models,
    /// Print a script that completes facemark's arguments in a shell.
    Completions(Completions),
    /// Print the manual page of facemark or of one of its commands.
    #[command(hide = true)]
    Man(Man),
}

/// Arguments of `annotate`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Annotate {
    /// Videos or pictures (JPEG, PNG, WebP, BMP, TIFF, GIF), or a folder of either. In a folder that holds videos,
    /// pictures are left out.
    #[arg(required_unless_present = "list", conflicts_with = "list")]
    pub input: Vec<PathBuf>,
    /// The annotated video (.mp4, .mov, .mkv) or picture; for several, a folder. For several videos --jsonl and --csv
    /// are folders, too. A name that ends in / is always a folder.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Write raw video instead; -o - is standard output then.
    #[arg(
        long = "format",
        value_enum,
        requires = "output",
        conflicts_with = "resume",
        value_name = "FORMAT"
    )]
    pub video_format: Option<VideoFormat>,
    /// Begin with the first frame at this time or later, in seconds or as `[HH:]MM:SS[.fff]` from the video's start. The
    /// annotated video begins there; times in the data stay those of the whole video.
    #[arg(long, value_name = "TIME", value_parser = parse_time, allow_hyphen_values = true)]
    pub start: Option<f64>,
    /// End with the last frame before this time.
    #[arg(long, value_name = "TIME", value_parser = parse_time, allow_hyphen_values = true)]
    pub end: Option<f64>,
    /// Keep the kind of file (.mp4 stays .mp4) and leave out sound and subtitles that it cannot hold. Without this, the kind
    /// that holds most of them is chosen.
    #[arg(long, requires = "output")]
    pub drop_streams: bool,
    /// Skip the videos whose outputs all exist, to continue a batch that was interrupted.
    #[arg(long)]
    pub resume: bool,
    /// Annotate N videos at once. [default: one for each core, as far as memory allows]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub jobs: Option<u16>,
    /// Which part of a list of videos.
    #[command(flatten)]
    pub sharding: Sharding,
    /// Where to write the landmarks.
    #[command(flatten)]
    pub data: Data,
    /// Replace outputs that exist.
    #[arg(long)]
    pub overwrite: bool,
    /// Write every stage of every frame as a trace for ui.perfetto.dev or chrome://tracing.
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
    /// Draw into the picture how long each frame's faces took.
    #[arg(long)]
    pub show_latency: bool,
    /// Play the file at its own speed as if it were a camera: the newest frame wins, late ones are dropped
    /// and counted.
    #[arg(long)]
    pub live: bool,
    /// Whether faces are hidden.
    #[command(flatten)]
    pub hiding: Hiding,
    /// Which frames, and how they are rotated.
    #[command(flatten)]
    pub reading: Reading,
    /// How to track.
    #[command(flatten)]
    pub tracking: Tracking,
}

impl Annotate {
    /// The requested part of the videos.
    ///
    /// # Errors
    /// [`Fault::Usage`] for a part that is empty.
    pub fn part(&self) -> anyhow::Result<Part> {
        let (start, end) = (self.start, self.end);
        if end.is_some_and(|end| end <= start.unwrap_or(0.0)) {
            return Err(
                Fault::Usage.error("nothing lies between --start and --end; give an end after the start")
            );
        }
        Ok(Part { start, end })
    }
}

/// Arguments of `bench`.
#[derive(Debug, Args)]
pub struct Bench {
    /// A video, several pictures, or a folder of pictures.
    #[arg(required = true)]
    pub input: Vec<PathBuf>,
    /// Also encode the annotated video, to this file; without it encoding is not measured.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replace an output that exists.
    #[arg(long)]
    pub overwrite: bool,
    /// Print JSON instead of a table.
    #[arg(long)]
    pub json: bool,
    /// Also write the report with its histograms and a time line as a page of one file.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Write every stage of every frame as a trace for ui.perfetto.dev or chrome://tracing.
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
    /// Play the file at its own speed as if it were a camera: the newest frame wins, late ones are dropped
    /// and counted.
    #[arg(long)]
    pub live: bool,
    /// Feed this many frames a second, whatever their times, and measure from the instant at which each is due, so that
    /// delays count. Frames are dropped and counted as with --live.
    #[arg(long, value_name = "FPS", conflicts_with = "live", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub paced: Option<u32>,
    /// Which frames, and how they are rotated.
    #[command(flatten)]
    pub reading: Reading,
    /// How to track.
    #[command(flatten)]
    pub tracking: Tracking,
}

/// Arguments of `live`.
#[derive(Debug, Args)]
#[command(after_help = LIVE_HELP)]
pub struct Live {
    /// A video or a folder of pictures; without it, the camera.
    pub input: Option<PathBuf>,
    /// Which camera, and how.
    #[command(flatten)]
    pub camera: Camera,
    /// Open no window.
    #[arg(long)]
    pub no_window: bool,
    /// Exchange left and right in the window and on the page, never in files and data. [default: on for a camera, off
    /// for a file]
    #[arg(long, value_enum, value_name = "SWITCH")]
    pub mirror: Option<Switch>,
    /// Show the picture on a page at this address instead of in a window; port 0 takes any free one.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub serve: Option<SocketAddr>,
    /// Let other machines watch.
    #[arg(long, requires = "serve")]
    pub serve_allow_remote: bool,
    /// Record the annotated video to this file (.mp4, .mov, .mkv), from the first frame.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Write raw video instead; -o - is standard output then.
    #[arg(long = "format", value_enum, requires = "output", value_name = "FORMAT")]
    pub video_format: Option<VideoFormat>,
    /// Where to write the landmarks.
    #[command(flatten)]
    pub data: Data,
    /// Send an OSC bundle per frame.
    #[arg(long, value_name = "HOST:PORT")]
    pub osc: Option<String>,
    /// Send a UDP datagram per frame, with the JSON of --jsonl.
    #[arg(long, value_name = "HOST:PORT")]
    pub udp: Option<String>,
    /// Move an avatar: send the head and the expression of one face by the VMC protocol, whose receivers usually listen on
    /// port 39539. Needs a model with blendshapes for the expression.
    #[arg(long, value_name = "HOST:PORT", requires = "measures")]
    pub vmc: Option<String>,
    /// Write every stage of every frame as a trace for ui.perfetto.dev or chrome://tracing.
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
    /// Replace outputs that exist.
    #[arg(long)]
    pub overwrite: bool,
    /// Whether faces are hidden.
    #[command(flatten)]
    pub hiding: Hiding,
    /// Which frames, and how they are rotated.
    #[command(flatten)]
    pub reading: Reading,
    /// How to track.
    #[command(flatten)]
    pub tracking: Tracking,
}

/// Arguments that choose a camera.
#[derive(Debug, Args)]
pub struct Camera {
    /// A camera's name or a part of it, its number, or its path. [default: the first one]
    #[arg(long, value_name = "NAME|INDEX|PATH", conflicts_with = "input")]
    pub camera: Option<String>,
    /// The size to ask the camera for; the nearest that it has is taken. [default: 1280x720]
    #[arg(long, value_name = "WxH", value_parser = parse_size, conflicts_with = "input")]
    pub size: Option<(u32, u32)>,
    /// The frames a second to ask the camera for; the nearest that it has is taken. [default: 30]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "input")]
    pub fps: Option<u32>,
    /// The format in which the camera sends its pictures.
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = CameraFormat::Auto, conflicts_with = "input")]
    pub camera_format: CameraFormat,
    /// Wait for a camera that is missing or lost, instead of ending with exit code 4.
    #[arg(long, conflicts_with = "input")]
    pub reconnect: bool,
}

impl Camera {
    /// What to ask the camera for.
    pub fn wanted(&self) -> Wanted {
        Wanted {
            camera: self.camera.clone(),
            size: self.size,
            rate: self.fps,
            encoding: match self.camera_format {
                CameraFormat::Auto => None,
                CameraFormat::Mjpeg => Some(Encoding::Mjpeg),
                CameraFormat::Yuyv => Some(Encoding::Yuyv),
                CameraFormat::Nv12 => Some(Encoding::Nv12),
            },
        }
    }
}

/// Values of `--camera-format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CameraFormat {
    /// Whichever gives the requested size and rate.
    Auto,
    /// JPEG pictures: high rates over USB 2.
    Mjpeg,
    /// Raw pictures.
    Yuyv,
    /// Raw pictures, as some built-in cameras have.
    Nv12,
}

/// Seconds, or hours, minutes and seconds with colons between.
fn parse_time(text: &str) -> Result<f64, String> {
    let hint = || "write it like 83.5 or 1:23.5 or 0:01:23.5".to_owned();
    let parts: Vec<&str> = text.split(':').collect();
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if parts.len() > 3 || !parts.iter().all(|part| is_number(part)) {
        return Err(hint());
    }
    let mut time = 0.0;
    for (i, part) in parts.iter().enumerate() {
        let is_last = i + 1 == parts.len();
        let number: f64 = part.parse().map_err(|_| hint())?;
        if (!is_last && part.contains('.')) || (i > 0 && number >= 60.0) {
            return Err(hint());
        }
        time = time * 60.0 + number;
    }
    // Longer than any video, and still exact in ticks.
    if time < 1e9 { Ok(time) } else { Err(hint()) }
}

fn parse_size(text: &str) -> Result<(u32, u32), String> {
    let sides = text.split_once(['x', 'X', '×']).and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
    sides.filter(|&(width, height)| width > 0 && height > 0).ok_or("write it like 1280x720".to_owned())
}

/// Arguments of `openface`.
#[derive(Debug, Args)]
#[command(after_help = OPENFACE_HELP)]
pub struct Openface {
    /// OpenFace's arguments, see below.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENTS")]
    pub words: Vec<OsString>,
}

/// Arguments of `devices`.
#[derive(Debug, Args)]
pub struct Devices {
    /// Print JSON instead of a list.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `completions`.
#[derive(Debug, Args)]
#[command(after_help = COMPLETIONS_HELP)]
pub struct Completions {
    /// The shell that the script is for.
    #[arg(value_enum)]
    pub shell: Shell,
}

/// Arguments of `man`.
#[derive(Debug, Args)]
pub struct Man {
    /// The command; without it, the page of facemark itself.
    pub command: Option<String>,
}

/// Values of `--format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum VideoFormat {
    /// YUV4MPEG2: what ffmpeg, mpv and virtual cameras read.
    Yuv4mpeg,
}

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// Yes.
    On,
    /// No.
    Off,
}

/// Outputs with landmarks but no pictures.
#[derive(Clone, Debug, Args)]
pub struct Data {
    /// Landmarks as one line of JSON per frame; - is standard output.
    #[arg(long, value_name = "FILE")]
    pub jsonl: Option<PathBuf>,
    /// Landmarks as one row per face, OpenFace's columns; - is standard output.
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// If the table is to be as OpenFace writes it, which columns it has. The command `openface` sets it.
    #[arg(skip)]
    pub openface: Option<Columns>,
}

impl Data {
    /// The files that were asked for.
    pub fn files(&self) -> impl Iterator<Item = &PathBuf> {
        self.jsonl.iter().chain(&self.csv)
    }
}

/// Arguments that make faces unrecognisable.
#[derive(Clone, Copy, Debug, Args)]
pub struct Hiding {
    /// Blur all faces that are found, whole heads, in everything that holds or shows pictures; draw no landmarks. Those
    /// that are missed stay blurred for a second.
    #[arg(long, conflicts_with_all = ["mosaic", "every"])]
    pub blur: bool,
    /// The same with coarse squares.
    #[arg(long, conflicts_with = "every")]
    pub mosaic: bool,
}

impl Hiding {
    /// How faces are hidden, if they are.
    pub fn how(self) -> Option<hide::Hiding> {
        match (self.blur, self.mosaic) {
            (true, _) => Some(hide::Hiding::Blur),
            (_, true) => Some(hide::Hiding::Mosaic),
            _ => None,
        }
    }
}

/// Arguments that decide what is read.
#[derive(Clone, Copy, Debug, Args)]
pub struct Reading {
    /// Look for faces in every Nth frame only, for data of long videos in less time. Data contain only these frames; an
    /// annotated video keeps all, each with the faces that were found last.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub every: u32,
    /// Make whole pictures of interlaced ones. Without this, they stay interlaced, unless they are turned.
    #[arg(long)]
    pub deinterlace: bool,
    /// Turn the pictures clockwise before anything else, for recordings that are on their side.
    #[arg(long, value_enum, value_name = "DEGREES")]
    pub rotate: Option<Rotation>,
}

/// Values of `--rotate`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Rotation {
    /// A quarter turn.
    #[value(name = "90")]
    Quarter,
    /// Upside down.
    #[value(name = "180")]
    Half,
    /// A quarter turn anticlockwise.
    #[value(name = "270")]
    ThreeQuarters,
}

impl Reading {
    /// What to do to the frames.
    pub fn adjustment(self) -> Adjustment {
        let quarter_turns = match self.rotate {
            None => 0,
            Some(Rotation::Quarter) => 1,
            Some(Rotation::Half) => 2,
            Some(Rotation::ThreeQuarters) => 3,
        };
        Adjustment { every: self.every, quarter_turns, deinterlace: self.deinterlace }
    }
}

/// Arguments that decide what the tracker does.
#[derive(Debug, Args)]
pub struct Tracking {
    /// A model's name (see `facemark models`) or an .onnx file.
    #[arg(long, default_value = catalog::DEFAULT, value_name = "NAME|FILE")]
    pub model: String,
    /// The face detector's name or an .onnx file.
    #[arg(long, default_value = catalog::DETECTOR, value_name = "NAME|FILE")]
    pub detector: String,
    /// Threads that the nets can use.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub threads: u16,
    /// Follow at most this many faces. [default: 4; all in pictures, and with --blur or --mosaic]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub max_faces: Option<u16>,
    /// Look for new faces every N frames; in every frame while one is missing. [default: 10; 1 with --blur or --mosaic]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub redetect_every: Option<u32>,
    /// Look for small faces, too: from 15 px in 640×480 on. Looking for faces takes seven times as long.
    #[arg(long)]
    pub small_faces: bool,
    /// How much to smooth the landmarks over time.
    #[arg(long, value_enum, default_value_t = Smooth::Low)]
    pub smooth: Smooth,
    /// Refuse models that may not be used for everything, such as those that are for research only; `facemark models` shows
    /// the terms.
    #[arg(long, value_enum)]
    pub terms: Option<Terms>,
    /// Give the 68 points of 300-W in place of a mesh of 478.
    #[arg(long, value_enum)]
    pub points: Option<Points>,
    /// Also report where each head is and how it is turned, how far the eyes and mouth are open, and the blendshapes if the model gives
    /// them (68 or 478 points only).
    #[arg(long)]
    pub measures: bool,
    /// The camera's horizontal field of view in degrees, for where heads are in space (--measures).
    #[arg(long, default_value_t = 60.0, value_name = "DEGREES", value_parser = parse_fov)]
    pub fov: f32,
}

/// Wider than 1 and narrower than 179 degrees.
fn parse_fov(text: &str) -> Result<f32, String> {
    let fov: f32 = text.parse().map_err(|_| format!("{text:?} is not a number of degrees"))?;
    if (1.0..=179.0).contains(&fov) { Ok(fov) } else { Err("it must be from 1 to 179 degrees".to_owned()) }
}

/// Values of `--terms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Terms {
    /// Any use, products included.
    Open,
}

/// Values of `--points`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Points {
    /// The 68 of 300-W.
    #[value(name = "68")]
    Ibug68,
}

/// Values of `--smooth`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Smooth {
    /// Landmarks as the net gives them.
    Off,
    /// Remove the jitter, with hardly any lag.
    Low,
    /// Calm, for still faces.
    High,
}

impl Tracking {
    /// The tracker's options; where no number is given, it depends on the kind of pictures, and whether their faces are
    /// hidden.
    pub fn options(&self, stills: bool, hides: bool) -> Options {
        let default = Options::default();
        let max_faces = if stills || hides { usize::MAX } else { default.max_faces };
        // No face may be seen before the detector has looked for it.
        let redetect_every = if hides { 1 } else { default.redetect_every };
        Options {
            threads: self.threads.into(),
            small_faces: self.small_faces,
            max_faces: self.max_faces.map_or(max_faces, usize::from),
            redetect_every: self.redetect_every.unwrap_or(redetect_every),
            smoothing: match self.smooth {
                Smooth::Off => None,
                Smooth::Low => Some(Smoothing::LOW),
                Smooth::High => Some(Smoothing::HIGH),
            },
            fov: self.fov,
            as_68: self.points.is_some(),
            measures: self.measures,
            ..default
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn times_are_seconds_or_have_colons() {
        for (text, time) in
            [("0", 0.0), ("83.5", 83.5), ("1:23.5", 83.5), ("01:01:23.25", 3683.25), ("90", 90.0)]
        {
            assert_eq!(parse_time(text), Ok(time));
        }
        for bad in ["", ":", "1:", "-1", "1:60", "1.5:00", "1:2:3:4", "nan", "inf", "1e3", "5s", "9999999999"]
        {
            assert!(parse_time(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_are_two_numbers() {
        assert_eq!(parse_size("1280x720"), Ok((1280, 720)));
        for bad in ["", "1280", "x720", "0x720", "1280x720x2", "-1x5"] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
    }
}
