//! What goes into a video file.

use std::fs;
use std::process::Command;

use facemark_cli::error::Fault;
use facemark_cli::frame::Frame;
use facemark_cli::output::End;
use facemark_cli::source::{Source, video::VideoSource};

use crate::support::{
    Bench, assert_times, bytes, checksums, convert, create, decode, difference, probe, set_matrix, times,
    transcode,
};

/// Matroska counts milliseconds.
const MATROSKA_ROUNDING: f64 = 0.000_51;

#[test]
fn times_and_sound_survive_in_every_container() {
    let bench = Bench::new();
    let mp4 = bench.movie("in.mp4");
    for (name, tolerance) in [("out.mp4", 1e-6), ("out.mov", 1e-6), ("out.mkv", MATROSKA_ROUNDING)] {
        let out = bench.path(name);
        convert(&mp4, &out);
        assert_times(&times(&out, "v"), &times(&mp4, "v"), tolerance);
        assert_times(&times(&out, "a"), &times(&mp4, "a"), tolerance);
        assert_eq!(checksums(&out, "a"), checksums(&mp4, "a"), "{name}");
    }
    assert_eq!(bench.files(), ["in.mp4", "out.mkv", "out.mov", "out.mp4"], "nothing else may be left");
}

#[test]
fn the_pictures_are_those_that_went_in() {
    let bench = Bench::new();
    let input = bench.video("-c:v libx264 -pix_fmt yuv420p", "in.mp4");
    convert(&input, &bench.path("out.mp4"));
    for (old, new) in decode(&input).iter().zip(decode(&bench.path("out.mp4"))) {
        let found = difference(&bytes(old), &bytes(&new));
        assert!(found < 3.0, "frame {}: mean difference {found}", old.index);
    }
}

#[test]
fn uneven_times_stay_uneven() {
    let bench = Bench::new();
    let input = bench
        .video("-vf select=not(mod(n\\,3))+lt(n\\,20) -fps_mode vfr -c:v libx264 -pix_fmt yuv420p", "in.mp4");
    let before = times(&input, "v");
    assert!(before.len() < 40);
    convert(&input, &bench.path("out.mp4"));
    assert_times(&times(&bench.path("out.mp4"), "v"), &before, 1e-6);
}

#[test]
fn odd_clocks_and_late_starts_are_exact() {
    let bench = Bench::new();
    bench.movie("a.mp4");
    // NTSC's clock; MPEG-TS, whose clock starts late; sound that starts later than the pictures and vice versa.
    bench.ffmpeg("-r 30000/1001 -i a.mp4 -an -c:v libx264 -video_track_timescale 30000 ntsc.mp4");
    bench.ffmpeg("-i a.mp4 -c copy late.ts");
    bench.ffmpeg("-i a.mp4 -itsoffset 0.5 -i a.mp4 -map 0:v -map 1:a -c copy sound_late.mp4");
    bench.ffmpeg("-itsoffset 0.7531 -i a.mp4 -i a.mp4 -map 0:v -map 1:a -c copy pictures_late.mp4");
    for name in ["ntsc.mp4", "late.ts", "sound_late.mp4", "pictures_late.mp4"] {
        let (input, out) = (bench.path(name), bench.path("out.mp4"));
        convert(&input, &out);
        let (mut pictures, mut sound) = (times(&input, "v"), times(&input, "a"));
        if name == "late.ts" {
            // The output begins at zero with whichever begins first.
            let start = pictures[0].min(sound[0]);
            assert!(start > 1.0);
            pictures.iter_mut().chain(&mut sound).for_each(|time| *time -= start);
        }
        assert_times(&times(&out, "v"), &pictures, 2e-6);
        assert_times(&times(&out, "a"), &sound, 12e-6);
        assert_eq!(decode(&out).len(), pictures.len(), "{name}: read again");
        fs::remove_file(out).unwrap();
    }
}

#[test]
fn all_sound_subtitles_chapters_and_tags_come_along() {
    let bench = Bench::new();
    bench.movie("a.mp4");
    fs::write(
        bench.path("s.srt"),
        "1\n00:00:00,500 --> 00:00:01,000\nHello\n\n2\n00:00:01,200 --> 00:00:01,900\nyou\n",
    )
    .unwrap();
    let chapters = ";FFMETADATA1\ntitle=My film\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=1000\ntitle=One\n\
        [CHAPTER]\nTIMEBASE=1/1000\nSTART=1000\nEND=2000\ntitle=Zwölf\n";
    fs::write(bench.path("m.txt"), chapters).unwrap();
    bench.ffmpeg("-f lavfi -i color=red:size=64x64 -frames:v 1 cover.jpg");
    let common = "-i a.mp4 -i a.mp4 -i s.srt -i m.txt -map 0 -map 1:a -map 2 -map_metadata 3 -map_chapters 3 -c copy \
        -metadata:s:a:0 language=deu -metadata:s:a:1 language=fra -disposition:a:0 0 -disposition:a:1 default";
    bench.ffmpeg(&format!("{common} -attach s.srt -metadata:s:t mimetype=text/plain in.mkv"));
    bench.ffmpeg(&format!("{common} -c:s mov_text b.mp4"));
    bench.ffmpeg("-i b.mp4 -i cover.jpg -map 0 -map 1 -c copy -disposition:v:1 attached_pic in.mp4");
    for ending in ["mkv", "mp4"] {
        let (input, out) = (bench.path(&format!("in.{ending}")), bench.path(&format!("out.{ending}")));
        convert(&input, &out);
        for stream in ["a:0", "a:1", "s:0"] {
            assert_eq!(checksums(&out, stream), checksums(&input, stream), "{ending}, {stream}");
            assert!(!checksums(&out, stream).is_empty(), "{ending}, {stream}");
            assert_times(&times(&out, stream), &times(&input, stream), MATROSKA_ROUNDING);
        }
        for what in [
            "-show_entries chapter=start_time,end_time:chapter_tags=title",
            "-show_entries format_tags=title",
            "-select_streams a -show_entries stream_tags=language:stream_disposition=default",
        ] {
            assert_eq!(probe(&out, what), probe(&input, what), "{ending}, {what}");
        }
    }
    assert_eq!(
        checksums(&bench.path("out.mp4"), "v:1"),
        checksums(&bench.path("in.mp4"), "v:1"),
        "the cover"
    );
}

#[test]
fn sound_of_the_web_fits_into_mp4() {
    let bench = Bench::new();
    bench.movie("a.mp4");
    bench.ffmpeg("-i a.mp4 -c:v libvpx -deadline realtime -cpu-used 8 -c:a libopus in.webm");
    let input = bench.path("in.webm");
    for name in ["out.mp4", "out.mkv"] {
        let out = bench.path(name);
        convert(&input, &out);
        assert_eq!(checksums(&out, "a"), checksums(&input, "a"), "{name}");
        assert_times(&times(&out, "v"), &times(&input, "v"), 1e-6);
        assert_times(&times(&out, "a"), &times(&input, "a"), 0.001_01);
    }
}

#[test]
fn colours_and_pixel_aspect_are_kept() {
    let bench = Bench::new();
    let what = "-select_streams v -show_entries \
        stream=width,height,sample_aspect_ratio,color_range,color_space,color_transfer,color_primaries";
    let cases = [
        "-vf setsar=4/3 -color_range tv -colorspace bt709 -color_trc bt709 -color_primaries bt709",
        "-vf setsar=1/1,scale=out_range=pc -color_range pc",
        "-color_range tv -colorspace bt2020nc -color_trc smpte2084 -color_primaries bt2020",
        "-frames:v 9",
    ];
    for (i, case) in cases.iter().enumerate() {
        let input = bench.video(&format!("{case} -c:v libx264 -pix_fmt yuv420p"), "in.mp4");
        let out = bench.path(&format!("out{i}.mp4"));
        convert(&input, &out);
        assert_eq!(probe(&out, what), probe(&input, what), "{case}");
    }
}

#[test]
fn a_turned_video_needs_no_turning_any_more() {
    let bench = Bench::new();
    let input = bench.video("-vf setsar=2/1 -c:v libx264 -pix_fmt yuv420p", "in.mp4");
    set_matrix(&input, [0, 1, -1, 0]);
    let out = bench.path("out.mp4");
    convert(&input, &out);
    let what =
        "-select_streams v -show_entries stream=width,height,sample_aspect_ratio:stream_side_data=rotation";
    assert_eq!(probe(&out, what), ["120,160,1:2"]);
}

#[test]
fn odd_sizes_are_padded() {
    let bench = Bench::new();
    bench.ffmpeg("-f lavfi -i testsrc=size=161x121:rate=30:duration=1 -c:v ffv1 -pix_fmt yuv420p in.mkv");
    convert(&bench.path("in.mkv"), &bench.path("out.mp4"));
    let (old, new) = (decode(&bench.path("in.mkv")), decode(&bench.path("out.mp4")));
    assert_eq!((old[0].image.size(), new[0].image.size()), ((161, 121), (162, 122)));
    let luma = &new[10].image.luma;
    let last: Vec<u8> = luma.data().chunks(162).map(|row| row[161]).collect();
    let before: Vec<u8> = luma.data().chunks(162).map(|row| row[160]).collect();
    assert!(difference(&last, &before) < 8.0, "the last column is not a copy of the one before it");
    assert_eq!(new.len(), 30);
}

#[test]
fn a_run_that_is_cut_short_cuts_the_sound() {
    let bench = Bench::new();
    let (input, out) = (bench.movie("in.mp4"), bench.path("out.mp4"));
    let mut source = VideoSource::open(&input, 0).unwrap();
    let mut sink = create(&out, &input, source.info(), false).unwrap();
    let mut frame = Frame::empty();
    for _ in 0..20 {
        assert!(source.next(&mut frame).unwrap());
        sink.write(&frame).unwrap();
    }
    sink.finish(End::CutShort).unwrap();
    assert_eq!(times(&out, "v").len(), 20);
    let end = *times(&out, "a").last().unwrap();
    assert!((0.6..0.7).contains(&end), "the last packet of sound is at {end} s");
}

#[test]
fn a_damaged_video_still_gives_a_whole_file() {
    let bench = Bench::new();
    bench.movie("a.mp4");
    bench.ffmpeg("-i a.mp4 -c copy -movflags +faststart b.mp4");
    let whole = fs::read(bench.path("b.mp4")).unwrap();
    fs::write(bench.path("cut.mp4"), &whole[..whole.len() / 2]).unwrap();
    let (read, written) = transcode(&bench.path("cut.mp4"), &bench.path("out.mp4"));
    assert_eq!(Fault::of(&read.unwrap_err()), Fault::EndedEarly);
    written.unwrap();
    assert!(decode(&bench.path("out.mp4")).len() > 10);
}

#[test]
fn broken_sound_does_not_stop_the_pictures() {
    const PACKET: usize = 188;
    const SOUND: u16 = 0x101;
    let bench = Bench::new();
    bench.movie("a.mp4");
    bench.ffmpeg("-i a.mp4 -c copy a.ts");
    let mut bytes = fs::read(bench.path("a.ts")).unwrap();
    let sound = |packet: &&mut [u8]| u16::from_be_bytes([packet[1] & 0x1f, packet[2]]) == SOUND;
    for (i, packet) in bytes.chunks_exact_mut(PACKET).filter(sound).enumerate() {
        if i % 5 == 3 {
            packet[100..].fill(0x55);
        }
    }
    fs::write(bench.path("in.ts"), bytes).unwrap();
    for name in ["out.mp4", "out.mkv"] {
        convert(&bench.path("in.ts"), &bench.path(name));
        assert_eq!(decode(&bench.path(name)).len(), 60, "{name}");
    }
}

#[test]
fn frames_that_players_would_hide_are_noticed() {
    let bench = Bench::new();
    let (input, out) = (bench.movie("in.mp4"), bench.path("out.mp4"));
    let mut source = VideoSource::open(&input, 0).unwrap();
    let mut sink = create(&out, &input, source.info(), false).unwrap();
    let mut frame = Frame::empty();
    while source.next(&mut frame).unwrap() {
        // The first second is before zero, which MP4's edit list leaves out.
        frame.time.ticks -= i64::from(frame.time.base.1);
        sink.write(&frame).unwrap();
    }
    let error = sink.finish(End::Complete).unwrap_err();
    assert!(error.to_string().contains("of the 60 written are readable"), "{error}");
    assert!(!out.exists());
}

#[test]
fn what_was_written_before_a_failure_elsewhere_is_kept_as_partial() {
    let bench = Bench::new();
    let (input, out) = (bench.movie("in.mp4"), bench.path("out.mp4"));
    let mut source = VideoSource::open(&input, 0).unwrap();
    let mut sink = create(&out, &input, source.info(), false).unwrap();
    let mut frame = Frame::empty();
    for _ in 0..20 {
        assert!(source.next(&mut frame).unwrap());
        sink.write(&frame).unwrap();
    }
    drop(sink);
    assert_eq!(bench.files(), ["in.mp4", "out.mp4.partial"]);
    assert_eq!(decode(&bench.path("out.mp4.partial")).len(), 20);
    drop(create(&out, &input, source.info(), false).unwrap());
    assert_eq!(bench.files(), ["in.mp4"], "a file without frames is no use");
}

#[cfg(unix)]
#[test]
fn a_full_disk_is_told_with_its_cause() {
    let bench = Bench::new();
    bench.ffmpeg(
        "-f lavfi -i nullsrc=size=640x480:rate=30:duration=1,geq=random(1)*255:128:128 -c:v libx264 \
         -preset ultrafast -pix_fmt yuv420p in.mp4",
    );
    for name in ["out.mp4", "out.mkv"] {
        let output = Command::new("bash")
            .args(["-c", "ulimit -f 2000; exec \"$@\"", "-", env!("CARGO_BIN_EXE_facemark"), "annotate"])
            .arg(bench.path("in.mp4"))
            .arg("-o")
            .arg(bench.path(name))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(6), "{said}");
        assert!(said.contains("cannot write") && said.contains("File too large"), "{said}");
        assert!(said.contains("frames are left in"), "{said}");
        assert!(!bench.path(name).exists() && !bench.path(&format!("{name}.unfinished")).exists());
        assert!(bench.path(&format!("{name}.partial")).exists());
    }
}
