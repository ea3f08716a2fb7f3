//! Draws the faces into each frame, for the sinks that come after it.

use anyhow::Result;
use facemark::face::Scheme;

use super::sink::{End, Sink};
use crate::draw::{Style, draw};
use crate::frame::{Stage, Tracked};

/// The overlay as a step on the frame's way.
pub struct Overlay {
    scheme: Scheme,
    show_latency: bool,
}

impl Overlay {
    /// An overlay for landmarks of this scheme, with the time spent on each frame's faces if wanted.
    pub fn new(scheme: Scheme, show_latency: bool) -> Self {
        Self { scheme, show_latency }
    }
}

impl Sink for Overlay {
    fn write(&mut self, tracked: &mut Tracked) -> Result<()> {
        let Tracked { frame, faces } = tracked;
        let track = frame.timing.get(Stage::Track).filter(|_| self.show_latency);
        let text = track.map(|time| format!("{:.1} ms", time.as_secs_f64() * 1e3));
        let image = &mut frame.image;
        frame.timing.measure(Stage::Draw, || draw(image, faces, self.scheme, Style::Full, text.as_deref()))
    }

    fn finish(&mut self, _: End) -> Result<()> {
        Ok(())
    }
}
