//! `facemark status`.

use std::collections::HashSet;
use std::path::Path;

use anyhow::Result;
use jiff::Timestamp;
use serde::Serialize;

use super::note::{self, Entry};
use super::state::{self, Stage, State};
use crate::cli::Status;
use crate::command::common::print;
use crate::error::{Blame, Fault, one_line};

/// How a video or range stands, whatever its state file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Standing {
    /// Its outputs are complete.
    Done,
    /// A process is at work on it.
    Running,
    /// The last attempt failed.
    Failed,
    /// The last attempt ended without a word: its process or machine died.
    Interrupted,
    /// It has not begun, or was stopped by a signal.
    Waiting,
}

/// A video or range.
#[derive(Debug, Serialize)]
struct Line {
    video: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    range: Option<[u32; 2]>,
    standing: Standing,
    /// Whether its input is at fault, or suspected to be.
    quarantine: bool,
    #[serde(flatten)]
    last: Option<Last>,
}

/// The last attempt.
#[derive(Debug, Serialize)]
struct Last {
    attempts: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    host: String,
    pid: u32,
    frames: u64,
    begun: Timestamp,
    seen: Timestamp,
}

/// How many stand how.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Summary {
    all: usize,
    done: usize,
    running: usize,
    failed: usize,
    interrupted: usize,
    waiting: usize,
}

/// Everything that `--json` prints.
#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    summary: Summary,
    quarantine: Vec<String>,
    videos: Vec<Line>,
}

/// Prints how far the videos in a folder have come.
///
/// # Errors
/// [`Fault::Input`] if the folder cannot be read or has no states.
pub fn status(args: &Status) -> Result<()> {
    let lines = lines(&args.folder)?;
    if lines.is_empty() {
        let shown = args.folder.display();
        let message = format!("{shown} has no states; give the first folder that annotate --list writes to");
        return Err(Fault::Input.error(message));
    }
    let report = Report {
        summary: Summary::of(&lines),
        quarantine: lines.iter().filter(|line| line.quarantine).map(|line| line.video.clone()).collect(),
        videos: lines,
    };
    if args.json {
        let text = serde_json::to_string(&report).blame(Fault::Failure, || "turning the status into JSON")?;
        return print(text + "\n");
    }
    print(report.to_string())
}

/// What is in the list, in its order, and then what else has a state in the folder.
fn lines(folder: &Path) -> Result<Vec<Line>> {
    let mut states = state::read_all(folder)?;
    states.sort_by(|a, b| a.0.cmp(&b.0));
    let mut listed = HashSet::new();
    let mut lines = Vec::new();
    for entry in note::read(folder) {
        let path = folder.join(&entry.state);
        // Read again: it may have changed since, but its outputs are looked at later still.
        lines.push(line(Some(&entry), State::read(&path), folder));
        listed.insert(path);
    }
    let others = states.into_iter().filter(|(path, _)| !listed.contains(path));
    lines.extend(others.map(|(_, state)| line(None, Some(state), folder)));
    Ok(lines)
}

fn line(entry: Option<&Entry>, state: Option<State>, folder: &Path) -> Line {
    let (video, range) = match (entry, &state) {
        (Some(entry), _) => (entry.video.clone(), entry.range),
        (None, Some(state)) => (state.video.clone(), state.range),
        (None, None) => (String::new(), None),
    };
    let is_complete = entry.map(|entry| entry.is_complete(folder));
    let standing = standing(state.as_ref(), is_complete);
    let quarantine = state.as_ref().is_some_and(|state| match standing {
        Standing::Done => state.code.is_some(),
        Standing::Failed | Standing::Interrupted => state.is_suspect(),
        Standing::Running | Standing::Waiting => false,
    });
    let last = state.map(|State { attempts, code, message, process, frames, begun, seen, .. }| {
        let (host, pid) = (process.host, process.pid);
        Last { attempts, code, message, host, pid, frames, begun, seen }
    });
    Line { video, range, standing, quarantine, last }
}

/// What the state file and the outputs say together; `is_complete` is `None` where the outputs are not known.
fn standing(state: Option<&State>, is_complete: Option<bool>) -> Standing {
    match (state, is_complete) {
        (Some(state), _) if state.is_running() => Standing::Running,
        (_, Some(true)) => Standing::Done,
        (Some(State { state: Stage::Done, .. }), None) => Standing::Done,
        (Some(State { state: Stage::Failed, .. }), _) => Standing::Failed,
        (Some(State { state: Stage::Running, .. }), _) => Standing::Interrupted,
        _ => Standing::Waiting,
    }
}

impl Summary {
    fn of(lines: &[Line]) -> Self {
        let mut summary = Self { all: lines.len(), ..Self::default() };
        for line in lines {
            *match line.standing {
                Standing::Done => &mut summary.done,
                Standing::Running => &mut summary.running,
                Standing::Failed => &mut summary.failed,
                Standing::Interrupted => &mut summary.interrupted,
                Standing::Waiting => &mut summary.waiting,
            } += 1;
        }
        summary
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Summary { all, done, running, failed, interrupted, waiting } = self.summary;
        writeln!(
            f,
            "{all} videos or ranges: {done} done, {running} running, {failed} failed, {interrupted} interrupted, {waiting} waiting"
        )?;
        for (standing, title) in [
            (Standing::Running, "running:"),
            (Standing::Interrupted, "interrupted, to be begun again by the next run of their shard:"),
            (Standing::Failed, "failed:"),
        ] {
            list(f, title, self.videos.iter().filter(|line| line.standing == standing))?;
        }
        list(
            f,
            "to quarantine, since the input is at fault:",
            self.videos.iter().filter(|line| line.quarantine),
        )
    }
}

fn list<'a>(
    f: &mut std::fmt::Formatter<'_>,
    title: &str,
    lines: impl Iterator<Item = &'a Line>,
) -> std::fmt::Result {
    let mut lines = lines.peekable();
    if lines.peek().is_some() {
        writeln!(f, "\n{title}")?;
    }
    lines.try_for_each(|line| writeln!(f, "  {line}"))
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A name with line feeds stays on one line.
        write!(f, "{}", one_line(&self.video))?;
        if let Some([part, parts]) = self.range {
            write!(f, ", range {part} of {parts}")?;
        }
        let Some(Last { attempts, code, message, host, pid, frames, seen, .. }) = &self.last else {
            return Ok(());
        };
        match (self.standing, code, message) {
            (Standing::Running | Standing::Interrupted, ..) => {
                let ago = (Timestamp::now().as_second() - seen.as_second()).max(0);
                write!(
                    f,
                    ": attempt {attempts}, process {pid} on {host}, {frames} frames, last sign {ago} s ago"
                )
            }
            (_, Some(code), Some(message)) => {
                write!(f, ": attempt {attempts}, exit code {code}: {}", one_line(message))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_and_processes_count_more_than_what_is_written_down() {
        let running = State::begin(None, Path::new("a.mp4"), None);
        let mut dead = running.clone();
        dead.process.pid = u32::MAX;
        let stage = |stage| running.clone().ended(stage);
        for (state, is_complete, expected) in [
            (Some(running.clone()), Some(false), Standing::Running),
            (Some(dead.clone()), Some(false), Standing::Interrupted),
            (Some(dead), Some(true), Standing::Done),
            (Some(stage(Stage::Done)), Some(false), Standing::Waiting),
            (Some(stage(Stage::Done)), None, Standing::Done),
            (Some(stage(Stage::Failed)), Some(false), Standing::Failed),
            (Some(stage(Stage::Stopped)), Some(false), Standing::Waiting),
            (None, Some(true), Standing::Done),
            (None, Some(false), Standing::Waiting),
        ] {
            assert_eq!(standing(state.as_ref(), is_complete), expected, "{state:?}");
        }
    }

    #[test]
    fn a_folder_without_states_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let args = |folder: &Path| Status { folder: folder.to_owned(), json: false };
        assert_eq!(Fault::of(&status(&args(folder.path())).unwrap_err()), Fault::Input);
        assert_eq!(Fault::of(&status(&args(&folder.path().join("none"))).unwrap_err()), Fault::Input);
    }
}
