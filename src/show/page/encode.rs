//! The thread that turns the newest frame into what viewers get.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam::channel::Receiver;

use super::jpeg::JpegEncoder;
use crate::frame::Frame;
use crate::threads::{Latest, SlotIn, SlotOut};

/// A copy of a frame on its way to the viewers.
pub(super) struct Shot {
    pub(super) frame: Frame,
    /// The line of `--jsonl`.
    pub(super) line: String,
    pub(super) track: Option<Duration>,
    /// Frames that never came, so far.
    pub(super) dropped: u64,
}

/// What viewers get.
pub(super) struct Shown {
    /// `{"data":…,"width":…,"height":…,"latency_ms":…,"track_ms":…,"dropped":…}`.
    pub(super) json: String,
    pub(super) jpeg: Vec<u8>,
    pub(super) captured: Instant,
}

/// Encodes until the frames end.
pub(super) fn encode(shots: &SlotOut<Shot>, used: &SlotIn<Shot>, joining: &Receiver<SlotIn<Arc<Shown>>>) {
    let mut viewers: Vec<SlotIn<Arc<Shown>>> = Vec::new();
    let mut encoder = JpegEncoder::default();
    loop {
        let shot = match shots.wait(Duration::from_secs(1)) {
            Latest::New(shot) => shot,
            Latest::Nothing => continue,
            Latest::Closed => return,
        };
        viewers.extend(joining.try_iter());
        viewers.retain(SlotIn::is_wanted);
        match encoder.encode(&shot.frame.image) {
            Ok(jpeg) => {
                let shown = Arc::new(Shown { json: describe(&shot), jpeg, captured: shot.frame.captured });
                for viewer in &viewers {
                    viewer.put(Arc::clone(&shown));
                }
            }
            Err(error) => {
                log::error!("nothing can be served: {error:#}");
                return;
            }
        }
        used.put(shot);
    }
}

fn describe(shot: &Shot) -> String {
    let (width, height) = shot.frame.image.size();
    let milliseconds = |time: Duration| (time.as_secs_f64() * 1e4).round() / 10.0;
    let latency = milliseconds(shot.frame.captured.elapsed());
    let track = shot.track.map_or("null".to_owned(), |time| milliseconds(time).to_string());
    format!(
        "{{\"data\":{},\"width\":{width},\"height\":{height},\"latency_ms\":{latency},\"track_ms\":{track},\
         \"dropped\":{}}}",
        shot.line, shot.dropped
    )
}
