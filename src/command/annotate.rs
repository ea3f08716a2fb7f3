//! `facemark annotate`.

use std::sync::atomic::AtomicBool;

use anyhow::Result;

use super::{Settings, borrowed, data_sinks, open, outcome, picture_sink, refuse_clashes, tracker};
use crate::cli::{Annotate, SourceSpec};
use crate::error::Fault;
use crate::pipeline;
use crate::report::LatencyReport;
use crate::sink::Sink;
use crate::sink::overlay::Overlay;
use crate::sink::progress::Progress;

/// Finds landmarks and writes what was asked for.
///
/// # Errors
/// See [`Fault`] for the kinds.
pub fn annotate(args: &Annotate, settings: Settings, stop: &AtomicBool) -> Result<()> {
    let outputs: Vec<_> = args.output.iter().chain(args.data.files()).collect();
    if outputs.is_empty() {
        return Err(Fault::Usage.error("nothing to write; pass -o FILE, --jsonl FILE or --csv FILE"));
    }
    let spec = SourceSpec::new(&args.input)?;
    let mut source = open(&spec, args.live)?;
    let info = source.info().clone();
    refuse_clashes(&outputs, &info.files)?;
    let mut tracker = tracker(&args.tracking)?;
    let scheme = tracker.scheme();
    let mut sinks = data_sinks(&args.data, &info, scheme, args.overwrite)?;
    if let Some(path) = &args.output {
        sinks.push(Box::new(Overlay::new(scheme, args.show_latency)));
        sinks.push(picture_sink(path, args.format, &spec, &info, args.overwrite)?);
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
