//! `facemark-train data`.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::dataset::{Reading, Source, check};
use crate::label::{self, Faces};
use crate::sheet;

#[derive(Subcommand)]
pub enum Data {
    /// Count its faces by part, folder and size, and list what is wrong: broken annotations and pictures, points outside
    /// their picture, photos that are both trained on and held out.
    Check(Check),
    /// Write a table of what one or more models find in photos, so that a smaller net can learn from it (`train --more`).
    /// Photos that are held out or for testing are left out.
    Label(Label),
    /// Write a sheet of pictures as the net face is trained with, with their faces marked: green ones must be found, orange
    /// ones may be.
    Scenes(Scenes),
}

#[derive(Args)]
pub struct Scenes {
    /// What `train face` takes as --data.
    data: PathBuf,
    #[command(flatten)]
    reading: Reading,
    /// Pictures without any face, as for `train face`.
    #[arg(long, value_name = "DIR")]
    backgrounds: Option<PathBuf>,
    /// How many pictures.
    #[arg(short, long, default_value_t = 60)]
    n: usize,
    /// Another seed gives other pictures.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The picture to write.
    #[arg(short, long, value_name = "PNG")]
    output: PathBuf,
}

#[derive(Args)]
pub struct Check {
    /// Folder with annotated photos, or an annotation file.
    data: PathBuf,
    #[command(flatten)]
    reading: Reading,
}

#[derive(Args)]
pub struct Label {
    /// The model to ask: an ONNX file, as written by `facemark-train export`.
    model: PathBuf,
    /// Folder with annotated photos, or an annotation file. Its points only say where the faces are, and whether the model
    /// can be right.
    data: PathBuf,
    /// Ask this model, too; the table has the mean of what all models find. May be given more than once.
    #[arg(long, value_name = "MODEL")]
    and: Vec<PathBuf>,
    /// Nobody annotated the photos: label the largest face that the tracker finds in each. Its landmarks take the place of the
    /// photo's own points.
    #[arg(long)]
    find: bool,
    /// Write IMM's 58 points, for `full-face`: a linear map from the models' points that is fitted to the training photos of
    /// IMM in this folder.
    #[arg(long, value_name = "DIR")]
    as_imm: Option<PathBuf>,
    #[command(flatten)]
    reading: Reading,
    /// Leave out faces where a model and the photo's own points, or a model and the mean of all, disagree by more than this NME
    /// in per cent.
    #[arg(long, value_name = "PERCENT", default_value_t = 10.0)]
    at_most: f64,
    /// The table to write.
    #[arg(short, long, value_name = "CSV")]
    output: PathBuf,
}

impl Data {
    /// Does what was asked for.
    pub fn run(self) -> Result<()> {
        match self {
            Self::Check(args) => args.run(),
            Self::Label(args) => args.run(),
            Self::Scenes(args) => args.run(),
        }
    }
}

impl Scenes {
    fn run(self) -> Result<()> {
        let Self { data, reading, backgrounds, n, seed, output } = self;
        let data = Source { plain: backgrounds, ..Source::new(data, reading) };
        sheet::write(&data, n, seed, &output)
    }
}

impl Label {
    fn run(self) -> Result<()> {
        let Self { model, data, and, find, as_imm, reading, at_most, output } = self;
        let models = [vec![model], and].concat();
        let faces = if find { Faces::Unlabelled } else { Faces::Annotated };
        let data = Source::new(data, reading);
        let counts = label::label(&models, &data, &faces, at_most, as_imm.as_deref(), &output)?;
        eprintln!(
            "{}: {} faces; {} left out because a model disagrees",
            output.display(),
            counts.written,
            counts.left_out
        );
        Ok(())
    }
}

impl Check {
    fn run(self) -> Result<()> {
        let skip_bad = self.reading.skip_bad;
        check::check(&Source::new(self.data, self.reading))?.print(skip_bad)
    }
}
