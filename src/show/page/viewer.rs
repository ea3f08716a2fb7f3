//! One connection: reads the request, answers it, and streams for as long as the viewer reads.

use std::io::{self, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::encode::Shown;
use super::http::{Refusal, Request, answer, begin, drain};
use super::{Place, VIEWERS};
use crate::threads::{Latest, slot};

const PAGE: &str = include_str!("page.html");
/// A viewer that reads nothing for this long is disconnected.
const PATIENCE: Duration = Duration::from_secs(5);
/// While no frame arrives, something is sent this often, to see whether the viewer is still there.
const PULSE: Duration = Duration::from_secs(2);

/// Serves a connection until it closes.
pub(super) fn serve(mut stream: TcpStream, place: &Place) {
    // Viewers come and go.
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
        Err(Refusal(status)) => {
            answer(stream, status, "text/plain", status.as_bytes())?;
            return drain(stream);
        }
    };
    match request.path.as_str() {
        "/" => answer(stream, "200 OK", "text/html; charset=utf-8", PAGE.as_bytes()),
        "/info" => answer(stream, "200 OK", "application/json", place.hub.info.as_bytes()),
        "/stream" => send_all(stream, place, "multipart/mixed; boundary=frame", |shown| &shown.parts),
        "/video.mjpeg" => send_all(stream, place, "multipart/x-mixed-replace; boundary=frame", |shown| {
            &shown.parts[shown.picture..]
        }),
        "/events" => send_all(stream, place, "text/event-stream", |shown| &shown.event),
        _ => answer(
            stream,
            "404 Not Found",
            "text/plain",
            b"there are /, /info, /stream, /video.mjpeg, /events",
        ),
    }
}

/// Sends the newest frame whenever the viewer has read the previous one, until the frames or the viewer end.
fn send_all(
    stream: &mut TcpStream,
    place: &Place,
    kind: &str,
    content: impl Fn(&Shown) -> &[u8],
) -> io::Result<()> {
    let Some(_viewer) = Place::take(&place.hub, |hub| &hub.viewers, VIEWERS) else {
        let full = format!("{VIEWERS} streams are being watched already");
        return answer(stream, "503 Service Unavailable", "text/plain", full.as_bytes());
    };
    let (inlet, frames) = slot::<Arc<Shown>>();
    if place.hub.joining.send_timeout(inlet, PATIENCE).is_err() {
        return answer(stream, "503 Service Unavailable", "text/plain", b"no frames come");
    }
    begin(stream, "200 OK", &format!("Content-Type: {kind}\r\n"))?;
    loop {
        match frames.wait(PULSE) {
            Latest::New(shown) => {
                stream.write_all(content(&shown))?;
                place.hub.sending.add(shown.captured.elapsed());
            }
            Latest::Nothing if place.hub.over.load(Ordering::Relaxed) => return Ok(()),
            // An empty line means nothing, neither between parts nor between events.
            Latest::Nothing => stream.write_all(b"\r\n")?,
            Latest::Closed => return Ok(()),
        }
    }
}
