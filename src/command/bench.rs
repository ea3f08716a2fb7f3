//! `facemark bench`.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::Result;

use super::{Pace, Settings, borrowed, interval, open, picture_sink, print, refuse_clashes, trace, tracker};
use crate::cli::{Bench, SourceSpec};
use crate::error::Fault;
use crate::frame::Stage;
use crate::output::Sink;
use crate::output::data::DataFile;
use crate::output::overlay::Overlay;
use crate::output::progress::Progress;
use crate::output::report::{LatencyReport, Subject, WARM_UP};
use crate::output::stamp::Stamp;
use crate::pipeline;

/// Measures every stage and prints the report.
///
/// # Errors
/// See [`Fault`] for the kinds. A run too short to measure is one of them.
pub fn bench(args: &Bench, settings: Settings, stop: &AtomicBool) -> Result<()> {
    let spec = SourceSpec::new(&args.input)?;
    let outputs: Vec<&PathBuf> = [&args.output, &args.html, &args.trace].into_iter().flatten().collect();
    refuse_clashes(&outputs, spec.files())?;
    // Opened before the run: a name that will not do is said at once.
    let mut page = args.html.as_ref().map(|path| DataFile::create(path, args.overwrite)).transpose()?;
    let pace = pace(args);
    let mut source = open(&spec, pace)?;
    let info = source.info().clone();
    let mut tracker = tracker(&args.tracking)?;
    let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
    if pace != Pace::Free {
        sinks.push(Box::new(Stamp(Stage::Data)));
    }
    sinks.push(Box::new(Overlay::new(tracker.scheme(), false)));
    if let Some(path) = &args.output {
        sinks.push(picture_sink(path, None, &spec, &info, args.overwrite)?);
    }
    sinks.extend(trace(args.trace.as_ref(), settings, args.overwrite)?);
    let deadline = match pace {
        Pace::Free => None,
        Pace::Live => interval(&info),
        Pace::Rate(rate) => Some(Duration::from_secs(1) / rate),
    };
    let mut report = LatencyReport::new(settings.started, deadline)?;
    let mut progress = Progress::new(&info, !settings.quiet);
    let mut all = borrowed(&mut sinks);
    all.extend([&mut report as &mut dyn Sink, &mut progress]);
    let summary = pipeline::run(source.as_mut(), &mut tracker, &mut all, stop)?;
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
    if let Some(page) = &mut page {
        page.put(|out| out.write_all(report.to_html(&subject).as_bytes()))?;
        page.finish()?;
    }
    print(&if args.json { format!("{}\n", report.to_json(&subject)) } else { report.to_text(&subject) })
}

fn pace(args: &Bench) -> Pace {
    match args.paced {
        Some(rate) => Pace::Rate(rate),
        None if args.live => Pace::Live,
        None => Pace::Free,
    }
}
