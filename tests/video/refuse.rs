//! What is refused, and with which messages.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use facemark_cli::error::Fault;
use facemark_cli::source::{Source, video::VideoSource};

use crate::support::{Bench, create};

/// The message with which opening a file fails.
#[track_caller]
fn refusal(file: &Path) -> String {
    let error = VideoSource::open(file, 0).err().unwrap_or_else(|| panic!("{} was taken", file.display()));
    assert_eq!(Fault::of(&error), Fault::Input, "{error:#}");
    let message = format!("{error:#}");
    assert!(!message.contains('\n') && message.contains(&*file.to_string_lossy()), "{message}");
    message
}

#[test]
fn files_that_are_no_videos_each_get_their_own_reason() {
    let bench = Bench::new();
    let whole = fs::read(bench.movie("a.mp4")).unwrap();
    bench.ffmpeg("-i a.mp4 -vn -c copy sound.mp4");
    bench.ffmpeg("-f lavfi -i color=red:size=64x64 -frames:v 1 cover.jpg");
    bench.ffmpeg("-i sound.mp4 -i cover.jpg -map 0 -map 1 -c copy -disposition:v:0 attached_pic cover.m4a");
    bench.ffmpeg("-i a.mp4 -c copy -an -movflags empty_moov+frag_keyframe fragments.mp4");
    let fragments = fs::read(bench.path("fragments.mp4")).unwrap();
    let header = fragments.windows(4).position(|name| name == b"moof").unwrap() - 4;
    bench.ffmpeg("-i a.mp4 -c copy -an mute.mp4");
    let mut garbled = fs::read(bench.path("mute.mp4")).unwrap();
    let pictures = garbled.windows(4).position(|name| name == b"mdat").unwrap() + 4;
    let index = garbled.windows(4).position(|name| name == b"moov").unwrap() - 4;
    garbled[pictures..index].fill(0xff);
    let noise: Vec<u8> = (0..50_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for (name, bytes) in [
        ("empty.mp4", &b""[..]),
        ("text.mp4", b"Dear diary,\ntoday I renamed a file.\n"),
        ("cut.mp4", &whole[..whole.len() / 2]),
        ("noise.mp4", &noise),
        ("nothing.mp4", &fragments[..header]),
        ("garbled.mp4", &garbled),
        ("list.m3u8", b"#EXTM3U\n#EXTINF:1,\na.mp4\n"),
    ] {
        fs::write(bench.path(name), bytes).unwrap();
    }
    fs::create_dir(bench.path("folder.mp4")).unwrap();
    let cases = [
        ("missing.mp4", "No such file"),
        ("folder.mp4", "is a folder"),
        ("empty.mp4", "is empty"),
        ("text.mp4", "is text"),
        ("cut.mp4", "cut short"),
        ("noise.mp4", "no video format"),
        ("list.m3u8", "playlist"),
        ("sound.mp4", "only audio"),
        ("cover.m4a", "only a cover picture"),
        ("nothing.mp4", "no picture in it"),
        ("garbled.mp4", "not one picture could be decoded"),
    ];
    let mut reasons = HashSet::new();
    for (name, reason) in cases {
        let message = refusal(&bench.path(name));
        assert!(message.contains(reason), "{name}: {message}");
        assert!(reasons.insert(message.replace(name, "")), "{name}: {message}");
    }
}

#[test]
fn no_file_leads_to_another() {
    let bench = Bench::new();
    bench.movie("a.mp4");
    bench.ffmpeg("-i a.mp4 -c copy -f hls list.m3u8");
    fs::write(bench.path("list.ffconcat"), "ffconcat version 1.0\nfile a.mp4\n").unwrap();
    let sdp = "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n";
    fs::write(bench.path("stream.sdp"), sdp).unwrap();
    for name in ["list.m3u8", "list.ffconcat", "stream.sdp"] {
        // The second time under a name that promises a video.
        let content = fs::read(bench.path(name)).unwrap();
        for name in [name, "video.mp4"] {
            fs::write(bench.path(name), &content).unwrap();
            let message = refusal(&bench.path(name));
            assert!(message.contains("playlist"), "{name}: {message}");
        }
    }
    assert!(refusal(Path::new("http://127.0.0.1:9/x.mp4")).contains("No such file"));
    assert!(refusal(Path::new("concat:a.mp4")).contains("No such file"));
}

#[test]
fn outputs_that_could_do_harm_or_cannot_be_are_refused_beforehand() {
    let bench = Bench::new();
    let input = bench.movie("in.mp4");
    fs::write(bench.path("old.mp4"), "precious").unwrap();
    fs::create_dir(bench.path("folder.mp4")).unwrap();
    fs::hard_link(&input, bench.path("hard.mp4")).unwrap();
    fs::copy(&input, bench.path("self.mp4.partial")).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(&input, bench.path("soft.mp4")).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink("nowhere", bench.path("dangling.mp4")).unwrap();
    let before = bench.files();
    let cases = [
        ("in.mp4", "in.mp4", true, Fault::Output, "is the input itself"),
        ("in.mp4", "hard.mp4", true, Fault::Output, "is the input itself"),
        #[cfg(unix)]
        ("in.mp4", "soft.mp4", true, Fault::Output, "is the input itself"),
        ("self.mp4.partial", "self.mp4", true, Fault::Output, "is the input itself"),
        ("in.mp4", "old.mp4", false, Fault::Output, "exists"),
        #[cfg(unix)]
        ("in.mp4", "dangling.mp4", false, Fault::Output, "exists"),
        ("in.mp4", "folder.mp4", true, Fault::Output, "is a folder"),
        ("in.mp4", "no/where.mp4", false, Fault::Output, "there is no folder"),
        ("in.mp4", "out.webm", false, Fault::Usage, "WebM"),
        ("in.mp4", "out.avi", false, Fault::Usage, ".mkv"),
        ("in.mp4", "out", false, Fault::Usage, ".mkv"),
    ];
    for (input, out, overwrite, fault, reason) in cases {
        let input = bench.path(input);
        let source = VideoSource::open(&input, 0).unwrap();
        let result = create(&bench.path(out), &input, source.info(), overwrite);
        let error = result.err().unwrap_or_else(|| panic!("{out} was taken"));
        let message = format!("{error:#}");
        assert_eq!(Fault::of(&error), fault, "{message}");
        assert!(message.contains(reason), "{out}: {message}");
    }
    assert_eq!(bench.files(), before, "nothing may be left");
    assert_eq!(fs::read(bench.path("old.mp4")).unwrap(), b"precious");
}
