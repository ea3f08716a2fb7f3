//! What the subcommands do: open the parts, run the pipeline, report.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use anyhow::{Context as _, Result};

use crate::catalog::{self, Entry};
use crate::cli::{Annotate, Bench, SourceSpec, Tracking};
use crate::detect::Cascade;
use crate::error::Fault;
use crate::model::Landmarker;
use crate::pipeline::{self, Summary};
use crate::report::{LatencyReport, Subject, WARM_UP};
use crate::sink::csv::Csv;
use crate::sink::data::DataFile;
use crate::sink::images::ImagesSink;
use crate::sink::jsonl::Jsonl;
use crate::sink::overlay::Overlay;
use crate::sink::progress::Progress;
use crate::sink::video::VideoSink;
use crate::sink::{Sink, same_file};
use crate::source::images::ImagesSource;
use crate::source::paced::Paced;
use crate::source::video::VideoSource;
use crate::source::{Source, SourceInfo};
use crate::track::Tracker;

/// What every command is told.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Print errors only.
    pub quiet: bool,
    /// When the process began.
    pub started: Instant,
}

/// Finds landmarks and writes what was asked for.
///
/// # Errors
/// See [`Fault`] for the kinds.
pub fn annotate(args: &Annotate, settings: Settings, stop: &AtomicBool) -> Result<()> {
    if args.output.is_none() && args.jsonl.is_none() && args.csv.is_none() {
        return Err(Fault::Usage.error("nothing to write; pass -o FILE, --jsonl FILE or --csv FILE"));
    }
    let spec = SourceSpec::new(&args.input)?;
    let mut source = open(&spec, args.tracking.live)?;
    let info = source.info().clone();
    refuse_clashes(args, &info.files)?;
    let mut tracker = tracker(&args.tracking)?;
    let scheme = tracker.scheme();
    let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
    if let Some(path) = &args.jsonl {
        sinks.push(Box::new(Jsonl::create(path, info.clone(), args.overwrite)?));
    }
    if let Some(path) = &args.csv {
        sinks.push(Box::new(Csv::create(path, info.clone(), scheme, args.overwrite)?));
    }
    if let Some(path) = &args.output {
        sinks.push(Box::new(Overlay::new(scheme, args.show_latency)));
        sinks.push(picture_sink(path, &spec, &info, args.overwrite)?);
    }
    let mut counts = LatencyReport::new(settings.started)?;
    let mut progress = Progress::new(&info, !settings.quiet);
    let mut all: Vec<&mut dyn Sink> = sinks.iter_mut().map(|sink| sink.as_mut() as &mut dyn Sink).collect();
    all.extend([&mut counts as &mut dyn Sink, &mut progress]);
    let summary = pipeline::run(source.as_mut(), &mut tracker, &mut all, stop)?;
    if !settings.quiet {
        eprintln!("{}", outcome(&summary, &counts, args));
    }
    Ok(())
}

/// Refuses outputs that would overwrite an input or each other.
fn refuse_clashes(args: &Annotate, inputs: &[PathBuf]) -> Result<()> {
    let outputs: Vec<&PathBuf> = [&args.output, &args.jsonl, &args.csv].into_iter().flatten().collect();
    for (i, path) in outputs.iter().enumerate() {
        let shown = path.display();
        if inputs.iter().any(|input| same_file(input, path)) {
            return Err(
                Fault::Output.error(format!("{shown} is the input itself; give the output another name"))
            );
        }
        if outputs[..i].contains(path) {
            return Err(Fault::Usage.error(format!("two outputs are called {shown}; give each its own name")));
        }
    }
    Ok(())
}

/// The line at the end of a run.
fn outcome(summary: &Summary, counts: &LatencyReport, args: &Annotate) -> String {
    let mut text = format!("{} frames, {} with a face", summary.frames, counts.frames_with_face());
    if summary.dropped > 0 {
        text += &format!(", {} dropped", summary.dropped);
    }
    let outputs = [&args.output, &args.jsonl, &args.csv];
    for path in outputs.into_iter().flatten().filter(|path| *path != Path::new("-")) {
        text += &format!(" -> {}", path.display());
    }
    text
}

/// Measures every stage and prints the report.
///
/// # Errors
/// See [`Fault`] for the kinds. A run too short to measure is one of them.
pub fn bench(args: &Bench, settings: Settings, stop: &AtomicBool) -> Result<()> {
    let spec = SourceSpec::new(&args.input)?;
    let mut source = open(&spec, args.tracking.live)?;
    let info = source.info().clone();
    let mut tracker = tracker(&args.tracking)?;
    let mut overlay = Overlay::new(tracker.scheme(), false);
    let mut report = LatencyReport::new(settings.started)?;
    let mut progress = Progress::new(&info, !settings.quiet);
    let mut output =
        args.output.as_ref().map(|path| picture_sink(path, &spec, &info, args.overwrite)).transpose()?;
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

/// Prints the models.
///
/// # Errors
/// If nobody reads standard output. A file that is no model is listed as such.
pub fn models() -> Result<()> {
    let header = format!("{:<12}{:>7}{:>9}{:>8}  validation\n", "model", "points", "input", "MB");
    print(&catalog::list().iter().fold(header, |table, entry| table + &model_row(entry)))
}

fn model_row(entry: &Entry) -> String {
    let name = entry.name();
    let model = match entry.load(1) {
        Ok(model) => model,
        Err(error) => return format!("{error:#}\n"),
    };
    let spec = model.spec();
    let (points, input) = (spec.scheme.n_points(), format!("{}x{}", spec.width, spec.height));
    let validation = spec.training.get("validation").map_or("", String::as_str);
    let mark = if name == catalog::DEFAULT { " (default)" } else { "" };
    let megabytes = entry.size() as f64 / 1e6;
    format!("{name:<12}{points:>7}{input:>9}{megabytes:>8.1}  {validation}{mark}\n")
}

/// Writes to standard output.
fn print(text: &str) -> Result<()> {
    DataFile::create(Path::new("-"), false)?.put(|out| out.write_all(text.as_bytes()))
}

fn open(spec: &SourceSpec, live: bool) -> Result<Box<dyn Source>> {
    let source: Box<dyn Source> = match spec {
        SourceSpec::Video(path) => Box::new(VideoSource::open(path, 0)?),
        SourceSpec::Images(paths) => Box::new(ImagesSource::open(paths.clone())?),
    };
    Ok(if live { Box::new(Paced::new(source)) } else { source })
}

fn tracker(tracking: &Tracking) -> Result<Tracker> {
    let model = catalog::find(&tracking.model)?.load(tracking.threads.into())?;
    let detector = Cascade::load().context("the face detector cannot be loaded")?;
    Ok(Tracker::new(Box::new(detector), Box::new(model), tracking.options()))
}

fn picture_sink(path: &Path, spec: &SourceSpec, info: &SourceInfo, overwrite: bool) -> Result<Box<dyn Sink>> {
    Ok(match spec {
        SourceSpec::Video(input) => Box::new(VideoSink::create(path, Some(input), info, overwrite)?),
        SourceSpec::Images(_) => Box::new(ImagesSink::create(path, info.clone(), overwrite)?),
    })
}
