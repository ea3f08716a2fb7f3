//! `facemark-train train`.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;

use super::device::Device;
use crate::dataset::{Reading, Source};
use crate::init::Init;
use crate::recipe::{NetKind, Precision, Recipe};
use crate::{report, train};

#[derive(Args)]
pub struct Train {
    /// The net.
    net: NetKind,
    /// Folder with annotated photos: IMM's for nose and full-face, 300-W's for resnet18; for face, one with a table of the
    /// boxes of all faces, `file,x,y,w,h,source`, or folders with MediaPipe's meshes, `mesh478.npy`.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    #[command(flatten)]
    reading: Reading,
    /// Train on these annotated photos, too; none of them is held out. A folder or an annotation file, such as a table that
    /// `data label` wrote. May be given more than once.
    #[arg(long, value_name = "DIR|FILE")]
    more: Vec<PathBuf>,
    /// Pictures without any face, which the detector's training pictures get as backgrounds, too.
    #[arg(long, value_name = "DIR")]
    backgrounds: Option<PathBuf>,
    /// Folder for recipe, metrics and weights.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Continue the run in --out, with the recipe saved there.
    #[arg(long, conflicts_with_all = ["recipe", "init", "epochs", "batch", "lr", "precision", "seed"])]
    resume: bool,
    /// The settings: `best` (ours), `course`, or a TOML file with those that differ from ours.
    #[arg(long, default_value = "best", value_name = "NAME|FILE")]
    recipe: String,
    /// Start from the weights of another run's folder or of an ONNX file from `export`: to fine-tune what was trained on
    /// other data, or to continue from a published model.
    #[arg(long, value_name = "RUN|FILE")]
    init: Option<PathBuf>,
    /// Passes over the photos.
    #[arg(long)]
    epochs: Option<usize>,
    /// Photos per step.
    #[arg(long)]
    batch: Option<usize>,
    /// Peak learning rate.
    #[arg(long)]
    lr: Option<f64>,
    /// What convolutions multiply: `bf16` is 1.5 to 3 times as fast where the processor has units for it, such as AMX.
    #[arg(long, value_enum)]
    precision: Option<Precision>,
    /// Seed of weights, order and augmentation.
    #[arg(long)]
    seed: Option<u64>,
    /// Stop after this epoch; --resume continues.
    #[arg(long, value_name = "EPOCH")]
    stop_after: Option<usize>,
    /// What computes.
    #[arg(long, value_enum, default_value_t)]
    device: Device,
}

impl Train {
    /// Does what was asked for.
    pub fn run(self) -> Result<()> {
        let data = Source {
            path: self.data.clone(),
            reading: self.reading.clone(),
            more: self.more.clone(),
            plain: self.backgrounds.clone(),
        };
        if self.resume {
            on_device!(self.device, train::resume(&data, &self.out, self.stop_after))?;
        } else {
            let init = self.init.clone().map(Init::from);
            let recipe = self.recipe()?;
            on_device!(self.device, train::start(&data, &self.out, &recipe, init.as_ref(), self.stop_after))?;
        }
        if self.net.is_detector() {
            return Ok(());
        }
        match on_device!(self.device, report::write_beside(&self.out, &data)) {
            Ok(file) => eprintln!("{}", file.display()),
            // The training itself is safe.
            Err(error) => eprintln!("facemark-train: no report could be written: {error:#}"),
        }
        Ok(())
    }

    fn recipe(&self) -> Result<Recipe> {
        let recipe = match self.recipe.as_str() {
            "best" => Recipe::best(self.net),
            "course" => Recipe::course(self.net),
            file => Recipe::custom(self.net, Path::new(file))?,
        };
        Ok(Recipe {
            epochs: self.epochs.unwrap_or(recipe.epochs),
            batch: self.batch.unwrap_or(recipe.batch),
            lr: self.lr.unwrap_or(recipe.lr),
            precision: self.precision.unwrap_or(recipe.precision),
            seed: self.seed.unwrap_or(recipe.seed),
            ..recipe
        })
    }
}
