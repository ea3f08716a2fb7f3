//! `facemark annotate`.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use anyhow::Result;
use facemark::Tracker;

use super::{
    Pace, Settings, batch, borrowed, data_sinks, open, outcome, picture_sink, refuse_clashes, refuse_stdout,
    trace, tracker,
};
use crate::cli::{Annotate, Data, SourceSpec, VideoFormat};
use crate::error::{Fault, tell};
use crate::output::Sink;
use crate::output::data::is_special;
use crate::output::overlay::Overlay;
use crate::output::partial::check_target;
use crate::output::progress::Progress;
use crate::output::report::LatencyReport;
use crate::output::video::VideoSink;
use crate::pipeline;

/// One input and where its results go.
pub(super) struct Job {
    pub(super) spec: SourceSpec,
    pub(super) output: Option<PathBuf>,
    pub(super) format: Option<VideoFormat>,
    pub(super) data: Data,
    pub(super) trace: Option<PathBuf>,
    pub(super) overwrite: bool,
}

/// Finds landmarks and writes what was asked for.
///
/// # Errors
/// See [`Fault`] for the kinds.
pub fn annotate(args: &Annotate, settings: Settings, stop: &AtomicBool) -> Result<()> {
    if args.output.is_none() && args.data.files().next().is_none() {
        return Err(Fault::Usage.error("nothing to write; pass -o FILE, --jsonl FILE or --csv FILE"));
    }
    if let Some(videos) = batch::videos(&args.input)? {
        if args.video_format.is_some() || args.trace.is_some() {
            let message = "--format and --trace are for one video, not for several or a folder of them";
            return Err(Fault::Usage.error(message));
        }
        return batch::annotate(&videos, args, settings, stop);
    }
    if args.resume {
        return Err(Fault::Usage.error("--resume is for several videos or a folder of them"));
    }
    let job = Job {
        spec: SourceSpec::new(&args.input)?,
        output: args.output.clone(),
        format: args.video_format,
        data: args.data.clone(),
        trace: args.trace.clone(),
        overwrite: args.overwrite,
    };
    job.check()?;
    let outcome = job.run(args, None, settings, stop)?;
    if !settings.quiet {
        tell(outcome);
    }
    Ok(())
}

impl Job {
    /// All outputs.
    pub(super) fn outputs(&self) -> Vec<&PathBuf> {
        self.output.iter().chain(self.data.files()).chain(&self.trace).collect()
    }

    /// Refuses outputs that cannot or must not be written, before anything is read.
    pub(super) fn check(&self) -> Result<()> {
        let files = self.spec.files();
        refuse_clashes(&self.outputs(), files)?;
        let inputs: Vec<_> = files.iter().map(PathBuf::as_path).collect();
        if let (SourceSpec::Video(_), Some(path), None) = (&self.spec, &self.output, self.format) {
            refuse_stdout(path)?;
            VideoSink::check(path, &inputs, self.overwrite)?;
        }
        let raw = self.output.iter().filter(|_| self.format.is_some());
        let is_file = |path: &&PathBuf| path.as_os_str() != "-" && !is_special(path);
        raw.chain(self.data.files())
            .chain(&self.trace)
            .filter(is_file)
            .try_for_each(|path| check_target(path, &inputs, self.overwrite))
    }

    /// Does it, with a tracker of its own or a given one; returns the line for the end.
    pub(super) fn run(
        &self,
        args: &Annotate,
        given: Option<&mut Tracker>,
        settings: Settings,
        stop: &AtomicBool,
    ) -> Result<String> {
        let mut source = open(&self.spec, if args.live { Pace::Live } else { Pace::Free })?;
        let info = source.info().clone();
        let mut own = None;
        let tracker = match given {
            Some(tracker) => tracker,
            None => own.insert(tracker(&args.tracking)?),
        };
        let scheme = tracker.scheme();
        let mut sinks = data_sinks(&self.data, &info, tracker, self.overwrite)?;
        if let Some(path) = &self.output {
            sinks.push(Box::new(Overlay::new(scheme, args.show_latency)));
            sinks.push(picture_sink(path, self.format, &self.spec, &info, self.overwrite)?);
        }
        sinks.extend(trace(self.trace.as_ref(), settings, self.overwrite)?);
        let mut counts = LatencyReport::new(settings.started, None)?;
        let mut progress = Progress::new(&info, !settings.quiet);
        let mut all = borrowed(&mut sinks);
        all.extend([&mut counts as &mut dyn Sink, &mut progress]);
        let summary = pipeline::run(source.as_mut(), tracker, &mut all, stop)?;
        Ok(outcome(&summary, counts.frames_with_face(), &self.outputs()))
    }
}
