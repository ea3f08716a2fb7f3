//! The bar on standard error.

use std::fmt::Display;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::sink::{End, Sink};
use crate::error::tell;
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
    videos: usize,
    ended: AtomicUsize,
}

impl Board {
    /// For a batch of this many videos.
    pub fn new(videos: usize, visible: bool) -> Self {
        let bar = bar(None, "{spinner} {prefix}, {pos} frames, {per_sec}", visible);
        let board = Self { bar, videos, ended: AtomicUsize::new(0) };
        board.count(0);
        board
    }

    /// The display as a sink of one of the runs.
    pub fn progress(&self) -> Progress {
        Progress { bar: self.bar.clone(), is_shared: true }
    }

    /// Counts a video that is over, however it ended.
    pub fn end_video(&self) {
        self.count(1);
    }

    /// Writes a line above the display.
    pub fn tell(&self, line: impl Display) {
        self.bar.suspend(|| tell(line));
    }

    /// Reports an error above the display.
    pub fn log_error(&self, error: &anyhow::Error) {
        self.bar.suspend(|| log::error!("{error:#}"));
    }

    fn count(&self, more: usize) {
        let ended = self.ended.fetch_add(more, Ordering::Relaxed) + more;
        self.bar.set_prefix(format!("{ended}/{} videos", self.videos));
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
