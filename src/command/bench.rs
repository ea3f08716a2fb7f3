//! `facemark bench`.

use std::sync::atomic::AtomicBool;

use anyhow::Result;

use super::common::{Settings, print, tell_crowd, tracker};
use crate::cli::Bench;
use crate::error::Fault;
use crate::output::report::{Subject, WARM_UP, to_json, to_text};
use crate::output::{Annotated, Outputs, Run, Targets};
use crate::pipeline;
use crate::source::Part;
use crate::source::files::{Files, Pace};

/// Measures every stage and prints the report.
///
/// # Errors
/// See [`Fault`] for the kinds. A run too short to measure is one of them.
pub fn bench(args: &Bench, settings: Settings, stop: &AtomicBool) -> Result<()> {
    let files = Files::new(&args.input)?;
    let targets = Targets {
        annotated: Some(args.output.clone().map_or(Annotated::Nowhere, Annotated::Copy)),
        html: args.html.clone(),
        trace: args.trace.clone(),
        overwrite: args.overwrite,
        ..Targets::default()
    };
    let outputs = Outputs::new(targets, Some(&files))?;
    let pace = match args.paced {
        Some(rate) => Pace::Rate(rate),
        None if args.live => Pace::Live,
        None => Pace::Free,
    };
    let mut source = files.open(pace, Part::default(), args.reading.adjustment())?;
    let info = source.info().clone();
    let mut tracker = tracker(&args.tracking, info.stills, false)?;
    let (live, deadline) = (pace != Pace::Free, pace.deadline(&info));
    let run = Run { live, deadline, ..settings.run(&info, &tracker) };
    let mut outputs = outputs.open(run, Vec::new())?;
    let summary = pipeline::run(source.as_mut(), &mut tracker, &mut [&mut outputs], stop)?;
    tell_crowd(&summary, "");
    let frames = outputs.report().frames();
    if frames <= WARM_UP {
        let message = format!("{frames} frames are too few to measure: the first {WARM_UP} are warm-up");
        return Err(Fault::Input.error(message));
    }
    let subject = Subject {
        input: info.file(0).display().to_string(),
        model: args.tracking.model.clone(),
        threads: args.tracking.threads.into(),
        dropped: summary.dropped,
    };
    outputs.write_page(&subject)?;
    let report = outputs.report();
    print(&if args.json { format!("{}\n", to_json(report, &subject)) } else { to_text(report, &subject) })
}
