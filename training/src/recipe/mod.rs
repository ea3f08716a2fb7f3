//! Recipes: everything that decides how a net is trained, as plain data. Nothing here uses the rest of the trainer.
//!
//! A recipe is saved as TOML beside the weights and read back for resume, evaluation and export.
//! Unknown keys are errors, so that a misspelt setting is never silently ignored.

mod augment;
mod loss;
mod net;
mod precision;
mod settings;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use facemark::crop::Framing;
use facemark::face::Scheme;
use serde::{Deserialize, Serialize};

pub use augment::{Augment, Start};
pub use loss::Loss;
pub use net::NetKind;
pub use precision::Precision;

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
    /// Epochs during which the learning rate rises linearly.
    pub warmup_epochs: f64,
    /// What the learning rate does after them.
    pub schedule: Schedule,
    /// AdamW's decoupled weight decay, per step and unit of learning rate; 0 makes it Adam.
    pub weight_decay: f32,
    /// Greatest norm of each weight tensor's gradient; longer ones are shortened to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip_norm: Option<f32>,
    /// Decay per step of the moving average of the weights, which is what is then validated and exported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ema: Option<f64>,
    /// End the training after this many epochs without a smaller validation error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patience: Option<usize>,
    /// What convolutions multiply while training; validation and the exported net take 32 bits.
    #[serde(default, skip_serializing_if = "Precision::is_f32")]
    pub precision: Precision,
    /// Seed of the initial weights, the order of the photos and the augmentation.
    pub seed: u64,
    /// What is minimised.
    pub loss: Loss,
    /// What the net's crop covers.
    pub framing: Framing,
    /// How training crops are varied. Validation crops never are.
    pub augment: Augment,
}

/// The learning rate's course after the warm-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// It stays.
    Constant,
    /// It falls to 0 along half a cosine.
    Cosine,
}

impl Recipe {
    /// Our settings with those of a TOML file in their place; the file needs to hold only what differs, and may name
    /// another net than `net` only by mistake.
    ///
    /// # Errors
    /// If the file cannot be read, holds an unknown key or is for another net.
    pub fn custom(net: NetKind, path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let merge = || -> Result<Self> {
            let mut table = toml::Table::try_from(Self::best(net))?;
            overlay(&mut table, toml::from_str(&text)?);
            let recipe: Self = table.try_into()?;
            ensure!(recipe.net == net, "it is for the net {}, not {}", recipe.net.name(), net.name());
            recipe.check()?;
            Ok(recipe)
        };
        merge().with_context(|| format!("{} is not a recipe", path.display()))
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
        if self.schedule == Schedule::Constant {
            return self.lr;
        }
        let progress = (at - warmup) / (total - warmup);
        self.lr * 0.5 * (1.0 + (std::f64::consts::PI * progress).cos())
    }

    /// Reads a recipe from a TOML file.
    pub fn load(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let recipe: Self =
            toml::from_str(&text).with_context(|| format!("{} is not a recipe", path.display()))?;
        recipe.check().with_context(|| format!("{}", path.display()))?;
        Ok(recipe)
    }

    /// The recipe as TOML.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).context("cannot write the recipe as TOML")
    }

    /// Refuses values that cannot train anything.
    pub fn check(&self) -> Result<()> {
        ensure!(self.epochs > 0, "epochs must be at least 1");
        ensure!(self.batch > 0, "batch must be at least 1");
        ensure!(self.lr > 0.0 && self.lr.is_finite(), "lr must be positive, not {}", self.lr);
        let is_length = |value: f64| (0.0..f64::INFINITY).contains(&value);
        ensure!(is_length(self.warmup_epochs), "warmup_epochs must not be negative");
        ensure!(is_length(self.weight_decay.into()), "weight_decay must not be negative");
        ensure!(self.ema.is_none_or(|ema| (0.0..1.0).contains(&ema)), "ema must be at least 0 and below 1");
        ensure!(self.clip_norm.is_none_or(|norm| norm > 0.0), "clip_norm must be positive");
        ensure!(self.patience != Some(0), "patience must be at least 1");
        let is_size = |value: &f32| value.is_finite() && *value > 0.0;
        ensure!(self.loss.numbers().iter().all(is_size), "the loss's numbers must be positive");
        ensure!(
            self.augment.absent == 0.0 || self.net.has_presence(),
            "augment.absent is for nets that say whether there is a face, not for {}",
            self.net.name()
        );
        ensure!(
            self.augment.blink == 0.0 || (self.net.scheme() == Scheme::Ibug68 && !self.net.is_detector()),
            "augment.blink is for nets that find the 68 points, not for {}",
            self.net.name()
        );
        let is_focal = matches!(self.loss, Loss::Focal { .. });
        ensure!(is_focal == self.net.is_detector(), "the focal loss is for the net face, and no other");
        let is_mesh = matches!(self.loss, Loss::Mesh { .. });
        ensure!(is_mesh == (self.net == NetKind::Mesh), "the mesh loss is for the net mesh, and no other");
        for (name, share) in [("gaze", self.augment.gaze), ("mask", self.augment.mask)] {
            let is_possible = share == 0.0 || self.net == NetKind::Mesh;
            ensure!(is_possible, "augment.{name} is for the net mesh, not for {}", self.net.name());
        }
        let Framing { width, height, shift_x, shift_y } = self.framing;
        ensure!([width, height].iter().all(is_size), "the framing's width and height must be positive");
        ensure!(shift_x.is_finite() && shift_y.is_finite(), "the framing's shifts must be finite");
        self.augment.check()
    }
}

/// Puts the values of `over` into `table`, table by table. A loss of another kind replaces the old one whole.
fn overlay(table: &mut toml::Table, over: toml::Table) {
    for (key, value) in over {
        match (table.get_mut(&key), value) {
            (Some(toml::Value::Table(old)), toml::Value::Table(new))
                if old.get("kind") == new.get("kind") =>
            {
                overlay(old, new);
            }
            (_, value) => {
                table.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;

    #[test]
    fn a_saved_recipe_reads_back_the_same() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("recipe.toml");
        for &net in NetKind::value_variants() {
            for recipe in [Recipe::best(net), Recipe::course(net)] {
                fs::write(&path, recipe.to_toml()?)?;
                assert_eq!(Recipe::load(&path)?, recipe);
            }
        }
        Ok(())
    }

    #[test]
    fn unknown_keys_are_errors_that_name_key_and_file() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("recipe.toml");
        fs::write(&path, Recipe::best(NetKind::Nose).to_toml()?)?;
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
    fn a_file_replaces_only_what_it_names() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("mine.toml");
        fs::write(&path, "lr = 0.01\n[augment]\nblur = 0.0\n[loss]\nkind = \"smooth-l1\"\nbeta = 0.02\n")?;
        let best = Recipe::best(NetKind::Resnet18);
        let augment = Augment { blur: 0.0, ..best.augment.clone() };
        let loss = Loss::SmoothL1 { beta: 0.02 };
        assert_eq!(Recipe::custom(NetKind::Resnet18, &path)?, Recipe { lr: 0.01, loss, augment, ..best });
        for wrong in [
            "lr = -1.0",
            "hue = 1",
            "net = \"nose\"",
            "[loss]\nwidth = \"wide\"",
            "lr =",
            "weight_decay = nan",
            "warmup_epochs = inf",
            "[loss]\nkind = \"wing\"\nwidth = 0.1\ncurvature = 0.0",
            "[framing]\nheight = -1.0",
            "[augment]\nblur = inf",
            "[augment]\nroll = -5.0",
            "[augment]\nabsent = 0.1",
            "[augment]\nblink = 1.5",
            "[augment]\ngaze = 0.5",
        ] {
            fs::write(&path, wrong)?;
            let error = Recipe::custom(NetKind::Resnet18, &path).expect_err(wrong);
            assert!(format!("{error:#}").contains("mine.toml is not a recipe"), "{error:#}");
        }
        fs::write(&path, "[augment]\nblink = 0.5")?;
        for net in [NetKind::Nose, NetKind::FullFace, NetKind::Face] {
            assert!(Recipe::custom(net, &path).is_err(), "{}", net.name());
        }
        Ok(())
    }

    #[test]
    fn the_course_trains_all_nets_by_adam_at_a_constant_rate() {
        for (net, batch) in [(NetKind::Nose, 64), (NetKind::Nose3, 64), (NetKind::Resnet18, 66)] {
            assert_eq!(Recipe::course(net).batch, batch);
        }
        for net in [NetKind::Nose, NetKind::Nose3, NetKind::FullFace, NetKind::Resnet18] {
            let recipe = Recipe::course(net);
            assert_eq!((recipe.learning_rate(0, 3), recipe.learning_rate(299, 3)), (1e-3, 1e-3));
            assert_eq!((recipe.loss, recipe.weight_decay, recipe.ema), (Loss::Mse, 0.0, None));
        }
        // ±15°, ±24 of 240 and ±18 of 180 px, and brightness; nothing else.
        let shaken = Augment { roll: 15.0, shift: 0.1, brightness: 40.0, ..Augment::none(Start::Photo) };
        assert_eq!(Recipe::course(NetKind::FullFace).augment, shaken);
        assert_eq!(Recipe::course(NetKind::Nose).augment, Augment::none(Start::Photo));
    }

    #[test]
    fn a_detector_has_its_own_loss_and_no_other_net_has_it() {
        let (face, nose) = (Recipe::best(NetKind::Face), Recipe::best(NetKind::Nose));
        for wrong in [Recipe { loss: Loss::Mse, ..face.clone() }, Recipe { loss: face.loss, ..nose }] {
            assert!(wrong.check().is_err_and(|error| error.to_string().contains("the net face")));
        }
    }

    #[test]
    fn the_learning_rate_rises_then_falls_to_nothing() {
        let recipe = Recipe { epochs: 10, warmup_epochs: 2.0, ..Recipe::best(NetKind::Resnet18) };
        let rates: Vec<f64> = (0..100).map(|step| recipe.learning_rate(step, 10)).collect();
        assert!(rates[..20].is_sorted());
        assert!(rates[20..].iter().rev().is_sorted());
        assert!(rates[0] < 0.05 * recipe.lr && rates[99] < 0.001 * recipe.lr);
        assert!((rates[20] - recipe.lr).abs() < 0.01 * recipe.lr);
    }
}
