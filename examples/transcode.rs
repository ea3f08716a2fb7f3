//! Decodes a video and encodes it again, without a model: `transcode IN OUT [FRAMES]`.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use facemark::frame::{Frame, MediaTime, Stage, Timing, Yuv420};
use facemark::sink::{End, video::VideoSink};
use facemark::source::{Source, video::VideoSource};

fn main() -> Result<()> {
    let mut args = std::env::args_os().skip(1);
    let input = PathBuf::from(args.next().context("no input")?);
    let output = PathBuf::from(args.next().context("no output")?);
    let limit: u64 = args.next().map_or(Ok(u64::MAX), |n| n.to_string_lossy().parse())?;
    let mut source = VideoSource::open(&input, 0)?;
    eprintln!("{:?}", source.info());
    let mut sink = VideoSink::create(&output, Some(&input), source.info(), true)?;
    let mut frame = Frame {
        index: 0,
        time: MediaTime { ticks: 0, base: (1, 1) },
        captured: Instant::now(),
        image: Yuv420::default(),
        timing: Timing::default(),
    };
    let (mut frames, mut decode, mut encode) = (0, Duration::ZERO, Duration::ZERO);
    let verdict = loop {
        if frames == limit {
            break Ok(());
        }
        match source.next(&mut frame) {
            Ok(true) => {}
            Ok(false) => break Ok(()),
            Err(error) => break Err(error),
        }
        decode += frame.timing.get(Stage::Decode).unwrap_or_default();
        let start = Instant::now();
        sink.write(&frame)?;
        encode += start.elapsed();
        frames += 1;
    };
    sink.finish(if frames == limit { End::CutShort } else { End::Complete })?;
    let per_frame = |time: Duration| time.as_secs_f64() * 1e3 / frames as f64;
    eprintln!("{frames} frames, decode {:.2} ms, encode {:.2} ms", per_frame(decode), per_frame(encode));
    verdict
}
