//! One input and where its results go.

use std::sync::atomic::AtomicBool;

use anyhow::Result;
use facemark::Tracker;

use super::common::{Settings, outcome, tell_crowd};
use crate::output::{Board, Outputs, Run, Sink, Targets};
use crate::pipeline;
use crate::source::adjusted::Adjustment;
use crate::source::files::{Files, Pace};
use crate::source::{Part, Source};

/// Files to annotate, and outputs that have been checked.
pub(super) struct Job {
    files: Files,
    outputs: Outputs,
}

/// What is around a run that is one of several.
#[derive(Default)]
pub(super) struct Around<'a> {
    /// The display of them all.
    pub(super) board: Option<&'a Board>,
    /// Further sinks.
    pub(super) sinks: Vec<Box<dyn Sink + 'a>>,
}

impl Job {
    /// Refuses outputs that cannot or must not be written, before anything is read.
    pub(super) fn new(files: Files, targets: Targets) -> Result<Self> {
        Ok(Self { outputs: Outputs::new(targets, Some(&files))?, files })
    }

    /// Where the results go.
    pub(super) fn outputs(&self) -> &Outputs {
        &self.outputs
    }

    /// Opens the input, or `part` of it, and applies this to its frames.
    pub(super) fn open(&self, pace: Pace, part: Part, adjustment: Adjustment) -> Result<Box<dyn Source>> {
        self.files.open(pace, part, adjustment)
    }

    /// Runs the job, with the opened input; returns the final line.
    pub(super) fn run(
        &self,
        source: &mut dyn Source,
        tracker: &mut Tracker,
        settings: Settings,
        around: Around,
        stop: &AtomicBool,
    ) -> Result<String> {
        let info = source.info().clone();
        let run = Run { board: around.board, ..settings.run(&info, tracker) };
        let mut outputs = self.outputs.open(run, around.sinks)?;
        let summary = pipeline::run(source, tracker, &mut [&mut outputs], stop)?;
        let which = around.board.map_or_else(String::new, |_| format!("{}: ", info.file(0).display()));
        tell_crowd(&summary, &which);
        Ok(outcome(&summary, outputs.report().frames_with_face(), self.outputs.paths()))
    }
}
