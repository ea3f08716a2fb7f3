//! What is known about each video or range: a small file beside its output, which all machines read and write.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Error, Result};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::process::Process;
use crate::error::{Blame, Fault};
use crate::output::target::{FileTarget, Incomplete};
use crate::output::write_whole;

/// The ending of these files' names, after the output's own.
pub(super) const ENDING: &str = ".state.json";
/// This many attempts may end without a word, because their machine or process died, before the video is suspected.
const MAX_LOST: u32 = 4;

/// How far a video has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Stage {
    /// A process is at work on it, or died while it was.
    Running,
    /// Its outputs are complete.
    Done,
    /// The last attempt failed.
    Failed,
    /// The last attempt was stopped by a signal.
    Stopped,
}

/// The state of a video, or of a range of one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct State {
    /// The video's name in the list.
    pub(super) video: String,
    /// Which range of it, from 1, and of how many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) range: Option<[u32; 2]>,
    /// How far it has come.
    pub(super) state: Stage,
    /// The exit code of the last attempt: that of a failure, or 7 where the input ended early.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) code: Option<u8>,
    /// Its message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) message: Option<String>,
    /// How many attempts have begun.
    pub(super) attempts: u32,
    /// How many of them have failed since the input last changed.
    pub(super) failures: u32,
    /// How many in a row ended without a word.
    pub(super) lost: u32,
    /// Frames of the last attempt so far.
    pub(super) frames: u64,
    /// The input's size in bytes and time of modification in seconds, to notice that it was replaced.
    pub(super) input: Option<(u64, u64)>,
    /// When the last attempt began.
    pub(super) begun: Timestamp,
    /// The last sign of life.
    pub(super) seen: Timestamp,
    /// The process of the last attempt.
    pub(super) process: Process,
}

impl State {
    /// Reads a state file; `None` if there is none, or it is none of ours.
    pub(super) fn read(path: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(path).ok()?).ok()
    }

    /// Writes the file: readers see the old state or this one, never a part.
    ///
    /// # Errors
    /// [`Fault::Output`] if it cannot be written.
    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let incomplete = Incomplete::Remove(self.process.word.clone());
        let target = FileTarget::new(path, &[], true)?.or(incomplete);
        let text = serde_json::to_string_pretty(self)
            .blame(Fault::Failure, || format!("turning the state of {} into JSON", self.video))?;
        write_whole(&target, |out| Ok(writeln!(out, "{text}")?))
    }

    /// The first state of an attempt by this process, which follows from the `last` state.
    pub(super) fn begin(last: Option<&Self>, video: &Path, range: Option<[u32; 2]>) -> Self {
        let (this, now, input) = (Process::this().clone(), Timestamp::now(), stamp(video));
        let kept = last.filter(|last| last.input == input);
        let was_lost = kept.is_some_and(|last| last.state == Stage::Running);
        Self {
            video: video.to_string_lossy().into_owned(),
            range,
            state: Stage::Running,
            code: None,
            message: None,
            attempts: last.map_or(0, |last| last.attempts) + 1,
            failures: kept
                .filter(|last| last.process == this || last.is_inputs_fault())
                .map_or(0, |last| last.failures),
            lost: if was_lost { kept.map_or(0, |last| last.lost) + 1 } else { 0 },
            frames: 0,
            input,
            begun: now,
            seen: now,
            process: this,
        }
    }

    /// The state after a failure.
    pub(super) fn failed(self, error: &Error) -> Self {
        Self { code: Some(Fault::of(error) as u8), message: Some(format!("{error:#}")), ..self }
            .ended(Stage::Failed)
    }

    /// The state at the end of an attempt.
    pub(super) fn ended(self, state: Stage) -> Self {
        let failures = self.failures + u32::from(state == Stage::Failed);
        Self { state, failures, lost: 0, seen: Timestamp::now(), ..self }
    }

    /// Whether another process is at work on the video.
    pub(super) fn is_running_elsewhere(&self) -> bool {
        self.process != *Process::this() && self.is_running()
    }

    /// Whether a process is at work on the video.
    pub(super) fn is_running(&self) -> bool {
        self.state == Stage::Running && self.process.is_alive(self.seen)
    }

    /// Why this is not tried again, if it is not.
    pub(super) fn refusal(&self, retries: u32, video: &Path) -> Option<Error> {
        if self.input != stamp(video) {
            return None;
        }
        let shown = video.display();
        if self.state == Stage::Failed && self.is_inputs_fault() && self.failures > retries {
            let (message, failures) = (self.message.as_deref().unwrap_or_default(), self.failures);
            let times = if failures == 1 { "once".to_owned() } else { format!("{failures} times") };
            let message = format!("{message} (failed {times}; --retries {failures} tries again)");
            return Some(Fault::from_code(self.code.unwrap_or(1)).error(message));
        }
        let lost = self.lost + 1;
        if self.state == Stage::Running && lost > MAX_LOST.saturating_add(retries) {
            let more = lost - MAX_LOST;
            let message = format!(
                "{shown}: {lost} attempts ended without a word, it may be what ends its machines; --retries {more} tries again"
            );
            return Some(Fault::Failure.error(message));
        }
        None
    }

    /// Whether the input is at fault, or has ended so many processes that it is suspected.
    pub(super) fn is_suspect(&self) -> bool {
        self.is_inputs_fault() || self.state == Stage::Running && self.lost >= MAX_LOST
    }

    /// Whether the video is to blame, and not for example a full disk, so that trying again is of little use.
    fn is_inputs_fault(&self) -> bool {
        self.code == Some(Fault::Input as u8)
    }
}

/// The size and time of a file; `None` if there is none.
fn stamp(file: &Path) -> Option<(u64, u64)> {
    let found = fs::metadata(file).ok()?;
    Some((found.len(), found.mtime().try_into().unwrap_or(0)))
}

/// All states in a folder.
///
/// # Errors
/// [`Fault::Input`] if the folder cannot be read.
pub(super) fn read_all(folder: &Path) -> Result<Vec<(PathBuf, State)>> {
    let entries = fs::read_dir(folder).blame(Fault::Input, || format!("cannot read {}", folder.display()))?;
    let paths = entries.flatten().map(|entry| entry.path());
    let named = paths.filter(|path| path.as_os_str().as_encoded_bytes().ends_with(ENDING.as_bytes()));
    Ok(named.filter_map(|path| State::read(&path).map(|state| (path, state))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_read_as_it_was_written_and_leaves_no_other_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.state.json");
        fs::write(&path, "half a st").unwrap();
        assert_eq!(State::read(&path), None);
        let state = State::begin(None, Path::new("a\n.mp4"), Some([3, 12])).ended(Stage::Done);
        state.write(&path).unwrap();
        assert_eq!(State::read(&path), Some(state.clone()));
        assert_eq!(read_all(folder.path()).unwrap(), [(path, state)]);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn failures_of_the_input_count_until_it_changes_and_others_only_within_a_run() {
        let folder = tempfile::tempdir().unwrap();
        let video = folder.path().join("a.mp4");
        let fail = |last: Option<&State>, fault: Fault| {
            State::begin(last, &video, None).failed(&fault.error("a.mp4: broken"))
        };
        let first = fail(None, Fault::Input);
        assert!(first.refusal(0, &video).unwrap().to_string().contains("--retries 1"));
        assert!(first.refusal(1, &video).is_none());
        let mut second = fail(Some(&first), Fault::Input);
        assert_eq!((second.attempts, second.failures, second.code), (2, 2, Some(3)));
        second.process.word = "another run".to_owned();
        assert_eq!(fail(Some(&second), Fault::Input).failures, 3);
        let mut full = fail(None, Fault::Output);
        assert!(full.refusal(0, &video).is_none());
        full.process.word = "another run".to_owned();
        assert_eq!(fail(Some(&full), Fault::Output).failures, 1);
        fs::write(&video, "now it is there").unwrap();
        assert!(second.refusal(0, &video).is_none());
        assert_eq!(fail(Some(&second), Fault::Input).failures, 1);
    }

    #[test]
    fn a_video_that_ends_its_machines_is_not_tried_for_ever() {
        let video = Path::new("none.mp4");
        let mut state = State::begin(None, video, None);
        for lost in 1..=4 {
            assert!(state.refusal(0, video).is_none());
            state = State::begin(Some(&state), video, None);
            assert_eq!(state.lost, lost);
        }
        assert!(state.refusal(0, video).unwrap().to_string().contains("5 attempts"));
        assert!(state.refusal(1, video).is_none());
        assert_eq!(state.ended(Stage::Stopped).lost, 0);
    }
}
