//! Model files that are broken, hostile, or produce nonsense.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use prost::Message;
use tract_onnx::pb::tensor_proto::{DataLocation, DataType};
use tract_onnx::pb::tensor_shape_proto::dimension::Value as Dim;
use tract_onnx::pb::type_proto::Value as Type;
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, StringStringEntryProto, TensorProto,
};

use crate::fixtures::Bench;
use crate::mutate::Random;
use crate::program::{Run, finish, media, records, talker};
use crate::table::{Row, limit, times};

/// The program's own memory in kB for photos, threads' stacks included (`RLIMIT_DATA`). It uses half with a good
/// model; believing a claim of 2 GB fails.
const MEMORY_KB: u32 = 300_000;
/// Its address space, including files mapped into memory.
const ADDRESSES_KB: u32 = 1_000_000;

fn model() -> ModelProto {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/nose.onnx");
    ModelProto::decode(&*fs::read(path).unwrap()).unwrap()
}

fn graph(model: &mut ModelProto) -> &mut GraphProto {
    model.graph.as_mut().unwrap()
}

/// Annotates a photo with the model `x.onnx`, under a memory limit.
#[track_caller]
fn run_limited(bench: &Bench) -> Run {
    let mut command = Command::new("bash");
    command.args(["-c", &format!("ulimit -d {MEMORY_KB}; ulimit -v {ADDRESSES_KB}; exec \"$@\""), "-"]);
    command.args([env!("CARGO_BIN_EXE_facemark"), "annotate", "--overwrite", "--quiet", "--model"]);
    command.arg(bench.path("x.onnx")).arg("--jsonl").arg(bench.path("out.jsonl")).arg(media("astronaut.jpg"));
    // With many threads, each would reserve addresses that it never uses.
    command.env("MALLOC_ARENA_MAX", "1");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    finish(command)
}

#[track_caller]
fn run_with(bench: &Bench, bytes: &[u8]) -> Run {
    fs::write(bench.path("x.onnx"), bytes).unwrap();
    run_limited(bench)
}

#[track_caller]
fn refused(bench: &Bench, bytes: &[u8], word: &str) {
    let run = run_with(bench, bytes);
    assert_eq!(run.code, 5, "{run:?}");
    assert!(run.stderr.contains(word) && run.stderr.contains("x.onnx"), "{run:?}");
    assert_eq!(run.stderr.lines().count(), 1, "{run:?}");
    assert!(run.took.as_secs_f64() < limit(2.0), "{run:?}");
    assert!(!bench.path("out.jsonl").exists());
}

#[test]
fn truncated_models() {
    let mut row = Row::new("model truncated");
    let bench = Bench::new();
    let whole = model().encode_to_vec();
    let n_cuts = times(5, 20) as usize;
    for cut in 0..n_cuts {
        refused(&bench, &whole[..whole.len() * cut / n_cuts], "");
        row.count();
    }
    refused(&bench, &whole[..whole.len() - 1], "");
    row.count();
    row.outcome("exit 5 within 2 s and 300 MB, one line");
}

#[test]
fn flipped_bits() {
    let mut row = Row::new("bit flips in a model");
    let bench = Bench::new();
    let whole = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("models/nose.onnx")).unwrap();
    let (mut refused, mut ran) = (0, 0);
    for seed in 0..times(20, 500) {
        let mut random = Random::new(seed);
        let mut bytes = whole.clone();
        // Every other time among the names and shapes at the end, which are mostly not weights.
        let from = if seed % 2 == 0 { 0 } else { whole.len() - 2500 };
        let at = from + random.below(bytes.len() - from);
        bytes[at] ^= 1 << random.below(8);
        let run = run_with(&bench, &bytes);
        match run.code {
            5 => refused += 1,
            0 => {
                ran += 1;
                let text = fs::read_to_string(bench.path("out.jsonl")).unwrap();
                // A number that is not finite becomes null in JSON.
                assert!(
                    crate::program::lines(&text).len() == 1 && !text.contains("null"),
                    "seed {seed}: {text}"
                );
                fs::remove_file(bench.path("out.jsonl")).unwrap();
            }
            _ => panic!("seed {seed}: {run:?}"),
        }
        assert!(run.took.as_secs_f64() < limit(4.0), "seed {seed}: {run:?}");
        row.count();
    }
    row.outcome(format!(
        "{refused} × exit 5; {ran} × only weights or unread text changed: exit 0, finite numbers"
    ));
}

/// One change to a model.
type Change = fn(&mut ModelProto);

#[test]
fn hostile_models() {
    let mut row = Row::new(
        "wrong output count, dynamic shapes, external data, tensor claiming 2 GB, huge layers, foreign operators",
    );
    let bench = Bench::new();
    fs::write(bench.path("secret"), [0; 4096]).unwrap();
    let cases: [(&str, Change); 15] = [
        ("outputs", |model| {
            let output = graph(model).output[0].clone();
            graph(model).output.push(output);
        }),
        ("outputs", |model| graph(model).output.clear()),
        ("input", |model| {
            let input = graph(model).input[0].r#type.as_mut().and_then(|kind| kind.value.as_mut()).unwrap();
            let Type::TensorType(tensor) = input;
            tensor.shape.as_mut().unwrap().dim[0].value = Some(Dim::DimParam("N".to_owned()));
        }),
        ("output", |model| {
            let output = graph(model).output[0].r#type.as_mut().and_then(|kind| kind.value.as_mut()).unwrap();
            let Type::TensorType(tensor) = output;
            tensor.shape.as_mut().unwrap().dim[1].value = Some(Dim::DimValue(136));
        }),
        ("another file", |model| {
            let tensor = &mut graph(model).initializer[0];
            tensor.raw_data.clear();
            tensor.data_location = Some(DataLocation::External as i32);
            let entry = |key: &str, value: &str| StringStringEntryProto {
                key: key.to_owned(),
                value: value.to_owned(),
            };
            tensor.external_data = vec![entry("location", "../secret"), entry("length", "4096")];
        }),
        ("size", |model| graph(model).initializer[0].dims = vec![1 << 29]),
        ("size", |model| graph(model).initializer[0].dims = vec![i64::MAX, 2]),
        ("size", |model| graph(model).initializer[0].dims = vec![-1]),
        ("ConstantOfShape", |model| {
            graph(model)
                .node
                .push(NodeProto { op_type: "ConstantOfShape".to_owned(), ..NodeProto::default() });
        }),
        ("Loop", |model| {
            graph(model).node.push(NodeProto { op_type: "Loop".to_owned(), ..NodeProto::default() });
        }),
        ("joins", |model| {
            let concat = || NodeProto { op_type: "Concat".to_owned(), ..NodeProto::default() };
            graph(model).node.extend([(); 9].map(|()| concat()));
        }),
        ("pads", |model| {
            let pads = attribute(model, "pads");
            pads.ints = vec![1 << 20; 4];
        }),
        ("strides", |model| attribute(model, "strides").ints = vec![0, 0]),
        ("value", |model| {
            let tensor = TensorProto {
                dims: vec![1 << 29],
                data_type: DataType::Float as i32,
                ..TensorProto::default()
            };
            let value =
                AttributeProto { name: "value".to_owned(), t: Some(tensor), ..AttributeProto::default() };
            graph(model).node[0].attribute.push(value);
        }),
        ("input", |model| {
            let json = model.metadata_props.iter_mut().find(|entry| entry.key == "facemark").unwrap();
            json.value = json.value.replace("\"width\":80", "\"width\":2000");
        }),
    ];
    for (word, change) in cases {
        let mut model = model();
        change(&mut model);
        refused(&bench, &model.encode_to_vec(), word);
        row.count();
    }
    // A file that is too large to be a model is not read at all.
    let file = fs::File::create(bench.path("x.onnx")).unwrap();
    file.set_len(3 << 30).unwrap();
    let run = run_limited(&bench);
    assert!(run.code == 5 && run.stderr.contains("x.onnx"), "{run:?}");
    row.count();
    row.outcome("exit 5 within 2 s and 300 MB, each with its reason");
}

fn attribute<'a>(model: &'a mut ModelProto, name: &str) -> &'a mut AttributeProto {
    let mut attributes = graph(model).node.iter_mut().flat_map(|node| node.attribute.iter_mut());
    attributes.find(|attribute| attribute.name == name).unwrap()
}

#[test]
fn models_that_give_no_numbers() {
    let mut row = Row::new("NaN, infinite and huge outputs");
    let bench = Bench::new();
    let clip = talker(&bench, "-frames:v 9 -c:v libx264 -preset ultrafast -pix_fmt yuv420p", "in.mp4");
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, 1e20] {
        let mut model = model();
        // The bias of the last layer is the output, whatever the input.
        let bias =
            graph(&mut model).node.iter().rev().find(|node| node.op_type == "Gemm").unwrap().input[2].clone();
        let tensor = graph(&mut model).initializer.iter_mut().find(|tensor| tensor.name == bias).unwrap();
        tensor.raw_data = value.to_le_bytes().repeat(2);
        fs::write(bench.path("x.onnx"), model.encode_to_vec()).unwrap();
        let (jsonl, csv, out) = (bench.path("out.jsonl"), bench.path("out.csv"), bench.path("out.mp4"));
        let mut command = crate::program::command(["annotate", "--overwrite", "--model"]);
        command
            .arg(bench.path("x.onnx"))
            .arg("--jsonl")
            .arg(&jsonl)
            .arg("--csv")
            .arg(&csv)
            .arg("-o")
            .arg(&out);
        command.arg(&clip);
        let run = finish(command);
        assert_eq!(run.code, 0, "{value}: {run:?}");
        assert!(
            records(&jsonl).iter().all(|record| record["faces"].as_array().unwrap().is_empty()),
            "{value}"
        );
        for file in [&jsonl, &csv] {
            let text = fs::read_to_string(file).unwrap().to_lowercase();
            // The CSV's header has none of these letters either.
            assert!(!["nan", "inf", "null"].iter().any(|word| text.contains(word)), "{value}");
        }
        row.count();
    }
    row.outcome("exit 0, no face in these frames, no such number in any file");
}
