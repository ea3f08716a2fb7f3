//! No face, half a face, many faces.

use serde_json::Value;

use crate::fixtures::Bench;
use crate::program::{annotate, facemark, lines, records, talker};
use crate::table::{Row, limit};

/// Three frames with fifty faces may take this long.
const MOST_SECONDS: f64 = 60.0;

#[test]
fn none_at_the_border_and_fifty() {
    let mut row = Row::new("no face, face at the border, 50 faces");
    let bench = Bench::new();
    let empty = bench.video("-c:v libx264 -pix_fmt yuv420p", "empty.mp4");
    let jsonl = bench.path("out.jsonl");
    assert_eq!(annotate(&empty, &[("--jsonl", &jsonl)]).code, 0);
    let found = records(&jsonl);
    assert!(found.len() == 60 && found.iter().all(|record| record["faces"].as_array().unwrap().is_empty()));
    row.count();
    // The head moves out of the picture.
    let border = talker(
        &bench,
        "-vf pad=w=880:h=480,crop=w=400:h=480:x=t*80:y=0 -frames:v 96 -c:v libx264 -pix_fmt yuv420p",
        "border.mp4",
    );
    let run = facemark(["annotate", "--jsonl", "-", border.to_str().unwrap()]);
    assert_eq!(run.code, 0, "{run:?}");
    let found = lines(&run.stdout);
    assert_eq!(found.len(), 96);
    let is_finite = |record: &Value| {
        let points =
            record["faces"].as_array().unwrap().iter().flat_map(|face| face["points"].as_array().unwrap());
        points
            .flat_map(|point| point.as_array().unwrap())
            .all(|number| number.as_f64().is_some_and(f64::is_finite))
    };
    assert!(found.iter().all(is_finite));
    let n_faces = |record: &Value| record["faces"].as_array().unwrap().len();
    assert!(found[..24].iter().all(|record| n_faces(record) == 1), "the face is whole in the first second");
    row.count();
    talker(&bench, "-frames:v 1 -vf crop=330:330:75:100,scale=160:160", "one.png");
    bench.ffmpeg(
        "-loop 1 -framerate 25 -i one.png -vf tile=8x7 -frames:v 3 -c:v libx264 -pix_fmt yuv420p fifty.mp4",
    );
    let fifty = bench.path("fifty.mp4");
    let many = ["annotate", "--max-faces", "50", "--small-faces", "--jsonl", "-"];
    let run = facemark(many.into_iter().chain(fifty.to_str()));
    assert_eq!(run.code, 0, "{run:?}");
    let most =
        lines(&run.stdout).iter().map(|record| record["faces"].as_array().unwrap().len()).max().unwrap();
    // Without --small-faces it is 44.
    assert!((45..=50).contains(&most), "{most} faces");
    assert!(run.took.as_secs_f64() < limit(MOST_SECONDS), "{run:?}");
    row.count();
    row.outcome(format!(
        "an empty list is success; {most} of 50 faces found, {:.1} s for 3 frames (limit {MOST_SECONDS})",
        run.took.as_secs_f64()
    ));
}
