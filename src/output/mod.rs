//! Where frames and faces go.
//!
//! A command fills in [`Targets`], [`Outputs`] checks them once, and [`Outputs::open`] makes the sinks of a run. Only this
//! file knows which sinks there are and in which order they take a frame.

use std::path::PathBuf;

use anyhow::Result;

use crate::draw::hide::Hiding;
use crate::error::Fault;
use crate::frame::Stage;
use crate::source::files::Files;

pub mod csv;
pub mod data;
pub mod images;
pub mod jsonl;
mod made;
pub mod net;
mod opened;
pub mod overlay;
mod partial;
mod pictures;
pub mod progress;
pub mod record;
pub mod report;
mod sink;
pub mod snapshot;
pub mod stamp;
pub mod target;
pub mod trace;
pub mod video;
pub mod y4m;

use csv::Csv;
use jsonl::Jsonl;
pub use made::MadeFolder;
use net::{Datagrams, Format};
pub use opened::{Opened, Run};
use overlay::Hide;
use partial::unpublish;
pub use pictures::Annotated;
use pictures::Pictures;
pub use sink::{End, Sink};
use stamp::Stamp;
use target::{Target, is_special};
use trace::Trace;

/// What a run is to write, as the user says it: `-` is standard output.
#[derive(Clone, Debug, Default)]
pub struct Targets {
    /// Where annotated pictures go; nothing is drawn without it.
    pub annotated: Option<Annotated>,
    /// Whether the time that each frame's faces took is written into its picture.
    pub show_latency: bool,
    /// How faces are made unrecognisable in all that shows or holds pictures; then no landmarks are drawn.
    pub hiding: Option<Hiding>,
    /// Landmarks as JSON lines.
    pub jsonl: Option<PathBuf>,
    /// Landmarks as a table.
    pub csv: Option<PathBuf>,
    /// Landmarks as OSC datagrams, to `HOST:PORT`.
    pub osc: Option<String>,
    /// Landmarks as JSON datagrams, to `HOST:PORT`.
    pub udp: Option<String>,
    /// Every run of every stage.
    pub trace: Option<PathBuf>,
    /// The latency report as a page.
    pub html: Option<PathBuf>,
    /// Whether files that exist are replaced.
    pub overwrite: bool,
}

impl Targets {
    /// All files and folders.
    pub fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        let annotated = self.annotated.as_ref().and_then(Annotated::path);
        annotated.into_iter().chain(&self.jsonl).chain(&self.csv).chain(&self.html).chain(&self.trace)
    }
}

/// Targets that have been checked.
#[derive(Clone, Debug)]
pub struct Outputs {
    targets: Targets,
    pictures: Option<Pictures>,
    jsonl: Option<Target>,
    csv: Option<Target>,
    trace: Option<Target>,
    html: Option<Target>,
}

impl Outputs {
    /// Checks all targets of a run that reads `input`, or a camera, before anything is opened. All that this makes is
    /// the folder for pictures.
    ///
    /// # Errors
    /// [`Fault::Usage`] for two outputs of one name, and as [`Target::new`], [`VideoSink::check`](video::VideoSink::check)
    /// and [`ImagesSink::check`](images::ImagesSink::check).
    pub fn new(targets: Targets, input: Option<&Files>) -> Result<Self> {
        let paths: Vec<_> = targets.paths().collect();
        for (i, path) in paths.iter().enumerate() {
            if paths[..i].contains(path) && !is_special(path) {
                let shown = path.display();
                let message = format!("two outputs are called {shown}; give each its own name");
                return Err(Fault::Usage.error(message));
            }
        }
        let inputs = input.map_or(&[][..], Files::paths);
        let check = |path: &PathBuf| Target::new(path, inputs, targets.overwrite);
        let [jsonl, csv, trace, html] = [&targets.jsonl, &targets.csv, &targets.trace, &targets.html]
            .map(|path| path.as_ref().map(check).transpose());
        let (jsonl, csv, trace, html) = (jsonl?, csv?, trace?, html?);
        let pictures = |annotated| Pictures::check(annotated, input, targets.overwrite);
        let pictures = targets.annotated.as_ref().map(pictures).transpose()?;
        Ok(Self { pictures, jsonl, csv, trace, html, targets })
    }

    /// All files and folders.
    pub fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        self.targets.paths()
    }

    /// Whether all files are there. They only ever are once they are complete.
    pub fn exist(&self) -> bool {
        self.paths().filter(|path| path.as_os_str() != "-").all(|path| path.exists())
    }

    /// Takes their final names from the files of a run that was stopped before its end.
    pub fn set_aside(&self) {
        self.paths().filter(|path| path.is_file()).for_each(|path| unpublish(path));
    }

    /// Opens everything for a run that is also `shown` to people.
    ///
    /// # Errors
    /// [`Fault::Output`] for what cannot be opened, [`Fault::Usage`] for an address that is none and for raw video of
    /// single pictures.
    pub fn open<'a>(&self, run: Run, shown: Vec<Box<dyn Sink + 'a>>) -> Result<Opened<'a>> {
        let Run { info, scheme, .. } = run;
        // Programs that wait for landmarks get them first.
        let mut sinks: Vec<Box<dyn Sink + 'a>> = Vec::new();
        if let Some(target) = &self.jsonl {
            sinks.push(Box::new(Jsonl::create(target, info.clone())?));
        }
        if let Some(target) = &self.csv {
            sinks.push(Box::new(Csv::create(target, info.clone(), scheme, run.measures)?));
        }
        for (address, format) in [(&self.targets.osc, Format::Osc), (&self.targets.udp, Format::Json)] {
            if let Some(address) = address {
                sinks.push(Box::new(Datagrams::open(address, format, info.clone())?));
            }
        }
        if run.live {
            sinks.push(Box::new(Stamp(Stage::Data)));
        }
        if let Some(how) = self.targets.hiding {
            sinks.push(Box::new(Hide::new(how, info.stills)));
        }
        // People see the picture without the overlay: what draws into it comes later.
        sinks.extend(shown);
        if let Some(pictures) = &self.pictures {
            pictures.open(run, &self.targets, &mut sinks)?;
        }
        // Last, since it tells of all others.
        if let Some(target) = &self.trace {
            sinks.push(Box::new(Trace::create(target, run.started)?));
        }
        Opened::new(sinks, run, self.html.as_ref())
    }
}
