//! Which streams an output holds, and in which kind of file.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::fixtures::{Bench, PICTURES, probe};
use crate::program::{Run, command, finish};
use crate::table::Row;

#[track_caller]
fn run(bench: &Bench, args: &str) -> Run {
    let mut command = command(["annotate", "--model", "nose", "--overwrite"]);
    command.args(args.split(' ')).current_dir(bench.path(""));
    let run = finish(command);
    assert_eq!(run.code, 0, "{args}: {run:?}");
    run
}

/// The codecs of all streams but the first video, sorted.
fn others(file: &Path) -> Vec<String> {
    let mut codecs = probe(file, "-show_entries stream=codec_name");
    let first = codecs.iter().position(|codec| codec == "h264").unwrap();
    codecs.remove(first);
    codecs.sort();
    codecs
}

/// CRC-32 as in MPEG-2 tables.
fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(u32::MAX, |sum, &byte| {
        let step = |sum: u32, _| if sum >> 31 == 1 { sum << 1 ^ 0x04c1_1db7 } else { sum << 1 };
        (0..8).fold(sum ^ u32::from(byte) << 24, step)
    })
}

/// Makes the private stream of an MPEG-TS file teletext, which ffmpeg cannot write.
fn as_teletext(ts: &mut [u8]) {
    const OLD: [u8; 6] = [5, 4, b'B', b'S', b'S', b'D'];
    for packet in ts.chunks_exact_mut(188) {
        if let Some(at) = packet.windows(OLD.len()).position(|bytes| bytes == OLD) {
            packet[at..at + OLD.len()].copy_from_slice(&[0x56, 0, 0xff, 2, 0, 0]);
            let length = usize::from(packet[6] & 0xf) << 8 | usize::from(packet[7]);
            let end = 8 + length - 4;
            let sum = checksum(&packet[5..end]);
            packet[end..end + 4].copy_from_slice(&sum.to_be_bytes());
        }
    }
}

fn inputs(bench: &Bench) {
    bench.movie("a.mp4");
    fs::write(bench.path("s.srt"), "1\n00:00:00,500 --> 00:00:01,000\nHello\n").unwrap();
    for args in [
        "-i a.mp4 -c:v copy -c:a pcm_s16be -f mov camera.MP4",
        "-i a.mp4 -c:v copy -c:a pcm_s24le field.avi",
        "-i a.mp4 -c:v mpeg2video -c:a pcm_s16be -ar 48000 -f vob disc.vob",
        "-i a.mp4 -c:v copy -c:a pcm_bluray -ar 48000 disc.m2ts",
        "-i a.mp4 -map 0:v -map 0:a -map 0:a -c:v copy -c:a:0 aac -c:a:1 s302m -ac 2 -ar 48000 -strict -2 studio.ts",
        "-i a.mp4 -c:v flv1 -c:a nellymoser -ar 22050 -ac 1 old.flv",
        "-i a.mp4 -i s.srt -map 0 -map 1 -c copy text.mkv",
        "-i a.mp4 -i s.srt -map 0 -map 1 -c copy -c:s mov_text text.mp4",
        "-i a.mp4 -i s.srt -map 0 -map 1 -c copy -c:s webvtt web.mkv",
    ] {
        bench.ffmpeg(args);
    }
    let mut ts = fs::read(bench.path("studio.ts")).unwrap();
    as_teletext(&mut ts);
    fs::write(bench.path("teletext.ts"), ts).unwrap();
}

/// Whether MP4 takes uncompressed sound, as it does since FFmpeg 6.1.
fn mp4_holds_pcm(bench: &Bench) -> bool {
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-nostdin", "-v", "quiet", "-i", "camera.MP4", "-c", "copy", "-f", "mp4", "pcm.mp4"]);
    ffmpeg.current_dir(bench.path("")).status().unwrap().success()
}

#[test]
fn a_kind_of_file_that_holds_the_most() {
    let mut row = Row::new(
        "PCM in MP4, AVI, VOB and m2ts, S302M, nellymoser, teletext, SubRip, WebVTT, mov_text: alone and in a folder",
    );
    let bench = Bench::new();
    inputs(&bench);
    let mp4_holds = mp4_holds_pcm(&bench);
    let pcm: (_, &[&str], _) = if mp4_holds {
        (None, &["pcm_s16be"], None)
    } else {
        (
            Some("is QuickTime (.mov) inside, since MP4 cannot hold stream 1"),
            &[],
            Some("(audio, pcm_s16be) is left out: .mp4 cannot hold it, but .mov and .mkv can"),
        )
    };
    // The input, the output, what it holds of the rest, and what is said.
    for (input, out, holds, said) in [
        ("camera.MP4", "o.mp4", &["pcm_s16be"][..], pcm.0),
        ("camera.MP4", "o.mov", &["pcm_s16be"], None),
        ("camera.MP4", "o.mkv", &["pcm_s16be"], None),
        ("camera.MP4", "o.mp4 --drop-streams", pcm.1, pcm.2),
        ("field.avi", "o.mkv", &["pcm_s24le"], None),
        ("disc.vob", "o.mp4", &[], Some("(audio, pcm_dvd) is left out: no kind of file")),
        ("disc.m2ts", "o.mkv", &[], Some("(audio, pcm_bluray) is left out: no kind of file")),
        ("studio.ts", "o.mp4", &["aac"], Some("(audio, s302m) is left out: no kind of file")),
        ("teletext.ts", "o.mkv", &["aac"], Some("(subtitle, dvb_teletext) is left out: no kind of file")),
        ("old.flv", "o.mkv", &[], Some("(audio, nellymoser) is left out: .mkv cannot hold it, but .mov can")),
        (
            "text.mkv",
            "o.mp4",
            &["aac"],
            Some("(subtitle, subrip) is left out: .mp4 cannot hold it, but .mkv can"),
        ),
        (
            "text.mp4",
            "o.mkv",
            &["aac"],
            Some("(subtitle, mov_text) is left out: .mkv cannot hold it, but .mov and .mp4 can"),
        ),
        ("web.mkv", "o.mkv", &["aac", "webvtt"], None),
    ] {
        let told = run(&bench, &format!("{input} -o {out}"));
        let file = out.split(' ').next().unwrap();
        assert_eq!(others(&bench.path(file)), holds, "{input}, {out}");
        match said {
            Some(said) => assert_eq!(told.stderr.matches(said).count(), 1, "{told:?}"),
            None => assert!(!told.stderr.contains("WARN"), "{told:?}"),
        }
        row.count();
    }
    fs::create_dir(bench.path("in")).unwrap();
    for name in ["camera.MP4", "studio.ts", "old.flv", "text.mkv"] {
        fs::rename(bench.path(name), bench.path(&format!("in/{name}"))).unwrap();
    }
    let made = |folder: &str| {
        let names = fs::read_dir(bench.path(folder)).unwrap();
        let mut names: Vec<_> = names.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    let told = run(&bench, "in -o out/");
    let camera = if mp4_holds { "camera.mp4" } else { "camera.mov" };
    assert_eq!(made("out"), [camera, "old.mov", "studio.mkv", "text.mkv"]);
    assert_eq!(others(&bench.path("out").join(camera)), ["pcm_s16be"]);
    assert_eq!(others(&bench.path("out/text.mkv")), ["aac", "subrip"]);
    let said = "becomes .mov, since .mp4 cannot hold stream 1 (audio, pcm_s16be)";
    assert_eq!(told.stderr.contains(said), !mp4_holds, "{told:?}");
    assert!(told.stderr.contains("(audio, s302m) is left out"), "{told:?}");
    let again = run(&bench, "in -o out/ --resume");
    assert!(again.stderr.contains("0 annotated, 4 done before"), "{again:?}");
    run(&bench, "in -o dropped/ --drop-streams");
    assert_eq!(made("dropped"), ["camera.mp4", "old.mkv", "studio.mkv", "text.mkv"]);
    assert_eq!(others(&bench.path("dropped/camera.mp4")), pcm.1);
    row.runs(3);
    row.outcome("what fits is there; what does not is named; in a folder the kind of file is chosen, and that is said");
}

#[test]
fn the_time_code_stays() {
    let mut row = Row::new("time code track");
    let bench = Bench::new();
    bench.ffmpeg(&format!(
        "-f lavfi -i {PICTURES} -c:v libx264 -pix_fmt yuv420p -r 30000/1001 -timecode 00:00:59;28 drop.mov"
    ));
    bench.ffmpeg(&format!(
        "-f lavfi -i {PICTURES} -r 25 -c:v libx264 -pix_fmt yuv420p -timecode 10:59:59:10 a.mp4"
    ));
    for (input, part, begin) in [
        ("drop.mov", "", "00:00:59;28"),
        ("a.mp4", "", "10:59:59:10"),
        ("a.mp4", " --start 1", "11:00:00:10"),
        // Two frames later comes a minute whose first two numbers are left out.
        ("drop.mov", " --start 0.06", "00:01:00;02"),
    ] {
        for (out, tag) in [("o.mp4", "timecode"), ("o.mov", "timecode"), ("o.mkv", "TIMECODE")] {
            let told = run(&bench, &format!("{input} -o {out}{part}"));
            assert!(!told.stderr.contains("left out"), "{told:?}");
            let codes =
                probe(&bench.path(out), &format!("-select_streams v -show_entries stream_tags={tag}"));
            assert_eq!(codes, [begin], "{input}{part}, {out}");
            row.count();
        }
    }
    row.outcome("kept in MP4, QuickTime and Matroska, moved by `--start`, nothing told as left out");
}
