//! Time stamps.

use std::path::Path;

use crate::fixtures::{Bench, PICTURES, SOUND, assert_times, probe, times};
use crate::program::{annotate, records};
use crate::table::Row;

#[test]
fn time_stamps_are_the_inputs() {
    let mut row = Row::new("variable frame rate, B-frames, negative, late and offset start, edit lists");
    let bench = Bench::new();
    bench.movie("b-frames.mp4");
    bench.ffmpeg(
        "-i b-frames.mp4 -vf select=not(mod(n\\,3))+lt(n\\,20) -fps_mode vfr -c:v libx264 -c:a copy vfr.mp4",
    );
    bench.ffmpeg("-i b-frames.mp4 -itsoffset 0.5 -i b-frames.mp4 -map 0:v -map 1:a -c copy sound-late.mp4");
    bench.ffmpeg("-i b-frames.mp4 -itsoffset 0.5 -i b-frames.mp4 -map 0:v -map 1:a -c copy sound-late.ts");
    bench.ffmpeg(
        "-itsoffset 0.7531 -i b-frames.mp4 -i b-frames.mp4 -map 0:v -map 1:a -c copy pictures-late.mp4",
    );
    bench.ffmpeg("-ss 0.7 -i b-frames.mp4 -c copy edit-list.mp4");
    bench.ffmpeg("-i b-frames.mp4 -c copy -output_ts_offset 5 late.mkv");
    bench.ffmpeg("-i b-frames.mp4 -c copy late.ts");
    bench.ffmpeg("-i b-frames.mp4 -c copy -output_ts_offset 24549.8 -muxdelay 0 hours-late.ts");
    bench.ffmpeg("-i b-frames.mp4 -c copy -output_ts_offset 95442.7 -muxdelay 0 wrap.ts");
    bench.ffmpeg("-i b-frames.mp4 -c copy -output_ts_offset -0.3 -avoid_negative_ts disabled early.mp4");
    bench.ffmpeg("-r 30000/1001 -i b-frames.mp4 -an -c:v libx264 -video_track_timescale 30000 ntsc.mp4");
    // The file, and whether its own clock shows something other than zero where it begins.
    let inputs = [
        ("b-frames.mp4", false),
        ("vfr.mp4", false),
        ("sound-late.mp4", false),
        ("sound-late.ts", true),
        ("pictures-late.mp4", false),
        ("edit-list.mp4", false),
        ("late.mkv", true),
        ("late.ts", true),
        ("hours-late.ts", true),
        ("wrap.ts", true),
        ("early.mp4", false),
        ("ntsc.mp4", false),
    ];
    for (name, late) in inputs {
        for out in ["out.mp4", "out.mkv"] {
            let (input, out, jsonl) = (bench.path(name), bench.path(out), bench.path("out.jsonl"));
            let run = annotate(&input, &[("-o", &out), ("--jsonl", &jsonl)]);
            assert_eq!(run.code, 0, "{name}: {run:?}");
            let told = told(&jsonl);
            let written = times(&out, "v");
            assert_times(&written, &told, 0.001);
            assert!(written.windows(2).all(|pair| pair[0] < pair[1]), "{name}: times do not rise");
            let records = records(&jsonl);
            let start = records[0]["start"].as_f64();
            assert_eq!(start.is_some(), late, "{name}: {start:?}");
            let start = start.unwrap_or(0.0);
            let film = |times: Vec<f64>| times.into_iter().map(|time| time - start).collect::<Vec<_>>();
            assert_times(&told, &film(shown(&input)), 0.001);
            let (sound, mut expected) = (times(&out, "a"), film(times(&input, "a")));
            // Matroska cannot hide sound that an edit list trims; a packet can serve to warm up the decoder.
            if out.extension().is_some_and(|ending| ending == "mkv") {
                expected.retain(|&time| time > -0.05);
                expected.drain(..expected.len().saturating_sub(sound.len()).min(2));
            }
            assert_times(&sound, &expected, 0.001_01);
            std::fs::remove_file(out).unwrap();
            std::fs::remove_file(jsonl).unwrap();
            row.count();
        }
    }
    row.outcome(
        "pictures and sound at the input's times ± 1 ms from 0 on, strictly rising; data tell the own start",
    );
}

#[test]
fn joined_recordings_follow_without_a_gap() {
    let mut row = Row::new("joined recordings: clocks that start anew, jump by an hour or wrap");
    let bench = Bench::new();
    bench.movie("one.mp4");
    bench.ffmpeg("-i one.mp4 -c copy one.ts");
    bench.ffmpeg("-i one.mp4 -c copy -output_ts_offset 3600 hour.ts");
    bench.ffmpeg("-i one.mp4 -c copy one.flv");
    bench.ffmpeg("-i one.mp4 -c:v mpeg2video -c:a mp2 -f vob one.vob");
    bench.ffmpeg("-i one.mp4 -c copy one.nut");
    bench.ffmpeg("-i one.mp4 -c copy one.m2ts");
    let read = |name: &str| std::fs::read(bench.path(name)).unwrap();
    let join = |name: &str, parts: &[&[u8]]| std::fs::write(bench.path(name), parts.concat()).unwrap();
    let (ts, hour, flv, vob) = (read("one.ts"), read("hour.ts"), read("one.flv"), read("one.vob"));
    join("twice.ts", &[&ts, &ts]);
    join("three.ts", &[&ts, &ts, &ts]);
    join("jump.ts", &[&ts, &hour]);
    join("back.ts", &[&hour, &ts]);
    join("twice.vob", &[&vob, &vob]);
    let (nut, m2ts) = (read("one.nut"), read("one.m2ts"));
    join("twice.nut", &[&nut, &nut]);
    join("twice.m2ts", &[&m2ts, &m2ts]);
    // An FLV file begins with 13 bytes that are not repeated.
    join("twice.flv", &[&flv, &flv[13..]]);
    for (name, parts) in [
        ("twice.ts", 2),
        ("three.ts", 3),
        ("jump.ts", 2),
        ("back.ts", 2),
        ("twice.vob", 2),
        ("twice.flv", 2),
        ("twice.nut", 2),
        ("twice.m2ts", 2),
    ] {
        for out in ["out.mp4", "out.mkv"] {
            let (input, out, jsonl) = (bench.path(name), bench.path(out), bench.path("out.jsonl"));
            let run = annotate(&input, &[("-o", &out), ("--jsonl", &jsonl)]);
            assert_eq!(run.code, 0, "{name}: {run:?}");
            let warnings: Vec<_> = run.stderr.lines().filter(|line| line.contains("start anew")).collect();
            assert_eq!(warnings.len(), 1, "{name}: {run:?}");
            assert_eq!(warnings[0].contains(", 4.0"), parts == 3, "{name}: {run:?}");
            // Where a NUT file begins anew, FFmpeg takes a packet or two for others, with other times. Which ones depends on
            // what the encoder wrote.
            let (slack, longest, place) =
                if name == "twice.nut" { (2, 0.2, " at 2.") } else { (0, 0.1, " at 2.0") };
            assert!(warnings[0].contains(place), "{name}: {run:?}");
            let told = told(&jsonl);
            assert!(told.len().abs_diff(parts * 60) <= slack, "{name}: {} frames", told.len());
            let (first, last) = (told[0], told[told.len() - 1]);
            assert!(first.abs() < 0.1, "{name} starts at {first} s");
            let steps = |times: &[f64]| times.windows(2).map(|pair| pair[1] - pair[0]).collect::<Vec<_>>();
            let gaps = steps(&told);
            assert!(gaps.iter().all(|&step| step > 0.02 && step < longest), "{name}: {gaps:?}");
            let length = (parts * 60 - 1) as f64 / 30.0;
            assert!((last - first - length).abs() < longest, "{name} ends at {last} s");
            assert_times(&times(&out, "v"), &told, 0.001);
            let sound = times(&out, "a");
            let gaps = steps(&sound);
            assert!(gaps.iter().all(|&step| step < longest + 0.05), "{name}: {gaps:?}");
            assert!(
                (sound[sound.len() - 1] - last).abs() < longest + 0.05,
                "{name}: the sound ends elsewhere"
            );
            std::fs::remove_file(out).unwrap();
            std::fs::remove_file(jsonl).unwrap();
            row.count();
        }
    }
    row.outcome("one line of time without gaps, sound with the picture, one warning that says where");
}

#[test]
fn the_last_frame_keeps_its_length_and_trimmed_sound_stays_away() {
    let mut row = Row::new("last frame of 8 s; sound that an edit list trims");
    let bench = Bench::new();
    bench.ffmpeg(&format!("-f lavfi -i {PICTURES} -c:v libx264 -bf 0 -pix_fmt yuv420p short.mp4"));
    bench.ffmpeg("-i short.mp4 -c copy -bsf:v setts=duration='if(eq(N\\,59)\\,8/TB\\,DURATION)' long.mp4");
    bench.ffmpeg("-i long.mp4 -c copy long.mkv");
    bench.ffmpeg(
        "-i long.mp4 -f lavfi -i sine=duration=3 -map 0:v -map 1:a -c:v copy -c:a aac with-sound.mkv",
    );
    for input in ["long.mp4", "long.mkv", "with-sound.mkv"] {
        let length = seconds(&bench.path(input));
        assert!(length > 9.9, "{input}: {length} s");
        for out in ["out.mp4", "out.mkv"] {
            let out = bench.path(out);
            let run = annotate(&bench.path(input), &[("-o", &out)]);
            assert_eq!(run.code, 0, "{input}: {run:?}");
            let written = seconds(&out);
            assert!((written - length).abs() < 0.05, "{input}: {written} s of {length} s");
            std::fs::remove_file(out).unwrap();
            row.count();
        }
    }
    bench.movie("whole.mp4");
    bench.ffmpeg("-ss 1.3 -i whole.mp4 -c copy trimmed.mp4");
    let out = bench.path("trimmed.mkv");
    let input = bench.path("trimmed.mp4");
    assert!(times(&input, "a")[0] < -1.0, "nothing is trimmed");
    assert_eq!(annotate(&input, &[("-o", &out)]).code, 0);
    let sound = times(&out, "a");
    assert!(sound[0] > -0.05 && sound[0] < 0.05, "{sound:?}");
    row.count();
    row.outcome("as long as the input ± 50 ms, exit 0; not more than one packet of sound before zero");
}

#[test]
fn a_part_begins_and_ends_where_it_is_told_to() {
    let mut row =
        Row::new("`--start` and `--end`: MP4, Matroska, MPEG-TS, joined MPEG-TS; empty and bad ones");
    let bench = Bench::new();
    bench.ffmpeg(&format!(
        "-f lavfi -i {PICTURES} -f lavfi -i {SOUND} -c:v libx264 -g 12 -pix_fmt yuv420p -c:a aac film.mp4"
    ));
    for copy in ["film.mkv", "film.ts"] {
        bench.ffmpeg(&format!("-i film.mp4 -c copy {copy}"));
    }
    let ts = std::fs::read(bench.path("film.ts")).unwrap();
    std::fs::write(bench.path("joined.ts"), [&ts[..], &ts[..]].concat()).unwrap();
    for (name, from, to, start, end) in [
        ("film.mp4", "0.75", "00:01.5", 0.75, 1.5),
        ("film.mkv", "0:00:00.75", "1.5", 0.75, 1.5),
        ("film.ts", "0.75", "1.5", 0.75, 1.5),
        ("film.mp4", "1.3", "9", 1.3, 2.0),
        ("joined.ts", "2.75", "3.5", 2.75, 3.5),
        ("film.mp4", "0", "0.5", 0.0, 0.5),
    ] {
        let (input, whole, jsonl) = (bench.path(name), bench.path("whole.jsonl"), bench.path("out.jsonl"));
        assert_eq!(annotate(&input, &[("--jsonl", &whole)]).code, 0, "{name}");
        let wanted: Vec<f64> = told(&whole).into_iter().filter(|&time| time >= start && time < end).collect();
        for out in ["out.mp4", "out.mkv"] {
            let out = bench.path(out);
            let options: [(&str, &Path); 4] =
                [("-o", &out), ("--jsonl", &jsonl), ("--start", from.as_ref()), ("--end", to.as_ref())];
            let run = annotate(&input, &options);
            assert_eq!(run.code, 0, "{name}: {run:?}");
            assert_times(&told(&jsonl), &wanted, 0.000_001);
            let moved: Vec<f64> = wanted.iter().map(|time| time - wanted[0]).collect();
            assert_times(&times(&out, "v"), &moved, 0.001);
            let sound: Vec<f64> = times(&out, "a").into_iter().filter(|&time| time >= 0.0).collect();
            let length = end - wanted[0];
            assert!(sound[0] < 0.05, "{name}: sound begins at {} s", sound[0]);
            let last = sound[sound.len() - 1];
            assert!(last < length && last > length - 0.15, "{name}: sound ends at {last} s of {length} s");
            std::fs::remove_file(out).unwrap();
            std::fs::remove_file(&jsonl).unwrap();
            row.count();
        }
        std::fs::remove_file(whole).unwrap();
    }
    let (input, jsonl) = (bench.path("film.mp4"), bench.path("out.jsonl"));
    for (option, time, code) in [
        ("--start", "2.5", 3),
        ("--start", "x", 2),
        ("--start", "-1", 2),
        ("--end", "0", 2),
        ("--end", "1:2:3:4", 2),
    ] {
        let run = annotate(&input, &[("--jsonl", &jsonl), (option, time.as_ref())]);
        assert_eq!(run.code, code, "{option} {time}: {run:?}");
        assert!(!jsonl.exists(), "{option} {time}");
        row.count();
    }
    row.outcome("the first frame is the first at that time or later, output from 0, sound cut alike, data in film time");
}

/// The times in a JSONL file.
fn told(jsonl: &Path) -> Vec<f64> {
    records(jsonl).iter().map(|record| record["time"].as_f64().unwrap()).collect()
}

/// The duration that a file states.
fn seconds(video: &Path) -> f64 {
    probe(video, "-show_entries format=duration")[0].parse().unwrap()
}

/// The times of the frames that are shown: what precedes an edit list's start is in the file, too, but is not shown.
fn shown(video: &Path) -> Vec<f64> {
    let frames = probe(video, "-select_streams v -show_entries frame=best_effort_timestamp_time");
    frames.iter().map(|line| line.split(',').next().unwrap().parse().unwrap()).collect()
}
