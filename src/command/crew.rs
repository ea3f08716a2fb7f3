//! Several videos, one after another or several at once: a broken one does not stop the rest.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Error, Result};
use facemark::Tracker;

use super::common::{Settings, tracker};
use super::room;
use crate::cli::Annotate;
use crate::error::{Fault, one_line};
use crate::output::Board;
use crate::threads::share;

/// How a video that did not fail ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Done {
    /// It was annotated.
    Annotated,
    /// Its outputs were there.
    Before,
    /// Another machine is annotating it.
    Elsewhere,
    /// The run was stopped before its end.
    Stopped,
}

/// What annotates videos.
pub(super) struct Crew<'a> {
    /// The arguments.
    pub(super) args: &'a Annotate,
    /// The settings of every command.
    pub(super) settings: Settings,
    /// Set when the run should stop.
    pub(super) stop: &'a AtomicBool,
    /// The display for all.
    pub(super) board: &'a Board,
}

impl Crew<'_> {
    /// How many of `videos` are annotated at once.
    ///
    /// # Errors
    /// [`Fault::Usage`] if several would write to standard output.
    pub(super) fn jobs(&self, videos: usize) -> Result<usize> {
        let Annotate { output, data, jobs, .. } = self.args;
        if data.files().any(|file| file.as_os_str() == "-") {
            return match jobs {
                Some(2..) => Err(Fault::Usage.error(
                    "standard output takes one video at a time; pass --jobs 1, or a folder for the data",
                )),
                _ => Ok(1),
            };
        }
        Ok(jobs.map_or_else(|| room::jobs(output.is_some()), usize::from).min(videos).max(1))
    }

    /// Calls `work` for each item until the run is stopped, with a tracker that has seen nothing. Returns, for each
    /// item, how it ended, or `None` if it was not begun. Failures are reported at once.
    ///
    /// # Errors
    /// If the models cannot be loaded, a thread panics, or standard output is closed.
    pub(super) fn each<T: Sync>(
        &self,
        items: &[T],
        work: impl Fn(&T, &mut Tracker) -> Result<Done> + Sync,
    ) -> Result<Vec<Option<Result<Done>>>> {
        let ends: Mutex<Vec<_>> = Mutex::new(items.iter().map(|_| None).collect());
        let is_closed = AtomicBool::new(false);
        self.board.begin(items.len());
        let may_go_on = || !self.stop.load(Ordering::Relaxed) && !is_closed.load(Ordering::Relaxed);
        share("annotating", self.jobs(items.len())?, items, |items| {
            let mut tracker = tracker(&self.args.tracking, false, self.args.hiding.how().is_some())?;
            while may_go_on()
                && let Some((place, item)) = items.next()
            {
                tracker.reset();
                let end = work(item, &mut tracker);
                self.board.end_video();
                if let Err(error) = &end {
                    if Fault::of(error) == Fault::ClosedPipe {
                        is_closed.store(true, Ordering::Relaxed);
                        return end.map(drop);
                    }
                    self.board.above(|| log::error!("{}", one_line(&format!("{error:#}"))));
                }
                // Poisoned only if another thread panicked right here.
                if let Ok(mut ends) = ends.lock() {
                    ends[place] = Some(end);
                }
            }
            Ok(())
        })?;
        ends.into_inner().map_err(|_| Fault::Failure.error("a thread failed while it reported a result"))
    }
}

/// How many videos ended in which way.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// All of them.
    pub(super) all: usize,
    /// Those that were annotated.
    pub(super) annotated: usize,
    /// Those whose outputs were there.
    pub(super) before: usize,
    /// Failures, in the order of the videos.
    pub(super) failures: Vec<Error>,
}

impl Tally {
    /// Counts.
    pub(super) fn of(ends: Vec<Option<Result<Done>>>) -> Self {
        let mut tally = Self { all: ends.len(), ..Self::default() };
        for end in ends.into_iter().flatten() {
            match end {
                Ok(Done::Annotated) => tally.annotated += 1,
                Ok(Done::Before) => tally.before += 1,
                Ok(Done::Elsewhere | Done::Stopped) => {}
                Err(error) => tally.failures.push(error),
            }
        }
        tally
    }

    /// The line at the end of a run.
    pub(super) fn summary(&self) -> String {
        let Self { all, annotated, before, ref failures } = *self;
        let failed = failures.len();
        let left = all - annotated - before - failed;
        format!(
            "{all} videos: {annotated} annotated, {before} done before, {failed} failed, {left} not begun or stopped"
        )
    }

    /// The fault of the first video that failed.
    ///
    /// # Errors
    /// If there is one.
    pub(super) fn verdict(&self) -> Result<()> {
        self.failures.first().map_or(Ok(()), |first| {
            let (count, all) = (self.failures.len(), self.all);
            Err(Fault::of(first)
                .error(format!("{count} of {all} videos failed; the messages above name them")))
        })
    }
}
