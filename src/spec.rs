//! What a model file says of itself: the contract between trainer and tracker, kept in ONNX `metadata_props`.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::detect::grid::STRIDES;
use crate::face::Framing;
use crate::scheme::Scheme;

/// How 8-bit luma becomes the net's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Normalisation {
    /// Zero mean and unit deviation within each crop: exposure, contrast and the video's range drop out.
    PerCrop,
    /// `(luma / 255 - mean) / std`.
    Fixed {
        /// Subtracted, 0 to 1.
        mean: f32,
        /// Divided by, positive.
        std: f32,
    },
}

/// A landmark model's contract: input `[1, 1, height, width]`, output `[1, 2·points]` as x0, y0, x1, y1 … in
/// unit crop coordinates, and one number more with `presence`.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelSpec {
    /// Short name, also the file's.
    pub name: String,
    /// Width of the input in pixels.
    pub width: usize,
    /// Height of the input in pixels.
    pub height: usize,
    /// Which landmarks come out.
    pub scheme: Scheme,
    /// What happens to the pixels.
    pub normalisation: Normalisation,
    /// How the face lies in the crop.
    pub framing: Framing,
    /// Whether each crop is looked at twice, as it is and mirrored, and the mean of both answers taken.
    pub mirrored: bool,
    /// Whether the net also answers if there is a face: one more number, the logit of its being there.
    pub presence: bool,
    /// How the model was made (data, seed, epochs, commit, validation error …), free text by key.
    pub training: BTreeMap<String, String>,
}

/// Version of the keys below. A reader refuses any other.
const FORMAT: &str = "1";
const PREFIX: &str = "facemark.";
/// The key of [`ModelSpec::mirrored`] …
const MIRRORED: &str = "mirrored";
/// … and of [`ModelSpec::presence`]. A file without one of these flags means no, …
const PRESENCE: &str = "presence";
/// … and this is their only value.
const YES: &str = "yes";
/// Prefix of the training record's keys.
const TRAINING: &str = "training.";
/// Longest input side that is taken for real: a broken file must not make us allocate gigabytes.
const MAX_SIDE: usize = 512;

impl ModelSpec {
    /// How many numbers the net answers.
    pub fn n_values(&self) -> usize {
        2 * self.scheme.n_points() + usize::from(self.presence)
    }

    /// The key-value pairs for `metadata_props`.
    pub fn to_metadata(&self) -> Vec<(String, String)> {
        let Framing { width, height, shift_x, shift_y } = self.framing;
        let fixed = [
            ("format", FORMAT.to_owned()),
            ("name", self.name.clone()),
            ("input", format!("{}x{}", self.width, self.height)),
            ("channel", "luma".to_owned()),
            ("scheme", self.scheme.name().to_owned()),
            ("normalisation", print_normalisation(self.normalisation)),
            ("framing", format!("{width} {height} {shift_x} {shift_y}")),
        ];
        let flags = [(MIRRORED, self.mirrored), (PRESENCE, self.presence)].into_iter();
        let flags = flags.filter(|flag| flag.1).map(|(key, _)| (format!("{PREFIX}{key}"), YES.to_owned()));
        with_prefix(fixed, &self.training).into_iter().chain(flags).collect()
    }

    /// Reads the pairs back.
    ///
    /// # Errors
    /// If a key is missing, unknown to this version, or its value makes no sense; the message names it.
    pub fn from_metadata(pairs: impl IntoIterator<Item = (String, String)>) -> Result<Self> {
        let (kind, mut entries) = Entries::read(pairs)?;
        ensure!(kind.is_none(), "it is a {}, not a landmark model", kind.unwrap_or_default());
        let (width, height) = entries.size()?;
        let spec = Self {
            name: entries.take("name")?,
            width,
            height,
            scheme: Scheme::from_name(&entries.take("scheme")?)?,
            normalisation: parse_normalisation(&entries.take("normalisation")?)?,
            framing: parse_framing(&entries.take("framing")?)?,
            mirrored: entries.take_flag(MIRRORED)?,
            presence: entries.take_flag(PRESENCE)?,
            training: entries.take_training(),
        };
        entries.end().map(|()| spec)
    }
}

/// A face detector's contract: input `[1, 1, height, width]`, or any other with sides that are multiples of 32; output
/// as in [`grid`](crate::detect::grid).
#[derive(Clone, Debug, PartialEq)]
pub struct DetectorSpec {
    /// Short name, also the file's.
    pub name: String,
    /// Width of the input in pixels that the net was trained with.
    pub width: usize,
    /// Its height.
    pub height: usize,
    /// What happens to the pixels.
    pub normalisation: Normalisation,
    /// How the model was made, free text by key.
    pub training: BTreeMap<String, String>,
}

/// The value of the key `kind` in detectors' files; those of landmark models lack the key.
const DETECTOR: &str = "face detector";

impl DetectorSpec {
    /// The key-value pairs for `metadata_props`.
    pub fn to_metadata(&self) -> Vec<(String, String)> {
        let fixed = [
            ("format", FORMAT.to_owned()),
            ("kind", DETECTOR.to_owned()),
            ("name", self.name.clone()),
            ("input", format!("{}x{}", self.width, self.height)),
            ("channel", "luma".to_owned()),
            ("normalisation", print_normalisation(self.normalisation)),
        ];
        with_prefix(fixed, &self.training)
    }

    /// Reads the pairs back.
    ///
    /// # Errors
    /// As [`ModelSpec::from_metadata`].
    pub fn from_metadata(pairs: impl IntoIterator<Item = (String, String)>) -> Result<Self> {
        let (kind, mut entries) = Entries::read(pairs)?;
        ensure!(kind.as_deref() == Some(DETECTOR), "it is no {DETECTOR}");
        let (width, height) = entries.size()?;
        let unit = STRIDES[STRIDES.len() - 1];
        ensure!(
            width.is_multiple_of(unit) && height.is_multiple_of(unit),
            "its input of {width}x{height} is no multiple of {unit}"
        );
        let spec = Self {
            name: entries.take("name")?,
            width,
            height,
            normalisation: parse_normalisation(&entries.take("normalisation")?)?,
            training: entries.take_training(),
        };
        entries.end().map(|()| spec)
    }
}

/// Our keys, without their prefix, that nobody has taken yet.
struct Entries(BTreeMap<String, String>);

impl Entries {
    /// Reads all pairs, and checks and takes what every kind of model has in common; the kind comes beside the rest.
    fn read(pairs: impl IntoIterator<Item = (String, String)>) -> Result<(Option<String>, Self)> {
        let map: BTreeMap<String, String> = pairs
            .into_iter()
            .filter_map(|(key, value)| Some((key.strip_prefix(PREFIX)?.to_owned(), value)))
            .collect();
        ensure!(
            !map.is_empty(),
            "it holds no facemark metadata; only models exported by facemark-train can be used"
        );
        let mut entries = Self(map);
        let format = entries.take("format")?;
        ensure!(format == FORMAT, "its metadata has format {format:?}, this program reads {FORMAT:?}");
        let channel = entries.take("channel")?;
        ensure!(channel == "luma", "it wants the channel {channel:?}, only luma is known");
        Ok((entries.0.remove("kind"), entries))
    }

    fn take(&mut self, key: &str) -> Result<String> {
        self.0.remove(key).with_context(|| format!("its metadata lacks {PREFIX}{key}"))
    }

    fn take_flag(&mut self, key: &str) -> Result<bool> {
        let Some(value) = self.0.remove(key) else { return Ok(false) };
        ensure!(value == YES, "its metadata has {value:?} for {PREFIX}{key}, not {YES:?}");
        Ok(true)
    }

    fn size(&mut self) -> Result<(usize, usize)> {
        parse_size(&self.take("input")?)
    }

    fn take_training(&mut self) -> BTreeMap<String, String> {
        let is_training = |key: &String| key.starts_with(TRAINING);
        let keys: Vec<String> = self.0.keys().filter(|key| is_training(key)).cloned().collect();
        keys.into_iter()
            .filter_map(|key| Some((key.strip_prefix(TRAINING)?.to_owned(), self.0.remove(&key)?)))
            .collect()
    }

    /// Refuses what is left.
    fn end(self) -> Result<()> {
        match self.0.keys().next() {
            Some(key) => bail!("its metadata has the unknown key {PREFIX}{key}"),
            None => Ok(()),
        }
    }
}

/// The pairs as a file holds them.
fn with_prefix<const N: usize>(
    fixed: [(&str, String); N],
    training: &BTreeMap<String, String>,
) -> Vec<(String, String)> {
    let training = training.iter().map(|(key, value)| (format!("{PREFIX}{TRAINING}{key}"), value.clone()));
    fixed.into_iter().map(|(key, value)| (format!("{PREFIX}{key}"), value)).chain(training).collect()
}

fn print_normalisation(normalisation: Normalisation) -> String {
    match normalisation {
        Normalisation::PerCrop => "per-crop".to_owned(),
        Normalisation::Fixed { mean, std } => format!("fixed {mean} {std}"),
    }
}

fn parse_size(text: &str) -> Result<(usize, usize)> {
    let size = text.split_once('x').and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
    match size {
        Some((w, h)) if (1..=MAX_SIDE).contains(&w) && (1..=MAX_SIDE).contains(&h) => Ok((w, h)),
        _ => bail!("its input size {text:?} is not WIDTHxHEIGHT with sides up to {MAX_SIDE}"),
    }
}

fn parse_normalisation(text: &str) -> Result<Normalisation> {
    if text == "per-crop" {
        return Ok(Normalisation::PerCrop);
    }
    match text.strip_prefix("fixed ").map(parse_numbers::<2>) {
        Some(Some([mean, std])) if std > 0.0 => Ok(Normalisation::Fixed { mean, std }),
        _ => bail!("its normalisation {text:?} is neither \"per-crop\" nor \"fixed MEAN STD\""),
    }
}

fn parse_framing(text: &str) -> Result<Framing> {
    match parse_numbers(text) {
        Some([width, height, shift_x, shift_y]) if width > 0.0 && height > 0.0 => {
            Ok(Framing { width, height, shift_x, shift_y })
        }
        _ => bail!("its framing {text:?} is not \"WIDTH HEIGHT SHIFT_X SHIFT_Y\""),
    }
}

/// Exactly `N` finite numbers between spaces.
fn parse_numbers<const N: usize>(text: &str) -> Option<[f32; N]> {
    let numbers: Option<Vec<f32>> =
        text.split(' ').map(|word| word.parse().ok().filter(|v: &f32| v.is_finite())).collect();
    numbers?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> ModelSpec {
        ModelSpec {
            name: "resnet18".to_owned(),
            width: 112,
            height: 96,
            scheme: Scheme::Ibug68,
            normalisation: Normalisation::Fixed { mean: 0.5, std: 0.25 },
            framing: Framing { width: 1.3, height: 1.1, shift_x: 0.0, shift_y: -0.05 },
            mirrored: false,
            presence: false,
            training: BTreeMap::from([("data".to_owned(), "300-W".to_owned())]),
        }
    }

    #[test]
    fn metadata_leads_back() {
        let spec = spec();
        assert_eq!(ModelSpec::from_metadata(spec.to_metadata()).unwrap(), spec);
        let spec =
            ModelSpec { normalisation: Normalisation::PerCrop, mirrored: true, presence: true, ..spec };
        assert_eq!(ModelSpec::from_metadata(spec.to_metadata()).unwrap(), spec);
    }

    fn detector() -> DetectorSpec {
        DetectorSpec {
            name: "face".to_owned(),
            width: 256,
            height: 192,
            normalisation: Normalisation::PerCrop,
            training: BTreeMap::from([("data".to_owned(), "300-W".to_owned())]),
        }
    }

    #[test]
    fn a_detectors_metadata_leads_back_and_is_not_taken_for_a_landmark_models() {
        let pairs = detector().to_metadata();
        assert_eq!(DetectorSpec::from_metadata(pairs.clone()).unwrap(), detector());
        let error = ModelSpec::from_metadata(pairs).unwrap_err().to_string();
        assert_eq!(error, "it is a face detector, not a landmark model");
        let error = DetectorSpec::from_metadata(spec().to_metadata()).unwrap_err().to_string();
        assert_eq!(error, "it is no face detector");
        let odd = DetectorSpec { width: 250, ..detector() };
        assert!(DetectorSpec::from_metadata(odd.to_metadata()).unwrap_err().to_string().contains("250x192"));
    }

    #[test]
    fn bad_metadata_is_named() {
        let cases = [
            ("facemark.format", "2"),
            ("facemark.input", "112x999999"),
            ("facemark.input", "0x9"),
            ("facemark.channel", "rgb"),
            ("facemark.scheme", "face"),
            ("facemark.normalisation", "fixed 0 0"),
            ("facemark.framing", "1 2 NaN 0"),
            ("facemark.mirrored", "no"),
            ("facemark.presence", "0.5"),
            ("facemark.surprise", "!"),
        ];
        for (key, value) in cases {
            let mut pairs = spec().to_metadata();
            pairs.retain(|(k, _)| k != key);
            pairs.push((key.to_owned(), value.to_owned()));
            let message = ModelSpec::from_metadata(pairs).unwrap_err().to_string();
            assert!(message.contains(value) || message.contains(key), "{key}={value}: {message}");
        }
    }

    #[test]
    fn every_key_is_needed() {
        for (key, _) in spec().to_metadata().iter().filter(|(key, _)| !key.contains(TRAINING)) {
            let rest = spec().to_metadata().into_iter().filter(|(k, _)| k != key);
            assert!(ModelSpec::from_metadata(rest).unwrap_err().to_string().contains(key.as_str()));
        }
        assert!(ModelSpec::from_metadata([]).is_err());
    }
}
