//! One input and where its results go.

use std::sync::atomic::AtomicBool;

use anyhow::Result;
use facemark::Tracker;

use super::common::{Settings, outcome, tell_crowd};
use crate::output::{Outputs, Targets};
use crate::pipeline;
use crate::source::adjusted::Adjustment;
use crate::source::files::{Files, Pace};
use crate::source::{Part, Source};

/// Files to annotate, and outputs that have been checked.
pub(super) struct Job {
    files: Files,
    outputs: Outputs,
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
        stop: &AtomicBool,
    ) -> Result<String> {
        let info = source.info().clone();
        let mut outputs = self.outputs.open(settings.run(&info, tracker), Vec::new())?;
        let summary = pipeline::run(source, tracker, &mut [&mut outputs], stop)?;
        tell_crowd(&summary);
        Ok(outcome(&summary, outputs.report().frames_with_face(), self.outputs.paths()))
    }
}
