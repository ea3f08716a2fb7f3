//! The server as a client on the network sees it.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::time::Instant;

use facemark::Face;
use facemark::geometry::{Point, Region};

use super::*;
use crate::frame::MediaTime;

const LONG: Duration = Duration::from_secs(10);

fn page() -> Page {
    let info = SourceInfo { size: (64, 48), ..SourceInfo::empty(Path::new("folder/talk.mp4")) };
    Server::bind(([127, 0, 0, 1], 0).into(), false).unwrap().start(info, Scheme::Nose, true).unwrap()
}

fn tracked(index: u64, size: (usize, usize)) -> Tracked {
    let mut frame = Frame::empty();
    frame.image.resize(size.0, size.1);
    frame.image.luma.data_mut().fill(90);
    frame.image.chroma.iter_mut().for_each(|plane| plane.data_mut().fill(128));
    (frame.index, frame.time) = (index, MediaTime { ticks: 1, base: (1, 4) });
    let region = Region { center: Point::new(5.0, 5.0), size: 9.0, angle: 0.0 };
    let face = Face {
        id: 3,
        region,
        landmarks: vec![Point::new(1.5, 2.25)],
        score: 1.0,
        more: Default::default(),
        measures: None,
    };
    Tracked { frame, faces: vec![face] }
}

/// Sends a request; the status and a reader of what follows the head.
fn get(page: &Page, path: &str, headers: &str) -> (String, BufReader<TcpStream>) {
    let mut stream = TcpStream::connect(page.address).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\n{headers}\r\n").unwrap();
    let mut reader = BufReader::new(stream);
    let mut status = String::new();
    reader.read_line(&mut status).unwrap();
    let mut line = String::new();
    while reader.read_line(&mut line).unwrap() > 2 {
        line.clear();
    }
    (status.trim_end().to_owned(), reader)
}

fn body(mut reader: BufReader<TcpStream>) -> String {
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    text
}

/// Writes frames until the work is done: a viewer only gets what arrives after it has joined.
fn with_frames<T>(page: &mut Page, work: impl FnOnce() -> T + Send) -> T
where
    T: Send,
{
    thread::scope(|scope| {
        let work = scope.spawn(work);
        for index in 0.. {
            if work.is_finished() {
                break;
            }
            page.write(&mut tracked(2 * index, (64, 48))).unwrap();
            thread::sleep(Duration::from_millis(5));
        }
        work.join().unwrap()
    })
}

/// The next part's type and body.
fn part(reader: &mut BufReader<TcpStream>) -> (String, Vec<u8>) {
    let mut line = String::new();
    let mut next = || {
        line.clear();
        reader.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    };
    assert_eq!(next(), "--frame");
    let kind = next().strip_prefix("Content-Type: ").unwrap().to_owned();
    let length = next().strip_prefix("Content-Length: ").unwrap().parse().unwrap();
    assert_eq!(next(), "");
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    assert_eq!(
        {
            let mut end = [0; 2];
            reader.read_exact(&mut end).unwrap();
            end
        },
        *b"\r\n"
    );
    (kind, body)
}

#[test]
fn the_page_and_what_it_has_to_know_are_served() {
    let page = page();
    assert_eq!(page.sending().latencies(), None);
    let (status, reader) = get(&page, "/", "Host: localhost\r\n");
    assert_eq!(status, "HTTP/1.1 200 OK");
    assert!(body(reader).contains("<canvas id=\"picture\""));
    let (_, reader) = get(&page, "/info", "Host: 127.0.0.1:1234\r\n");
    let info: serde_json::Value = serde_json::from_str(&body(reader)).unwrap();
    assert_eq!((&info["name"], &info["mirrored"]), (&"talk.mp4".into(), &true.into()));
    assert!(get(&page, "/nothing", "Host: localhost\r\n").0.contains("404"));
}

#[test]
fn other_hosts_and_long_requests_are_refused() {
    let page = page();
    assert!(get(&page, "/", "Host: evil.example\r\n").0.contains("403"));
    assert!(get(&page, "/stream", "Host: localhost\r\nOrigin: http://evil.example\r\n").0.contains("403"));
    let long = format!("Host: localhost\r\nX: {}\r\n", "x".repeat(9000));
    let mut stream = TcpStream::connect(page.address).unwrap();
    write!(stream, "GET / HTTP/1.1\r\n{}", &long[..8900]).unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 431");
    // A complete one is refused, too.
    for (length, status) in [(8000, "200"), (8300, "431")] {
        let headers = format!("Host: localhost\r\nX: {}\r\n", "x".repeat(length));
        assert!(get(&page, "/", &headers).0.contains(status), "{length}");
    }
}

#[test]
fn a_picture_follows_its_landmarks() {
    let mut page = page();
    let (_, mut reader) = get(&page, "/stream", "Host: localhost\r\n");
    // The third part is sent once the first picture's time is noted.
    let [(json, event), (jpeg, picture), _] =
        with_frames(&mut page, || std::array::from_fn(|_| part(&mut reader)));
    assert_eq!((json.as_str(), jpeg.as_str()), ("application/json", "image/jpeg"));
    let event: serde_json::Value = serde_json::from_slice(&event).unwrap();
    let data = &event["data"];
    assert_eq!((&data["file"], &data["time"]), (&"folder/talk.mp4".into(), &0.25.into()));
    assert_eq!(data["faces"][0]["points"][0], serde_json::json!([1.5, 2.25]));
    assert_eq!((&event["width"], &event["height"]), (&64.into(), &48.into()));
    assert!(event["latency_ms"].as_f64().unwrap() >= 0.0);
    assert!(page.sending().latencies().unwrap().starts_with("from capture to sending: p50 "));
    // Every second number is left out above.
    assert_eq!(event["dropped"].as_u64().unwrap() * 2, data["frame"].as_u64().unwrap());
    assert_eq!(image::load_from_memory(&picture).unwrap().to_rgb8().dimensions(), (64, 48));
}

#[test]
fn players_get_pictures_and_programs_get_events() {
    let mut page = page();
    let (_, mut video) = get(&page, "/video.mjpeg", "Host: localhost\r\n");
    let (_, mut events) = get(&page, "/events", "Host: localhost\r\n");
    with_frames(&mut page, || {
        for _ in 0..2 {
            let (kind, picture) = part(&mut video);
            assert_eq!((kind.as_str(), &picture[..2]), ("image/jpeg", &b"\xff\xd8"[..]));
        }
        let mut line = String::new();
        events.read_line(&mut line).unwrap();
        let event: serde_json::Value = serde_json::from_str(line.strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(event["data"]["faces"][0]["id"], 3);
    });
}

#[test]
fn a_viewer_that_reads_nothing_holds_nobody_up() {
    let mut page = page();
    let stalled: Vec<_> = (0..VIEWERS - 1).map(|_| get(&page, "/stream", "Host: localhost\r\n").1).collect();
    let (_, mut reader) = get(&page, "/stream", "Host: localhost\r\n");
    // One more than there are places for.
    assert!(get(&page, "/stream", "Host: localhost\r\n").0.contains("503"));
    let start = Instant::now();
    // Far more than the network's buffers hold for viewers that do not read.
    let mut slowest = Duration::ZERO;
    let numbers = thread::scope(|scope| {
        let reading = scope.spawn(|| {
            (0..20)
                .map(|_| {
                    let event: serde_json::Value = serde_json::from_slice(&part(&mut reader).1).unwrap();
                    part(&mut reader);
                    event["data"]["frame"].as_u64().unwrap()
                })
                .collect::<Vec<_>>()
        });
        for index in 0.. {
            if reading.is_finished() {
                break;
            }
            let mut next = tracked(index, (640, 480));
            let before = Instant::now();
            page.write(&mut next).unwrap();
            slowest = slowest.max(before.elapsed());
            thread::sleep(Duration::from_millis(2));
        }
        reading.join().unwrap()
    });
    assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
    assert!(slowest < Duration::from_secs(1) && start.elapsed() < LONG, "{slowest:?}");
    drop(stalled);
}

#[test]
fn the_end_of_the_frames_is_the_end_of_the_streams() {
    let page = page();
    let (_, reader) = get(&page, "/events", "Host: localhost\r\n");
    drop(page);
    assert!(body(reader).trim_matches([':', '\n', '\r']).is_empty());
}

#[test]
fn other_machines_are_refused_unless_they_may_and_a_taken_port_is_said() {
    let any = ([0, 0, 0, 0], 0).into();
    assert_eq!(Fault::of(&Server::bind(any, false).err().unwrap()), Fault::Usage);
    let first = Server::bind(([127, 0, 0, 1], 0).into(), false).unwrap();
    let error = Server::bind(first.address(), false).err().unwrap();
    assert_eq!(Fault::of(&error), Fault::Output);
    assert!(error.to_string().contains("another port"));
}
