//! One connection: reads its request, answers, and streams for as long as it is read.

use std::io::{self, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::encode::Shown;
use super::http::{Refusal, Request, answer, begin};
use super::{Place, VIEWERS};
use crate::threads::{Latest, slot};

const PAGE: &str = include_str!("page.html");
/// A viewer that takes nothing for so long is let go.
const PATIENCE: Duration = Duration::from_secs(5);
/// While no frame comes, something is sent this often to see whether anybody is there.
const PULSE: Duration = Duration::from_secs(2);

/// How frames are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stream {
    /// JSON and JPEG by turns, for the page.
    Both,
    /// JPEG alone, which players and `<img>` understand.
    Pictures,
    /// JSON alone, as server-sent events.
    Events,
}

/// Serves a connection to its end.
pub(super) fn serve(mut stream: TcpStream, place: &Place) {
    // That a viewer has gone is no news.
    if let Err(error) = converse(&mut stream, place) {
        log::debug!("a viewer is gone: {error}");
    }
}

fn converse(stream: &mut TcpStream, place: &Place) -> io::Result<()> {
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    let request = match Request::read(stream)?.and_then(|request| {
        request.check(place.hub.remote)?;
        Ok(request)
    }) {
        Ok(request) => request,
        Err(Refusal(status)) => return answer(stream, status, "text/plain", status.as_bytes()),
    };
    match request.path.as_str() {
        "/" => answer(stream, "200 OK", "text/html; charset=utf-8", PAGE.as_bytes()),
        "/info" => answer(stream, "200 OK", "application/json", place.hub.info.as_bytes()),
        "/stream" => send_all(stream, place, Stream::Both),
        "/video.mjpeg" => send_all(stream, place, Stream::Pictures),
        "/events" => send_all(stream, place, Stream::Events),
        _ => answer(
            stream,
            "404 Not Found",
            "text/plain",
            b"there are /, /info, /stream, /video.mjpeg, /events",
        ),
    }
}

/// Sends every frame that finds the slot empty, until the frames or the viewer end.
fn send_all(stream: &mut TcpStream, place: &Place, kind: Stream) -> io::Result<()> {
    let Some(_viewer) = Place::take(&place.hub, |hub| &hub.viewers, VIEWERS) else {
        let full = format!("{VIEWERS} streams are being watched already");
        return answer(stream, "503 Service Unavailable", "text/plain", full.as_bytes());
    };
    let (inlet, frames) = slot::<Arc<Shown>>();
    if place.hub.joining.send_timeout(inlet, PATIENCE).is_err() {
        return answer(stream, "503 Service Unavailable", "text/plain", b"no frames come");
    }
    let content = match kind {
        Stream::Both => "multipart/mixed; boundary=frame",
        Stream::Pictures => "multipart/x-mixed-replace; boundary=frame",
        Stream::Events => "text/event-stream",
    };
    begin(stream, "200 OK", &format!("Content-Type: {content}\r\n"))?;
    loop {
        match frames.wait(PULSE) {
            Latest::New(shown) => {
                send(stream, kind, &shown)?;
                place.hub.sending.add(shown.captured.elapsed());
            }
            Latest::Nothing if place.hub.over.load(Ordering::Relaxed) => return Ok(()),
            // An empty line is nothing between parts, and a comment between events.
            Latest::Nothing => stream.write_all(if kind == Stream::Events { b":\n\n" } else { b"\r\n" })?,
            Latest::Closed => return Ok(()),
        }
    }
}

fn send(stream: &mut TcpStream, kind: Stream, shown: &Shown) -> io::Result<()> {
    let mut part = |content: &str, body: &[u8]| {
        write!(stream, "--frame\r\nContent-Type: {content}\r\nContent-Length: {}\r\n\r\n", body.len())?;
        stream.write_all(body)?;
        stream.write_all(b"\r\n")
    };
    match kind {
        Stream::Both => {
            part("application/json", shown.json.as_bytes())?;
            part("image/jpeg", &shown.jpeg)
        }
        Stream::Pictures => part("image/jpeg", &shown.jpeg),
        Stream::Events => write!(stream, "data: {}\n\n", shown.json),
    }
}
