//! `facemark devices`.

use std::fmt::Write as _;
use std::sync::atomic::AtomicBool;

use anyhow::Result;

use super::common::print;
use crate::cli::Devices;
use crate::error::{Blame, Fault};
use crate::source::camera::{Found, Mode, list};

/// Prints the cameras and the settings that they support.
///
/// # Errors
/// [`Fault::Device`] if the system cannot list them. Having none is not an error.
pub fn devices(args: &Devices, stop: &AtomicBool) -> Result<()> {
    let Some(cameras) = list(stop)? else { return Ok(()) };
    if args.json {
        let json = serde_json::to_string_pretty(&cameras);
        return print(&(json.blame(Fault::Failure, || "turning the cameras into JSON")? + "\n"));
    }
    if cameras.is_empty() {
        return print("no camera\n");
    }
    print(cameras.iter().map(describe).collect::<String>())
}

/// A line for the camera, and one for each encoding and size.
fn describe(camera: &Found) -> String {
    let mut text = format!("{}  {}  {}\n", camera.index, camera.name, camera.path);
    if let Some(problem) = &camera.problem {
        let _ = writeln!(text, "   {problem}");
    }
    let same = |a: &Mode, b: &Mode| (a.encoding, a.width, a.height) == (b.encoding, b.width, b.height);
    for modes in camera.modes.chunk_by(same) {
        let Mode { encoding, width, height, .. } = modes[0];
        let rates: Vec<_> = modes.iter().rev().map(|mode| mode.rate.to_string()).collect();
        let size = format!("{width}x{height}");
        let _ = writeln!(text, "   {:<6}{size:<11}{} frames/s", encoding.name(), rates.join(", "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::camera::Encoding;

    #[test]
    fn a_camera_is_listed_with_its_rates_fastest_first() {
        let mode = |encoding, rate| Mode { encoding, width: 640, height: 480, rate };
        let camera = Found {
            index: 2,
            name: "HD Webcam".to_owned(),
            path: "/dev/video2".to_owned(),
            modes: vec![mode(Encoding::Mjpeg, 15), mode(Encoding::Mjpeg, 30), mode(Encoding::Yuyv, 10)],
            problem: None,
        };
        let expected = "2  HD Webcam  /dev/video2\n   mjpeg 640x480    30, 15 frames/s\n   yuyv  640x480    10 frames/s\n";
        assert_eq!(describe(&camera), expected);
        let busy = Found { modes: Vec::new(), problem: Some("it is in use".to_owned()), ..camera };
        assert_eq!(describe(&busy), "2  HD Webcam  /dev/video2\n   it is in use\n");
    }
}
