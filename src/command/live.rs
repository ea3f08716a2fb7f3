//! `facemark live`.

use std::sync::atomic::AtomicBool;

use anyhow::Result;

use super::{Settings, borrowed, data_sinks, open, outcome, picture_sink, refuse_clashes, tracker};
use crate::cli::{Live, SourceSpec};
use crate::error::Fault;
use crate::pipeline;
use crate::report::LatencyReport;
use crate::sink::Sink;
use crate::sink::overlay::Overlay;
use crate::sink::progress::Progress;
use crate::sink::video::VideoSink;
use crate::source::{Source, camera};

/// Shows the camera's picture, or a file at its own speed, with its landmarks.
///
/// # Errors
/// See [`Fault`] for the kinds.
pub fn live(args: &Live, settings: Settings, stop: &AtomicBool) -> Result<()> {
    let spec = args.input.as_ref().map(|input| SourceSpec::new(std::slice::from_ref(input))).transpose()?;
    let mut source: Box<dyn Source> = match &spec {
        Some(spec) => open(spec, true)?,
        None => camera::open(&args.camera)?,
    };
    let info = source.info().clone();
    let outputs: Vec<_> = args.output.iter().chain(args.data.files()).collect();
    if outputs.is_empty() {
        return Err(Fault::Usage.error("nothing to write; pass -o FILE, --jsonl FILE or --csv FILE"));
    }
    refuse_clashes(&outputs, &info.files)?;
    let mut tracker = tracker(&args.tracking)?;
    let scheme = tracker.scheme();
    let mut sinks = data_sinks(&args.data, &info, scheme, args.overwrite)?;
    if let Some(path) = &args.output {
        sinks.push(Box::new(Overlay::new(scheme, false)));
        sinks.push(match &spec {
            Some(spec) => picture_sink(path, spec, &info, args.overwrite)?,
            None => Box::new(VideoSink::create(path, None, &info, args.overwrite)?),
        });
    }
    let mut counts = LatencyReport::new(settings.started)?;
    let mut progress = Progress::new(&info, !settings.quiet);
    let mut all = borrowed(&mut sinks);
    all.extend([&mut counts as &mut dyn Sink, &mut progress]);
    let summary = pipeline::run(source.as_mut(), &mut tracker, &mut all, stop)?;
    if !settings.quiet {
        eprintln!("{}", outcome(&summary, counts.frames_with_face(), &outputs));
    }
    Ok(())
}
