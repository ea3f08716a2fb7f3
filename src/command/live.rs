//! `facemark live`.

use std::slice;
use std::sync::atomic::AtomicBool;

use anyhow::Result;

use super::common::{Settings, annotated, outcome, tell_crowd, tracker};
use crate::cli::{Live, Switch};
use crate::error::{Fault, tell};
use crate::output::report::latencies;
use crate::output::{Annotated, Outputs, Run, Sink, Targets};
use crate::pipeline;
use crate::show::page::Server;
use crate::show::window::Window;
use crate::source::camera::{About, CameraSource, Mode};
use crate::source::files::{Files, Pace};
use crate::source::{Part, Source};

/// Shows a camera's picture, or a file at its own speed, with its landmarks.
///
/// # Errors
/// See [`Fault`] for the kinds.
pub fn live(args: &Live, settings: Settings, stop: &AtomicBool) -> Result<()> {
    let targets = targets(args);
    let with_window = !args.no_window && args.serve.is_none();
    let sends = args.serve.is_some() || args.osc.is_some() || args.udp.is_some() || args.vmc.is_some();
    if !with_window && !sends && targets.paths().next().is_none() {
        return Err(
            Fault::Usage.error("nothing to show or write; drop --no-window, or pass --serve, --jsonl or -o")
        );
    }
    // What cannot be shown or written is reported before anything is opened.
    if with_window {
        Window::check_display()?;
    }
    let files = args.input.as_ref().map(|file| Files::new(slice::from_ref(file))).transpose()?;
    let outputs = Outputs::new(targets, files.as_ref())?;
    let server = args.serve.map(|address| Server::bind(address, args.serve_allow_remote)).transpose()?;
    let adjustment = args.reading.adjustment();
    let source = match &files {
        Some(files) => Some(files.open(Pace::Live, Part::default(), adjustment)?),
        None => camera(args, settings, stop)?.map(|camera| adjustment.of(camera)).transpose()?,
    };
    let Some(mut source) = source else { return Ok(()) };
    let info = source.info().clone();
    let mirrored = args.mirror.map_or(args.input.is_none(), |switch| switch == Switch::On);
    let mut tracker = tracker(&args.tracking, info.stills, args.hiding.how().is_some())?;
    let scheme = tracker.scheme();
    let mut shown: Vec<Box<dyn Sink + '_>> = Vec::new();
    if with_window {
        shown.push(Box::new(Window::open(info.clone(), scheme, mirrored, stop)?));
    }
    let mut sending = None;
    if let Some(server) = server {
        tell(format_args!("watch at http://{}/ (Ctrl-C ends)", server.address()));
        let page = server.start(info.clone(), scheme, mirrored)?;
        sending = Some(page.sending());
        shown.push(Box::new(page));
    }
    let run = Run { live: true, deadline: Pace::Live.deadline(&info), ..settings.run(&info, &tracker) };
    let mut opened = outputs.open(run, shown)?;
    let summary = pipeline::run(source.as_mut(), &mut tracker, &mut [&mut opened], stop)?;
    tell_crowd(&summary, "");
    if !settings.quiet {
        tell(outcome(&summary, opened.report().frames_with_face(), outputs.paths()));
        let sent = sending.and_then(|sending| sending.latencies());
        latencies(opened.report()).into_iter().chain(sent).for_each(tell);
    }
    Ok(())
}

fn targets(args: &Live) -> Targets {
    Targets {
        annotated: annotated(&args.output, args.video_format, Annotated::Recording),
        hiding: args.hiding.how(),
        jsonl: args.data.jsonl.clone(),
        csv: args.data.csv.clone(),
        osc: args.osc.clone(),
        udp: args.udp.clone(),
        vmc: args.vmc.clone(),
        trace: args.trace.clone(),
        overwrite: args.overwrite,
        ..Targets::default()
    }
}

/// The camera; `None` if the run was stopped while waiting for it.
fn camera(args: &Live, settings: Settings, stop: &AtomicBool) -> Result<Option<Box<dyn Source>>> {
    let camera = CameraSource::open(args.camera.wanted(), args.camera.reconnect, stop)?;
    if let Some(About { name, path, mode }) = camera.as_ref().and_then(CameraSource::about)
        && !settings.quiet
    {
        let Mode { encoding, width, height, rate } = mode;
        tell(format_args!("{name} ({path}): {width}x{height}, {rate} frames/s, {}", encoding.name()));
    }
    Ok(camera.map(|camera| Box::new(camera) as Box<dyn Source>))
}
