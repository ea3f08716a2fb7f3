//! The command line.

use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};
use burn::backend::Autodiff;
use clap::{Args, Parser, Subcommand, ValueEnum, value_parser};

use crate::config::Recipe;
use crate::dataset::{Reading, Source, check};
use crate::eval::{self, Given};
use crate::export::{self, Which};
use crate::faces;
use crate::graph::Weights;
use crate::init::Init;
use crate::label;
use crate::nets::NetKind;
use crate::report;
use crate::study::{self, Subject};
use crate::train;

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
    /// Look into a data set.
    #[command(subcommand)]
    Data(Data),
}

#[derive(Subcommand)]
enum Data {
    /// Count its faces by part, folder and size, and list what is wrong: broken annotations and pictures, points outside
    /// their picture, photos that are both trained on and held out.
    Check(Check),
    /// Write a table of what a model finds in annotated photos, so that a smaller net can learn from it (`train --more`).
    /// Photos that are held out or for testing are left out.
    Label(Label),
}

#[derive(Args)]
struct Check {
    /// Folder with annotated photos, or an annotation file.
    data: PathBuf,
    #[command(flatten)]
    reading: Reading,
}

#[derive(Args)]
struct Label {
    /// The model that is asked: an ONNX file, as written by `facemark-train export`.
    model: PathBuf,
    /// Folder with annotated photos, or an annotation file. Its points only say where the faces are, and whether the model
    /// can be right.
    data: PathBuf,
    #[command(flatten)]
    reading: Reading,
    /// Leave out faces where the model and the photo's own points disagree by more than this NME in per cent.
    #[arg(long, value_name = "PERCENT", default_value_t = 10.0)]
    at_most: f64,
    /// The table to write.
    #[arg(short, long, value_name = "CSV")]
    output: PathBuf,
}

#[derive(Args)]
struct Train {
    /// The net.
    net: NetKind,
    /// Folder with annotated photos: IMM's for nose and full-face, 300-W's for resnet18; for face, one with a table of the
    /// boxes of all faces, `file,x,y,w,h,source`.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    #[command(flatten)]
    reading: Reading,
    /// Train on these annotated photos, too; none of them is held out. A folder or an annotation file, such as a table that
    /// `data label` wrote. May be given more than once.
    #[arg(long, value_name = "DIR|FILE")]
    more: Vec<PathBuf>,
    /// Folder for recipe, metrics and weights.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Go on with the run in --out, with the recipe saved there.
    #[arg(long, conflicts_with_all = ["recipe", "init", "epochs", "batch", "lr", "seed"])]
    resume: bool,
    /// The settings: `best` (ours), `course`, or a TOML file with those that differ from ours.
    #[arg(long, default_value = "best", value_name = "NAME|FILE")]
    recipe: String,
    /// Begin with the weights of another run's folder or of an ONNX file from `export`: to fine-tune what was trained on
    /// other data, or to go on from a published model.
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
    /// Seed of weights, order and augmentation.
    #[arg(long)]
    seed: Option<u64>,
    /// End after this epoch; --resume goes on.
    #[arg(long, value_name = "EPOCH")]
    stop_after: Option<usize>,
    /// What computes.
    #[arg(long, value_enum, default_value_t)]
    device: Device,
}

#[derive(Args)]
struct Export {
    /// The folder that was --out of the training.
    run: PathBuf,
    /// The ONNX file to write.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Which net of the run.
    #[arg(long, value_enum, default_value_t = Which::Best)]
    checkpoint: Which,
    /// How the file stores the weights.
    #[arg(long, value_enum, default_value_t = Weights::Int8)]
    weights: Weights,
}

#[derive(Args)]
struct Eval {
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

#[derive(Args)]
struct Report {
    /// The folder that was --out of the training.
    run: PathBuf,
    /// The annotated photos that it was trained on.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    #[command(flatten)]
    reading: Reading,
    /// Also show the net on the pictures in this folder; `facemark`, built beside this program, finds the faces in them.
    #[arg(long, value_name = "DIR")]
    photos: Option<PathBuf>,
    /// Show this text, too: say where the net fails and what was tried. Empty lines part its paragraphs.
    #[arg(long, value_name = "FILE")]
    notes: Option<PathBuf>,
    /// Leave out the data set's pictures and show its landmarks alone, so that the page may be published.
    #[arg(long)]
    without_photos: bool,
    /// The page; report.html in the run's folder if not given.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Args)]
struct Study {
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

/// What computes; each needs the cargo feature of its name.
#[derive(Clone, Copy, Default, ValueEnum)]
enum Device {
    /// Pure Rust on the CPU.
    #[cfg_attr(any(feature = "flex", not(feature = "tch")), default)]
    Flex,
    /// libtorch on the CPU.
    #[cfg_attr(all(feature = "tch", not(feature = "flex")), default)]
    Tch,
    /// The first NVIDIA GPU.
    Cuda,
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
            Command::Data(Data::Check(args)) => args.run(),
            Command::Data(Data::Label(args)) => args.run(),
        }
    }
}

/// Calls a function with a device's backend as its type and the device as its last argument.
macro_rules! on_device {
    ($device:expr, $module:ident::$function:ident($($argument:expr),* $(,)?)) => {
        match $device {
            #[cfg(feature = "flex")]
            Device::Flex => $module::$function::<Autodiff<burn_flex::Flex>>($($argument,)* &Default::default()),
            #[cfg(feature = "tch")]
            Device::Tch => {
                $module::$function::<Autodiff<burn_tch::LibTorch>>($($argument,)* &burn_tch::LibTorchDevice::Cpu)
            }
            #[cfg(feature = "cuda")]
            Device::Cuda => $module::$function::<Autodiff<burn_cuda::Cuda>>($($argument,)* &Default::default()),
            #[allow(unreachable_patterns, reason = "with all features every device is there")]
            device => Err(device.missing()),
        }
    };
}

impl Device {
    #[allow(dead_code, reason = "with all features every device is there")]
    fn missing(self) -> anyhow::Error {
        let name = self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        anyhow!("this build lacks the device {name}; build with --features {name}")
    }
}

impl Train {
    fn run(self) -> Result<()> {
        let data = Source { path: self.data.clone(), reading: self.reading.clone(), more: self.more.clone() };
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
            seed: self.seed.unwrap_or(recipe.seed),
            ..recipe
        })
    }
}

impl Export {
    fn run(self) -> Result<()> {
        let Self { run, output, checkpoint, weights } = self;
        let n = on_device!(Device::default(), export::export(&run, &output, checkpoint, weights))?;
        eprintln!("{}: {:.1} MB", output.display(), n as f64 / 1e6);
        Ok(())
    }
}

impl Eval {
    fn run(self) -> Result<()> {
        let Self { model, data, reading, given, boxes, looks, small_faces, held_out, worst: n_worst, json } =
            self;
        let data = Source::new(data, reading);
        if let Some(mut detector) = faces::eval::load(&model)? {
            if small_faces {
                detector = detector.with_small_faces();
            }
            let job = faces::eval::Job { data, boxes, held_out, n_worst };
            let report = faces::eval::evaluate(&mut detector, &job)?;
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

impl Report {
    fn run(self) -> Result<()> {
        let output = self.output.unwrap_or_else(|| self.run.join("report.html"));
        let options = report::Options {
            data: Source::new(self.data, self.reading),
            photos: self.photos,
            notes: self.notes,
            without_photos: self.without_photos,
            output,
        };
        on_device!(Device::default(), report::write(&self.run, &options))?;
        eprintln!("{}", options.output.display());
        Ok(())
    }
}

impl Study {
    fn run(self) -> Result<()> {
        let Subject::Nose = self.subject;
        let data = Source::new(self.data, self.reading);
        on_device!(self.device, study::nose(&data, &self.out, self.epochs))
    }
}

impl Label {
    fn run(self) -> Result<()> {
        let Self { model, data, reading, at_most, output } = self;
        let counts = label::label(&model, &Source::new(data, reading), at_most, &output)?;
        eprintln!(
            "{}: {} faces; {} left out that the model sees otherwise",
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
