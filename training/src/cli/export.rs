//! `facemark-train export`.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use super::device::Device;
use crate::export::{self, Which};
use crate::nets::Storage;

#[derive(Args)]
pub struct Export {
    /// The run's folder, --out of the training.
    run: PathBuf,
    /// Take the mean of this run's weights and those of the first. May be given more than once. Good where one run began with the
    /// other's net; measure the file with `eval --held-out`.
    #[arg(long, value_name = "RUN")]
    and: Vec<PathBuf>,
    /// The ONNX file to write.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Which net of the run.
    #[arg(long, value_enum, default_value_t = Which::Best)]
    checkpoint: Which,
    /// How the file stores the weights.
    #[arg(long, value_enum, default_value_t = Storage::Int8)]
    weights: Storage,
    /// What the model may be used for, for its file: `any use: ` and its data's terms, or `research only: ` and why.
    #[arg(long, value_name = "TEXT")]
    terms: Option<String>,
}

impl Export {
    /// Does what was asked for.
    pub fn run(self) -> Result<()> {
        let Self { run, and, output, checkpoint, weights, terms } = self;
        let n = on_device!(
            Device::default(),
            export::export(&run, &and, &output, checkpoint, weights, terms.as_deref())
        )?;
        eprintln!("{}: {:.1} MB", output.display(), n as f64 / 1e6);
        Ok(())
    }
}
