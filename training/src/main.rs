//! `facemark-train` trains facemark's landmark models, writes them as ONNX files and measures those.
//!
//! | module | what |
//! |---|---|
//! | `config` | recipes: all settings of a training, saved beside the weights |
//! | `dataset` | annotated photos, one format a file |
//! | `augment`, `batch` | photos → training crops → batches |
//! | `nets` | the nets, one a file, each with its ONNX graph |
//! | `train`, `average` | the loop; the moving average of the weights |
//! | `faces` | all of this for the face detector: photos with all their faces, pictures pasted from them, cells, loss |
//! | `init` | weights to begin with: another run's or an ONNX file's |
//! | `run_dir` | a run's folder: checkpoints and metrics |
//! | `metrics` | landmark errors and their summary |
//! | `export`, `graph`, `onnx` | a trained net → an ONNX file; its graph; its protobuf |
//! | `report`, `study` | pages that show a run, and the course's comparison of four |
//! | `label` | a model's landmarks as a data set for another net |
//! | `eval` | an ONNX file measured through the tracker's own code |

mod augment;
mod average;
mod batch;
mod boxes;
mod cli;
mod config;
mod dataset;
mod eval;
mod export;
mod eyelids;
mod faces;
mod graph;
mod init;
mod label;
mod metrics;
mod nets;
mod onnx;
mod report;
mod run_dir;
mod study;
#[cfg(test)]
mod test_data;
mod train;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    // Like other programs that print, it ends quietly when nobody reads on (`| head`).
    sigpipe::reset();
    match cli::Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("facemark-train: {error:#}");
            ExitCode::FAILURE
        }
    }
}
