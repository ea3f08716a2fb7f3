//! Ranges of a long film, which are annotated apart and merged.

use std::path::Path;

use anyhow::Result;

use crate::source::{Part, cuts};

/// How much of the film before a range the tracker sees first, in seconds. It remembers lost faces for a second, and its
/// smoothing and its looks at the whole picture settle within two. These frames are in the range's data, so that the
/// faces on both sides of the cut can be matched.
const RUN_UP: f64 = 3.0;
/// A last range shorter than this share of the others becomes part of the one before it.
const TOO_SHORT: f64 = 0.1;

/// One of the ranges of a film. It begins at the last key frame at `part` × `length` or before and ends where the next
/// one begins; the first and the last also have what is before and after.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Range {
    /// Which range, from 0.
    pub(super) part: u32,
    /// How many there are.
    pub(super) parts: u32,
    /// How long they are, in seconds, apart from what the key frames change.
    length: f64,
}

impl Range {
    /// The ranges of a film. A file that cannot be opened, or that does not say how long it is, is one range.
    pub(super) fn all(video: &Path, length: f64) -> Vec<Self> {
        let film = cuts::length(video).ok().flatten().unwrap_or(0.0);
        let parts = (film / length - TOO_SHORT).ceil().max(1.0) as u32;
        (0..parts).map(|part| Self { part, parts, length }).collect()
    }

    /// What the names of its outputs have after the film's.
    pub(super) fn suffix(&self) -> String {
        format!(".part-{:04}-of-{:04}", self.part + 1, self.parts)
    }

    /// What to annotate, with the run-up; `None` if there is nothing because no key frame is in the range.
    ///
    /// # Errors
    /// If the file is not a video.
    pub(super) fn part(&self, video: &Path) -> Result<Option<Part>> {
        let cut = |part: u32| match part {
            0 => Ok(0.0),
            _ => cuts::key_frame_before(video, f64::from(part) * self.length),
        };
        let begin = cut(self.part)?;
        let end = if self.part + 1 < self.parts { Some(cut(self.part + 1)?) } else { None };
        if end.is_some_and(|end| end <= begin) {
            return Ok(None);
        }
        let start = Some(begin - RUN_UP).filter(|&start| start > 0.0);
        Ok(Some(Part { start, end }))
    }
}
