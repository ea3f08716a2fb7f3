//! The window: the newest picture with its faces, and keys.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Error, Result};
use facemark::face::Scheme;
use minifb::{ScaleMode, WindowOptions};

use crate::draw::view::{Fit, Renderer, shape};
use crate::draw::{Style, draw_on_window, notice, panel};
use crate::error::{Fault, tell};
use crate::frame::{Frame, Span, Stage, Tracked};
use crate::info::SourceInfo;
use crate::output::record::Recording;
use crate::output::snapshot::{self, write_png};
use crate::output::target::FileTarget;
use crate::output::video::VideoSink;
use crate::output::{End, Sink};
use crate::threads::spawn;

mod keys;
mod rolling;

use keys::Keys;
pub use keys::{Action, action};
use rolling::Rolling;

const TITLE: &str = "facemark: q quit, space pause, m mirror, s snapshot, r record, o overlay, l latency";
/// The window is opened no larger than this; it can be made larger.
const OPENED: (f64, f64) = (1280.0, 720.0);
/// The window is opened no smaller than this, so that its texts fit.
const SMALLEST: f64 = 320.0;
/// When no picture has arrived for this long, the window says so.
const SILENCE: Duration = Duration::from_secs(2);
/// How long a notice stays.
const NOTICE: Duration = Duration::from_secs(4);

/// Shows every frame as soon as it is there. Recordings and snapshots are never mirrored.
pub struct Window<'a> {
    window: minifb::Window,
    keys: Keys,
    stop: &'a AtomicBool,
    info: SourceInfo,
    scheme: Scheme,
    view: View,
    /// Shown instead of new frames while paused.
    frozen: Option<Tracked>,
    paused: bool,
    recording: Option<Recording>,
    /// Recordings that are being completed in the background.
    closing: Vec<Recording>,
    saving: Vec<JoinHandle<Result<PathBuf>>>,
    snapshot_wanted: bool,
    /// The first thing that could not be saved, for the end of the run.
    failure: Option<Error>,
    last_shown: Option<Instant>,
}

/// How things are shown, and what they are shown with.
struct View {
    renderer: Renderer,
    pixels: Vec<u32>,
    /// Width and height of what is in `pixels`.
    size: (usize, usize),
    pixel_aspect: f64,
    mirrored: bool,
    style: Style,
    latencies: Rolling,
    with_panel: bool,
    notice: Option<(String, Instant)>,
}

impl<'a> Window<'a> {
    /// Checks that a window is possible, before a camera is opened for it.
    ///
    /// # Errors
    /// [`Fault::Device`] without a display.
    pub fn check_display() -> Result<()> {
        match std::env::var_os("DISPLAY") {
            Some(name) if !name.is_empty() => Ok(()),
            _ => Err(no_display("DISPLAY is not set".to_owned())),
        }
    }

    /// Opens the window for a source like this. Closing it sets `stop`.
    ///
    /// # Errors
    /// [`Fault::Device`] without a display.
    pub fn open(info: SourceInfo, scheme: Scheme, mirrored: bool, stop: &'a AtomicBool) -> Result<Self> {
        let pixel_aspect = info.pixel_aspect.map_or(1.0, |(x, y)| f64::from(x) / f64::from(y));
        let (width, height) = opened_size(info.size, pixel_aspect);
        let options = WindowOptions { resize: true, scale_mode: ScaleMode::UpperLeft, ..Default::default() };
        let mut window = minifb::Window::new(TITLE, width, height, options)
            .map_err(|error| no_display(error.to_string()))?;
        // The frames set the pace.
        window.set_target_fps(0);
        let keys = Keys::default();
        window.set_input_callback(Box::new(keys.clone()));
        let view = View {
            renderer: Renderer::default(),
            pixels: Vec::new(),
            size: (0, 0),
            pixel_aspect,
            mirrored,
            style: Style::default(),
            latencies: Rolling::default(),
            with_panel: false,
            notice: None,
        };
        Ok(Self {
            window,
            keys,
            stop,
            info,
            scheme,
            view,
            frozen: None,
            paused: false,
            recording: None,
            closing: Vec::new(),
            saving: Vec::new(),
            snapshot_wanted: false,
            failure: None,
            last_shown: None,
        })
    }

    /// Draws a frame and hands it to the display.
    fn show(&mut self, tracked: &Tracked) -> Result<()> {
        let (width, height) = self.window.get_size();
        let recording = self.recording.is_some();
        self.view.draw(tracked, self.scheme, (width, height), self.paused, recording)?;
        let shown = self.window.update_with_buffer(&self.view.pixels, width, height);
        shown.map_err(|error| Fault::Device.error(format!("the window failed: {error}")))
    }

    /// Writes into the last picture that no new one has arrived: otherwise it would look live.
    fn say_silent(&mut self) -> Result<()> {
        let (width, height) = self.view.size;
        notice(&mut self.view.pixels, width, Some("no new pictures"), self.recording.is_some())?;
        let shown = self.window.update_with_buffer(&self.view.pixels, width, height);
        shown.map_err(|error| Fault::Device.error(format!("the window failed: {error}")))
    }

    fn act(&mut self) {
        while let Some(action) = self.keys.next() {
            match action {
                Action::Quit => self.stop.store(true, Ordering::Relaxed),
                Action::Pause => {
                    self.paused = !self.paused;
                    self.frozen = None;
                }
                Action::Mirror => self.view.mirrored = !self.view.mirrored,
                Action::Snapshot => self.snapshot_wanted = true,
                Action::Record => self.toggle_recording(),
                Action::Style => {
                    self.view.style = self.view.style.next(self.scheme);
                    self.view.say(self.view.style.name().to_owned());
                }
                Action::Latency => self.view.with_panel = !self.view.with_panel,
            }
        }
        if !self.window.is_open() {
            self.stop.store(true, Ordering::Relaxed);
        }
    }

    fn toggle_recording(&mut self) {
        if self.recording.is_some() {
            self.end_recording();
            return;
        }
        let path = snapshot::name("mp4");
        let target = VideoSink::check(&path, &[], false);
        match target.and_then(|target| Recording::start(target, &self.info, self.scheme)) {
            Ok(recording) => {
                self.view.say(format!("recording {}", path.display()));
                self.recording = Some(recording);
            }
            Err(error) => self.saved(Err(error)),
        }
    }

    fn end_recording(&mut self) {
        if let Some(mut recording) = self.recording.take() {
            recording.close();
            self.closing.push(recording);
        }
    }

    /// Saves the picture at its own size, not mirrored, with the overlay as it is shown.
    fn save(&mut self, tracked: &Tracked) -> Result<()> {
        let size = {
            let (width, height) = shape(tracked.frame.image.size(), self.view.pixel_aspect);
            (width.round() as usize, height as usize)
        };
        let fit = Fit::new(tracked.frame.image.size(), self.view.pixel_aspect, size, false);
        let mut pixels = vec![0; size.0 * size.1];
        Renderer::default().render(&tracked.frame.image, &fit, &mut pixels, size.0);
        draw_on_window(&mut pixels, size.0, &fit, &tracked.faces, self.scheme, self.view.style)?;
        let path = snapshot::name("png");
        let write = move || {
            write_png(&FileTarget::new(&path, &[], false)?, &pixels, size.0)?;
            Ok(path)
        };
        self.saving.push(spawn("snapshot", write)?);
        Ok(())
    }

    /// Reports what has been saved meanwhile; waits for it if `wait`.
    fn look_after_saved(&mut self, wait: bool) {
        let (over, still): (Vec<_>, Vec<_>) =
            self.closing.drain(..).partition(|recording| wait || recording.is_over());
        self.closing = still;
        for mut recording in over {
            let path = recording.path().to_owned();
            self.saved(recording.finish().map(|frames| format!("{}, {frames} frames", path.display())));
        }
        let (over, still): (Vec<_>, Vec<_>) =
            self.saving.drain(..).partition(|saving| wait || saving.is_finished());
        self.saving = still;
        for saving in over {
            let path =
                saving.join().unwrap_or_else(|_| Err(Fault::Failure.error("a snapshot failed inside")));
            self.saved(path.map(|path| path.display().to_string()));
        }
    }

    fn saved(&mut self, result: Result<String>) {
        match result {
            Ok(what) => {
                // Not a warning, but -q silences both.
                if log::log_enabled!(log::Level::Warn) {
                    tell(format_args!("saved {what}"));
                }
                self.view.say(format!("saved {what}"));
            }
            Err(error) => {
                self.view.say(format!("{error:#}"));
                self.failure.get_or_insert(error);
            }
        }
    }
}

impl View {
    /// Draws a frame into `pixels` as a window of `size` shows it.
    fn draw(
        &mut self,
        tracked: &Tracked,
        scheme: Scheme,
        size: (usize, usize),
        paused: bool,
        recording: bool,
    ) -> Result<()> {
        let image = &tracked.frame.image;
        self.pixels.resize(size.0 * size.1, 0);
        self.size = size;
        let fit = Fit::new(image.size(), self.pixel_aspect, size, self.mirrored);
        self.renderer.render(image, &fit, &mut self.pixels, size.0);
        draw_on_window(&mut self.pixels, size.0, &fit, &tracked.faces, scheme, self.style)?;
        if self.with_panel {
            let tracking = tracked.frame.timing.get(Stage::Track).map(|time| time.as_secs_f64() * 1e3);
            panel(&mut self.pixels, size.0, &self.latencies.panel(tracking))?;
        }
        self.notice.take_if(|(_, since)| since.elapsed() > NOTICE);
        let text = self.notice.as_ref().map(|(text, _)| text.as_str());
        notice(&mut self.pixels, size.0, text.or(paused.then_some("paused")), recording)
    }

    fn say(&mut self, text: String) {
        self.notice = Some((text, Instant::now()));
    }
}

impl Sink for Window<'_> {
    fn write(&mut self, tracked: &mut Tracked) -> Result<()> {
        self.act();
        self.look_after_saved(false);
        if self.recording.as_ref().is_some_and(|recording| !recording.add(tracked, self.view.style)) {
            self.end_recording();
        }
        if self.paused && self.frozen.is_none() {
            let mut frame = Frame::empty();
            frame.copy_from(&tracked.frame);
            self.frozen = Some(Tracked { frame, faces: tracked.faces.clone() });
        }
        let frozen = self.frozen.take();
        let subject = frozen.as_ref().unwrap_or(&*tracked);
        if std::mem::take(&mut self.snapshot_wanted) {
            self.save(subject)?;
        }
        let start = Instant::now();
        self.show(subject)?;
        if frozen.is_none() {
            let now = Instant::now();
            let interval = self.last_shown.replace(now).map(|before| now - before);
            let frame = &mut tracked.frame;
            let latency = now.saturating_duration_since(frame.captured);
            self.view.latencies.add(frame.index, latency, interval);
            frame.timing.add(Span { stage: Stage::Draw, start, length: now - start });
            frame.timing.add(Span { stage: Stage::Display, start: frame.captured, length: latency });
        }
        self.frozen = frozen;
        Ok(())
    }

    fn idle(&mut self) -> Result<()> {
        self.window.update();
        self.act();
        if self.last_shown.take_if(|shown| !self.paused && shown.elapsed() > SILENCE).is_some() {
            self.say_silent()?;
        }
        Ok(())
    }

    fn finish(&mut self, _: End) -> Result<()> {
        self.end_recording();
        self.look_after_saved(true);
        self.failure.take().map_or(Ok(()), Err)
    }
}

fn no_display(reason: String) -> Error {
    Fault::Device.error(format!(
        "there is no display to open a window on ({reason}); watch with --serve 127.0.0.1:8080 in a browser, or pass \
         --no-window and an output such as --jsonl -"
    ))
}

/// The window's initial size: the picture's in square pixels, within limits.
fn opened_size(picture: (usize, usize), pixel_aspect: f64) -> (usize, usize) {
    let (width, height) = shape(picture, pixel_aspect);
    let fits = (OPENED.0 / width).min(OPENED.1 / height).min(1.0);
    let scale = fits.max(SMALLEST / width.max(height));
    let side = |length: f64| ((length * scale).round() as usize).max(1);
    (side(width), side(height))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_opens_in_the_pictures_size_within_limits() {
        assert_eq!(opened_size((640, 480), 1.0), (640, 480));
        assert_eq!(opened_size((1920, 1080), 1.0), (1280, 720));
        assert_eq!(opened_size((720, 576), 16.0 / 15.0), (768, 576));
        assert_eq!(opened_size((160, 120), 1.0), (320, 240));
        assert_eq!(opened_size((1080, 1920), 1.0), (405, 720));
    }
}
