//! Faces that are made unrecognisable.

use facemark::geometry::{Point, Region};
use facemark_cli::frame::Frame;
use facemark_cli::source::{Source, video::VideoSource};

use crate::fixtures::Bench;
use crate::program::{command, finish, landmarks, lines, media};
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
            let points = points.iter().map(|[x, y]| Point::new(*x as f32, *y as f32));
            let Region { center, size, .. } = Region::from_points(points);
            // What identifies a face: brows to chin, and a bit of the head around it.
            let half = 0.55 * size;
            let from = Point::new(center.x - half, center.y - half);
            let to = Point::new(center.x + half, center.y + half);
            least = least.min(detail(&before, from, to) / detail(&after, from, to));
        }
        assert!(least > 1.5, "{how}: {least}");
        row.count();
    }
    row.outcome(format!(
        "in no frame is more than 1/{least:.1} of the face's detail left; the data are the same"
    ));
}
