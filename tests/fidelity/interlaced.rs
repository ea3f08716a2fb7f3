//! Interlaced video.

use std::process::Command;

use crate::fixtures::{Bench, probe};
use crate::program::{Run, command, finish};
use crate::table::Row;

/// How many of a video's pictures have combs, by the filter idet, and how many are marked as interlaced.
fn combs(bench: &Bench, name: &str) -> (usize, usize) {
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-hide_banner", "-i", name, "-vf", "idet", "-f", "null", "-"])
        .current_dir(bench.path(""))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let count = |order: &str| -> usize {
        // FFmpeg 7.1 prints the counts of a filter that saw no picture first.
        let line = said.lines().rfind(|line| line.contains("Single frame detection")).expect(&said);
        let after = line.split(order).nth(1).and_then(|rest| rest.split_whitespace().next());
        after.and_then(|number| number.parse().ok()).expect(&said)
    };
    let marked = probe(&bench.path(name), "-select_streams v -show_entries frame=interlaced_frame");
    (count("TFF:") + count("BFF:"), marked.iter().filter(|line| line.starts_with('1')).count())
}

/// Which field is first in all pictures; `None` if they differ.
fn top_first(bench: &Bench, name: &str) -> Option<bool> {
    let marked = probe(&bench.path(name), "-select_streams v -show_entries frame=top_field_first");
    let first = marked.first()?.starts_with('1');
    marked.iter().all(|line| line.starts_with('1') == first).then_some(first)
}

fn run(bench: &Bench, args: &str) -> Run {
    let mut command = command(["annotate", "--model", "nose", "--overwrite"]);
    command.args(args.split(' ')).current_dir(bench.path(""));
    finish(command)
}

#[test]
fn combs_are_marked_or_gone() {
    let mut row = Row::new("interlaced: MPEG-2, H.264 (MBAFF), DV 4:2:0 and 4:1:1, ProRes 4:2:2, 486 rows");
    let bench = Bench::new();
    let mpeg = "-c:v mpeg2video -q:v 3 -flags +ildct+ilme";
    let ten = "-pix_fmt yuv422p10le -c:v prores_ks -flags +ildct+ilme -top 1";
    let plain = "-pix_fmt yuv420p";
    let pictures = [
        ("top.mpg", "720x576:rate=50", "top", format!("{plain} {mpeg} -top 1")),
        ("bottom.mpg", "720x576:rate=50", "bottom", format!("{plain} {mpeg} -top 0")),
        (
            "avc.ts",
            "720x576:rate=50",
            "top",
            format!("{plain} -c:v libx264 -flags +ildct+ilme -x264opts tff=1"),
        ),
        (
            "avc.mp4",
            "720x576:rate=50",
            "bottom",
            format!("{plain} -c:v libx264 -flags +ildct+ilme -x264opts bff=1"),
        ),
        ("pal.dv", "720x576:rate=50", "bottom", format!("{plain} -c:v dvvideo")),
        ("ntsc.dv", "720x480:rate=60000/1001", "bottom", "-pix_fmt yuv411p -c:v dvvideo".to_owned()),
        ("ten.mov", "720x576:rate=50", "top", ten.to_owned()),
        ("odd.mkv", "720x486:rate=60000/1001", "bottom", format!("{plain} {mpeg} -top 0")),
    ];
    for (name, size, first, codec) in &pictures {
        bench.ffmpeg(&format!(
            "-f lavfi -i testsrc2=size={size}:duration=0.6 -vf tinterlace=interleave_{first} {codec} {name}"
        ));
        let (all, _) = combs(&bench, name);
        assert!(all > 10, "{name}: only {all} pictures have combs");
        let kept = if name.ends_with("mp4") { "out.mkv" } else { "out.mp4" };
        for (option, out) in [("", kept), (" --deinterlace", "whole.mkv")] {
            let keeps = option.is_empty() && !name.starts_with("odd");
            let told = run(&bench, &format!("{name} -o {out}{option}"));
            assert_eq!(told.code, 0, "{told:?}");
            let line = if keeps { "and so is the output" } else { "and is deinterlaced" };
            assert_eq!(told.stderr.matches(line).count(), 1, "{told:?}");
            assert_eq!(told.stderr.matches("interlaced (").count(), usize::from(keeps), "{told:?}");
            let (combed, marked) = combs(&bench, out);
            if keeps {
                assert!(
                    marked >= all && combed * 10 >= all * 9,
                    "{name}: {combed} combs of {all}, {marked} marked"
                );
                assert_eq!(top_first(&bench, out), Some(*first == "top"), "{name}");
            } else {
                // idet takes a few seams of the test picture for combs.
                assert!(marked == 0 && combed * 4 <= all, "{name}: {combed} combs of {all}, {marked} marked");
            }
            row.count();
        }
    }
    // What is turned has its rows no more.
    let told = run(&bench, "top.mpg -o out.mp4 --rotate 90");
    assert!(told.code == 0 && told.stderr.contains("is deinterlaced"), "{told:?}");
    assert_eq!(combs(&bench, "out.mp4"), (0, 0));
    // Whole pictures stay as they are, even where the format would allow others, as with films on DVD.
    bench.ffmpeg(&format!("-f lavfi -i testsrc2=size=720x480:rate=24000/1001:duration=0.6 {plain} -c:v mpeg2video -q:v 3 film.mpg"));
    let told = run(&bench, "film.mpg -o out.mp4");
    assert!(told.code == 0 && !told.stderr.contains("interlaced"), "{told:?}");
    assert_eq!(combs(&bench, "out.mp4").1, 0);
    row.runs(2);
    // A video that begins with whole pictures, and goes on with others.
    let avc = "-pix_fmt yuv420p -c:v libx264 -bf 0 -f h264";
    bench.ffmpeg(&format!("-f lavfi -i testsrc2=size=720x576:rate=25:duration=2 {avc} whole.h264"));
    bench.ffmpeg(&format!(
        "-f lavfi -i testsrc2=size=720x576:rate=50:duration=0.6 -vf tinterlace=interleave_top {avc} \
         -flags +ildct+ilme -x264opts tff=1 fields.h264"
    ));
    let parts = ["whole.h264", "fields.h264"].map(|part| std::fs::read(bench.path(part)).unwrap());
    std::fs::write(bench.path("mixed.h264"), parts.concat()).unwrap();
    bench.ffmpeg("-r 25 -i mixed.h264 -c copy mixed.mp4");
    let told = run(&bench, "mixed.mp4 -o out.mp4");
    assert!(told.code == 0 && told.stderr.contains("of its 65 pictures were interlaced"), "{told:?}");
    let (combed, marked) = combs(&bench, "out.mp4");
    // Even in whole pictures of this kind the filter sees combs.
    let (before, _) = combs(&bench, "whole.h264");
    assert!(marked == 0 && combed <= before + 2, "{combed} combs instead of {before}, {marked} marked");
    row.count();
    row.outcome("kept with their order, or without combs; one line says which");
}
