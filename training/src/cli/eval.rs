//! `facemark-train eval`.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, value_parser};

use crate::dataset::{Reading, Source};
use crate::eval::{self, Given};

#[derive(Args)]
pub struct Eval {
    /// The ONNX file, as written by `facemark-train export`.
    model: PathBuf,
    /// Folder with annotated photos of the model's scheme, or an annotation file; all faces in it are used.
    data: PathBuf,
    #[command(flatten)]
    reading: Reading,
    /// What the model is told of where the face is.
    #[arg(long, value_enum, default_value_t = Given::Box)]
    given: Given,
    /// Tell the model a face detector's boxes instead (or, for the model face, the boxes of all faces that it may find): a table `file,x,y,w,h` with paths from its own folder, and a column
    /// `source` if rows called `landmarks` are in it, too. Faces that the detector missed are failures.
    #[arg(long, value_name = "CSV", conflicts_with = "given")]
    boxes: Option<PathBuf>,
    /// Look at each face so often. With 2 the first landmarks only say where to look properly, as when the tracker meets a
    /// new face; that is the default with --boxes, elsewhere it is 1.
    #[arg(long, value_name = "1|2", value_parser = value_parser!(u8).range(1..=2))]
    looks: Option<u8>,
    /// Let the detector look for small faces, too, as the tracker does with this option.
    #[arg(long)]
    small_faces: bool,
    /// Use only the faces that training holds out.
    #[arg(long)]
    held_out: bool,
    /// List so many of the worst faces.
    #[arg(long, default_value_t = 5, value_name = "N")]
    worst: usize,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl Eval {
    /// Does what was asked for.
    pub fn run(self) -> Result<()> {
        let Self { model, data, reading, given, boxes, looks, small_faces, held_out, worst: n_worst, json } =
            self;
        let data = Source::new(data, reading);
        if let Some(mut detector) = eval::faces::load(&model)? {
            if small_faces {
                detector = detector.with_small_faces();
            }
            let job = eval::faces::Job { data, boxes, held_out, n_worst };
            let report = eval::faces::evaluate(&mut detector, &job)?;
            if json {
                println!("{}", serde_json::to_string(&report)?);
            } else {
                report.print();
            }
            return Ok(());
        }
        let twice = looks.map_or(boxes.is_some(), |n| n == 2);
        let report = eval::evaluate(&eval::Job { model, data, given, boxes, twice, held_out, n_worst })?;
        if json {
            println!("{}", serde_json::to_string(&report)?);
        } else {
            report.print();
        }
        Ok(())
    }
}
