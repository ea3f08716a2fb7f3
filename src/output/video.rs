//! The annotated video: encoded pictures at the input's times, and everything else from the input.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Error, Result, ensure};

use super::partial::Partial;
use super::sink::{End, Sink};
use super::target::{FileTarget, Incomplete, PARTIAL, UNFINISHED};
use crate::av::container::{Container, Copying, under_name};
use crate::av::demux;
use crate::av::writer::{OutputFiles, VideoWriter};
use crate::error::Fault;
use crate::frame::{Fields, Frame, Stage, Tracked};
use crate::info::SourceInfo;

/// Writes a video file. If it is dropped without [`finish`](Self::finish) or killed, the readable part stays as
/// `NAME.partial`.
pub struct VideoSink {
    /// The file that becomes the final one.
    partial: Partial,
    /// The file that is readable until then, if it is a separate one.
    journal: Option<Partial>,
    /// `None` once nothing more can be written.
    writer: Option<VideoWriter>,
    size: (usize, usize),
    frames: u64,
}

impl VideoSink {
    /// Checks the name of a video that will be written while the `inputs` are read.
    ///
    /// # Errors
    /// [`Fault::Usage`] for a file name without a known extension, and as [`FileTarget::new`].
    pub fn check(path: &Path, inputs: &[PathBuf], overwrite: bool) -> Result<FileTarget> {
        Container::of(path)?;
        FileTarget::new(path, inputs, overwrite)
    }

    /// Starts the file, with the streams of the video `input` that `copying` wants and the file can hold. Warnings name
    /// the others.
    ///
    /// # Errors
    /// Everything that can be known before the first frame is reported here: [`Fault::Usage`] for a file name without
    /// a known extension, [`Fault::Output`] for a file that cannot be written.
    pub fn create(
        target: &FileTarget,
        input: Option<&Path>,
        info: &SourceInfo,
        copying: Copying,
    ) -> Result<Self> {
        demux::init();
        let container = under_name(target.path(), input, copying)?;
        let readable = container == Container::Matroska;
        let partial = Partial::create(target, if readable { PARTIAL } else { UNFINISHED })?;
        let mut sink = Self { partial, journal: None, writer: None, size: info.size, frames: 0 };
        match sink.begin((container, copying), input, info) {
            Ok(()) => {
                note_padding(info);
                note_fields(info);
                Ok(sink)
            }
            Err(error) => {
                sink.salvage();
                Err(error)
            }
        }
    }

    /// Writes what comes before the first frame; also starts a journal for a file that is not readable until it is
    /// finished.
    fn begin(
        &mut self,
        (container, copying): (Container, Copying),
        input: Option<&Path>,
        info: &SourceInfo,
    ) -> Result<()> {
        if container != Container::Matroska {
            self.journal = Some(Partial::create(self.partial.target(), PARTIAL)?);
        }
        let journal = self.journal.as_ref().map(Partial::writer).transpose()?;
        let name = self.partial.target().path();
        let files = OutputFiles { file: self.partial.writer()?, journal, name, container, copying };
        self.writer = Some(VideoWriter::open(files, input, info)?);
        Ok(())
    }

    /// Writes a frame. After an error, the file accepts no more frames.
    ///
    /// # Errors
    /// [`Fault::Output`] if writing fails; the message says what is left of the file.
    pub fn write(&mut self, frame: &Frame) -> Result<()> {
        let Some(writer) = &mut self.writer else {
            return Err(Fault::Failure.error("the output has failed already"));
        };
        let result = if frame.image.size() == self.size {
            writer.write(frame)
        } else {
            let (is, was) = (frame.image.size(), self.size);
            Err(Fault::Failure.error(format!("a frame of {is:?} pixels came into a video of {was:?}")))
        };
        match result {
            Ok(()) => {
                self.frames += 1;
                Ok(())
            }
            Err(error) => Err(self.give_up(&error)),
        }
    }

    /// Completes the file, reads it back as a check, and gives it its final name.
    ///
    /// # Errors
    /// [`Fault::Output`] if the file cannot be completed; nothing has its final name then.
    pub fn finish(&mut self, end: End) -> Result<()> {
        let Some(mut writer) = self.writer.take() else {
            return Err(Fault::Failure.error("the output has failed already"));
        };
        if self.frames == 0 {
            self.writer = Some(writer);
            self.salvage();
            let shown = self.partial.target().path().display();
            return Err(Fault::Output.error(format!("{shown} is not written: there was no frame to write")));
        }
        let result = writer.finish(end == End::CutShort).and_then(|()| self.recheck());
        if let Err(error) = result {
            self.writer = Some(writer);
            return Err(self.give_up(&error));
        }
        drop(writer);
        self.partial.end(end)?;
        // A file that was set aside has taken the journal's place.
        if let Some(journal) = self.journal.take().filter(|_| !self.is_set_aside(end)) {
            journal.remove();
        }
        Ok(())
    }

    fn is_set_aside(&self, end: End) -> bool {
        end == End::CutShort && *self.partial.target().incomplete() == Incomplete::SetAside
    }

    /// Reads the file back as a check.
    fn recheck(&self) -> Result<()> {
        let found = demux::count_frames(self.partial.path()).context("it cannot be read again")?;
        ensure!(found == self.frames, "{found} frames of the {} written are readable", self.frames);
        Ok(())
    }

    /// Ends the file after a failure and reports what is left.
    fn give_up(&mut self, error: &Error) -> Error {
        let left = self.salvage().map_or_else(String::new, |left| format!("; {left}"));
        let shown = self.partial.target().path().display();
        Fault::Output.error(format!("cannot write {shown}: {error:#}{left}"))
    }

    /// Completes the readable file as well as possible, and returns how many frames are left and where. A file without
    /// frames is removed, and so is one without an index, and every one if nothing may be left.
    fn salvage(&mut self) -> Option<String> {
        if let Some(mut writer) = self.writer.take() {
            writer.salvage();
        }
        if let Some(journal) = self.journal.take() {
            std::mem::replace(&mut self.partial, journal).remove();
        }
        if self.partial.leaves_nothing() {
            self.partial.remove();
            return None;
        }
        let path = self.partial.path();
        let frames = demux::count_frames(path).ok().filter(|&frames| frames > 0);
        if frames.is_none() {
            self.partial.remove();
        }
        frames.map(|frames| format!("{frames} frames are left in {}", path.display()))
    }
}

impl Sink for VideoSink {
    fn write(&mut self, tracked: &mut Tracked) -> Result<()> {
        let frame = &mut tracked.frame;
        let start = Instant::now();
        let result = self.write(frame);
        frame.timing.since(Stage::Encode, start);
        result
    }

    fn finish(&mut self, end: End) -> Result<()> {
        self.finish(end)
    }
}

impl Drop for VideoSink {
    fn drop(&mut self) {
        if self.writer.is_some()
            && let Some(left) = self.salvage()
        {
            log::warn!("{left}");
        }
    }
}

fn note_fields(info: &SourceInfo) {
    let order = match info.fields {
        Fields::Progressive => return,
        Fields::TopFirst => "top",
        Fields::BottomFirst => "bottom",
    };
    log::warn!(
        "{} is interlaced ({order} field first), and so is the output; --deinterlace makes whole pictures",
        info.file(0).display()
    );
}

fn note_padding(info: &SourceInfo) {
    let (width, height) = info.size;
    if width % 2 == 1 || height % 2 == 1 {
        let (even_width, even_height) = (width.next_multiple_of(2), height.next_multiple_of(2));
        log::warn!(
            "the output has {even_width}×{even_height} pixels instead of {width}×{height}: H.264 needs even sizes"
        );
    }
}
