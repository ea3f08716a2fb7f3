//! The outputs of a run in progress.

use std::time::{Duration, Instant};

use anyhow::Result;
use facemark::face::Scheme;

use super::csv::Columns;
use super::data::DataFile;
use super::progress::{Board, Progress};
use super::report::{LatencyReport, Subject, to_html};
use super::sink::{End, Sink};
use super::target::Target;
use crate::frame::Tracked;
use crate::info::SourceInfo;

/// What the outputs need to know about a run.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// Its source.
    pub info: &'a SourceInfo,
    /// The scheme of the landmarks.
    pub scheme: Scheme,
    /// What faces have besides landmarks.
    pub columns: Columns,
    /// When the process began.
    pub started: Instant,
    /// Whether the time since each frame's capture is measured.
    pub live: bool,
    /// The time from one frame to the next, if frames can be late.
    pub deadline: Option<Duration>,
    /// Whether there is a progress bar.
    pub progress: bool,
    /// The display of a batch, which then takes the place of the run's own bar.
    pub board: Option<&'a Board>,
}

/// All sinks of a run as one.
pub struct Opened<'a> {
    /// In the order in which they take a frame.
    sinks: Vec<Box<dyn Sink + 'a>>,
    report: LatencyReport,
    progress: Progress,
    html: Option<DataFile>,
}

impl<'a> Opened<'a> {
    pub(super) fn new(sinks: Vec<Box<dyn Sink + 'a>>, run: Run, html: Option<&Target>) -> Result<Self> {
        Ok(Self {
            sinks,
            report: LatencyReport::new(run.started, run.deadline)?,
            progress: match run.board {
                Some(board) => board.progress(),
                None => Progress::new(run.info, run.progress),
            },
            html: html.map(DataFile::create).transpose()?,
        })
    }

    /// How long the frames have taken so far.
    pub fn report(&self) -> &LatencyReport {
        &self.report
    }

    /// Writes the report's page, if one was requested.
    ///
    /// # Errors
    /// [`Fault::Output`](crate::error::Fault::Output) if it cannot be written.
    pub fn write_page(&mut self, subject: &Subject) -> Result<()> {
        let Some(page) = &mut self.html else { return Ok(()) };
        page.put(to_html(&self.report, subject).as_bytes())?;
        page.finish(End::Complete)
    }

    fn each(&mut self, mut act: impl FnMut(&mut dyn Sink) -> Result<()>) -> Result<()> {
        self.sinks.iter_mut().try_for_each(|sink| act(sink.as_mut()))?;
        act(&mut self.report)?;
        act(&mut self.progress)
    }
}

impl Sink for Opened<'_> {
    fn write(&mut self, tracked: &mut Tracked) -> Result<()> {
        self.each(|sink| sink.write(tracked))
    }

    fn idle(&mut self) -> Result<()> {
        self.each(|sink| sink.idle())
    }

    fn finish(&mut self, end: End) -> Result<()> {
        self.each(|sink| sink.finish(end))
    }
}
