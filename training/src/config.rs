//! Recipes: everything that decides how a net is trained, with a default for each net.
//!
//! A recipe is saved as TOML beside the weights and read back for resume, evaluation and export.
//! Unknown keys are errors, so that a misspelt setting is never silently ignored.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use facemark::face::Framing;
use serde::{Deserialize, Serialize};

use crate::augment::Augment;
use crate::nets::NetKind;

/// How to train one net.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Which net.
    pub net: NetKind,
    /// Passes over the training photos.
    pub epochs: usize,
    /// Photos per optimiser step. A last, smaller batch of an epoch is left out.
    pub batch: usize,
    /// Peak learning rate of AdamW, reached after the warm-up.
    pub lr: f64,
    /// Epochs during which the learning rate rises linearly; after them it falls to 0 along a cosine.
    pub warmup_epochs: f64,
    /// AdamW's decoupled weight decay, per step and unit of learning rate.
    pub weight_decay: f32,
    /// Seed of the initial weights, the order of the photos and the augmentation.
    pub seed: u64,
    /// What is minimised.
    pub loss: Loss,
    /// What the net's crop covers.
    pub framing: Framing,
    /// How training crops are varied. Validation crops never are.
    pub augment: Augment,
}

/// The error that training minimises, over coordinates in crop sides.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Loss {
    /// Mean squared error, the course's loss.
    Mse,
    /// Wing loss (Feng et al., "Wing Loss for Robust Facial Landmark Localisation", CVPR 2018): logarithmic
    /// below `width`, so that small errors still count, and linear above it.
    Wing {
        /// Where the logarithm turns into a line, in crop sides.
        width: f32,
        /// How sharply the logarithm bends at zero, in crop sides.
        curvature: f32,
    },
}

impl Recipe {
    /// Our settings for a net.
    pub fn default_for(net: NetKind) -> Self {
        // The Wing paper uses 10 and 2 px on crops of 256 px.
        let wing = Loss::Wing { width: 0.04, curvature: 0.008 };
        let common = Self {
            net,
            epochs: 80,
            batch: 32,
            lr: 1e-3,
            warmup_epochs: 2.0,
            weight_decay: 1e-2,
            seed: 1,
            loss: wing,
            framing: framing(net),
            augment: Augment::default_for(net),
        };
        match net {
            NetKind::Nose => Self { epochs: 1000, batch: 64, warmup_epochs: 10.0, loss: Loss::Mse, ..common },
            NetKind::FullFace => Self { epochs: 100, batch: 16, lr: 5e-4, ..common },
            NetKind::Resnet18 => common,
        }
    }

    /// The learning rate at `step` of `steps_per_epoch * epochs` steps.
    pub fn learning_rate(&self, step: usize, steps_per_epoch: usize) -> f64 {
        let total = (self.epochs * steps_per_epoch) as f64;
        let warmup = (self.warmup_epochs * steps_per_epoch as f64).min(total);
        // Half a step in, so that neither the first nor the last step is wasted on a rate of exactly 0.
        let at = step as f64 + 0.5;
        if at < warmup {
            return self.lr * at / warmup;
        }
        let progress = (at - warmup) / (total - warmup);
        self.lr * 0.5 * (1.0 + (std::f64::consts::PI * progress).cos())
    }

    /// Reads a recipe from a TOML file.
    pub fn load(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let recipe: Self =
            toml::from_str(&text).with_context(|| format!("{} is no recipe", path.display()))?;
        recipe.check().with_context(|| format!("{}", path.display()))?;
        Ok(recipe)
    }

    /// The recipe as TOML.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).context("cannot write the recipe as TOML")
    }

    /// Writes the recipe to a TOML file.
    pub fn save(&self, path: &Path) -> Result<()> {
        fs::write(path, self.to_toml()?).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Refuses values that cannot train anything.
    pub fn check(&self) -> Result<()> {
        ensure!(self.epochs > 0, "epochs must be at least 1");
        ensure!(self.batch > 0, "batch must be at least 1");
        ensure!(self.lr > 0.0 && self.lr.is_finite(), "lr must be positive, not {}", self.lr);
        Ok(())
    }
}

/// What each net's crop covers.
fn framing(net: NetKind) -> Framing {
    match net {
        // The whole photo for the mean face of IMM's people 1–32, whose region is 202 px wide and centred on (326.6, 299.3)
        // in photos of 640×480.
        NetKind::Nose | NetKind::FullFace => {
            Framing { width: 3.168, height: 2.376, shift_x: -0.035, shift_y: -0.296 }
        }
        // 15 % of margin on each side: as many pixels on the face as possible, yet all landmarks stay inside a crop
        // that is off by as much as a detector's box or the last frame's region are.
        NetKind::Resnet18 => Framing { width: 1.3, height: 1.3, shift_x: 0.0, shift_y: 0.0 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saved_recipe_reads_back_the_same() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("recipe.toml");
        for net in [NetKind::Nose, NetKind::FullFace, NetKind::Resnet18] {
            let recipe = Recipe::default_for(net);
            recipe.save(&path)?;
            assert_eq!(Recipe::load(&path)?, recipe);
        }
        Ok(())
    }

    #[test]
    fn unknown_keys_are_errors_that_name_key_and_file() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("recipe.toml");
        Recipe::default_for(NetKind::Nose).save(&path)?;
        let text = fs::read_to_string(&path)?;
        fs::write(&path, format!("learning_rate = 0.1\n{text}"))?;
        let message = format!("{:#}", Recipe::load(&path).expect_err("the key is unknown"));
        assert!(message.contains("learning_rate") && message.contains("recipe.toml"), "{message}");
        fs::write(&path, format!("{text}\nhue = 0.1\n"))?;
        let message = format!("{:#}", Recipe::load(&path).expect_err("the augmentation's key is unknown"));
        assert!(message.contains("hue"), "{message}");
        Ok(())
    }

    #[test]
    fn the_learning_rate_rises_then_falls_to_nothing() {
        let recipe = Recipe { epochs: 10, warmup_epochs: 2.0, ..Recipe::default_for(NetKind::Resnet18) };
        let rates: Vec<f64> = (0..100).map(|step| recipe.learning_rate(step, 10)).collect();
        assert!(rates[..20].is_sorted());
        assert!(rates[20..].iter().rev().is_sorted());
        assert!(rates[0] < 0.05 * recipe.lr && rates[99] < 0.001 * recipe.lr);
        assert!((rates[20] - recipe.lr).abs() < 0.01 * recipe.lr);
    }
}
