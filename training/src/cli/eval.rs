//! `facemark-train eval`.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::{Args, value_parser};
use facemark::detect::FaceNet;
use facemark::face::Scheme;
use serde::Serialize;

use crate::dataset::{self, Reading, Source};
use crate::eval::looks::Given;
use crate::eval::{calibrate, faces, groups, hard, landmarks, mistakes, record, tracker};
use crate::recipe::{NetKind, Recipe};
use crate::task::faces::Faces;

#[derive(Args)]
pub struct Eval {
    /// The ONNX file, as written by `facemark-train export`.
    model: PathBuf,
    /// Folder with annotated photos of the model's scheme, or an annotation file; all faces in it are used.
    data: PathBuf,
    #[command(flatten)]
    reading: Reading,
    /// What the model is told about where the face is.
    #[arg(long, value_enum, default_value_t = Given::Box)]
    given: Given,
    /// Tell the model where a face detector found the faces: a table `file,x,y,w,h` with paths relative to its own folder, and
    /// a column `source` if it also has rows called `landmarks`. Faces that the detector missed count as failures. For the
    /// model face, these are the boxes of all faces that it may find.
    #[arg(long, value_name = "CSV", conflicts_with = "given")]
    boxes: Option<PathBuf>,
    /// How often to look at each face. With 2, the first landmarks only say where to look properly, as when the tracker meets
    /// a new face. The default is 2 with --boxes and 1 without.
    #[arg(long, value_name = "1|2", value_parser = value_parser!(u8).range(1..=2))]
    looks: Option<u8>,
    /// Let the detector look for small faces, too, as the tracker does with this option.
    #[arg(long)]
    small_faces: bool,
    /// Make hard faces of the annotated photos (dark before a window, cut off, masked, turned, small), and count those that
    /// are found and have right landmarks.
    #[arg(long)]
    hard: bool,
    /// The landmark model for --hard, --groups and --empty; the built-in one if none is given.
    #[arg(long, value_name = "ONNX")]
    landmarks: Option<PathBuf>,
    /// Count the faces that are found by race, gender, age and yaw: a table with the columns file,age,gender,race,yaw.
    #[arg(long, value_name = "CSV", conflicts_with = "hard")]
    groups: Option<PathBuf>,
    /// There is no face in the data's pictures: count what is taken for one.
    #[arg(long, conflicts_with_all = ["hard", "groups"])]
    empty: bool,
    /// With --empty: do not count, but write a picture of each place that the detector may take for a face, for the next one to
    /// learn from (`train face --backgrounds`).
    #[arg(long, value_name = "DIR", requires = "empty")]
    mistakes: Option<PathBuf>,
    /// Compare the detector's scores with the share of faces among places with such scores, in pictures made of photos that
    /// training holds out. With --record, the scores of the model's file are then rescaled to agree. So are the distances
    /// that a landmark model expects its points to be off, on the data's faces.
    #[arg(long, conflicts_with_all = ["hard", "groups", "empty"])]
    scores: bool,
    /// Measure a model of a mesh by the 68 points that it shows, as `facemark --points 68` gives them.
    #[arg(long)]
    as_68: bool,
    /// Also write the landmarks that were found: a table like those of `data label`.
    #[arg(long, value_name = "CSV")]
    found: Option<PathBuf>,
    /// Use only the faces that training holds out.
    #[arg(long)]
    held_out: bool,
    /// How many of the worst faces to list.
    #[arg(long, default_value_t = 5, value_name = "N")]
    worst: usize,
    /// Also write the result into the training record of the model's file: as `test`, or as `test_boxes` with --boxes. Nothing
    /// else in the file changes.
    #[arg(long)]
    record: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl Eval {
    /// Does what was asked for.
    pub fn run(self) -> Result<()> {
        match faces::load(&self.model)? {
            Some(detector) => self.run_detector(detector),
            None => self.run_landmarks(),
        }
    }

    fn run_detector(self, mut detector: FaceNet) -> Result<()> {
        let Self { model, data, reading, boxes, small_faces, held_out, worst: n_worst, record, json, .. } =
            self;
        if small_faces {
            detector = detector.with_small_faces();
        }
        if let Some(results) = &self.mistakes {
            let n = mistakes::write(detector, &data, results)?;
            println!("{}: {n} pictures", results.display());
            return Ok(());
        }
        if self.empty {
            let (pictures, places) =
                faces::false_faces(&mut tracker(detector, self.landmarks.as_deref())?, &data)?;
            println!("something is taken for a face in {} pictures, in {places} places", pictures.text());
            return Ok(());
        }
        let job = faces::Job { data: Source::new(data, reading), boxes, held_out, n_worst };
        if self.scores {
            let held_out = Faces::load(&job.data, &Recipe::best(NetKind::Face))?.into_held_out();
            let report = calibrate::evaluate(detector, &held_out)?;
            report.print();
            return if record { record::calibrate(&model, &report.calibration) } else { Ok(()) };
        }
        if self.hard {
            let mut samples = dataset::load(&job.data, Scheme::Ibug68)?;
            samples.retain(|sample| sample.held_out || !held_out);
            let rows = hard::evaluate(&mut tracker(detector, self.landmarks.as_deref())?, &samples)?;
            if json {
                return print_json(&rows);
            }
            hard::Row::print(&rows);
            return Ok(());
        }
        if let Some(table) = &self.groups {
            let report = groups::evaluate(
                &mut tracker(detector, self.landmarks.as_deref())?,
                &faces::read(&job)?,
                table,
                held_out,
            )?;
            if json {
                return print_json(&report);
            }
            report.print();
            return Ok(());
        }
        let report = faces::evaluate(&mut detector, &job)?;
        if json {
            print_json(&report)?;
        } else {
            report.print();
        }
        if record { record::record(&model, record::TEST, &report.in_short(&job.data.path)) } else { Ok(()) }
    }

    fn run_landmarks(self) -> Result<()> {
        ensure!(
            !self.hard && !self.empty && self.groups.is_none(),
            "{} is a landmark model; --hard, --groups and --empty measure a detector: give its file, and this one as --landmarks",
            self.model.display()
        );
        let Self {
            model,
            data,
            reading,
            given,
            boxes,
            looks,
            as_68,
            found,
            held_out,
            worst: n_worst,
            scores,
            record,
            json,
            ..
        } = self;
        let key = if boxes.is_some() { record::TEST_BOXES } else { record::TEST };
        let twice = looks.map_or(boxes.is_some(), |n| n == 2);
        let job = landmarks::Job {
            model: model.clone(),
            data: Source::new(data, reading),
            given,
            boxes,
            twice,
            as_68,
            found,
            held_out,
            n_worst,
        };
        let report = landmarks::evaluate(&job)?;
        if json {
            print_json(&report)?;
        } else {
            report.print();
        }
        match (record, scores) {
            (false, _) => Ok(()),
            (true, false) => record::record(&model, key, &report.in_short),
            (true, true) => {
                let factor = report
                    .sigmas_off_by()
                    .context("this model does not say how far off its points may be")?;
                record::scale_sigmas(&model, factor)
            }
        }
    }
}

fn print_json(report: &impl Serialize) -> Result<()> {
    println!("{}", serde_json::to_string(report)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        eval: Eval,
    }

    #[test]
    fn what_measures_a_detector_is_refused_for_a_landmark_model() {
        let nose = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/nose.onnx");
        for options in [&["--hard"][..], &["--empty"], &["--groups", "people.csv"]] {
            let args = ["eval", nose, "."].into_iter().chain(options.iter().copied());
            let error = Cli::parse_from(args).eval.run().unwrap_err().to_string();
            assert!(error.contains("nose.onnx is a landmark model"), "{error}");
        }
    }
}
