//! A recording that begins and ends while frames keep coming. It is drawn and encoded on its own thread, so that
//! neither its start nor the check at its end delays the display.

use std::path::Path;

use anyhow::Result;
use facemark::face::Scheme;

use super::sink::{End, Sink};
use super::target::FileTarget;
use super::video::VideoSink;
use crate::av::container::Copying;
use crate::draw::{Style, draw};
use crate::error::Fault;
use crate::frame::{Frame, Tracked};
use crate::info::SourceInfo;
use crate::threads::{Inbox, Worker};

/// Frames that can queue for the encoder. If the queue is full, the display waits, and capture drops frames meanwhile.
const QUEUE: usize = 4;

/// A recording in progress.
pub struct Recording {
    worker: Option<Worker<Shot, u64>>,
    target: FileTarget,
    style: Style,
}

/// A copy of a frame, and how to draw on it.
struct Shot {
    tracked: Tracked,
    style: Style,
}

impl Recording {
    /// Starts the file for frames of the source that `info` describes.
    ///
    /// # Errors
    /// As [`VideoSink::create`], or if its thread cannot be started.
    pub fn start(target: FileTarget, info: &SourceInfo, scheme: Scheme) -> Result<Self> {
        let video = VideoSink::create(&target, None, info, Copying::default())?;
        let encode = move |shots| encode(video, scheme, shots);
        let worker = Worker::start("recording", QUEUE, encode)?;
        Ok(Self { worker: Some(worker), target, style: Style::Full })
    }

    /// Sets the default drawing style.
    pub fn with_style(self, style: Style) -> Self {
        Self { style, ..self }
    }

    /// Takes a copy of the frame; `false` if the recording has failed.
    pub fn add(&self, tracked: &Tracked, style: Style) -> bool {
        let Some(worker) = &self.worker else { return false };
        let empty = || Shot { tracked: Tracked { frame: Frame::empty(), faces: Vec::new() }, style };
        let mut shot = worker.used().unwrap_or_else(empty);
        shot.style = style;
        shot.tracked.frame.copy_from(&tracked.frame);
        shot.tracked.faces.clone_from(&tracked.faces);
        worker.send(shot)
    }

    /// Signals that no more frames follow; the file is completed on its own thread.
    pub fn close(&mut self) {
        if let Some(worker) = &mut self.worker {
            worker.close();
        }
    }

    /// Whether the file is complete or has failed.
    pub fn is_over(&self) -> bool {
        self.worker.as_ref().is_none_or(Worker::is_over)
    }

    /// Waits until the file is complete, and returns its number of frames.
    ///
    /// # Errors
    /// [`Fault::Output`] if it could not be written.
    pub fn finish(&mut self) -> Result<u64> {
        self.worker.take().map_or(Ok(0), Worker::join)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        self.target.path()
    }
}

impl Sink for Recording {
    fn write(&mut self, tracked: &mut Tracked) -> Result<()> {
        if self.add(tracked, self.style) {
            return Ok(());
        }
        self.finish()?;
        Err(Fault::Failure.error("the recording ended before its time"))
    }

    fn finish(&mut self, _: End) -> Result<()> {
        Self::finish(self).map(drop)
    }
}

/// Writes the frames as they arrive, the first one at time 0.
fn encode(mut video: VideoSink, scheme: Scheme, mut shots: Inbox<Shot>) -> Result<u64> {
    let (mut count, mut first, mut last) = (0, None, None);
    while let Some(mut shot) = shots.next() {
        let Tracked { frame, faces } = &mut shot.tracked;
        frame.time.ticks -= *first.get_or_insert(frame.time.ticks);
        // Encoders reject two pictures with the same time stamp.
        if last.is_none_or(|last| frame.time.ticks > last) {
            last = Some(frame.time.ticks);
            draw(&mut frame.image, faces, scheme, shot.style, None)?;
            video.write(frame)?;
            count += 1;
        }
        shots.give_back(shot);
    }
    video.finish(End::CutShort)?;
    Ok(count)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::frame::MediaTime;
    use crate::source::Source;
    use crate::source::video::VideoSource;

    fn tracked(ticks: i64) -> Tracked {
        let mut frame = Frame::empty();
        frame.image.resize(64, 48);
        frame.image.luma.data_mut().fill(100);
        frame.time = MediaTime { ticks, base: (1, 25) };
        Tracked { frame, faces: Vec::new() }
    }

    fn info() -> SourceInfo {
        SourceInfo { size: (64, 48), frame_rate: Some((25, 1)), ..SourceInfo::empty(Path::new("camera")) }
    }

    fn started(path: &Path) -> Recording {
        let target = VideoSink::check(path, &[], false).unwrap();
        Recording::start(target, &info(), Scheme::Nose).unwrap()
    }

    #[test]
    fn a_recording_begins_at_zero_and_keeps_the_gaps() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.mp4");
        let mut recording = started(&path);
        // A repeated time stamp is dropped.
        for ticks in [500, 501, 501, 503, 510] {
            assert!(recording.add(&tracked(ticks), Style::Full));
        }
        recording.close();
        assert_eq!(recording.finish().unwrap(), 4);
        let mut video = VideoSource::open(&path, 0).unwrap();
        let (mut frame, mut times) = (Frame::empty(), Vec::new());
        while video.next(&mut frame).unwrap() {
            times.push((frame.time.seconds() * 25.0).round() as i64);
        }
        assert_eq!(times, [0, 1, 3, 10]);
    }

    #[test]
    fn a_file_that_cannot_be_written_is_said_at_once_and_a_failure_later_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.mp4");
        let target = VideoSink::check(&path, &[], false).unwrap();
        fs::create_dir(folder.path().join("r.mp4.partial")).unwrap();
        let blocked = Recording::start(target, &info(), Scheme::Nose);
        assert_eq!(Fault::of(&blocked.err().unwrap()), Fault::Output);
        fs::remove_dir(folder.path().join("r.mp4.partial")).unwrap();
        let mut recording = started(&path);
        recording.add(&tracked(0), Style::Full);
        let mut larger = tracked(1);
        larger.frame.image.resize(128, 96);
        recording.add(&larger, Style::Full);
        let error = recording.finish().unwrap_err();
        assert_eq!(Fault::of(&error), Fault::Output);
        assert!(!path.exists() && folder.path().join("r.mp4.partial").exists());
    }
}
