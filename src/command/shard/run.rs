//! Works through the units of a shard.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use anyhow::Result;
use facemark::Tracker;

use super::claim::Claim;
use super::process::Process;
use super::state::State;
use super::unit::Unit;
use crate::command::crew::{Crew, Done};
use crate::command::job::{Around, Job};
use crate::error::Fault;
use crate::output::target::{FileTarget, Incomplete};
use crate::output::write_whole;
use crate::source::Part;
use crate::source::files::{Files, Pace};

/// What is the same for all units of a shard.
pub(super) struct Runner<'a> {
    pub(super) crew: Crew<'a>,
    /// The part of each video, if they are not cut into ranges.
    pub(super) part: Part,
    /// Where the states are.
    pub(super) folder: PathBuf,
}

impl Runner<'_> {
    /// Annotates the units; those that fail are tried again after the others, and so are those that another machine
    /// was at work on, unless they are complete by then. Returns how each one ended.
    ///
    /// # Errors
    /// As [`Crew::each`].
    pub(super) fn run(&self, units: &[Unit]) -> Result<Vec<Option<Result<Done>>>> {
        let retries = self.crew.args.sharding.retries;
        let mut ends: Vec<Option<Result<Done>>> = units.iter().map(|_| None).collect();
        let mut todo: Vec<(usize, &Unit)> = units.iter().enumerate().collect();
        for round in 0.. {
            let found = self.crew.each(&todo, |(_, unit), tracker| self.unit(unit, tracker, round == 0))?;
            let mut again = Vec::new();
            for (&(place, unit), end) in todo.iter().zip(found) {
                let is_open = match &end {
                    Some(Ok(Done::Elsewhere)) => true,
                    Some(Err(_)) => round < retries && self.may_try_again(unit),
                    _ => false,
                };
                again.extend(is_open.then_some((place, unit)));
                ends[place] = end;
            }
            if again.is_empty() || self.crew.stop.load(Ordering::Relaxed) {
                break;
            }
            todo = again;
        }
        Ok(ends)
    }

    fn may_try_again(&self, unit: &Unit) -> bool {
        let retries = self.crew.args.sharding.retries;
        State::read(&unit.state(&self.folder))
            .is_none_or(|state| state.failures <= retries && state.refusal(retries, &unit.video).is_none())
    }

    /// Annotates a unit unless that has been done. With `leave_others` it is left alone while another machine is at it.
    fn unit(&self, unit: &Unit, tracker: &mut Tracker, leave_others: bool) -> Result<Done> {
        let args = self.crew.args;
        if !args.overwrite && unit.is_complete(args) {
            return Ok(Done::Before);
        }
        let path = unit.state(&self.folder);
        let last = State::read(&path);
        if let Some(last) = &last {
            if leave_others && last.is_running_elsewhere() {
                return Ok(Done::Elsewhere);
            }
            if let Some(error) = last.refusal(args.sharding.retries, &unit.video) {
                return Err(error);
            }
        }
        let claim = Claim::begin(path, last.as_ref(), &unit.video, unit.numbers())?;
        if let Some(dead) = last.filter(|last| !last.is_running()) {
            unit.targets(args, &dead.process.word).clean_up();
        }
        match self.annotate(unit, tracker, &claim) {
            Ok(done) => {
                match done {
                    Done::Stopped => claim.stopped(),
                    _ => claim.done(None),
                }
                Ok(done)
            }
            Err(error) if Fault::of(&error) == Fault::EndedEarly && unit.is_complete(args) => {
                claim.done(Some(&error));
                Err(error)
            }
            // Another machine has done what failed here.
            Err(_) if !args.overwrite && unit.is_complete(args) => {
                claim.done(None);
                Ok(Done::Before)
            }
            Err(error) => {
                claim.failed(&error);
                Err(error)
            }
        }
    }

    fn annotate(&self, unit: &Unit, tracker: &mut Tracker, claim: &Claim) -> Result<Done> {
        let Crew { args, settings, stop, board } = self.crew;
        let targets = unit.targets(args, &Process::this().word);
        let part = match &unit.range {
            Some(range) => range.part(&unit.video)?,
            None => Some(self.part),
        };
        let Some(part) = part else {
            return targets.paths().try_for_each(|path| write_nothing(path)).map(|()| Done::Annotated);
        };
        let job = Job::new(Files::Video(unit.video.clone()), targets)?;
        let mut source = job.open(Pace::Free, part, args.reading.adjustment())?;
        let around = Around { board: Some(board), sinks: vec![Box::new(claim.pulse())] };
        let outcome = job.run(source.as_mut(), tracker, settings, around, stop)?;
        if stop.load(Ordering::Relaxed) && (args.overwrite || !unit.is_complete(args)) {
            return Ok(Done::Stopped);
        }
        if !settings.quiet {
            board.tell(&outcome);
        }
        Ok(Done::Annotated)
    }
}

/// Writes an empty file: the data of no frame.
fn write_nothing(path: &Path) -> Result<()> {
    let incomplete = Incomplete::Remove(Process::this().word.clone());
    write_whole(&FileTarget::new(path, &[], true)?.or(incomplete), |_| Ok(()))
}
