//! Faces that are made unrecognisable.

use facemark::geometry::{Point, Region};
use facemark_cli::frame::Frame;
use facemark_cli::source::{Source, video::VideoSource};

use crate::fixtures::{Bench, checksums, probe};
use crate::program::{annotate, command, finish, landmarks, lines, media, talker};
use crate::table::Row;

/// The mean luma difference between neighbours within a box.
fn detail(frame: &Frame, from: Point, to: Point) -> f64 {
    let luma = &frame.image.luma;
    let (left, right) = (from.x.max(0.0) as usize, (to.x as usize).min(luma.width() - 1));
    let (top, bottom) = (from.y.max(0.0) as usize, (to.y as usize).min(luma.height() - 1));
    let mut differences = Vec::new();
    for row in luma.data().chunks_exact(luma.width()).take(bottom).skip(top) {
        differences.extend(row[left..right].windows(2).map(|pair| f64::from(pair[0].abs_diff(pair[1]))));
    }
    differences.iter().sum::<f64>() / differences.len() as f64
}

/// How many times less detail the face at these points, moved to the right, has after than before.
fn gone((before, after): (&Frame, &Frame), points: &[[f64; 2]], right: f32) -> f64 {
    let points = points.iter().map(|[x, y]| Point::new(*x as f32 + right, *y as f32));
    let Region { center, size, .. } = Region::from_points(points);
    // What identifies a face: brows to chin, and a bit of the head around it.
    let half = 0.55 * size;
    let from = Point::new(center.x - half, center.y - half);
    let to = Point::new(center.x + half, center.y + half);
    detail(before, from, to) / detail(after, from, to)
}

#[test]
fn a_face_is_hidden_from_its_first_frame_on() {
    let mut row = Row::new("`--blur` of a face that comes while another one is there");
    let bench = Bench::new();
    let truth = {
        let clip = media("talker.mp4");
        landmarks(&lines(&finish(command(["annotate", clip.to_str().unwrap(), "--jsonl", "-"])).stdout))
    };
    let is_there = |frame: usize| matches!(frame, 13..=15 | 41..=41 | 67..);
    // The second one is there for three frames, for a single one, and then for good.
    let clip = talker(
        &bench,
        "-i talker.mp4 -lavfi [1]drawbox=c=gray:t=fill:enable=not(between(n\\,13\\,15)+eq(n\\,41)+gte(n\\,67))[b];[0][b]hstack \
         -frames:v 90 -c:v libx264 -crf 12 -pix_fmt yuv420p",
        "two.mp4",
    );
    let out = bench.path("out.mp4");
    let mut least: f64 = f64::INFINITY;
    let mut hidden = command(["annotate", "--blur"]);
    let run = finish({
        hidden.arg(&clip).arg("-o").arg(&out);
        hidden
    });
    assert_eq!(run.code, 0, "{run:?}");
    let (mut bare, mut covered) = (VideoSource::open(&clip, 1).unwrap(), VideoSource::open(&out, 1).unwrap());
    let (mut before, mut after) = (Frame::empty(), Frame::empty());
    for (frame, points) in truth.iter().enumerate().take(90) {
        assert!(bare.next(&mut before).unwrap() && covered.next(&mut after).unwrap());
        for right in [Some(0.0), is_there(frame).then_some(480.0)].into_iter().flatten() {
            let gone = gone((&before, &after), points, right);
            assert!(gone > 1.5, "frame {frame}, {right} px to the right: {gone}");
            least = least.min(gone);
            row.count();
        }
    }
    row.outcome(format!(
        "hidden in all its frames, even if there is only one; at most 1/{least:.1} of the detail is left"
    ));
}

#[test]
fn other_pictures_do_not_come_along() {
    let mut row = Row::new("`--blur` of a file with a cover and a second video stream");
    let bench = Bench::new();
    bench.movie("a.mp4");
    bench.ffmpeg("-f lavfi -i color=red:size=64x64 -frames:v 1 cover.jpg");
    bench.ffmpeg(
        "-i a.mp4 -i a.mp4 -i cover.jpg -map 0 -map 1:v -map 2 -c copy -disposition:v:2 attached_pic in.mp4",
    );
    bench.ffmpeg("-i a.mp4 -i a.mp4 -map 0 -map 1:v -c copy -attach cover.jpg -metadata:s:t mimetype=image/jpeg in.mkv");
    for (input, out) in
        [("in.mp4", "out.mp4"), ("in.mp4", "out.mkv"), ("in.mkv", "out.mkv"), ("in.mkv", "out.mov")]
    {
        let (input, out) = (bench.path(input), bench.path(out));
        let all = probe(&input, "-show_entries stream=codec_type");
        assert_eq!(all.iter().filter(|kind| *kind == "video").count(), 3, "{all:?}");
        let run = annotate(&input, &[("--blur", "--overwrite".as_ref()), ("-o", &out)]);
        assert_eq!(run.code, 0, "{run:?}");
        assert_eq!(run.stderr.matches("its pictures may show faces").count(), 2, "{run:?}");
        let kinds = probe(&out, "-show_entries stream=codec_type");
        assert_eq!(kinds.iter().filter(|kind| *kind == "video").count(), 1, "{kinds:?}");
        assert_eq!(checksums(&out, "a"), checksums(&input, "a"));
        row.count();
    }
    row.outcome("left out and named; the sound stays");
}

#[test]
fn no_face_stays_bare() {
    let mut row = Row::new("`--blur`, `--mosaic`");
    let bench = Bench::new();
    let clip = media("talker.mp4");
    let args = ["annotate", clip.to_str().unwrap(), "--jsonl", "-"];
    let truth = landmarks(&lines(&finish(command(args)).stdout));
    let mut least: f64 = f64::INFINITY;
    for how in ["--blur", "--mosaic"] {
        let out = bench.path(&format!("{}.mp4", &how[2..]));
        let mut hidden = command(args);
        let run = finish({
            hidden.arg("-o").arg(&out).arg(how);
            hidden
        });
        assert_eq!(run.code, 0, "{run:?}");
        assert_eq!(landmarks(&lines(&run.stdout)), truth, "the data are the same");
        let (mut bare, mut covered) =
            (VideoSource::open(&clip, 1).unwrap(), VideoSource::open(&out, 1).unwrap());
        let (mut before, mut after) = (Frame::empty(), Frame::empty());
        for points in &truth {
            assert!(bare.next(&mut before).unwrap() && covered.next(&mut after).unwrap());
            least = least.min(gone((&before, &after), points, 0.0));
        }
        assert!(least > 1.5, "{how}: {least}");
        row.count();
    }
    row.outcome(format!(
        "in no frame is more than 1/{least:.1} of the face's detail left; the data are the same"
    ));
}
