//! The command line, one command a file.

#[macro_use]
mod device;
mod data;
mod eval;
mod export;
mod report;
mod study;
mod train;

use anyhow::Result;
use clap::{Parser, Subcommand};

use data::Data;
use eval::Eval;
use export::Export;
use report::Report;
use study::Study;
use train::Train;

/// Trains facemark's landmark models and writes them as ONNX files.
#[derive(Parser)]
#[command(version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Train a net on annotated photos.
    Train(Train),
    /// Write a trained net as an ONNX file.
    Export(Export),
    /// Measure an ONNX file on annotated photos.
    Eval(Eval),
    /// Show a run on one HTML page: curves, errors, best and worst predictions, filters, architecture.
    Report(Report),
    /// Train variants of a net by the course's recipe and compare them on one HTML page.
    Study(Study),
    /// Check a data set, or make one from what a model finds.
    #[command(subcommand)]
    Data(Data),
}

impl Cli {
    /// Does what was asked for.
    pub fn run(self) -> Result<()> {
        match self.command {
            Command::Train(args) => args.run(),
            Command::Export(args) => args.run(),
            Command::Eval(args) => args.run(),
            Command::Report(args) => args.run(),
            Command::Study(args) => args.run(),
            Command::Data(args) => args.run(),
        }
    }
}
