//! What accompanies the pictures.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::fixtures::{Bench, assert_times, checksums, probe, times};
use crate::program::annotate;
use crate::table::Row;

#[test]
fn streams_are_copied_packet_by_packet() {
    let mut row = Row::new("0, 1, 2 audio tracks, subtitles, chapters, title, attached cover");
    let bench = Bench::new();
    bench.movie("a.mp4");
    fs::write(bench.path("s.srt"), "1\n00:00:00,500 --> 00:00:01,000\nHello\n").unwrap();
    let chapters = ";FFMETADATA1\ntitle=My film\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=1000\ntitle=One\n\
        [CHAPTER]\nTIMEBASE=1/1000\nSTART=1000\nEND=2000\ntitle=Zwölf\n";
    fs::write(bench.path("m.txt"), chapters).unwrap();
    bench.ffmpeg("-f lavfi -i color=red:size=64x64 -frames:v 1 cover.jpg");
    let both = "-i a.mp4 -i a.mp4 -map 0 -map 1:a -c copy";
    bench.ffmpeg("-i a.mp4 -an -c copy mute.mp4");
    bench.ffmpeg(&format!("{both} two.mkv"));
    bench.ffmpeg("-i a.mp4 -i s.srt -i m.txt -map 0 -map 1 -map_metadata 2 -map_chapters 2 -c copy full.mkv");
    bench.ffmpeg(
        "-i a.mp4 -i s.srt -i m.txt -i cover.jpg -map 0 -map 1 -map 3 -map_metadata 2 -map_chapters 2 -c copy \
         -c:s mov_text -disposition:v:1 attached_pic full.mp4",
    );
    for (name, streams) in [
        ("mute.mp4", &[][..]),
        ("a.mp4", &["a:0"]),
        ("two.mkv", &["a:0", "a:1"]),
        ("full.mkv", &["a:0", "s:0"]),
        ("full.mp4", &["a:0", "s:0", "v:1"]),
    ] {
        let (input, out) = (bench.path(name), bench.path(&format!("out-{name}")));
        let run = annotate(&input, &[("-o", &out)]);
        assert_eq!(run.code, 0, "{run:?}");
        for stream in streams {
            assert!(!checksums(&out, stream).is_empty(), "{name}, {stream}");
            assert_eq!(checksums(&out, stream), checksums(&input, stream), "{name}, {stream}");
        }
        for what in [
            "-show_entries stream=codec_type",
            "-show_entries chapter=start_time,end_time:chapter_tags=title",
            "-show_entries format_tags=title",
        ] {
            assert_eq!(probe(&out, what), probe(&input, what), "{name}, {what}");
        }
        row.count();
    }
    row.outcome("checksums of all packets equal, chapters and title kept");
}

#[test]
fn the_delay_of_opus_is_told_and_its_times_stay() {
    let bench = Bench::new();
    bench.movie("a.mp4");
    bench.ffmpeg("-i a.mp4 -c:v copy -c:a libopus in.mkv");
    let (input, out) = (bench.path("in.mkv"), bench.path("out.mkv"));
    let run = annotate(&input, &[("-o", &out)]);
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(checksums(&out, "a"), checksums(&input, "a"));
    assert_times(&times(&out, "a"), &times(&input, "a"), 0.001_01);
    // Only the muxer of FFmpeg 5 is known well enough to expect an exact value.
    let version = String::from_utf8(Command::new("ffmpeg").arg("-version").output().unwrap().stdout).unwrap();
    if version.contains("libavformat    59.") {
        assert_eq!(codec_delay(&out), Some(6_500_000));
    }
}

/// What Matroska says about the sound's delay, in nanoseconds: element 56AA, three bytes long for the usual delays.
fn codec_delay(file: &Path) -> Option<u32> {
    let bytes = fs::read(file).unwrap();
    let at = bytes.windows(3).position(|three| three == [0x56, 0xaa, 0x83])? + 3;
    Some(u32::from_be_bytes([0, bytes[at], bytes[at + 1], bytes[at + 2]]))
}
