//! The live picture on a page: a small web server. Each viewer has a thread and a slot that holds only the newest
//! picture, so a slow viewer misses pictures and holds up nothing.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use anyhow::Result;
use crossbeam::channel::Sender;
use facemark::face::Scheme;
use hdrhistogram::Histogram;
use serde_json::json;

use crate::error::{Blame, Fault};
use crate::frame::{Frame, Stage, Tracked};
use crate::output::jsonl::to_line;
use crate::output::report::{in_words, nanoseconds};
use crate::output::{End, Sink};
use crate::source::SourceInfo;
use crate::threads::{Latest, SlotIn, SlotOut, queue, slot, spawn};

mod encode;
mod http;
mod jpeg;
mod viewer;

use encode::{Shot, Shown, encode};
use viewer::serve;

/// How many streams are served at once.
const VIEWERS: usize = 8;
/// How many connections are open at once, including those whose request is still being read.
const CONNECTIONS: usize = 32;

/// A server that has bound its address but does not answer yet.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    remote: bool,
}

/// What the threads share.
struct Hub {
    /// What the page needs to know first, as JSON.
    info: String,
    remote: bool,
    over: AtomicBool,
    connections: AtomicUsize,
    viewers: AtomicUsize,
    /// New viewers' slots, on their way to the thread that fills them.
    joining: Sender<SlotIn<Arc<Shown>>>,
    sending: Sending,
}

/// How long pictures took from capture until they were handed to the viewers' connections. What comes after that, the
/// network and the browser, cannot be seen from here.
#[derive(Clone, Debug)]
pub struct Sending(Arc<Mutex<Histogram<u64>>>);

impl Sending {
    fn new() -> Result<Self> {
        Ok(Self(Arc::new(Mutex::new(Histogram::new(3)?))))
    }

    fn add(&self, time: Duration) {
        if let Ok(mut times) = self.0.lock() {
            // The histogram grows as needed; if there is no memory for that, this time is left out.
            let _ = times.record(nanoseconds(time));
        }
    }

    /// One line about all pictures sent so far, if there were any.
    pub fn latencies(&self) -> Option<String> {
        let times = self.0.lock().ok()?;
        Some(format!("from capture to sending: {}; {} pictures sent", in_words(&times)?, times.len()))
    }
}

/// Shows every frame on a page.
pub struct Page {
    hub: Arc<Hub>,
    address: SocketAddr,
    shots: SlotIn<Shot>,
    /// Copies that are no longer needed, to reuse their memory.
    used: SlotOut<Shot>,
    spare: Option<Shot>,
    info: SourceInfo,
    dropped: u64,
    last_index: Option<u64>,
}

impl Server {
    /// Binds the address. Port 0 means any free port.
    ///
    /// # Errors
    /// [`Fault::Usage`] for an address that other machines can reach, unless `allow_remote`; [`Fault::Output`] if the
    /// address is taken or not ours.
    pub fn bind(address: SocketAddr, allow_remote: bool) -> Result<Self> {
        let remote = !address.ip().is_loopback();
        if remote && !allow_remote {
            return Err(Fault::Usage.error(format!(
                "with --serve {address} other machines can watch; use 127.0.0.1, or pass --serve-allow-remote if \
                 they may"
            )));
        }
        let listener = TcpListener::bind(address).blame(Fault::Output, || {
            format!("cannot serve on {address}; choose another port, or 0 for any")
        })?;
        let address = listener.local_addr().blame(Fault::Output, || "cannot serve")?;
        if remote {
            log::warn!("anybody who can reach {address} can watch: there is no password and no encryption");
        }
        Ok(Self { listener, address, remote })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Starts answering, for frames of a source like this.
    ///
    /// # Errors
    /// If the system cannot create a thread.
    pub fn start(self, info: SourceInfo, scheme: Scheme, mirrored: bool) -> Result<Page> {
        let (shots, to_encode) = slot();
        let (give_back, used) = slot();
        let (joining, joined) = queue(VIEWERS);
        let hub = Arc::new(Hub {
            info: about(&info, scheme, mirrored),
            remote: self.remote,
            over: AtomicBool::new(false),
            connections: AtomicUsize::new(0),
            viewers: AtomicUsize::new(0),
            joining,
            sending: Sending::new()?,
        });
        spawn("page pictures", move || encode(&to_encode, &give_back, &joined))?;
        let accepting = Arc::clone(&hub);
        let listener = self.listener;
        spawn("page connections", move || accept(&listener, &accepting))?;
        Ok(Page { hub, address: self.address, shots, used, spare: None, info, dropped: 0, last_index: None })
    }
}

/// What the page needs to know: the video's name, the shape of its pixels, which landmarks are joined.
fn about(info: &SourceInfo, scheme: Scheme, mirrored: bool) -> String {
    let contours: Vec<_> = scheme
        .contours()
        .iter()
        .map(|contour| json!({"points": contour.points, "closed": contour.closed}))
        .collect();
    let name = info.file(0).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let aspect = info.pixel_aspect.map_or(1.0, |(x, y)| f64::from(x) / f64::from(y));
    json!({"name": name, "pixel_aspect": aspect, "mirrored": mirrored, "contours": contours}).to_string()
}

fn accept(listener: &TcpListener, hub: &Arc<Hub>) {
    for stream in listener.incoming() {
        if hub.over.load(Ordering::Relaxed) {
            return;
        }
        match stream {
            Ok(stream) => {
                // A connection beyond the limit, or without a thread, is closed at once.
                let Some(place) = Place::take(hub, |hub| &hub.connections, CONNECTIONS) else { continue };
                let served = spawn("page viewer", move || serve(stream, &place));
                if let Err(error) = served {
                    log::debug!("{error:#}");
                }
            }
            // Most likely too many files are open; wait until some are closed.
            Err(error) => {
                log::debug!("a connection failed: {error}");
                thread::sleep(Duration::from_millis(100));
            }
        }
    }
}

/// One of a limited number of places, given back when dropped.
struct Place {
    hub: Arc<Hub>,
    counter: fn(&Hub) -> &AtomicUsize,
}

impl Place {
    fn take(hub: &Arc<Hub>, counter: fn(&Hub) -> &AtomicUsize, most: usize) -> Option<Self> {
        let one_more = |taken: usize| (taken < most).then_some(taken + 1);
        counter(hub).fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok()?;
        Some(Self { hub: Arc::clone(hub), counter })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        (self.counter)(&self.hub).fetch_sub(1, Ordering::Relaxed);
    }
}

impl Page {
    /// How long sending takes; to be read at the end.
    pub fn sending(&self) -> Sending {
        self.hub.sending.clone()
    }
}

impl Sink for Page {
    fn write(&mut self, tracked: &mut Tracked) -> Result<()> {
        let frame = &tracked.frame;
        if let Some(last) = self.last_index.replace(frame.index) {
            self.dropped += frame.index.saturating_sub(last + 1);
        }
        if self.hub.viewers.load(Ordering::Relaxed) == 0 {
            return Ok(());
        }
        let mut shot = match (self.spare.take(), self.used.take()) {
            (Some(shot), _) | (None, Latest::New(shot)) => shot,
            _ => Shot { frame: Frame::empty(), line: String::new(), track: None, dropped: 0 },
        };
        shot.frame.copy_from(frame);
        shot.line = to_line(tracked, &tracked.faces, &self.info)?;
        shot.track = frame.timing.get(Stage::Track);
        shot.dropped = self.dropped;
        self.spare = self.shots.put(shot);
        Ok(())
    }

    fn finish(&mut self, _: End) -> Result<()> {
        Ok(())
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        self.hub.over.store(true, Ordering::Relaxed);
        // Wakes the thread that waits for connections, so that it notices the end.
        let _ = TcpStream::connect_timeout(&self.address, Duration::from_millis(100));
    }
}

#[cfg(test)]
mod tests;
