//! The bar on standard error.

use anyhow::Result;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::sink::{End, Sink};
use crate::frame::Tracked;
use crate::info::SourceInfo;

/// Shows the progress of the run. Invisible unless standard error is a terminal.
pub struct Progress(ProgressBar);

impl Progress {
    /// A bar over the source's frames, or a counter if their number is not known.
    pub fn new(info: &SourceInfo, visible: bool) -> Self {
        let target = if visible { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(info.frames, target);
        let template = match info.frames {
            Some(_) => "{bar:40} {pos}/{len} frames, {per_sec}, {eta} left",
            None => "{spinner} {pos} frames, {per_sec}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self(bar)
    }
}

impl Sink for Progress {
    fn write(&mut self, _: &mut Tracked) -> Result<()> {
        self.0.inc(1);
        Ok(())
    }

    fn finish(&mut self, _: End) -> Result<()> {
        self.0.finish_and_clear();
        Ok(())
    }
}
