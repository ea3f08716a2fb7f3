//! An attempt at a video or range: its state file, from the beginning to the end.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Error, Result};
use jiff::Timestamp;

use super::process::Process;
use super::state::{Stage, State};
use crate::error::Fault;
use crate::frame::Tracked;
use crate::output::{End, Sink};

/// How often a sign of life is given.
const BEAT: Duration = Duration::from_secs(10);

/// An attempt.
pub(super) struct Claim {
    path: PathBuf,
    state: State,
    frames: AtomicU64,
}

impl Claim {
    /// Writes down that an attempt begins.
    ///
    /// # Errors
    /// [`Fault::Output`] if the state cannot be written.
    pub(super) fn begin(
        path: PathBuf,
        last: Option<&State>,
        video: &Path,
        range: Option<[u32; 2]>,
    ) -> Result<Self> {
        let state = State::begin(last, video, range);
        state.write(&path)?;
        Ok(Self { path, state, frames: AtomicU64::new(0) })
    }

    /// A sink that gives signs of life.
    pub(super) fn pulse(&self) -> Pulse<'_> {
        Pulse { claim: self, last: Instant::now() }
    }

    /// Writes down that the outputs are complete, and with which error, if the input ended early.
    pub(super) fn done(self, early: Option<&Error>) {
        let code = early.map(|error| Fault::of(error) as u8);
        let message = early.map(|error| format!("{error:#}"));
        let state = State { code, message, ..self.now() };
        self.put(&state.ended(Stage::Done));
    }

    /// Writes down that the attempt failed.
    pub(super) fn failed(self, error: &Error) {
        self.put(&self.now().failed(error));
    }

    /// Writes down that the attempt was stopped.
    pub(super) fn stopped(self) {
        if self.is_ours() {
            self.put(&self.now().ended(Stage::Stopped));
        }
    }

    fn beat(&self) {
        // Another machine may have taken the video meanwhile, and may even be done with it.
        if self.is_ours() {
            self.put(&State { seen: Timestamp::now(), ..self.now() });
        }
    }

    fn now(&self) -> State {
        State { frames: self.frames.load(Ordering::Relaxed), ..self.state.clone() }
    }

    fn is_ours(&self) -> bool {
        State::read(&self.path).is_none_or(|state| state.process == *Process::this())
    }

    /// The outputs matter more than their state, so a state that cannot be written is not a failure.
    fn put(&self, state: &State) {
        if let Err(error) = state.write(&self.path) {
            log::warn!("{error:#}");
        }
    }
}

/// Gives signs of life while frames are written.
pub(super) struct Pulse<'a> {
    claim: &'a Claim,
    last: Instant,
}

impl Sink for Pulse<'_> {
    fn write(&mut self, _: &mut Tracked) -> Result<()> {
        self.claim.frames.fetch_add(1, Ordering::Relaxed);
        self.idle()
    }

    fn idle(&mut self) -> Result<()> {
        if self.last.elapsed() >= BEAT {
            self.last = Instant::now();
            self.claim.beat();
        }
        Ok(())
    }

    fn finish(&mut self, _: End) -> Result<()> {
        Ok(())
    }
}
