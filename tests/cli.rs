//! The program as a user runs it, on the demo clip and on inputs that are wrong.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use facemark::face::{Pose, Scheme};
use facemark::geometry::Point;
use serde_json::Value;

#[path = "fidelity/hear.rs"]
mod hear;

const FACEMARK: &str = env!("CARGO_BIN_EXE_facemark");

fn media(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("media").join(name)
}

/// The program. It receives signals even if this test run was started with them ignored, as by nohup.
fn command() -> Command {
    hear::signals();
    Command::new(FACEMARK)
}

fn facemark<S: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = S>) -> Output {
    command().args(args).stdin(Stdio::null()).output().expect("facemark starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs facemark, which must succeed, and returns standard output.
fn succeed(args: &[&str]) -> String {
    let output = facemark(args);
    assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// Runs facemark, which must fail with this code and one line that contains `word`.
fn fail(args: &[&str], code: i32, word: &str) {
    let output = facemark(args);
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {message}");
    assert_eq!(message.lines().count(), 1, "{args:?}: {message}");
    assert!(message.contains(word), "{args:?}: {message:?} does not say {word:?}");
}

fn lines(jsonl: &str) -> Vec<Value> {
    jsonl.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

/// The true landmarks of each frame of the talking head.
fn truth() -> Vec<Vec<[f64; 2]>> {
    let text = fs::read_to_string(media("talker.csv")).expect("the demo clip's truth");
    let row = |line: &str| {
        let numbers: Vec<f64> = line.split(',').skip(1).map(|v| v.parse().expect("a number")).collect();
        numbers.chunks_exact(2).map(|pair| [pair[0], pair[1]]).collect()
    };
    text.lines().skip(1).map(row).collect()
}

fn distance(a: [f64; 2], b: [f64; 2]) -> f64 {
    (a[0] - b[0]).hypot(a[1] - b[1])
}

/// Mean error of the 51 inner points in per cent of the distance between the outer eye corners. The truth's jaw
/// points are defined differently from human labels, see media/SOURCES.md.
fn error(face: &Value, truth: &[[f64; 2]]) -> f64 {
    let points: Vec<[f64; 2]> = serde_json::from_value(face["points"].clone()).expect("points");
    assert_eq!(points.len(), 68);
    let sum: f64 = (17..68).map(|i| distance(points[i], truth[i])).sum();
    100.0 * sum / 51.0 / distance(truth[36], truth[45])
}

#[test]
fn landmarks_of_the_demo_clip_are_near_the_truth() {
    let clip = media("talker.mp4");
    let frames = lines(&succeed(&["annotate", clip.to_str().unwrap(), "--jsonl", "-", "--quiet"]));
    assert_eq!(frames.len(), 120);
    let truth = truth();
    let mut errors = Vec::new();
    for (index, frame) in frames.iter().enumerate() {
        assert_eq!(frame["frame"].as_u64(), Some(index as u64));
        assert!((frame["time"].as_f64().unwrap() - index as f64 / 24.0).abs() < 1e-3);
        let faces = frame["faces"].as_array().unwrap();
        assert!(faces.len() <= 1, "one person, but frame {index} has {} faces", faces.len());
        errors.extend(faces.iter().map(|face| error(face, &truth[index])));
    }
    assert!(errors.len() >= 115, "a face in {} frames only", errors.len());
    let mean = errors.iter().sum::<f64>() / errors.len() as f64;
    assert!(mean < 8.0, "mean error {mean:.2} % of the outer eye corners' distance");
}

#[test]
fn measures_are_written_where_they_are_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (clip, jsonl, csv) = (media("talker.mp4"), path("out.jsonl"), path("out.csv"));
    let clip = clip.to_str().unwrap();
    succeed(&["annotate", clip, "--measures", "--jsonl", &jsonl, "--csv", &csv]);
    let table = fs::read_to_string(&csv).unwrap();
    let mut rows = table.lines().map(|row| row.split(',').collect::<Vec<_>>());
    let header = rows.next().unwrap();
    let columns = ["fov", "pose_Tx", "pose_Ty", "pose_Tz", "pose_Rx", "pose_Ry", "pose_Rz"];
    assert_eq!(header[5..12], columns);
    assert_eq!(header[12..17], ["eye_left", "eye_right", "blink", "mouth", "x_0"]);
    assert_eq!(header.len(), 5 + 11 + 3 * 68 + 1, "x, y and sigma of each point");
    let (mut difference, mut n) = (0.0, 0.0);
    for (frame, (row, truth)) in lines(&fs::read_to_string(&jsonl).unwrap()).iter().zip(rows.zip(truth())) {
        let Some(face) = frame["faces"].get(0) else { continue };
        // Degrees here, radians there.
        let yaw = face["pose"]["yaw"].as_f64().unwrap();
        assert!((yaw - row[10].parse::<f64>().unwrap().to_degrees()).abs() < 0.02);
        // A head half as wide as the picture is about twice its own breadth away from a camera of 60 degrees.
        let away = face["head"]["z"].as_f64().unwrap();
        assert!(
            (away - row[8].parse::<f64>().unwrap()).abs() < 0.06 && (150.0..800.0).contains(&away),
            "{away}"
        );
        assert_eq!(face["head"]["fov"], 60.0);
        assert!(face["eyes"][1].as_f64().is_some() && face["blink"].is_boolean());
        assert!((face["mouth"].as_f64().unwrap() - row[15].parse::<f64>().unwrap()).abs() < 1e-9);
        let points: Vec<Point> = truth.iter().map(|p| Point::new(p[0] as f32, p[1] as f32)).collect();
        let pose = Pose::of(&points, Scheme::Ibug68).unwrap();
        difference += (yaw - f64::from(pose.yaw).to_degrees()).abs();
        n += 1.0;
    }
    // To nets trained only on people, the rendered head looks a tenth further to the side.
    assert!(n >= 120.0 && difference / n < 4.0, "yaw is {:.1}° off", difference / n);
}

#[test]
fn measures_of_a_model_without_the_points_are_left_out_and_that_is_said() {
    let clip = media("talker.mp4");
    let args = ["annotate", clip.to_str().unwrap(), "--model", "nose", "--measures", "--jsonl", "-"];
    let output = facemark(args);
    assert!(output.status.success());
    assert!(
        text(&output.stderr).contains("needs the points of ibug68 or mesh478"),
        "{}",
        text(&output.stderr)
    );
    let faces = lines(&text(&output.stdout)).into_iter().flat_map(|frame| frame["faces"].as_array().cloned());
    assert!(faces.flatten().all(|face| face.get("pose").is_none()));
}

#[test]
fn two_runs_and_two_threads_give_the_same_bytes() {
    let clip = media("talker.mp4");
    let run = |threads: &str| {
        succeed(&["annotate", clip.to_str().unwrap(), "--jsonl", "-", "--quiet", "--threads", threads])
    };
    let first = run("1");
    assert!(first == run("1"), "two runs differ");
    assert!(first == run("2"), "one and two threads differ");
}

/// On machines with AVX-512, libx264 reads memory that it never wrote for pictures of this size.
#[test]
fn what_memory_held_before_does_not_change_the_video() {
    let folder = tempfile::tempdir().unwrap();
    let (clip, video) = (media("talker.mp4"), folder.path().join("out.mp4"));
    let bytes = |fill: &str| {
        let mut command = Command::new(FACEMARK);
        command
            .args(["annotate", "--quiet", "--overwrite", "--model", "nose"])
            .arg(&clip)
            .arg("-o")
            .arg(&video);
        // The C library fills new memory with the complement of this byte.
        assert!(command.env("MALLOC_PERTURB_", fill).status().unwrap().success());
        fs::read(&video).unwrap()
    };
    let first = bytes("1");
    assert!(first == bytes("2") && first == bytes("254"));
}

#[test]
fn all_outputs_of_one_run_agree() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let clip = media("talker.mp4");
    let (video, jsonl, csv) = (path("out.mp4"), path("out.jsonl"), path("out.csv"));
    let outputs = ["-o", &video, "--jsonl", &jsonl, "--csv", &csv];
    succeed(&[&["annotate", clip.to_str().unwrap(), "--model", "full-face"], &outputs[..]].concat());
    let frames = lines(&fs::read_to_string(&jsonl).unwrap());
    let csv_text = fs::read_to_string(&csv).unwrap();
    let mut rows = csv_text.lines();
    let header: Vec<&str> = rows.next().unwrap().split(',').collect();
    assert_eq!(header[..6], ["frame", "timestamp", "face_id", "confidence", "success", "x_0"]);
    assert_eq!(header.len(), 5 + 2 * 58 + 1);
    let found: usize = frames.iter().map(|frame| frame["faces"].as_array().unwrap().len().max(1)).sum();
    assert_eq!(rows.count(), found);
    // Decoding the annotated video again gives the same number of frames, with the overlay in them.
    let again = lines(&succeed(&["annotate", &video, "--jsonl", "-", "--quiet"]));
    assert_eq!(again.len(), frames.len());
    let names: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 3, "{names:?}");
}

#[test]
fn a_photo_has_its_face_and_an_annotated_copy() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("out");
    let photo = media("astronaut.jpg");
    let args = ["annotate", photo.to_str().unwrap(), "--jsonl", "-", "-o", target.to_str().unwrap()];
    let frames = lines(&succeed(&args));
    assert_eq!(frames.len(), 1);
    assert!(frames[0]["file"].as_str().unwrap().ends_with("astronaut.jpg"));
    let face = &frames[0]["faces"][0];
    // Read off the photo by eye: the tip of the nose, and the eyes' outer corners.
    let points: Vec<[f64; 2]> = serde_json::from_value(face["points"].clone()).unwrap();
    assert!(distance(points[30], [224.0, 126.0]) < 8.0, "nose at {:?}", points[30]);
    let copy = image::open(target.join("astronaut.jpg")).expect("the annotated copy");
    assert_eq!((copy.width(), copy.height()), (512, 512));
}

#[test]
fn bench_reports_every_stage_as_json() {
    let folder = tempfile::tempdir().unwrap();
    let video = folder.path().join("out.mp4");
    let clip = media("talker.mp4");
    let args = ["bench", clip.to_str().unwrap(), "--json", "--model", "nose", "-o", video.to_str().unwrap()];
    let report: Value = serde_json::from_str(&succeed(&args)).unwrap();
    assert_eq!((report["frames"].as_u64(), report["dropped"].as_u64()), (Some(120), Some(0)));
    assert!(report["fps"].as_f64().unwrap() > 1.0 && report["rss_peak_mb"].as_f64().unwrap() > 10.0);
    for stage in ["decode", "detect", "crop", "infer", "confirm", "smooth", "track", "draw", "encode"] {
        for key in ["p50", "p95", "p99", "max", "mean"] {
            assert!(report["stages"][stage][key].as_f64().unwrap() > 0.0, "{stage} {key}");
        }
    }
}

#[test]
fn live_plays_at_the_clips_own_speed() {
    let clip = media("talker.mp4");
    let start = std::time::Instant::now();
    let args = ["bench", clip.to_str().unwrap(), "--json", "--live", "--model", "nose"];
    let report: Value = serde_json::from_str(&succeed(&args)).unwrap();
    assert!(start.elapsed() > Duration::from_secs_f64(119.0 / 24.0));
    let frames = report["frames"].as_u64().unwrap() + report["dropped"].as_u64().unwrap();
    assert_eq!(frames, 120);
}

#[test]
fn a_paced_run_is_measured_from_when_frames_were_due_and_leaves_a_page_and_a_trace() {
    let folder = tempfile::tempdir().unwrap();
    let (page, trace) = (folder.path().join("report.html"), folder.path().join("trace.json"));
    let clip = media("talker.mp4");
    let outputs = ["--html", page.to_str().unwrap(), "--trace", trace.to_str().unwrap()];
    let args = ["bench", clip.to_str().unwrap(), "--json", "--paced", "60", "--model", "nose"];
    let report: Value = serde_json::from_str(&succeed(&[&args[..], &outputs[..]].concat())).unwrap();
    assert_eq!(report["frames"].as_u64().unwrap() + report["dropped"].as_u64().unwrap(), 120);
    assert_eq!(report["deadline_ms"].as_f64(), Some(16.667));
    let [data, track] = ["to data", "track"].map(|stage| report["stages"][stage]["p50"].as_f64().unwrap());
    assert!(data >= track, "{report}");
    let page = fs::read_to_string(page).unwrap();
    assert!(page.contains("capture to data") && page.contains("polyline"));
    let events: Vec<Value> = serde_json::from_slice(&fs::read(trace).unwrap()).unwrap();
    let tracked = events.iter().filter(|event| event["name"] == "track").count() as u64;
    assert_eq!(Some(tracked), report["frames"].as_u64());
    fail(&["bench", clip.to_str().unwrap(), "--html", clip.to_str().unwrap()], 6, "is the input itself");
}

#[test]
fn a_file_that_is_annotated_leaves_a_trace_of_every_frame() {
    let folder = tempfile::tempdir().unwrap();
    let (video, trace) = (folder.path().join("out.mp4"), folder.path().join("trace.json"));
    let clip = media("talker.mp4");
    let args = ["annotate", clip.to_str().unwrap(), "-o", video.to_str().unwrap()];
    succeed(&[&args[..], &["--trace", trace.to_str().unwrap()]].concat());
    let events: Vec<Value> = serde_json::from_slice(&fs::read(trace).unwrap()).unwrap();
    for stage in ["decode", "track", "crop", "infer", "draw", "encode"] {
        let mut frames: Vec<_> = events
            .iter()
            .filter(|e| e["name"] == stage)
            .map(|e| e["args"]["frame"].as_u64().unwrap())
            .collect();
        frames.dedup();
        assert_eq!(frames, (0..120).collect::<Vec<_>>(), "{stage}");
    }
}

#[test]
fn openfaces_arguments_give_its_table() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let clip = media("talker.mp4").to_string_lossy().into_owned();
    let output =
        facemark(["openface", "-wild", "-f", &clip, "-out_dir", &out("a"), "-2Dfp", "-pose", "-aus"]);
    let message = text(&output.stderr);
    assert!(output.status.success(), "{message}");
    assert_eq!(message.matches("action units").count(), 1, "{message}");
    let table = fs::read_to_string(out("a/talker.csv")).expect("the table");
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split(',').collect()).collect();
    let columns =
        "frame,face_id,timestamp,confidence,success,pose_Tx,pose_Ty,pose_Tz,pose_Rx,pose_Ry,pose_Rz,x_0";
    assert_eq!((rows[0][..12].join(","), rows[0].len()), (columns.to_owned(), 11 + 2 * 68));
    assert_eq!((&rows[1][..3], &rows[120][..3]), (&["1", "0", "0.000"][..], &["120", "0", "4.958"][..]));
    assert!(rows[1..].iter().all(|row| row[4] == "1" && row.len() == rows[0].len()));
    fail(&["openface", "-f", &clip, "-out_dir", &out("a"), "-2Dfp"], 6, "--overwrite");
    fail(&["openface", "-f", &clip, "-out_dir", &out("b"), "-2Dpf"], 2, "-2Dpf");
    assert!(!folder.path().join("b").exists());
}

#[test]
fn models_are_listed() {
    let list = succeed(&["models"]);
    for name in ["compact", "mesh", "large", "resnet18", "full-face", "nose", "face", "face-research"] {
        assert!(list.contains(name), "{list}");
    }
    let row = |name: &str| list.lines().find(|line| line.starts_with(name)).unwrap();
    assert!(row("mesh ").contains("any use") && row("compact ").contains("research only"), "{list}");
    assert!(row("face ").contains("faces  256x192") && row("face ").contains("1 - IoU "), "{list}");
    let validation = row("large ").split_once("NME ").expect("a validation error").1;
    assert!(validation.split(' ').next().unwrap().parse::<f32>().is_ok_and(|error| error < 5.0), "{list}");
}

#[test]
fn a_mesh_may_be_used_for_everything_and_shows_68_points() {
    let photo = media("astronaut.jpg").to_string_lossy().into_owned();
    let jsonl = ["annotate", &photo, "--jsonl", "-", "--terms", "open"];
    fail(&jsonl, 5, "compact (research only)");
    let faces = |more: &[&str]| {
        let line = succeed(&[&jsonl[..], &["--model", "mesh", "--measures", "--quiet"], more].concat());
        serde_json::from_str::<Value>(&line).expect("JSON")["faces"].take()
    };
    let count = |face: &Value, key: &str| face[key].as_array().map_or(0, Vec::len);
    for (more, n) in [(&[][..], 478), (&["--points", "68"], 68)] {
        let face = &faces(more)[0];
        assert_eq!([count(face, "points"), count(face, "depths"), count(face, "sigma")], [n; 3]);
        assert_eq!(face["blendshapes"].as_object().map(serde_json::Map::len), Some(52));
        assert!(face["blendshapes"]["mouthSmileLeft"].as_f64() > Some(0.3), "she smiles: {face}");
        let gaze = &face["gaze"];
        assert!(gaze["left"][2].as_f64() < Some(-0.5) && gaze["closed"] == serde_json::json!([false, false]));
        assert!(face["head"]["z"].as_f64() > Some(100.0) && face["head"]["fov"] == 60.0);
    }
}

#[test]
fn bad_input_gets_one_line_and_its_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let clip = media("talker.mp4");
    let clip = clip.to_str().unwrap();
    let (empty, renamed, out) = (path("empty.mp4"), path("text.mp4"), path("out.mp4"));
    fs::write(&empty, "").unwrap();
    fs::write(&renamed, "This is no video. ".repeat(100)).unwrap();
    fail(&["annotate", &path("missing.mp4"), "-o", &out], 3, "missing.mp4");
    fail(&["annotate", &empty, "-o", &out], 3, "empty");
    fail(&["annotate", &renamed, "-o", &out], 3, "text.mp4");
    fail(&["annotate", clip], 2, "-o");
    fail(&["annotate", clip, "-o", clip], 6, "input");
    fail(&["annotate", clip, "--jsonl", clip, "--overwrite"], 6, "input");
    fail(&["annotate", clip, "--jsonl", &out, "--csv", &out], 2, "out.mp4");
    fail(&["annotate", clip, "-o", &path("no/such/folder.mp4")], 6, "folder");
    fail(&["annotate", clip, "-o", &out, "--model", "resnet19"], 5, "resnet18");
    fail(&["annotate", clip, "-o", &out, "--model", &renamed], 5, "text.mp4");
    fail(&["annotate", clip, "-o", &out, "--model", "face"], 5, "not a landmark model");
    fail(&["annotate", clip, "-o", &out, "--detector", "nose"], 5, "not a face detector");
    fail(&["annotate", clip, "--jsonl", &path("no/such/file.jsonl")], 6, "file.jsonl");
    assert!(!Path::new(&out).exists());
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "only the two fixtures stay: {left:?}");
}

#[test]
fn broken_models_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let good = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("models/nose.onnx")).unwrap();
    let clip = media("talker.mp4");
    for length in [0, 10, good.len() / 2, good.len() - 1] {
        let path = folder.path().join("cut.onnx");
        fs::write(&path, &good[..length]).unwrap();
        fail(
            &["annotate", clip.to_str().unwrap(), "--jsonl", "-", "--model", path.to_str().unwrap()],
            5,
            "cut.onnx",
        );
    }
}

#[test]
fn a_truncated_video_is_annotated_as_far_as_it_goes() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    // Matroska can be read from the front, so part of one is a truncated file and not an unreadable one.
    let (whole, cut, out) = (path("whole.mkv"), path("cut.mkv"), path("out.mkv"));
    let clip = media("talker.mp4");
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-i", clip.to_str().unwrap(), "-c", "copy", &whole])
        .status()
        .expect("ffmpeg is among the tests' packages");
    assert!(made.success());
    let bytes = fs::read(&whole).unwrap();
    fs::write(&cut, &bytes[..bytes.len() / 2]).unwrap();
    let output = facemark(["annotate", &cut, "-o", &out, "--jsonl", &path("out.jsonl"), "--quiet"]);
    assert_eq!(output.status.code(), Some(7), "{}", text(&output.stderr));
    let frames = lines(&fs::read_to_string(path("out.jsonl")).unwrap()).len();
    assert!((30..90).contains(&frames), "{frames} frames");
    assert_eq!(lines(&succeed(&["annotate", &out, "--jsonl", "-", "--quiet"])).len(), frames);
}

#[test]
fn ctrl_c_completes_the_outputs() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (video, jsonl) = (path("out.mp4"), path("out.jsonl"));
    let clip = media("talker.mp4");
    // Live, the clip takes five seconds: long enough to interrupt.
    let args = ["annotate", clip.to_str().unwrap(), "--live", "--quiet", "-o", &video, "--jsonl", &jsonl];
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let mut child = command().args(args).arg("--overwrite").spawn().unwrap();
        let begun = || fs::metadata(path("out.jsonl.partial")).is_ok_and(|file| file.len() > 0);
        while !begun() && child.try_wait().unwrap().is_none() {
            thread::sleep(Duration::from_millis(10));
        }
        // The shell's own kill: a minimal system has no other.
        let kill = format!("kill -s {signal} {}", child.id());
        let sent = Command::new("sh").args(["-c", &kill]).status().unwrap();
        assert!(sent.success());
        assert_eq!(child.wait().unwrap().code(), Some(code));
        let frames = lines(&fs::read_to_string(&jsonl).unwrap()).len();
        assert!((2..110).contains(&frames), "{frames} frames");
        assert_eq!(lines(&succeed(&["annotate", &video, "--jsonl", "-", "--quiet"])).len(), frames);
    }
}

#[test]
fn a_reader_that_goes_away_is_no_panic() {
    let clip = media("talker.mp4");
    let mut child = command()
        .args(["annotate", clip.to_str().unwrap(), "--jsonl", "-", "--quiet", "--model", "nose"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(141), ""));
}

#[test]
fn shells_get_completions_that_know_commands_and_options() {
    for (shell, word) in [
        ("bash", "complete -F _facemark"),
        ("zsh", "#compdef facemark"),
        ("fish", "complete -c facemark"),
        ("elvish", "edit:completion:arg-completer[facemark]"),
    ] {
        let script = succeed(&["completions", shell]);
        for word in [word, "annotate", "redetect-every"] {
            assert!(script.contains(word), "{shell}: no {word}");
        }
    }
    let bash = "source <(\"$1\" completions bash) && COMP_WORDS=(facemark annotate --redet) COMP_CWORD=2 \
        && _facemark facemark --redet annotate && echo \"${COMPREPLY[@]}\"";
    let completed = Command::new("bash").args(["-c", bash, "bash", FACEMARK]).output().unwrap();
    assert_eq!(text(&completed.stdout), "--redetect-every\n", "{}", text(&completed.stderr));
    assert_eq!(facemark(["completions", "csh"]).status.code(), Some(2));
}

#[test]
fn every_command_that_the_manual_names_has_a_page() {
    let page = succeed(&["man"]);
    assert!(page.contains(".TH facemark 1") && page.contains("Exit codes"), "{page}");
    let named: Vec<_> =
        page.lines().filter_map(|line| line.strip_suffix("(1)")?.strip_prefix("facemark\\-")).collect();
    let all =
        ["annotate", "bench", "live", "openface", "status", "merge", "devices", "models", "completions"];
    assert_eq!(named, all);
    for command in named {
        let page = succeed(&["man", command]);
        assert!(page.contains(&format!(".TH facemark-{command} 1")), "{page}");
        assert!(page.contains("\\-\\-quiet"), "{page}");
    }
    assert!(succeed(&["man", "live"]).contains("\\-\\-camera\\-format"));
    fail(&["man", "dance"], 2, "no command dance");
}
