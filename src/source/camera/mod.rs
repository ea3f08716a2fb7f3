//! Cameras: always the newest picture, and recovery when a camera fails.
//!
//! The driver's calls may block forever, so they run on a separate thread. It copies each buffer as soon as the driver
//! has filled it and leaves it in a one-element slot; a reader slower than the camera gets fewer pictures, never older
//! ones. Everything else happens on the capture thread, which only ever waits for a moment at a time.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use bytes::Bytes;

use crate::error::Fault;
use crate::frame::{Frame, MediaTime, Stage, Timing, Yuv420};
use crate::source::{Source, SourceInfo};
use crate::threads::{Feed, Latest, SlotIn};

mod device;
mod driver;
mod jpeg;
mod unpack;

pub use device::{About, Encoding, Mode, Wanted};
use device::{Device, Opener};
pub use driver::{Found, list};
use jpeg::JpegDecoder;

/// Frame times are in microseconds, like the drivers' time stamps.
const TIME_BASE: (i32, i32) = (1, 1_000_000);
/// The longest wait before checking whether the run was stopped.
const TICK: Duration = Duration::from_millis(100);
/// Two pictures closer together than this are one picture delivered twice: no camera takes a thousand per second.
const REPEAT: Duration = Duration::from_millis(1);

/// Time limits.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// From opening to the first picture: some cameras adjust their exposure first.
    opening: Duration,
    /// From one picture to the next; after that, the camera counts as lost.
    patience: Duration,
    /// The pause before the first new attempt; it doubles with each attempt.
    first_pause: Duration,
    /// The longest pause between attempts.
    longest_pause: Duration,
}

impl Limits {
    const USUAL: Self = Self {
        opening: Duration::from_secs(10),
        patience: Duration::from_secs(3),
        first_pause: Duration::from_millis(500),
        longest_pause: Duration::from_secs(5),
    };
}

/// A camera as a source of frames.
pub struct CameraSource {
    open: Opener,
    limits: Limits,
    reconnect: bool,
    feed: Option<Feed<Shot>>,
    /// Number of buffers so far, over all attempts. Buffers that are not fetched leave gaps in the frame numbers.
    count: Arc<AtomicU64>,
    /// When the camera counts as lost unless a picture arrives.
    deadline: Instant,
    /// When to try again, and how long to wait after that.
    retry: (Instant, Duration),
    /// Whether the loss of the camera has been reported.
    lost: bool,
    /// Why the last buffer was unusable.
    trouble: Option<String>,
    frozen: Frozen,
    decoder: Decoder,
    /// The newest picture and its number, until it is fetched.
    pending: Option<(u64, Instant)>,
    image: Yuv420,
    timing: Timing,
    about: Option<Arc<About>>,
    info: SourceInfo,
    first: Option<Instant>,
    last_ticks: Option<i64>,
}

/// A buffer on its way from the driver's thread.
struct Shot {
    about: Arc<About>,
    index: u64,
    data: Bytes,
    captured: Instant,
}

impl CameraSource {
    /// Opens a camera and waits for its first picture; `None` if stopped first. With `reconnect`, waits for a camera
    /// that is not connected or is lost later.
    ///
    /// # Errors
    /// [`Fault::Device`], with the reason and what can be done about it.
    pub fn open(wanted: Wanted, reconnect: bool, stop: &AtomicBool) -> Result<Option<Self>> {
        Self::start(driver::opener(wanted), reconnect, Limits::USUAL, stop)
    }

    fn start(open: Opener, reconnect: bool, limits: Limits, stop: &AtomicBool) -> Result<Option<Self>> {
        let now = Instant::now();
        let mut source = Self {
            open,
            limits,
            reconnect,
            feed: None,
            count: Arc::default(),
            deadline: now,
            retry: (now, limits.first_pause),
            lost: false,
            trouble: None,
            frozen: Frozen::default(),
            decoder: Decoder::default(),
            pending: None,
            image: Yuv420::default(),
            timing: Timing::default(),
            about: None,
            info: SourceInfo::empty(Path::new("")),
            first: None,
            last_ticks: None,
        };
        while !source.ready()? {
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
        }
        Ok(Some(source))
    }

    /// The open camera's description.
    pub fn about(&self) -> Option<&About> {
        self.about.as_deref()
    }

    /// Starts the driver's thread once the pause is over.
    fn try_again(&mut self) -> Result<bool> {
        let wait = self.retry.0.saturating_duration_since(Instant::now());
        if !wait.is_zero() {
            thread::sleep(wait.min(TICK));
            return Ok(false);
        }
        let (open, count) = (Arc::clone(&self.open), Arc::clone(&self.count));
        self.feed = Some(Feed::start("camera", move |inlet| read(open.as_ref(), &count, inlet))?);
        self.deadline = Instant::now() + self.limits.opening;
        Ok(false)
    }

    /// Decodes a buffer; `true` if a picture is now available.
    fn look(&mut self, shot: &Shot) -> Result<bool> {
        let start = Instant::now();
        let used = match self.decoder.decode(shot.about.mode, &shot.data, &mut self.image) {
            Ok(used) => used,
            Err(error) => {
                log::debug!("frame {} of the camera: {error:#}", shot.index);
                self.trouble = Some(format!("{error:#}"));
                return if Instant::now() < self.deadline { Ok(false) } else { self.silent() };
            }
        };
        self.timing.clear();
        self.timing.since(Stage::Decode, start);
        let (size, known) = (self.image.size(), self.info.size);
        if self.about.is_none() {
            self.describe(&shot.about);
        } else if size != known {
            self.feed = None;
            let (width, height) = known;
            return self
                .lose(&format!("its pictures have changed from {width}×{height} to {}×{}", size.0, size.1));
        }
        if self.frozen.looks_so(&shot.data.slice(..used), self.limits.patience) {
            log::warn!("the camera keeps sending the same picture; is it frozen or covered?");
        }
        if std::mem::take(&mut self.lost) {
            log::warn!("the camera is there");
        }
        self.trouble = None;
        self.retry.1 = self.limits.first_pause;
        self.deadline = Instant::now() + self.limits.patience;
        self.pending = Some((shot.index, shot.captured));
        Ok(true)
    }

    /// Fills in what is known from the first picture.
    fn describe(&mut self, about: &Arc<About>) {
        self.info.files = vec![PathBuf::from(&about.path)];
        self.info.size = self.image.size();
        self.info.time_base = TIME_BASE;
        self.info.frame_rate = i32::try_from(about.mode.rate).ok().filter(|&rate| rate > 0).map(|r| (r, 1));
        self.info.color = self.image.color;
        self.info.range_stated = true;
        self.about = Some(Arc::clone(about));
    }

    /// Handles a camera that has not sent a picture for too long.
    fn silent(&mut self) -> Result<bool> {
        match self.trouble.take() {
            Some(trouble) => {
                self.feed = None;
                self.lose(&format!("the camera sends only broken pictures: {trouble}"))
            }
            // Its thread is blocked in the driver. It cannot be interrupted, but it will report when a buffer arrives.
            None => self.lose("the camera sends no pictures"),
        }
    }

    /// Handles a lost camera: fails, or starts waiting for it.
    fn lose(&mut self, reason: &str) -> Result<bool> {
        let message = match &self.about {
            None => reason.to_owned(),
            Some(about) => format!("camera lost: {} ({}): {reason}", about.name, about.path),
        };
        if !self.reconnect {
            let advice = if self.about.is_some() { "; pass --reconnect to wait for it" } else { "" };
            return Err(Fault::Device.error(message + advice));
        }
        if !std::mem::replace(&mut self.lost, true) {
            log::warn!("{message}; waiting for it");
        }
        let now = Instant::now();
        self.deadline = now + self.limits.patience;
        self.retry = (now + self.retry.1, (2 * self.retry.1).min(self.limits.longest_pause));
        Ok(false)
    }
}

impl Source for CameraSource {
    fn ready(&mut self) -> Result<bool> {
        if self.pending.is_some() {
            return Ok(true);
        }
        let Some(feed) = &self.feed else { return self.try_again() };
        match feed.wait(TICK) {
            Latest::New(shot) => self.look(&shot),
            Latest::Nothing if Instant::now() < self.deadline => Ok(false),
            Latest::Nothing => self.silent(),
            Latest::Closed => {
                let end = self.feed.take().map_or(Ok(()), Feed::end);
                self.lose(&end.map_or_else(|error| format!("{error:#}"), |()| "it has ended".to_owned()))
            }
        }
    }

    fn next(&mut self, frame: &mut Frame) -> Result<bool> {
        let (index, captured) = loop {
            if let Some(pending) = self.pending.take() {
                break pending;
            }
            self.ready()?;
        };
        let first = *self.first.get_or_insert(captured);
        let ticks = i64::try_from(captured.saturating_duration_since(first).as_micros()).unwrap_or(i64::MAX);
        let ticks = self.last_ticks.map_or(ticks, |last| ticks.max(last + 1));
        self.last_ticks = Some(ticks);
        std::mem::swap(&mut frame.image, &mut self.image);
        frame.timing.copy_from(&self.timing);
        frame.time = MediaTime { ticks, base: TIME_BASE };
        (frame.index, frame.captured) = (index, captured);
        Ok(true)
    }

    fn is_live(&self) -> bool {
        true
    }

    fn info(&self) -> &SourceInfo {
        &self.info
    }
}

/// The driver's thread: opens the camera and passes its buffers on until they are no longer wanted.
fn read(open: &dyn Fn() -> Result<Box<dyn Device>>, count: &AtomicU64, inlet: &SlotIn<Shot>) -> Result<()> {
    let mut device = open()?;
    let mut last: Option<Instant> = None;
    while inlet.is_wanted() {
        let device::Buffer { data, captured } = device.next()?;
        let apart = |last: Instant| captured.max(last) - captured.min(last);
        if last.is_some_and(|last| apart(last) < REPEAT) {
            continue;
        }
        last = Some(captured);
        let index = count.fetch_add(1, Ordering::Relaxed);
        inlet.put(Shot { about: device.about(), index, data, captured });
    }
    Ok(())
}

/// Decodes buffers into planes.
#[derive(Default)]
struct Decoder {
    jpeg: Option<JpegDecoder>,
}

impl Decoder {
    /// Fills `image`, and returns the length of the picture in the buffer.
    fn decode(&mut self, mode: Mode, data: &[u8], image: &mut Yuv420) -> Result<usize> {
        let size = (mode.width as usize, mode.height as usize);
        match mode.encoding {
            Encoding::Yuyv => unpack::yuyv(data, size, image),
            Encoding::Nv12 => unpack::nv12(data, size, image),
            Encoding::Mjpeg => {
                let decoder = match self.jpeg.take() {
                    Some(decoder) => decoder,
                    None => JpegDecoder::open()?,
                };
                self.jpeg.insert(decoder).decode(data, image)
            }
        }
    }
}

/// Detects consecutive pictures that are identical to the byte: no sensor is that free of noise.
#[derive(Default)]
struct Frozen {
    last: Bytes,
    since: Option<Instant>,
    said: bool,
}

impl Frozen {
    /// Whether it is time to report that, which happens only once.
    fn looks_so(&mut self, picture: &Bytes, patience: Duration) -> bool {
        if self.last != picture {
            (self.since, self.said) = (Some(Instant::now()), false);
        }
        self.last = picture.clone();
        let looks_so = self.since.is_some_and(|since| since.elapsed() > patience);
        looks_so && !std::mem::replace(&mut self.said, true)
    }
}

#[cfg(test)]
mod tests;
