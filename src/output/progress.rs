//! The bar on standard error.

use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::sink::{End, Sink};
use crate::error::{one_line, tell};
use crate::frame::Tracked;
use crate::info::SourceInfo;

/// Shows the progress of the run. Invisible unless standard error is a terminal.
pub struct Progress {
    bar: ProgressBar,
    /// Whether other runs use the bar, too.
    is_shared: bool,
}

impl Progress {
    /// A bar over the source's frames, or a counter if their number is not known.
    pub fn new(info: &SourceInfo, visible: bool) -> Self {
        let template = match info.frames {
            Some(_) => "{bar:40} {pos}/{len} frames, {per_sec}, {eta} left",
            None => "{spinner} {pos} frames, {per_sec}",
        };
        Self { bar: bar(info.frames, template, visible), is_shared: false }
    }
}

impl Sink for Progress {
    fn write(&mut self, _: &mut Tracked) -> Result<()> {
        self.bar.inc(1);
        Ok(())
    }

    fn finish(&mut self, _: End) -> Result<()> {
        if !self.is_shared {
            self.bar.finish_and_clear();
        }
        Ok(())
    }
}

/// One display for all videos of a batch, however many are annotated at once.
#[derive(Debug)]
pub struct Board {
    bar: ProgressBar,
    videos: AtomicUsize,
    ended: AtomicUsize,
}

impl Board {
    /// A display without videos yet.
    pub fn new(visible: bool) -> Self {
        let bar = bar(None, "{spinner} {prefix}, {pos} frames, {per_sec}", visible);
        Self { bar, videos: AtomicUsize::new(0), ended: AtomicUsize::new(0) }
    }

    /// This many videos follow.
    pub fn begin(&self, videos: usize) {
        self.videos.store(videos, Ordering::Relaxed);
        self.ended.store(0, Ordering::Relaxed);
        self.count(0);
    }

    /// The display as a sink of one of the runs.
    pub fn progress(&self) -> Progress {
        Progress { bar: self.bar.clone(), is_shared: true }
    }

    /// Counts a video that is over, however it ended.
    pub fn end_video(&self) {
        self.count(1);
    }

    /// Writes a line above the display. Names of files may hold line feeds.
    pub fn tell(&self, line: &str) {
        self.above(|| tell(one_line(line)));
    }

    /// Lets `act` write above the display.
    pub fn above(&self, act: impl FnOnce()) {
        self.bar.suspend(act);
    }

    fn count(&self, more: usize) {
        let ended = self.ended.fetch_add(more, Ordering::Relaxed) + more;
        let videos = self.videos.load(Ordering::Relaxed);
        self.bar.set_prefix(format!("{ended}/{videos} videos"));
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn bar(length: Option<u64>, template: &str, visible: bool) -> ProgressBar {
    let target = if visible { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(length, target);
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}
