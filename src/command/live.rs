//! `facemark live`.

use std::slice;
use std::sync::atomic::AtomicBool;

use anyhow::Result;
use facemark::Tracker;
use facemark::face::Scheme;

use super::{
    Pace, Settings, borrowed, data_sinks, interval, open, outcome, refuse_clashes, refuse_stdout, trace,
    tracker,
};
use crate::cli::{Live, SourceSpec, Switch, VideoFormat};
use crate::error::{Fault, tell};
use crate::frame::Stage;
use crate::output::Sink;
use crate::output::net::{Datagrams, Format};
use crate::output::overlay::Overlay;
use crate::output::progress::Progress;
use crate::output::record::Recording;
use crate::output::report::LatencyReport;
use crate::output::stamp::Stamp;
use crate::output::y4m::Y4m;
use crate::pipeline;
use crate::show::page::Server;
use crate::show::window::Window;
use crate::source::camera::{About, CameraSource, Mode};
use crate::source::{Source, SourceInfo};

/// Shows a camera's picture, or a file at its own speed, with its landmarks.
///
/// # Errors
/// See [`Fault`] for the kinds.
pub fn live(args: &Live, settings: Settings, stop: &AtomicBool) -> Result<()> {
    let outputs: Vec<_> = args.output.iter().chain(args.data.files()).chain(&args.trace).collect();
    let with_window = !args.no_window && args.serve.is_none();
    let sends = args.serve.is_some() || args.osc.is_some() || args.udp.is_some();
    if !with_window && !sends && outputs.is_empty() {
        return Err(
            Fault::Usage.error("nothing to show or write; drop --no-window, or pass --serve, --jsonl or -o")
        );
    }
    // What cannot be shown is said before anything is opened.
    if with_window {
        Window::check_display()?;
    }
    let server = args.serve.map(|address| Server::bind(address, args.serve_allow_remote)).transpose()?;
    let Some(mut source) = source(args, settings, stop)? else { return Ok(()) };
    let info = source.info().clone();
    refuse_clashes(&outputs, &info.files)?;
    let mirrored = args.mirror.map_or(args.input.is_none(), |switch| switch == Switch::On);
    let mut tracker = tracker(&args.tracking)?;
    let scheme = tracker.scheme();
    let mut sinks = outgoing(args, &info, &tracker)?;
    sinks.push(Box::new(Stamp(Stage::Data)));
    if with_window {
        sinks.push(Box::new(Window::open(info.clone(), scheme, mirrored, stop)?));
    }
    let mut sending = None;
    if let Some(server) = server {
        tell(format_args!("watch at http://{}/ (Ctrl-C ends)", server.address()));
        let page = server.start(info.clone(), scheme, mirrored)?;
        sending = Some(page.sending());
        sinks.push(Box::new(page));
    }
    sinks.extend(recording(args, &info, scheme)?);
    sinks.extend(trace(args.trace.as_ref(), settings, args.overwrite)?);
    let mut report = LatencyReport::new(settings.started, interval(&info))?;
    let mut progress = Progress::new(&info, !settings.quiet);
    let mut all = borrowed(&mut sinks);
    all.extend([&mut report as &mut dyn Sink, &mut progress]);
    let summary = pipeline::run(source.as_mut(), &mut tracker, &mut all, stop)?;
    if !settings.quiet {
        tell(outcome(&summary, report.frames_with_face(), &outputs));
        let sent = sending.and_then(|sending| sending.latencies());
        report.latencies().into_iter().chain(sent).for_each(tell);
    }
    Ok(())
}

/// The file or the camera; `None` if the run was stopped while a camera was waited for.
fn source(args: &Live, settings: Settings, stop: &AtomicBool) -> Result<Option<Box<dyn Source>>> {
    if let Some(file) = &args.input {
        return open(&SourceSpec::new(slice::from_ref(file))?, Pace::Live).map(Some);
    }
    let camera = CameraSource::open(args.camera.wanted(), args.camera.reconnect, stop)?;
    if let Some(About { name, path, mode }) = camera.as_ref().and_then(CameraSource::about)
        && !settings.quiet
    {
        let Mode { encoding, width, height, rate } = mode;
        tell(format_args!("{name} ({path}): {width}x{height}, {rate} frames/s, {}", encoding.name()));
    }
    Ok(camera.map(|camera| Box::new(camera) as Box<dyn Source>))
}

/// The outputs that take landmarks and no pictures.
fn outgoing<'a>(args: &Live, info: &SourceInfo, tracker: &Tracker) -> Result<Vec<Box<dyn Sink + 'a>>> {
    let mut sinks: Vec<Box<dyn Sink + 'a>> = data_sinks(&args.data, info, tracker, args.overwrite)?;
    for (target, format) in [(&args.osc, Format::Osc), (&args.udp, Format::Json)] {
        if let Some(target) = target {
            sinks.push(Box::new(Datagrams::open(target, format, info.clone())?));
        }
    }
    Ok(sinks)
}

/// The video of `-o`. These come last: raw video is drawn into, and all others want the picture as it was.
fn recording(args: &Live, info: &SourceInfo, scheme: Scheme) -> Result<Vec<Box<dyn Sink>>> {
    let Some(path) = &args.output else { return Ok(Vec::new()) };
    if let Some(VideoFormat::Yuv4mpeg) = args.video_format {
        let video = Y4m::create(path, info.clone(), args.overwrite)?;
        return Ok(vec![Box::new(Overlay::new(scheme, false)), Box::new(video)]);
    }
    refuse_stdout(path)?;
    let recording = Recording::start(path.clone(), info, scheme, args.overwrite)?;
    Ok(vec![Box::new(recording)])
}
