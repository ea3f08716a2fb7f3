//! What the subcommands do: open the parts, run the pipeline, report.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Result;
use facemark::Tracker;

use crate::catalog;
use crate::cli::{Data, SourceSpec, Tracking, VideoFormat};
use crate::error::Fault;
use crate::output::csv::Csv;
use crate::output::data::{DataFile, is_special};
use crate::output::images::ImagesSink;
use crate::output::jsonl::Jsonl;
use crate::output::trace::Trace;
use crate::output::video::VideoSink;
use crate::output::y4m::Y4m;
use crate::output::{Sink, same_file};
use crate::pipeline::Summary;
use crate::source::images::ImagesSource;
use crate::source::paced::Paced;
use crate::source::video::VideoSource;
use crate::source::{Source, SourceInfo};

mod annotate;
mod batch;
mod bench;
mod devices;
mod live;
mod manual;
mod models;

pub use annotate::annotate;
pub use bench::bench;
pub use devices::devices;
pub use live::live;
pub use manual::{completions, man};
pub use models::models;

/// What every command is told.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Print errors only.
    pub quiet: bool,
    /// When the process began.
    pub started: Instant,
}

/// How fast a file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    /// As fast as it is annotated.
    Free,
    /// At its own speed, as a camera would.
    Live,
    /// So many frames a second, as a camera would.
    Rate(u32),
}

/// Opens files.
fn open(spec: &SourceSpec, pace: Pace) -> Result<Box<dyn Source>> {
    let source: Box<dyn Source> = match spec {
        SourceSpec::Video(path) => Box::new(VideoSource::open(path, 0)?),
        SourceSpec::Images(paths) => Box::new(ImagesSource::open(paths.clone())?),
    };
    Ok(match pace {
        Pace::Free => source,
        Pace::Live => Box::new(Paced::new(source, None)),
        Pace::Rate(rate) => Box::new(Paced::new(source, Some(rate))),
    })
}

fn tracker(tracking: &Tracking) -> Result<Tracker> {
    let model = catalog::find(&tracking.model)?.load(tracking.threads.into())?;
    let mut detector = catalog::find(&tracking.detector)?.load_detector(tracking.threads.into())?;
    if tracking.small_faces {
        detector = detector.with_small_faces();
    }
    let tracker = Tracker::with(Box::new(detector), Box::new(model), tracking.options());
    if tracking.measures && !tracker.measures() {
        let scheme = tracker.scheme().name();
        log::warn!("--measures needs the 68 points of ibug68; {} has those of {scheme}", tracking.model);
    }
    Ok(tracker)
}

/// The outputs that take landmarks and no pictures.
fn data_sinks(
    data: &Data,
    info: &SourceInfo,
    tracker: &Tracker,
    overwrite: bool,
) -> Result<Vec<Box<dyn Sink>>> {
    let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
    if let Some(path) = &data.jsonl {
        sinks.push(Box::new(Jsonl::create(path, info.clone(), overwrite)?));
    }
    if let Some(path) = &data.csv {
        sinks.push(Box::new(Csv::create(
            path,
            info.clone(),
            tracker.scheme(),
            tracker.measures(),
            overwrite,
        )?));
    }
    Ok(sinks)
}

/// The trace, if there is to be one. It comes last: it tells of all other sinks.
fn trace(path: Option<&PathBuf>, settings: Settings, overwrite: bool) -> Result<Option<Box<dyn Sink>>> {
    let create = |path: &PathBuf| -> Result<Box<dyn Sink>> {
        Ok(Box::new(Trace::create(path, settings.started, overwrite)?))
    };
    path.map(create).transpose()
}

/// The time from one frame to the next of a live source.
fn interval(info: &SourceInfo) -> Option<Duration> {
    info.frame_rate.map(|(n, d)| Duration::from_secs_f64(f64::from(d) / f64::from(n.max(1))))
}

/// The output that takes annotated pictures. What accompanies a video is copied along.
fn picture_sink(
    path: &Path,
    format: Option<VideoFormat>,
    spec: &SourceSpec,
    info: &SourceInfo,
    overwrite: bool,
) -> Result<Box<dyn Sink>> {
    if let Some(VideoFormat::Yuv4mpeg) = format {
        return Ok(Box::new(Y4m::create(path, info.clone(), overwrite)?));
    }
    refuse_stdout(path)?;
    Ok(match spec {
        SourceSpec::Video(input) => Box::new(VideoSink::create(path, Some(input), info, overwrite)?),
        SourceSpec::Images(_) => Box::new(ImagesSink::create(path, info.clone(), overwrite)?),
    })
}

/// Refuses `-` for formats that cannot be written without going back.
fn refuse_stdout(path: &Path) -> Result<()> {
    if path == Path::new("-") {
        return Err(Fault::Usage.error("only raw video goes to standard output; pass --format yuv4mpeg"));
    }
    Ok(())
}

/// Refuses outputs that would overwrite an input or each other.
fn refuse_clashes(outputs: &[&PathBuf], inputs: &[PathBuf]) -> Result<()> {
    for (i, path) in outputs.iter().enumerate() {
        let shown = path.display();
        if inputs.iter().any(|input| same_file(input, path)) {
            return Err(
                Fault::Output.error(format!("{shown} is the input itself; give the output another name"))
            );
        }
        if outputs[..i].contains(path) && !is_special(path) {
            return Err(Fault::Usage.error(format!("two outputs are called {shown}; give each its own name")));
        }
    }
    Ok(())
}

/// The line at the end of a run.
fn outcome(summary: &Summary, with_face: u64, outputs: &[&PathBuf]) -> String {
    let mut text = format!("{} frames, {with_face} with a face", summary.frames);
    if summary.dropped > 0 {
        text += &format!(", {} dropped", summary.dropped);
    }
    for path in outputs.iter().filter(|path| path.as_path() != Path::new("-")) {
        text += &format!(" -> {}", path.display());
    }
    text
}

/// The sinks as the pipeline wants them.
fn borrowed<'a>(sinks: &'a mut [Box<dyn Sink + '_>]) -> Vec<&'a mut dyn Sink> {
    sinks.iter_mut().map(|sink| sink.as_mut() as &mut dyn Sink).collect()
}

/// Writes to standard output.
fn print(text: &str) -> Result<()> {
    DataFile::create(Path::new("-"), false)?.put(|out| out.write_all(text.as_bytes()))
}
