//! `facemark-train study`.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use super::device::Device;
use crate::dataset::{Reading, Source};
use crate::study::{self, Subject};

#[derive(Args)]
pub struct Study {
    /// What is compared.
    subject: Subject,
    /// Folder with the annotated photos.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    #[command(flatten)]
    reading: Reading,
    /// Folder for the runs and the page; what is finished there is not trained again.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Passes over the photos.
    #[arg(long)]
    epochs: Option<usize>,
    /// What computes.
    #[arg(long, value_enum, default_value_t)]
    device: Device,
}

impl Study {
    /// Does what was asked for.
    pub fn run(self) -> Result<()> {
        let Subject::Nose = self.subject;
        let data = Source::new(self.data, self.reading);
        on_device!(self.device, study::nose(&data, &self.out, self.epochs))
    }
}
