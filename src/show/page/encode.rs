//! The thread that turns the newest frame into what viewers get.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use crossbeam::channel::Receiver;
use serde_json::json;

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
    /// A server-sent event: `{"data":…,"width":…,"height":…,"latency_ms":…,"track_ms":…,"dropped":…}`.
    pub(super) event: Vec<u8>,
    /// The same JSON and the JPEG file, each as a part of a multipart message.
    pub(super) parts: Vec<u8>,
    /// Where the JPEG's part begins.
    pub(super) picture: usize,
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
        match shot.show(&mut encoder).map(Arc::new) {
            Ok(shown) => viewers.iter().for_each(|viewer| drop(viewer.put(Arc::clone(&shown)))),
            Err(error) => return log::error!("cannot show pictures on the page: {error:#}"),
        }
        used.put(shot);
    }
}

impl Shot {
    fn show(&self, encoder: &mut JpegEncoder) -> Result<Shown> {
        let jpeg = encoder.encode(&self.frame.image)?;
        let (width, height) = self.frame.image.size();
        let captured = self.frame.captured;
        let milliseconds = |time: Duration| (time.as_secs_f64() * 1e4).round() / 10.0;
        let numbers = json!({
            "width": width,
            "height": height,
            "latency_ms": milliseconds(captured.elapsed()),
            "track_ms": self.track.map(milliseconds),
            "dropped": self.dropped,
        });
        // The line is JSON already.
        let json = format!("{{\"data\":{},{}", self.line, &numbers.to_string()[1..]);
        let mut parts = part("application/json", json.as_bytes());
        let picture = parts.len();
        parts.extend(part("image/jpeg", &jpeg));
        Ok(Shown { event: format!("data: {json}\n\n").into(), parts, picture, captured })
    }
}

fn part(kind: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("--frame\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body, b"\r\n"].concat()
}
