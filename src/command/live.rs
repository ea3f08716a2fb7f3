//! `facemark live`.

use std::slice;
use std::sync::atomic::AtomicBool;

use anyhow::Result;

use super::{Settings, borrowed, data_sinks, open, outcome, refuse_clashes, refuse_stdout, tracker};
use crate::cli::{Live, SourceSpec, Switch, VideoFormat};
use crate::error::{Fault, tell};
use crate::pipeline;
use crate::report::LatencyReport;
use crate::scheme::Scheme;
use crate::sink::Sink;
use crate::sink::net::{Datagrams, Format};
use crate::sink::overlay::Overlay;
use crate::sink::progress::Progress;
use crate::sink::record::Recording;
use crate::sink::serve::Server;
use crate::sink::window::Window;
use crate::sink::y4m::Y4m;
use crate::source::SourceInfo;

/// Shows a file at its own speed with its landmarks.
///
/// # Errors
/// See [`Fault`] for the kinds.
pub fn live(args: &Live, settings: Settings, stop: &AtomicBool) -> Result<()> {
    let outputs: Vec<_> = args.output.iter().chain(args.data.files()).collect();
    let with_window = !args.no_window && args.serve.is_none();
    let sends = args.serve.is_some() || args.osc.is_some() || args.udp.is_some();
    if !with_window && !sends && outputs.is_empty() {
        return Err(
            Fault::Usage.error("nothing to show or write; drop --no-window, or pass --serve, --jsonl or -o")
        );
    }
    // What cannot be served is said before anything is opened.
    let server = args.serve.map(|address| Server::bind(address, args.serve_allow_remote)).transpose()?;
    let mut source = open(&SourceSpec::new(slice::from_ref(&args.input))?, true)?;
    let info = source.info().clone();
    refuse_clashes(&outputs, &info.files)?;
    let mirrored = args.mirror == Switch::On;
    let mut tracker = tracker(&args.tracking)?;
    let scheme = tracker.scheme();
    let mut sinks: Vec<Box<dyn Sink + '_>> = Vec::new();
    if with_window {
        sinks.push(Box::new(Window::open(info.clone(), scheme, mirrored, stop)?));
    }
    sinks.extend(outgoing(args, &info, scheme)?);
    if let Some(server) = server {
        tell(format_args!("watch at http://{}/ (Ctrl-C ends)", server.address()));
        sinks.push(Box::new(server.start(info.clone(), scheme, mirrored)?));
    }
    sinks.extend(recording(args, &info, scheme)?);
    let mut counts = LatencyReport::new(settings.started)?;
    let mut progress = Progress::new(&info, !settings.quiet);
    let mut all = borrowed(&mut sinks);
    all.extend([&mut counts as &mut dyn Sink, &mut progress]);
    let summary = pipeline::run(source.as_mut(), &mut tracker, &mut all, stop)?;
    if !settings.quiet {
        tell(outcome(&summary, counts.frames_with_face(), &outputs));
    }
    Ok(())
}

/// The outputs that take landmarks and no pictures.
fn outgoing(args: &Live, info: &SourceInfo, scheme: Scheme) -> Result<Vec<Box<dyn Sink>>> {
    let mut sinks = data_sinks(&args.data, info, scheme, args.overwrite)?;
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
