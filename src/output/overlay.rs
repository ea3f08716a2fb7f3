//! Draws the faces into each frame or hides them, for the sinks that come after it.

use anyhow::Result;
use facemark::face::Scheme;

use super::sink::{End, Sink};
use crate::draw::hide::{Hider, Hiding};
use crate::draw::{Style, draw};
use crate::frame::{Stage, Tracked};

/// The overlay as a step in the frame's pipeline.
pub struct Overlay {
    scheme: Scheme,
    style: Style,
    show_latency: bool,
}

impl Overlay {
    /// An overlay for landmarks of this scheme, with the time spent on each frame's faces if wanted.
    pub fn new(scheme: Scheme, style: Style, show_latency: bool) -> Self {
        Self { scheme, style, show_latency }
    }
}

impl Sink for Overlay {
    fn write(&mut self, tracked: &mut Tracked) -> Result<()> {
        let Tracked { frame, faces } = tracked;
        let track = frame.timing.get(Stage::Track).filter(|_| self.show_latency);
        let text = track.map(|time| format!("{:.1} ms", time.as_secs_f64() * 1e3));
        let image = &mut frame.image;
        frame.timing.measure(Stage::Draw, || draw(image, faces, self.scheme, self.style, text.as_deref()))
    }

    fn finish(&mut self, _: End) -> Result<()> {
        Ok(())
    }
}

/// Makes faces unrecognisable, as a step before everything that shows or writes pictures.
pub struct Hide {
    hider: Hider,
    stills: bool,
}

impl Hide {
    /// For consecutive frames, or for unrelated pictures if `stills`.
    pub fn new(how: Hiding, stills: bool) -> Self {
        Self { hider: Hider::new(how), stills }
    }
}

impl Sink for Hide {
    fn write(&mut self, tracked: &mut Tracked) -> Result<()> {
        let Tracked { frame, faces } = tracked;
        if self.stills {
            self.hider.forget();
        }
        let (image, time) = (&mut frame.image, frame.time.seconds());
        frame.timing.measure(Stage::Draw, || self.hider.hide(image, faces, time))
    }

    fn finish(&mut self, _: End) -> Result<()> {
        Ok(())
    }
}
