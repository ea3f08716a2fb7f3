//! Files as people have them: groups of people, pictures of all kinds, truncated or on their side, mixed folders.

use std::fs;

use crate::fixtures::{Bench, probe};
use crate::program::{Run, command, facemark, finish, lines, media, records, talker};
use crate::table::Row;

/// Runs facemark in the folder, its arguments split at spaces.
#[track_caller]
fn run(bench: &Bench, args: &str) -> Run {
    let mut command = command(args.split(' '));
    command.current_dir(bench.path(""));
    finish(command)
}

fn photo(bench: &Bench) {
    fs::copy(media("astronaut.jpg"), bench.path("face.jpg")).unwrap();
}

#[test]
fn groups() {
    let mut row = Row::new("twelve people in a photo and in a video");
    let bench = Bench::new();
    photo(&bench);
    bench.ffmpeg("-loop 1 -i face.jpg -vf crop=260:260:90:0,tile=4x3 -frames:v 1 -q:v 2 group.jpg");
    let faces = |run: &Run| lines(&run.stdout)[0]["faces"].as_array().unwrap().len();
    let found = run(&bench, "annotate group.jpg --jsonl -");
    assert_eq!((found.code, faces(&found)), (0, 12), "{found:?}");
    bench.ffmpeg("-loop 1 -i group.jpg -frames:v 12 -c:v libx264 -pix_fmt yuv420p group.mp4");
    let found = run(&bench, "annotate group.mp4 --jsonl -");
    assert_eq!((found.code, faces(&found)), (0, 4), "{found:?}");
    assert_eq!(found.stderr.matches("12 faces were seen at once").count(), 1, "{found:?}");
    assert!(found.stderr.contains("--max-faces 12"), "{found:?}");
    let found = run(&bench, "annotate group.mp4 --max-faces 12 --jsonl -");
    assert!(faces(&found) == 12 && !found.stderr.contains("were seen"), "{found:?}");
    row.runs(3);
    row.outcome("all in the photo; four in the video, and a warning with the number and the option");
}

#[test]
fn pictures_of_all_kinds() {
    let mut row = Row::new("JPEG, PNG, WebP, BMP, TIFF, GIF: whole, cut short, animated, turned by EXIF");
    let bench = Bench::new();
    photo(&bench);
    for kind in ["jpg", "png", "webp", "bmp", "tiff", "gif"] {
        let name = format!("a.{kind}");
        let more = match kind {
            "webp" => "-c:v libwebp",
            "tiff" => "-pix_fmt rgb24",
            _ => "-q:v 2",
        };
        bench.ffmpeg(&format!("-i face.jpg -vf scale=256:256 {more} -frames:v 1 {name}"));
        let found = run(&bench, &format!("annotate {name} --jsonl - -o out/"));
        assert_eq!(
            (found.code, lines(&found.stdout)[0]["faces"].as_array().unwrap().len()),
            (0, 1),
            "{found:?}"
        );
        assert_eq!(image::open(bench.path("out").join(&name)).unwrap().width(), 256);
        row.count();
        let whole = fs::read(bench.path(&name)).unwrap();
        for part in [0.3, 0.6, 0.95] {
            fs::write(bench.path(&name), &whole[..(whole.len() as f64 * part) as usize]).unwrap();
            let cut = run(&bench, &format!("annotate {name} --jsonl -"));
            assert!(cut.code == 3 && cut.stderr.contains(&name), "{part} of {name}: {cut:?}");
            row.count();
        }
    }
    bench.ffmpeg("-loop 1 -i face.jpg -vf scale=256:256,hue=b=n/4 -r 5 -frames:v 3 moving.gif");
    bench.ffmpeg("-i moving.gif -c:v libwebp_anim moving.webp");
    bench.ffmpeg("-i moving.gif -f apng moving.png");
    for (name, frames) in [("moving.gif", 3), ("moving.webp", 1), ("moving.png", 1)] {
        let found = run(&bench, &format!("annotate {name} --jsonl -"));
        assert_eq!((found.code, lines(&found.stdout).len()), (0, frames), "{found:?}");
        assert_eq!(found.stderr.contains("is animated; only its first picture"), frames == 1, "{found:?}");
        row.count();
    }
    // A camera held on its side writes the orientation into the EXIF data.
    bench.ffmpeg("-i face.jpg -vf transpose=2 -q:v 2 side.jpg");
    let jpeg = fs::read(bench.path("side.jpg")).unwrap();
    let exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    let segment = [&b"\xff\xe1"[..], &(exif.len() as u16 + 2).to_be_bytes(), exif].concat();
    fs::write(bench.path("turned.jpg"), [&jpeg[..2], &segment, &jpeg[2..]].concat()).unwrap();
    let landmarks = |name: &str| {
        let found = run(&bench, &format!("annotate {name} --jsonl -"));
        crate::program::landmarks(&lines(&found.stdout))
    };
    let off = crate::program::mean_distance(&landmarks("face.jpg"), &landmarks("turned.jpg"));
    assert!(off < 2.0, "{off} px off");
    row.count();
    row.outcome("found and written in their own formats, turned as EXIF says; exit 3 for what is cut short");
}

#[test]
fn mixed_folders() {
    let mut row = Row::new("folders with what cannot be read, and what macOS leaves");
    let bench = Bench::new();
    photo(&bench);
    fs::create_dir_all(bench.path("in/sub")).unwrap();
    fs::copy(bench.path("face.jpg"), bench.path("in/face.jpg")).unwrap();
    fs::write(bench.path("in/._face.jpg"), "\0\u{5}\u{16}\u{7}").unwrap();
    fs::write(bench.path("in/notes.txt"), "").unwrap();
    fs::write(bench.path("in/it's.heic"), b"\0\0\0\x18ftypheic\0\0\0\0mif1heic").unwrap();
    fs::write(bench.path("in/b.avif"), b"\0\0\0\x18ftypmif1\0\0\0\0mif1avif").unwrap();
    let found = run(&bench, "annotate in --jsonl -");
    assert_eq!((found.code, lines(&found.stdout).len()), (0, 1), "{found:?}");
    let told = ["in/notes.txt, in/sub/", "heif-convert 'in/it'\\''s.heic'", "avifdec in/b.avif in/b.png"];
    assert!(told.iter().all(|words| found.stderr.contains(words)), "{found:?}");
    assert!(found.stderr.ends_with("1 frames, 1 with a face; 4 files left out\n"), "{found:?}");
    assert!(!found.stderr.contains("._"), "{found:?}");
    let heic = run(&bench, "annotate in/it's.heic --jsonl -");
    assert!(heic.code == 3 && heic.stderr.contains("heif-convert"), "{heic:?}");
    fs::rename(bench.path("in/b.avif"), bench.path("in/b.mp4")).unwrap();
    let avif = run(&bench, "annotate in/b.mp4 --jsonl -");
    assert!(avif.code == 3 && avif.stderr.contains("avifdec"), "{avif:?}");
    fs::remove_file(bench.path("in/b.mp4")).unwrap();
    row.runs(3);
    for (name, args) in [
        ("a.ogv", "-c:v libtheora"),
        ("b.vob", "-f vob -c:v mpeg2video"),
        ("c.h264", "-c:v libx264"),
        ("d.dv", "-s 720x576 -r 25 -pix_fmt yuv420p -c:v dvvideo"),
    ] {
        bench.ffmpeg(&format!("-f lavfi -i testsrc2=size=160x120:rate=25:duration=0.2 {args} in/{name}"));
    }
    let found = run(&bench, "annotate in --model nose --jsonl data/");
    assert!(found.code == 0 && found.stderr.contains("4 videos: 4 annotated"), "{found:?}");
    assert!(
        found.stderr.ends_with("; 4 files left out\n") && found.stderr.contains("in/face.jpg"),
        "{found:?}"
    );
    row.count();
    row.outcome(
        "each file that is left out is named and counted, HEIC and AVIF with the command that converts them",
    );
}

#[test]
fn names_of_outputs() {
    let mut row = Row::new("one picture to a file, one video to a folder, refused runs");
    let bench = Bench::new();
    photo(&bench);
    talker(&bench, "-frames:v 5 -an -c:v libx264 -pix_fmt yuv420p", "a.mp4");
    let ends = |args: &str, code: i32| {
        let ended = run(&bench, args);
        assert_eq!(ended.code, code, "{args}: {ended:?}");
    };
    ends("annotate face.jpg -o b.png", 0);
    assert_eq!(
        image::ImageReader::open(bench.path("b.png")).unwrap().format(),
        Some(image::ImageFormat::Png)
    );
    assert_eq!(image::open(bench.path("b.png")).unwrap().width(), 512);
    ends("annotate face.jpg -o b.xyz", 2);
    ends("annotate face.jpg b.png -o c.jpg", 2);
    ends("annotate a.mp4 --model nose -o o/ --jsonl o/ --csv c.csv", 0);
    ends("annotate a.mp4 --model nose -o o --jsonl o --resume", 0);
    assert_eq!(
        (fs::read_dir(bench.path("o")).unwrap().count(), records(&bench.path("o/a.jsonl")).len()),
        (2, 5)
    );
    assert!(bench.path("c.csv").is_file());
    ends("annotate face.jpg --jsonl o/", 0);
    assert_eq!(records(&bench.path("o/face.jsonl")).len(), 1);
    let before = bench.files();
    // What is known only once the data's files are open.
    fs::create_dir(bench.path("new.mp4.partial")).unwrap();
    ends("annotate a.mp4 -o new.mp4 --csv new.csv --trace new.json", 6);
    fs::remove_dir(bench.path("new.mp4.partial")).unwrap();
    ends("annotate face.jpg -o new/er/ --model nothing", 5);
    ends("annotate a.mp4 -o new/er/ --csv new/ --model nothing", 5);
    assert_eq!(bench.files(), before, "refused runs leave nothing");
    row.runs(9);
    row.outcome("a slash or a folder that is there means a folder; what is refused leaves nothing");
}

#[test]
fn every_nth_frame_and_pictures_on_their_side() {
    let mut row = Row::new("`--every`, `--rotate`");
    let bench = Bench::new();
    talker(&bench, "-frames:v 12 -an -c:v libx264 -pix_fmt yuv420p", "a.mp4");
    let found = run(&bench, "annotate a.mp4 --every 5 --jsonl - -o b.mp4 --csv c.csv");
    assert_eq!(found.code, 0, "{found:?}");
    let frames: Vec<_> = lines(&found.stdout).iter().map(|line| line["frame"].as_u64().unwrap()).collect();
    assert_eq!(frames, [0, 5, 10]);
    assert_eq!(fs::read_to_string(bench.path("c.csv")).unwrap().lines().count(), 4);
    assert_eq!(crate::program::frames(&bench.path("b.mp4")), 12);
    let refused =
        facemark(["annotate", media("astronaut.jpg").to_str().unwrap(), "--every", "2", "--jsonl", "-"]);
    assert_eq!(refused.code, 2, "{refused:?}");
    let upright = lines(&run(&bench, "annotate a.mp4 --jsonl -").stdout);
    let size = |name: &str| probe(&bench.path(name), "-select_streams v:0 -show_entries stream=width,height");
    for (turn, back) in [("transpose=2", "90"), ("transpose=2,transpose=2", "180"), ("transpose=1", "270")] {
        bench.ffmpeg(&format!("-i a.mp4 -vf {turn} -c:v libx264 -crf 12 -pix_fmt yuv420p side.mp4"));
        let found = run(&bench, &format!("annotate side.mp4 --rotate {back} --jsonl - -o up{back}.mp4"));
        let landmarks = |lines| crate::program::landmarks(lines);
        let off = crate::program::mean_distance(&landmarks(&upright), &landmarks(&lines(&found.stdout)));
        assert!(found.code == 0 && off < 2.0, "{off} px off: {found:?}");
        assert_eq!(size(&format!("up{back}.mp4")), size("a.mp4"));
        row.count();
    }
    row.runs(2);
    row.outcome(
        "data of every Nth frame, video with all; landmarks within 2 px of those of the upright video",
    );
}
