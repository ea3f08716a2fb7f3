//! `facemark bench`.

use std::sync::atomic::AtomicBool;

use anyhow::Result;

use super::{Settings, open, picture_sink, print, tracker};
use crate::cli::{Bench, SourceSpec};
use crate::error::Fault;
use crate::pipeline;
use crate::report::{LatencyReport, Subject, WARM_UP};
use crate::sink::Sink;
use crate::sink::overlay::Overlay;
use crate::sink::progress::Progress;

/// Measures every stage and prints the report.
///
/// # Errors
/// See [`Fault`] for the kinds. A run too short to measure is one of them.
pub fn bench(args: &Bench, settings: Settings, stop: &AtomicBool) -> Result<()> {
    let spec = SourceSpec::new(&args.input)?;
    let mut source = open(&spec, args.live)?;
    let info = source.info().clone();
    let mut tracker = tracker(&args.tracking)?;
    let mut overlay = Overlay::new(tracker.scheme(), false);
    let mut report = LatencyReport::new(settings.started)?;
    let mut progress = Progress::new(&info, !settings.quiet);
    let mut output = args
        .output
        .as_ref()
        .map(|path| picture_sink(path, None, &spec, &info, args.overwrite))
        .transpose()?;
    let mut sinks: Vec<&mut dyn Sink> = vec![&mut overlay];
    if let Some(output) = &mut output {
        sinks.push(output.as_mut());
    }
    sinks.extend([&mut report as &mut dyn Sink, &mut progress]);
    let summary = pipeline::run(source.as_mut(), &mut tracker, &mut sinks, stop)?;
    if report.frames() <= WARM_UP {
        return Err(Fault::Input.error(format!(
            "{} frames are too few to measure: the first {WARM_UP} are warm-up",
            report.frames()
        )));
    }
    let subject = Subject {
        input: info.file(0).display().to_string(),
        model: args.tracking.model.clone(),
        threads: args.tracking.threads.into(),
        dropped: summary.dropped,
    };
    print(&if args.json { format!("{}\n", report.to_json(&subject)) } else { report.to_text(&subject) })
}
