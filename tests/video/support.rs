//! Fixtures made by `ffmpeg`, measurements taken by `ffprobe`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use facemark_cli::av::container::Copying;
use facemark_cli::frame::Frame;
use facemark_cli::output::{End, video::VideoSink};
use facemark_cli::source::{Source, SourceInfo, video::VideoSource};
use tempfile::TempDir;

/// Moving colours, 2 s at 30 frames a second.
pub const PICTURES: &str = "testsrc2=size=160x120:rate=30:duration=2";
/// As long as [`PICTURES`].
pub const SOUND: &str = "sine=frequency=440:duration=2";

/// A folder for one test.
pub struct Bench {
    folder: TempDir,
}

impl Bench {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs ffmpeg in the folder, its arguments split at spaces.
    pub fn ffmpeg(&self, args: &str) {
        let mut command = Command::new("ffmpeg");
        command.args(["-nostdin", "-v", "error", "-y"]).args(args.split(' ')).current_dir(self.folder.path());
        run(command);
    }

    /// A video without sound: [`PICTURES`] with more ffmpeg arguments.
    pub fn video(&self, args: &str, name: &str) -> PathBuf {
        self.ffmpeg(&format!("-f lavfi -i {PICTURES} {args} {name}"));
        self.path(name)
    }

    /// A video with sound, H.264 with B-frames and AAC.
    pub fn movie(&self, name: &str) -> PathBuf {
        self.ffmpeg(&format!(
            "-f lavfi -i {PICTURES} -f lavfi -i {SOUND} -c:v libx264 -pix_fmt yuv420p -c:a aac {name}"
        ));
        self.path(name)
    }

    /// What ffmpeg decodes from a video: all its pictures as raw 4:2:0 planes.
    pub fn raw(&self, args: &str) -> Vec<u8> {
        self.ffmpeg(&format!("{args} -fps_mode passthrough -f rawvideo reference.yuv"));
        std::fs::read(self.path("reference.yuv")).unwrap()
    }

    /// All files in the folder.
    pub fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<_> =
            entries.map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

fn run(mut command: Command) -> String {
    let output =
        command.output().unwrap_or_else(|error| panic!("{command:?}: {error}; is ffmpeg installed?"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed: {errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What ffprobe says, a line for each thing asked for.
pub fn probe(file: &Path, args: &str) -> Vec<String> {
    let mut command = Command::new("ffprobe");
    command.args(["-v", "error", "-of", "csv=p=0"]).args(args.split(' ')).arg(file);
    run(command)
        .lines()
        .map(|line| line.trim_end_matches(',').to_owned())
        .filter(|line| !line.is_empty())
        .collect()
}

/// The times of a stream's packets in seconds, in order of presentation.
pub fn times(file: &Path, stream: &str) -> Vec<f64> {
    let lines = probe(file, &format!("-select_streams {stream} -show_entries packet=pts_time"));
    let mut times: Vec<f64> =
        lines.iter().map(|line| line.split(',').next().unwrap().parse().unwrap()).collect();
    times.sort_by(f64::total_cmp);
    times
}

/// Checksums of a stream's packets.
pub fn checksums(file: &Path, stream: &str) -> Vec<String> {
    let lines =
        probe(file, &format!("-select_streams {stream} -show_data_hash md5 -show_entries packet=data_hash"));
    let fields = lines.iter().flat_map(|line| line.split(','));
    fields.filter(|field| field.starts_with("MD5:")).map(str::to_owned).collect()
}

/// Asserts that times agree to `tolerance` seconds.
#[track_caller]
pub fn assert_times(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "number of packets; found {found:?}, expected {expected:?}");
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((found - expected).abs() <= tolerance, "packet {i} at {found} s instead of {expected} s");
    }
}

/// All frames of a source, and how it ended.
pub fn frames(source: &mut impl Source) -> (Vec<Frame>, Result<()>) {
    let mut frames = Vec::new();
    loop {
        let mut frame = Frame::empty();
        match source.next(&mut frame) {
            Ok(true) => frames.push(frame),
            Ok(false) => return (frames, Ok(())),
            Err(error) => return (frames, Err(error)),
        }
    }
}

/// All frames of an intact video.
#[track_caller]
pub fn decode(file: &Path) -> Vec<Frame> {
    let (frames, end) = frames(&mut VideoSource::open(file, 0).unwrap());
    end.unwrap();
    frames
}

/// Begins an annotated copy of the video `input`.
pub fn create(output: &Path, input: &Path, info: &SourceInfo, overwrite: bool) -> Result<VideoSink> {
    let target = VideoSink::check(output, &[input.to_owned()], overwrite)?;
    VideoSink::create(&target, Some(input), info, Copying::default())
}

/// Decodes and encodes a video; for each, how it ended.
pub fn transcode(input: &Path, output: &Path) -> (Result<()>, Result<()>) {
    let mut source = match VideoSource::open(input, 0) {
        Ok(source) => source,
        Err(error) => return (Err(error), Ok(())),
    };
    let mut sink = match create(output, input, source.info(), false) {
        Ok(sink) => sink,
        Err(error) => return (Ok(()), Err(error)),
    };
    let mut frame = Frame::empty();
    loop {
        match source.next(&mut frame) {
            Ok(true) => {
                if let Err(error) = sink.write(&frame) {
                    return (Ok(()), Err(error));
                }
            }
            Ok(false) => return (Ok(()), sink.finish(End::Complete)),
            Err(error) => return (Err(error), sink.finish(End::Complete)),
        }
    }
}

/// Decodes and encodes an intact video.
#[track_caller]
pub fn convert(input: &Path, output: &Path) {
    let (read, written) = transcode(input, output);
    read.unwrap();
    written.unwrap();
}

/// The planes of a frame one after the other, as in a raw file.
pub fn bytes(frame: &Frame) -> Vec<u8> {
    let [blue, red] = &frame.image.chroma;
    [&frame.image.luma, blue, red].iter().flat_map(|plane| plane.data().iter().copied()).collect()
}

/// The mean difference between samples.
#[track_caller]
pub fn difference(a: &[u8], b: &[u8]) -> f64 {
    assert_eq!(a.len(), b.len(), "number of samples");
    let sum: u64 = a.iter().zip(b).map(|(&a, &b)| u64::from(a.abs_diff(b))).sum();
    sum as f64 / a.len() as f64
}

/// Replaces the display matrix in an MP4 file with one track.
pub fn set_matrix(file: &Path, [a, b, c, d]: [i32; 4]) {
    const AFTER_NAME: usize = 44;
    let mut bytes = std::fs::read(file).unwrap();
    let header = bytes.windows(4).position(|name| name == b"tkhd").unwrap();
    assert_eq!(bytes[header + 4], 0, "a header of the old kind");
    let one = 1 << 16;
    let matrix = [a * one, b * one, 0, c * one, d * one, 0, 0, 0, 1 << 30];
    for (i, number) in matrix.into_iter().enumerate() {
        bytes[header + AFTER_NAME + 4 * i..][..4].copy_from_slice(&i32::to_be_bytes(number));
    }
    std::fs::write(file, bytes).unwrap();
}
