//! Inputs that point elsewhere.

use std::ffi::OsStr;
use std::fs;
use std::net::TcpListener;

use crate::fixtures::Bench;
use crate::program::{Run, annotate};
use crate::table::Row;

#[test]
fn no_input_leads_elsewhere() {
    let mut row = Row::new("network, playlists, concat and other protocols");
    let bench = Bench::new();
    let clip = bench.movie("a.mp4");
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    server.set_nonblocking(true).unwrap();
    let port = server.local_addr().unwrap().port();
    let local = clip.to_str().unwrap();
    for scheme in ["http", "https", "tcp", "tls", "rtsp", "rtmp", "ftp", "udp", "mmsh", "gopher"] {
        let url = format!("{scheme}://127.0.0.1:{port}/a.mp4");
        let run = refuse(&bench, url.as_ref());
        assert!(run.stderr.contains("download it first"), "{run:?}");
        row.count();
    }
    for other in ["file", "concat", "async", "cache", "crypto", "subfile,,start,0,end,0,,"] {
        refuse(&bench, format!("{other}:{local}").as_ref());
        row.count();
    }
    refuse(&bench, "data:video/mp4;base64,AAAA".as_ref());
    refuse(&bench, "pipe:0".as_ref());
    bench.ffmpeg("-i a.mp4 -c copy -f hls part.m3u8");
    let url = format!("http://127.0.0.1:{port}/a.mp4");
    let sdp =
        format!("v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video {port} RTP/AVP 96\n");
    let mpd = format!(
        "<?xml version=\"1.0\"?><MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" type=\"static\" \
         mediaPresentationDuration=\"PT2S\"><Period><AdaptationSet mimeType=\"video/mp4\"><Representation id=\"1\" \
         bandwidth=\"1\"><BaseURL>{url}</BaseURL></Representation></AdaptationSet></Period></MPD>"
    );
    for (name, text) in [
        ("local.m3u8", fs::read_to_string(bench.path("part.m3u8")).unwrap()),
        ("network.m3u8", format!("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{url}\n#EXT-X-ENDLIST\n")),
        ("passwords.m3u8", "#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n".to_owned()),
        ("local.ffconcat", format!("ffconcat version 1.0\nfile '{local}'\n")),
        ("network.ffconcat", format!("ffconcat version 1.0\nfile {url}\n")),
        ("stream.sdp", sdp),
        ("list.mpd", mpd),
        ("list.pls", format!("[playlist]\nFile1={url}\n")),
        ("link.url", format!("[InternetShortcut]\nURL={url}\n")),
    ] {
        // Also under a name that promises a video.
        for name in [name, "video.mp4"] {
            fs::write(bench.path(name), &text).unwrap();
            refuse(&bench, bench.path(name).as_os_str());
            row.count();
        }
    }
    assert!(server.accept().is_err(), "somebody has called the server");
    row.outcome("all refused with exit 3, 0 connections, no local file read");
}

#[track_caller]
fn refuse(bench: &Bench, input: &OsStr) -> Run {
    let run =
        annotate(input.as_ref(), &[("-o", &bench.path("out.mp4")), ("--jsonl", &bench.path("out.jsonl"))]);
    assert_eq!(run.code, 3, "{input:?}: {run:?}");
    assert_eq!(run.stderr.lines().count(), 1, "{run:?}");
    assert!(!run.stderr.contains("root:"), "{run:?}");
    assert!(!bench.files().iter().any(|name| name.starts_with("out.")), "{:?}", bench.files());
    run
}
