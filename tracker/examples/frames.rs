//! Follows the faces in raw grey frames from standard input, for example from FFmpeg:
//! `ffmpeg -i talk.mp4 -f rawvideo -pix_fmt gray - | cargo run --release -p facemark --example frames -- 640 480 25`

use std::error::Error;
use std::io::{self, ErrorKind, Read};

use facemark::{Image, Options, Tracker};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [width, height, rate] = &arguments[..] else {
        return Err("usage: frames WIDTH HEIGHT FRAMES_PER_SECOND".into());
    };
    let (width, height, rate): (usize, usize, f64) = (width.parse()?, height.parse()?, rate.parse()?);

    let mut tracker = Tracker::new(Options { measures: true, ..Options::default() })?;
    let mut frame = vec![0; width * height];
    let mut input = io::stdin().lock();
    for index in 0.. {
        match input.read_exact(&mut frame) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => break,
            result => result?,
        }
        let seconds = f64::from(index) / rate;
        for face in tracker.track(&Image::luma(width, height, &frame)?, seconds)? {
            let yaw = face.measures.map_or(0.0, |measures| measures.pose.yaw.to_degrees());
            let nose = face.landmarks[30];
            println!(
                "{seconds:.3} s: face {}: nose at {:.0}, {:.0}; head turned by {yaw:.0}°",
                face.id, nose.x, nose.y
            );
        }
    }
    Ok(())
}
