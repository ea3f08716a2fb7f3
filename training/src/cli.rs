//! The command line.

use std::path::PathBuf;

use anyhow::{Result, bail};
use burn::backend::Autodiff;
use burn::tensor::backend::AutodiffBackend;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::config::Recipe;
use crate::nets::NetKind;
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
}

#[derive(Args)]
struct Train {
    /// The net.
    net: NetKind,
    /// Folder with annotated photos: IMM's for nose and full-face, 300-W's for resnet18.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Folder for recipe, metrics and weights.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Go on with the run in --out, with the recipe saved there.
    #[arg(long, conflicts_with_all = ["epochs", "batch", "lr", "seed"])]
    resume: bool,
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
        }
    }
}

impl Train {
    fn run(self) -> Result<()> {
        match self.device {
            #[cfg(feature = "flex")]
            Device::Flex => self.run_on::<Autodiff<burn_flex::Flex>>(Default::default()),
            #[cfg(feature = "tch")]
            Device::Tch => self.run_on::<Autodiff<burn_tch::LibTorch>>(burn_tch::LibTorchDevice::Cpu),
            #[cfg(feature = "cuda")]
            Device::Cuda => self.run_on::<Autodiff<burn_cuda::Cuda>>(Default::default()),
            #[allow(unreachable_patterns, reason = "with all features every device is there")]
            device => {
                let name = device.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
                bail!("this build lacks the device {name}; build with --features {name}")
            }
        }
    }

    fn run_on<B: AutodiffBackend>(self, device: B::Device) -> Result<()> {
        if self.resume {
            return train::resume::<B>(&self.data, &self.out, &device);
        }
        train::start::<B>(&self.data, &self.out, &self.recipe(), &device)
    }

    fn recipe(&self) -> Recipe {
        let default = Recipe::default_for(self.net);
        Recipe {
            epochs: self.epochs.unwrap_or(default.epochs),
            batch: self.batch.unwrap_or(default.batch),
            lr: self.lr.unwrap_or(default.lr),
            seed: self.seed.unwrap_or(default.seed),
            ..default
        }
    }
}
