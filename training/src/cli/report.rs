//! `facemark-train report`.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use super::device::Device;
use crate::dataset::{Reading, Source};
use crate::report;

#[derive(Args)]
pub struct Report {
    /// The run's folder, --out of the training.
    run: PathBuf,
    /// The annotated photos that it was trained on.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    #[command(flatten)]
    reading: Reading,
    /// Also show the net on the pictures in this folder; `facemark`, built beside this program, finds the faces in them.
    #[arg(long, value_name = "DIR")]
    photos: Option<PathBuf>,
    /// Compare with this run, or with an exported file of the same points: errors by parts and groups of faces, and the run's
    /// curve. May be given more than once.
    #[arg(long, value_name = "RUN|FILE")]
    against: Vec<PathBuf>,
    /// Show this text, too: say where the net fails and what was tried. Empty lines separate paragraphs.
    #[arg(long, value_name = "FILE")]
    notes: Option<PathBuf>,
    /// Leave out the data set's pictures and show its landmarks alone, so that the page may be published.
    #[arg(long)]
    without_photos: bool,
    /// The page; report.html in the run's folder if not given.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Report {
    /// Does what was asked for.
    pub fn run(self) -> Result<()> {
        let output = self.output.unwrap_or_else(|| self.run.join("report.html"));
        let options = report::Options {
            data: Source::new(self.data, self.reading),
            photos: self.photos,
            against: self.against,
            notes: self.notes,
            without_photos: self.without_photos,
            output,
        };
        on_device!(Device::default(), report::write(&self.run, &options))?;
        eprintln!("{}", options.output.display());
        Ok(())
    }
}
