//! Where frames and faces go.
//!
//! A command fills in [`Targets`], [`Outputs`] checks them once, and [`Outputs::open`] creates the sinks of a run. Only
//! this file knows which sinks there are and in which order they take a frame.

use std::fs;
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
pub mod openface;
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
mod vmc;
pub mod y4m;

use csv::Csv;
use jsonl::Jsonl;
pub use made::MadeFolder;
use net::{Datagrams, Format};
pub use opened::{Opened, Run};
use openface::{Columns, OpenFace};
use overlay::Hide;
pub(crate) use partial::write_whole;
pub use pictures::Annotated;
use pictures::Pictures;
pub use progress::Board;
pub use sink::{End, Sink};
use stamp::Stamp;
use target::{Incomplete, PARTIAL, Target, UNFINISHED, is_special};
use trace::Trace;
use vmc::Vmc;

/// What a run should write, as given by the user: `-` is standard output.
#[derive(Clone, Debug, Default)]
pub struct Targets {
    /// Where annotated pictures go; if `None`, nothing is drawn.
    pub annotated: Option<Annotated>,
    /// Whether the time spent on each frame's faces is drawn into its picture.
    pub show_latency: bool,
    /// How faces are made unrecognisable wherever pictures are shown or written; then no landmarks are drawn.
    pub hiding: Option<Hiding>,
    /// Whether sound and subtitles that the named kind of file cannot hold are left out without trying another kind.
    pub drop_streams: bool,
    /// Landmarks as JSON lines.
    pub jsonl: Option<PathBuf>,
    /// Landmarks as a table.
    pub csv: Option<PathBuf>,
    /// If the table is OpenFace's, which columns it has.
    pub openface: Option<Columns>,
    /// Landmarks as OSC datagrams, to `HOST:PORT`.
    pub osc: Option<String>,
    /// Landmarks as JSON datagrams, to `HOST:PORT`.
    pub udp: Option<String>,
    /// A face for avatars, to `HOST:PORT`.
    pub vmc: Option<String>,
    /// A trace of every run of every stage.
    pub trace: Option<PathBuf>,
    /// The latency report as an HTML page.
    pub html: Option<PathBuf>,
    /// Whether existing files are replaced.
    pub overwrite: bool,
    /// What becomes of files that are not completed.
    pub incomplete: Incomplete,
}

impl Targets {
    /// All files and folders.
    pub fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        let annotated = self.annotated.as_ref().and_then(Annotated::path);
        annotated.into_iter().chain(&self.jsonl).chain(&self.csv).chain(&self.html).chain(&self.trace)
    }

    /// Removes the unfinished files of a run with these targets that was killed.
    pub fn clean_up(&self) {
        for path in self.paths() {
            for suffix in [PARTIAL, UNFINISHED] {
                // Most do not exist.
                let _ = fs::remove_file(self.incomplete.temporary(path, suffix));
            }
        }
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
    /// Checks all targets of a run that reads `input`, or a camera, before anything is opened. The only thing this
    /// creates is the folder for pictures.
    ///
    /// # Errors
    /// [`Fault::Usage`] for two outputs with one name, and as [`Target::new`],
    /// [`VideoSink::check`](video::VideoSink::check) and [`ImagesSink::check`](images::ImagesSink::check).
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
        let or = |target: Option<Target>| target.map(|target| target.or(targets.incomplete.clone()));
        let [jsonl, csv, trace, html] = [jsonl, csv, trace, html].map(or);
        let pictures = pictures.map(|pictures| pictures.or(&targets.incomplete));
        Ok(Self { pictures, jsonl, csv, trace, html, targets })
    }

    /// All files and folders.
    pub fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        self.targets.paths()
    }

    /// Whether all files exist, which means that they are complete.
    pub fn exist(&self) -> bool {
        self.paths().filter(|path| path.as_os_str() != "-").all(|path| path.exists())
    }

    /// Opens everything for a run that is also `shown` to people.
    ///
    /// # Errors
    /// [`Fault::Output`] for what cannot be opened, [`Fault::Usage`] for an invalid address and for raw video of single
    /// pictures.
    pub fn open<'a>(&self, run: Run, shown: Vec<Box<dyn Sink + 'a>>) -> Result<Opened<'a>> {
        let Run { info, scheme, .. } = run;
        // Programs that are waiting for landmarks get them first.
        let mut sinks: Vec<Box<dyn Sink + 'a>> = Vec::new();
        if let Some(target) = &self.jsonl {
            sinks.push(Box::new(Jsonl::create(target, info.clone())?));
        }
        if let Some(target) = &self.csv {
            sinks.push(match self.targets.openface {
                Some(columns) => Box::new(OpenFace::create(target, scheme, columns)?),
                None => Box::new(Csv::create(target, info.clone(), scheme, run.columns)?),
            });
        }
        for (address, format) in [(&self.targets.osc, Format::Osc), (&self.targets.udp, Format::Json)] {
            if let Some(address) = address {
                sinks.push(Box::new(Datagrams::open(address, format, info.clone())?));
            }
        }
        if let Some(address) = &self.targets.vmc {
            sinks.push(Box::new(Vmc::open(address)?));
        }
        if run.live {
            sinks.push(Box::new(Stamp(Stage::Data)));
        }
        if let Some(how) = self.targets.hiding {
            sinks.push(Box::new(Hide::new(how, info.stills)));
        }
        // These show the picture without the overlay, which is drawn later.
        sinks.extend(shown);
        if let Some(pictures) = &self.pictures {
            pictures.open(run, &self.targets, &mut sinks)?;
        }
        // Last, since it reports on all the others.
        if let Some(target) = &self.trace {
            sinks.push(Box::new(Trace::create(target, run.started)?));
        }
        Opened::new(sinks, run, self.html.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Instant;

    use facemark::Face;
    use facemark::face::Scheme;
    use facemark::geometry::{Point, Region};

    use super::csv::Columns;
    use super::*;
    use crate::frame::{Frame, Tracked};
    use crate::info::SourceInfo;

    const GRAY: u8 = 100;

    fn tracked() -> Tracked {
        let mut frame = Frame::empty();
        frame.image.resize(64, 48);
        frame.image.luma.data_mut().fill(GRAY);
        let center = Point::new(30.0, 20.0);
        let region = Region { center, size: 20.0, angle: 0.0 };
        let face = Face {
            id: 1,
            region,
            landmarks: vec![center],
            score: 1.0,
            more: Default::default(),
            measures: None,
        };
        Tracked { frame, faces: vec![face] }
    }

    /// Counts the frames that arrive as viewers should get them: not drawn into, and after the data was written.
    struct Viewer<'a>(&'a AtomicUsize, &'a Path);

    impl Sink for Viewer<'_> {
        fn write(&mut self, tracked: &mut Tracked) -> Result<()> {
            let frame = &tracked.frame;
            let is_plain = frame.image.luma.data().iter().all(|&v| v == GRAY);
            let is_stamped = frame.timing.get(Stage::Data).is_some();
            let has_line = fs::metadata(self.1).is_ok_and(|file| file.len() > 0);
            self.0.fetch_add(usize::from(is_plain && is_stamped && has_line), Ordering::Relaxed);
            Ok(())
        }

        fn finish(&mut self, _: End) -> Result<()> {
            Ok(())
        }
    }

    #[test]
    fn data_come_first_then_people_then_what_is_drawn_and_the_trace_tells_of_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let targets = Targets {
            annotated: Some(Annotated::Raw(path("a.y4m"))),
            jsonl: Some(path("a.jsonl")),
            trace: Some(path("a.json")),
            ..Targets::default()
        };
        let outputs = Outputs::new(targets, None).unwrap();
        let info = SourceInfo { size: (64, 48), ..SourceInfo::empty(Path::new("camera")) };
        let (seen, partial) = (AtomicUsize::new(0), path("a.jsonl.partial"));
        let mut opened = outputs.open(run(&info), vec![Box::new(Viewer(&seen, &partial))]).unwrap();
        for _ in 0..2 {
            opened.write(&mut tracked()).unwrap();
        }
        assert!(!outputs.exist());
        opened.finish(End::Complete).unwrap();
        assert_eq!((seen.load(Ordering::Relaxed), opened.report().frames_with_face()), (2, 2));
        assert!(outputs.exist() && !partial.exists());
        let raw = fs::read(path("a.y4m")).unwrap();
        let luma = &raw[raw.len() - 64 * 48 * 3 / 2..][..64 * 48];
        assert!(luma.iter().any(|&v| v != GRAY), "the face is in the raw video");
        let trace = fs::read_to_string(path("a.json")).unwrap();
        assert!(trace.contains("draw") && trace.contains("to data"), "{trace}");
    }

    fn run(info: &SourceInfo) -> Run<'_> {
        Run {
            info,
            scheme: Scheme::Nose,
            columns: Columns::default(),
            started: Instant::now(),
            live: true,
            deadline: None,
            progress: false,
            board: None,
        }
    }

    /// Looks at the face in the frames that arrive.
    struct Snoop<'a>(&'a AtomicUsize);

    impl Sink for Snoop<'_> {
        fn write(&mut self, tracked: &mut Tracked) -> Result<()> {
            let rows = tracked.frame.image.luma.data().chunks_exact(64).skip(12).take(16);
            let steps = rows.flat_map(|row| row[22..38].windows(2).map(|pair| pair[0].abs_diff(pair[1])));
            self.0.fetch_max(steps.max().unwrap_or(0).into(), Ordering::Relaxed);
            Ok(())
        }

        fn finish(&mut self, _: End) -> Result<()> {
            Ok(())
        }
    }

    #[test]
    fn nobody_is_shown_a_face_that_is_to_be_hidden() {
        let info = SourceInfo { size: (64, 48), ..SourceInfo::empty(Path::new("camera")) };
        for hiding in [None, Some(Hiding::Blur), Some(Hiding::Mosaic)] {
            let outputs = Outputs::new(Targets { hiding, ..Targets::default() }, None).unwrap();
            let seen = AtomicUsize::new(0);
            let mut opened = outputs.open(run(&info), vec![Box::new(Snoop(&seen))]).unwrap();
            let mut tracked = tracked();
            let pixels = tracked.frame.image.luma.data_mut().iter_mut();
            pixels.enumerate().for_each(|(i, pixel)| *pixel = 255 * (i % 2) as u8);
            opened.write(&mut tracked).unwrap();
            assert_eq!(seen.load(Ordering::Relaxed) > 100, hiding.is_none(), "{hiding:?}");
        }
    }

    #[test]
    fn what_cannot_be_is_refused_before_anything_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| Some(folder.path().join(name));
        let recording = |name: &str| path(name).map(Annotated::Recording);
        let none = Targets::default;
        for (targets, fault, word) in [
            (Targets { jsonl: path("a"), csv: path("a"), ..none() }, Fault::Usage, "two outputs"),
            (Targets { annotated: recording("a.avi"), ..none() }, Fault::Usage, ".mkv"),
            (Targets { annotated: Some(Annotated::Copy("-".into())), ..none() }, Fault::Usage, "yuv4mpeg"),
            (Targets { jsonl: path("b"), trace: path("no/where"), ..none() }, Fault::Output, "no folder"),
        ] {
            let error = Outputs::new(targets, None).unwrap_err();
            assert!(Fault::of(&error) == fault && error.to_string().contains(word), "{error}");
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
