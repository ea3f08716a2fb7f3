//! `facemark live` and raw video, as a user and other programs see them, without a camera or a display.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

#[path = "fidelity/hear.rs"]
mod hear;

const FACEMARK: &str = env!("CARGO_BIN_EXE_facemark");

fn clip() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("media/talker.mp4")
}

fn facemark(args: &[&str]) -> Command {
    // It receives signals even if this test run was started with them ignored, as by nohup.
    hear::signals();
    let mut command = Command::new(FACEMARK);
    command.args(args).env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY").stdin(Stdio::null());
    command
}

/// Runs `live` on the clip, which must fail with this code and one line that contains all the words.
fn fail(args: &[&str], code: i32, words: &[&str]) {
    fail_with(facemark(&["live"]).arg(clip()).args(args), args, code, words);
}

fn fail_with(command: &mut Command, args: &[&str], code: i32, words: &[&str]) {
    let output = command.output().expect("facemark starts");
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{args:?}: {message}");
    assert_eq!(message.lines().count(), 1, "{args:?}: {message}");
    for word in words {
        assert!(message.contains(word), "{args:?}: {message:?} does not say {word:?}");
    }
}

#[test]
fn without_a_display_it_names_the_ways_out() {
    fail(&[], 4, &["display", "--serve", "--no-window"]);
    fail_with(&mut facemark(&["live"]), &[], 4, &["display", "--serve", "--no-window"]);
}

#[test]
fn without_a_camera_it_says_how_to_go_on() {
    let args = ["live", "--no-window", "--jsonl", "-", "--camera", "none of this name"];
    fail_with(&mut facemark(&args), &args, 4, &["no camera none of this name", "facemark devices"]);
    if !Path::new("/dev/video0").exists() {
        fail_with(&mut facemark(&args[..4]), &args, 4, &["there is no camera", "facemark live talk.mp4"]);
        let output = facemark(&["devices"]).output().unwrap();
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), b"no camera\n".as_slice()));
        let output = facemark(&["devices", "--json"]).output().unwrap();
        assert_eq!(output.stdout, b"[]\n");
    }
}

#[test]
fn what_is_said_of_a_camera_does_not_go_with_a_file() {
    for args in [["--camera", "0"], ["--size", "640x480"], ["--fps", "30"], ["--camera-format", "yuyv"]] {
        let output = facemark(&["live"]).arg(clip()).args(args).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}");
    }
    let output = facemark(&["live", "--size", "640"]).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("write it like 1280x720"));
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_is_opened() {
    fail(&["--no-window"], 2, &["nothing to show", "--serve"]);
    fail(&["--serve", "0.0.0.0:0"], 2, &["--serve-allow-remote"]);
    fail(&["--no-window", "-o", "-"], 2, &["--format yuv4mpeg"]);
    fail(&["--no-window", "--osc", "localhost"], 2, &["HOST:PORT"]);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    fail(&["--serve", &taken.local_addr().unwrap().to_string()], 6, &["cannot serve", "another port"]);
}

/// A child that is killed whatever happens to the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Ctrl-C.
fn interrupt(child: &Running) {
    let kill = format!("kill -s INT {}", child.0.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().expect("sh starts").success());
}

#[test]
fn the_page_says_where_it_is_and_shows_the_faces() {
    let mut command = facemark(&["live", "--serve", "127.0.0.1:0", "--model", "nose"]);
    let mut child = Running(command.arg(clip()).stderr(Stdio::piped()).spawn().unwrap());
    let mut line = String::new();
    let mut stderr = BufReader::new(child.0.stderr.take().unwrap());
    stderr.read_line(&mut line).unwrap();
    let address =
        line.split("http://").nth(1).and_then(|rest| rest.split('/').next()).expect(&line).to_owned();
    let mut stream = TcpStream::connect(&address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    write!(stream, "GET /events HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
    let events = BufReader::new(stream).lines().map_while(Result::ok);
    let mut events = events.filter_map(|line| line.strip_prefix("data: ").map(str::to_owned));
    let event = events.next().unwrap();
    let event: Value = serde_json::from_str(&event).unwrap();
    assert_eq!((&event["width"], &event["data"]["faces"][0]["id"]), (&480.into(), &1.into()));
    // The time of one is recorded before the next is sent.
    events.next().unwrap();
    interrupt(&child);
    let mut end = String::new();
    stderr.read_to_string(&mut end).unwrap();
    assert!(end.contains("from capture to sending: p50"), "{end}");
}

/// The first picture that the page of a run shows.
fn first_picture(options: &[&str]) -> image::GrayImage {
    let mut command = facemark(&["live", "--serve", "127.0.0.1:0"]);
    let mut child =
        Running(command.args(options).arg(clip()).stderr(Stdio::piped()).spawn().expect("it starts"));
    let mut line = String::new();
    BufReader::new(child.0.stderr.take().expect("a pipe")).read_line(&mut line).expect("a line");
    let address = line.split("http://").nth(1).and_then(|rest| rest.split('/').next()).expect(&line);
    let mut stream = TcpStream::connect(address).expect("the page");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a limit");
    write!(stream, "GET /stream HTTP/1.1\r\nHost: {address}\r\n\r\n").expect("a request");
    let mut bytes = Vec::new();
    let end = |bytes: &[u8]| bytes.windows(2).position(|pair| pair == [0xff, 0xd9]);
    let length = loop {
        if let Some(end) = end(&bytes) {
            break end + 2;
        }
        let mut buffer = [0; 4096];
        let read = stream.read(&mut buffer).expect("more of the picture");
        assert!(read > 0, "the page ended");
        bytes.extend(&buffer[..read]);
    };
    let begin = bytes.windows(2).position(|pair| pair == [0xff, 0xd8]).expect("a beginning");
    image::load_from_memory(&bytes[begin..length]).expect("a picture").into_luma8()
}

#[test]
fn the_page_shows_no_face_that_is_to_be_hidden() {
    // The face of the clip is there in all frames.
    let detail = |picture: image::GrayImage| {
        let rows = (180..330).flat_map(|y| (190..300).map(move |x| (x, y)));
        rows.map(|(x, y)| u32::from(picture.get_pixel(x, y)[0].abs_diff(picture.get_pixel(x + 1, y)[0])))
            .sum::<u32>()
    };
    let bare = detail(first_picture(&[]));
    for how in ["--blur", "--mosaic"] {
        let hidden = detail(first_picture(&[how]));
        assert!(2 * hidden < bare, "{how}: {hidden} of {bare}");
    }
}

#[test]
fn datagrams_are_sent_while_the_file_plays() {
    let [osc, json] = [(), ()].map(|()| {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        socket
    });
    let address = |socket: &UdpSocket| socket.local_addr().unwrap().to_string();
    let mut command = facemark(&["live", "--no-window", "--model", "nose"]);
    command.args(["--osc", &address(&osc), "--udp", &address(&json)]).arg(clip());
    let child = Running(command.stderr(Stdio::null()).spawn().unwrap());
    let mut buffer = [0; 65_536];
    let length = json.recv(&mut buffer).unwrap();
    let line: Value = serde_json::from_slice(&buffer[..length]).unwrap();
    assert_eq!(line["faces"][0]["points"].as_array().unwrap().len(), 1);
    let length = osc.recv(&mut buffer).unwrap();
    assert!(buffer.starts_with(b"#bundle\0") && buffer[..length].len() % 4 == 0);
    drop(child);
}

#[test]
fn ffmpeg_reads_raw_video_with_its_size_rate_and_colours() {
    let mut producer =
        facemark(&["annotate", "--quiet", "--model", "nose", "-o", "-", "--format", "yuv4mpeg"]);
    let mut producer = Running(producer.arg(clip()).stdout(Stdio::piped()).spawn().unwrap());
    let raw = producer.0.stdout.take().unwrap();
    let entries = "stream=width,height,r_frame_rate,pix_fmt,color_range,nb_read_frames";
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-count_frames", "-show_entries", entries, "-of", "json", "-i", "-"])
        .stdin(raw)
        .output()
        .expect("ffprobe starts");
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let stream = &found["streams"][0];
    assert_eq!((&stream["width"], &stream["height"]), (&480.into(), &480.into()));
    assert_eq!((&stream["r_frame_rate"], &stream["nb_read_frames"]), (&"24/1".into(), &"120".into()));
    assert_eq!((&stream["pix_fmt"], &stream["color_range"]), (&"yuv420p".into(), &"tv".into()));
    assert!(producer.0.wait().unwrap().success());
}

#[test]
fn live_raw_video_has_as_many_pictures_as_the_clip_though_frames_are_dropped() {
    // 45 ms a frame or more: many of the clip's 24 a second are dropped.
    let mut producer = facemark(&[
        "live",
        "--quiet",
        "--no-window",
        "--model",
        "full-face",
        "-o",
        "-",
        "--format",
        "yuv4mpeg",
    ]);
    let mut producer = Running(producer.arg(clip()).stdout(Stdio::piped()).spawn().unwrap());
    let mut bytes = Vec::new();
    producer.0.stdout.take().unwrap().read_to_end(&mut bytes).unwrap();
    assert!(producer.0.wait().unwrap().success());
    let header = bytes.iter().position(|&b| b == b'\n').unwrap() + 1;
    let picture = "FRAME\n".len() + 480 * 480 * 3 / 2;
    assert_eq!((bytes.len() - header) % picture, 0);
    // The last frames can be among those dropped.
    let pictures = (bytes.len() - header) / picture;
    assert!((110..=122).contains(&pictures), "{pictures}");
}

#[test]
fn a_reader_that_goes_ends_the_run_without_complaint() {
    let mut command = facemark(&["annotate", "--model", "nose", "-o", "-", "--format", "yuv4mpeg"]);
    let command = command.arg(clip()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = Running(command.spawn().unwrap());
    let mut start = [0; 10];
    child.0.stdout.take().unwrap().read_exact(&mut start).unwrap();
    assert_eq!(&start, b"YUV4MPEG2 ");
    let mut message = String::new();
    child.0.stderr.take().unwrap().read_to_string(&mut message).unwrap();
    assert_eq!((child.0.wait().unwrap().code(), message.as_str()), (Some(141), ""));
}

/// Start and end of an event in nanoseconds: the file has them in microseconds with three decimals.
fn begin_and_end(event: &Value) -> (i64, i64) {
    let ns = |key: &str| (event[key].as_f64().expect("a number") * 1e3).round() as i64;
    (ns("ts"), ns("ts") + ns("dur"))
}

#[test]
fn a_trace_holds_what_its_viewers_demand() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace.json");
    let mut command = facemark(&["live", "--no-window", "--quiet", "--model", "nose", "-o", "-"]);
    command.args(["--format", "yuv4mpeg", "--jsonl", "/dev/null", "--trace"]).arg(&path).arg(clip());
    assert!(command.stdout(Stdio::null()).status().unwrap().success());
    let events: Vec<Value> = serde_json::from_slice(&std::fs::read(&path).unwrap()).expect("JSON");
    let of = |kind: &str| events.iter().filter(|event| event["ph"] == kind).collect::<Vec<_>>();
    let (names, spans, begins, ends) = (of("M"), of("X"), of("b"), of("e"));
    assert_eq!(names.len() + spans.len() + begins.len() + ends.len(), events.len());
    let lanes: Vec<_> = names.iter().map(|name| &name["tid"]).collect();
    assert!(events.iter().all(|event| event["pid"] == 1 && lanes.contains(&&event["tid"])));
    for stage in ["decode", "detect", "crop", "infer", "smooth", "track", "draw"] {
        assert!(spans.iter().any(|span| span["name"] == stage), "{stage}");
    }
    // The spans of a thread follow one another or are nested.
    for lane in lanes {
        let mut times: Vec<_> =
            spans.iter().filter(|s| s["tid"] == *lane).map(|s| begin_and_end(s)).collect();
        times.sort_by_key(|&(begin, end)| (begin, -end));
        let mut around: Vec<i64> = Vec::new();
        for (begin, end) in times {
            assert!(0 <= begin && begin <= end, "{begin} to {end} ns");
            around.retain(|&outer| outer > begin);
            assert!(around.last().is_none_or(|&outer| end <= outer), "{begin} to {end} ns in {around:?}");
            around.push(end);
        }
    }
    // Latencies overlap: each begin event has its end event, found by category, number and name.
    assert!(!begins.is_empty());
    for begin in begins {
        let is_its = |end: &&&Value| ["cat", "id", "name", "tid"].iter().all(|&key| end[key] == begin[key]);
        let [end] = ends.iter().filter(is_its).collect::<Vec<_>>()[..] else {
            panic!("{begin} has not one end")
        };
        assert!(end["ts"].as_f64() >= begin["ts"].as_f64(), "{begin}, {end}");
    }
}

#[test]
fn ctrl_c_does_not_wait_for_the_next_picture() {
    let folder = tempfile::tempdir().unwrap();
    let (slides, lines) = (folder.path().join("slides.mkv"), folder.path().join("out.jsonl"));
    // A picture every half minute.
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(clip())
        .args(["-an", "-frames:v", "3", "-vf", "setpts=N*30/TB", "-r", "1/30", "-c:v", "mjpeg"])
        .arg(&slides)
        .status();
    assert!(made.expect("ffmpeg starts").success());
    let mut command = facemark(&["live", "--no-window", "--quiet", "--model", "nose", "--jsonl"]);
    let mut child = Running(command.arg(&lines).arg(&slides).spawn().unwrap());
    let partial = folder.path().join("out.jsonl.partial");
    let started = Instant::now();
    while !std::fs::read_to_string(&partial).is_ok_and(|text| text.ends_with('\n')) {
        assert!(started.elapsed() < Duration::from_secs(20), "no frame has come");
        thread::sleep(Duration::from_millis(20));
    }
    let start = Instant::now();
    interrupt(&child);
    assert_eq!(child.0.wait().unwrap().code(), Some(130));
    // A tenth of a second, plus what a busy machine adds.
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    assert_eq!(std::fs::read_to_string(&lines).unwrap().lines().count(), 1);
}
