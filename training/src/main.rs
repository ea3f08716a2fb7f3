//! `facemark-train` trains facemark's landmark models, writes them as ONNX files and measures those.
//!
//! Each module uses only those above it.
//!
//! | module | what |
//! |---|---|
//! | `recipe` | all settings of a training, as plain data |
//! | `files` | files that appear only once they are complete |
//! | `dataset` | annotated photos, one format a file |
//! | `batch` | photos → training crops → batches |
//! | `nets` | the nets, one a file; how they are run, exported and filled with a file's weights |
//! | `loss`, `metrics` | what is minimised; what is measured |
//! | `task` | what a net is trained for: landmarks in crops, or faces in pictures |
//! | `run_dir`, `checkpoint` | a run's folder; a training between two epochs |
//! | `init`, `average`, `train` | the first weights; the moving average of the weights; the loop |
//! | `export` | a trained net → an ONNX file |
//! | `eval` | an ONNX file measured through the tracker's own code |
//! | `label` | models' landmarks as a data set for another net |
//! | `report`, `study` | pages that show a run, and the course's comparison of four |
//! | `cli` | the command line |

mod average;
mod batch;
mod checkpoint;
mod cli;
mod dataset;
mod eval;
mod export;
mod files;
#[cfg(test)]
mod fuzz;
mod init;
mod label;
mod loss;
mod metrics;
mod nets;
mod polygon;
mod recipe;
mod report;
mod run_dir;
mod sheet;
mod study;
mod task;
#[cfg(test)]
mod test_data;
mod train;
mod translate;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    // End quietly when the reader of our output goes away (`| head`), as other programs do.
    sigpipe::reset();
    match cli::Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("facemark-train: {error:#}");
            ExitCode::FAILURE
        }
    }
}
