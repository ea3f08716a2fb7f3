//! A model file's metadata: the contract between trainer and tracker, a JSON value in ONNX `metadata_props`.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::net::NetFile;
use crate::crop::{Framing, Normalisation};
use crate::error::{Error, Result, ensure};
use crate::face::{BLENDSHAPES, Scheme};

/// What a model does, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Spec {
    /// Finds the landmarks of a face.
    Landmarks(ModelSpec),
    /// Finds faces in a picture.
    FaceDetector(DetectorSpec),
}

/// A landmark model's contract: the input has the shape `[1, 1, height, width]`, the output
/// `[1, n_values]`: x0, y0, x1, y1 … in unit crop coordinates, then what the fields from `depth` to
/// `blendshapes` say, in their order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSpec {
    /// Short name, also the file's.
    pub name: String,
    /// Width of the input in pixels, 1 to 512.
    pub width: usize,
    /// Height of the input in pixels, 1 to 512.
    pub height: usize,
    /// Which landmarks the model finds.
    pub scheme: Scheme,
    /// How pixels become the net's input.
    pub normalisation: Normalisation,
    /// How the face lies in the crop.
    pub framing: Framing,
    /// Whether the net runs on each crop twice, once mirrored, and the two results are averaged.
    #[serde(default, skip_serializing_if = "is_false")]
    pub mirrored: bool,
    /// Whether the net also says how far behind the face's middle each landmark is: a number per landmark, in
    /// crop widths.
    #[serde(default, skip_serializing_if = "is_false")]
    pub depth: bool,
    /// Whether the net also says how far off each landmark may be: a number per landmark, the natural logarithm
    /// of its expected distance from the true place in crop widths.
    #[serde(default, skip_serializing_if = "is_false")]
    pub sigma: bool,
    /// What these distances are multiplied by, so that they agree with those of faces that the net never saw; if missing,
    /// they are left as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sigma_scale: Option<f32>,
    /// Whether the net also says if there is a face: one more number, the logit of its probability.
    #[serde(default, skip_serializing_if = "is_false")]
    pub presence: bool,
    /// Whether the net also gives the [blendshapes](crate::face::BLENDSHAPES): their shares, about 0 to 1.
    #[serde(default, skip_serializing_if = "is_false")]
    pub blendshapes: bool,
    /// How the model was made (data, seed, epochs, commit, validation error …), free text by key.
    #[serde(default)]
    pub training: BTreeMap<String, String>,
}

/// Where in a landmark net's output each kind of number is, see [`ModelSpec`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// x0, y0, x1, y1 …
    pub points: Range<usize>,
    /// See [`ModelSpec::depth`].
    pub depth: Range<usize>,
    /// See [`ModelSpec::sigma`].
    pub sigma: Range<usize>,
    /// See [`ModelSpec::presence`].
    pub presence: Range<usize>,
    /// See [`ModelSpec::blendshapes`].
    pub blendshapes: Range<usize>,
}

/// A face detector's contract: the input has the shape `[1, 1, height, width]`, where other sides that are
/// multiples of [`DETECTOR_UNIT`] work, too. The output is described in [`grid`](crate::detect::grid).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DetectorSpec {
    /// Short name, also the file's.
    pub name: String,
    /// Width of the pictures that the net was trained with, a multiple of [`DETECTOR_UNIT`] up to 512.
    pub width: usize,
    /// Their height, likewise.
    pub height: usize,
    /// How pixels become the net's input.
    pub normalisation: Normalisation,
    /// How the net's scores become the share of true faces among places with such scores; if missing, they are
    /// left as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
    /// How the model was made, free text by key.
    #[serde(default)]
    pub training: BTreeMap<String, String>,
}

/// A logistic rescaling of scores: their logits are multiplied and shifted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// What logits are multiplied by, positive.
    pub slope: f32,
    /// What is added then.
    pub offset: f32,
}

impl Calibration {
    /// The rescaled score of a score of 0 to 1.
    pub fn apply(&self, score: f32) -> f32 {
        let logit = (score / (1.0 - score)).ln();
        1.0 / (1.0 + (-self.slope * logit - self.offset).exp())
    }
}

/// The key of the JSON value in `metadata_props`.
pub const KEY: &str = "facemark";
/// The sides of a detector's input are multiples of this: the side of its largest cells.
pub const DETECTOR_UNIT: usize = 32;
/// The version of the JSON value. Readers refuse any other.
const FORMAT: u64 = 2;
/// A key that files of version 1 have.
const OLD_KEY: &str = "facemark.format";
/// The longest input side allowed, so that a broken file cannot make us allocate gigabytes.
const MAX_SIDE: usize = 512;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document<S> {
    format: u64,
    model: S,
}

/// The entry of a [training record](ModelSpec::training) that says what the model may be used for.
pub const TERMS: &str = "terms";
/// How the terms of a model begin that may be used for anything, products included.
pub const ANY_USE: &str = "any use";
/// The terms of our models whose files say nothing: they were trained on photos for research.
pub const RESEARCH_ONLY: &str = "research only";

impl Spec {
    /// How the model was made, free text by key.
    pub fn training(&self) -> &BTreeMap<String, String> {
        match self {
            Self::Landmarks(spec) => &spec.training,
            Self::FaceDetector(spec) => &spec.training,
        }
    }

    /// What the model may be used for, as its file says; `None` if it says nothing.
    pub fn terms(&self) -> Option<&str> {
        self.training().get(TERMS).map(String::as_str)
    }

    /// The metadata of a model file. The net is not checked.
    ///
    /// # Errors
    /// [`Error::Model`] if the bytes are not an ONNX file, and as [`from_metadata`](Self::from_metadata).
    pub fn of_file(bytes: &[u8]) -> Result<Self> {
        Self::from_metadata(NetFile::read(bytes)?.metadata())
    }

    /// The key and the value to write into `metadata_props`.
    pub fn to_metadata(&self) -> (String, String) {
        // Not by way of a `Value`, which would write 1.2 as 1.2000000476837158.
        let document = serde_json::to_string(&Document { format: FORMAT, model: self });
        (KEY.to_owned(), document.expect("plain structs become JSON"))
    }

    /// Reads the value from a file's key-value pairs.
    ///
    /// # Errors
    /// [`Error::Model`] if the value is missing, has another version, or is invalid; the message names the
    /// field.
    pub fn from_metadata(pairs: impl IntoIterator<Item = (String, String)>) -> Result<Self> {
        let pairs: BTreeMap<String, String> = pairs.into_iter().collect();
        if let Some(text) = pairs.get(KEY) {
            return Self::from_json(text);
        }
        let version = pairs.get(OLD_KEY);
        ensure!(
            version.is_none(),
            "it was exported by an older facemark-train; export it again with this one"
        );
        Err(Error::Model(
            "it has no facemark metadata; only models exported by facemark-train can be used".to_owned(),
        ))
    }

    fn from_json(text: &str) -> Result<Self> {
        let wrong = |error: serde_json::Error| Error::Model(format!("its metadata is invalid: {error}"));
        let document: Value = serde_json::from_str(text).map_err(wrong)?;
        let format = document.get("format").unwrap_or(&Value::Null);
        ensure!(
            format == FORMAT,
            "its metadata has format {format}, but this version reads format {FORMAT}; export it again"
        );
        let Document::<Self> { model, .. } = serde_json::from_value(document).map_err(wrong)?;
        model.check().map(|()| model)
    }

    fn check(&self) -> Result<()> {
        let (width, height, normalisation) = match self {
            Self::Landmarks(spec) => {
                check_framing(&spec.framing)?;
                if let Some(scale) = spec.sigma_scale {
                    let is_possible = spec.sigma && scale.is_finite() && scale > 0.0;
                    ensure!(is_possible, "its scale of {scale} for expected distances is impossible");
                }
                (spec.width, spec.height, spec.normalisation)
            }
            Self::FaceDetector(spec) => {
                let fits =
                    spec.width.is_multiple_of(DETECTOR_UNIT) && spec.height.is_multiple_of(DETECTOR_UNIT);
                let (width, height) = (spec.width, spec.height);
                ensure!(
                    fits,
                    "the sides of its input, {width}×{height}, are not multiples of {DETECTOR_UNIT}"
                );
                if let Some(Calibration { slope, offset }) = spec.calibration {
                    let is_possible = slope.is_finite() && slope > 0.0 && offset.is_finite();
                    ensure!(is_possible, "its calibration by {slope} and {offset} is impossible");
                }
                (width, height, spec.normalisation)
            }
        };
        let sides = 1..=MAX_SIDE;
        let fits = sides.contains(&width) && sides.contains(&height);
        ensure!(fits, "the sides of its input, {width}×{height}, are not between 1 and {MAX_SIDE}");
        if let Normalisation::Fixed { mean, std } = normalisation {
            let is_possible = mean.is_finite() && std.is_finite() && std > 0.0;
            ensure!(
                is_possible,
                "its normalisation by a mean of {mean} and a deviation of {std} is impossible"
            );
        }
        Ok(())
    }
}

fn check_framing(framing: &Framing) -> Result<()> {
    let &Framing { width, height, shift_x, shift_y } = framing;
    let numbers = [width, height, shift_x, shift_y];
    let is_possible = numbers.iter().all(|number| number.is_finite()) && width > 0.0 && height > 0.0;
    ensure!(is_possible, "its framing of {width}×{height}, shifted by ({shift_x}, {shift_y}), is impossible");
    Ok(())
}

impl ModelSpec {
    /// How many numbers the net outputs.
    pub fn n_values(&self) -> usize {
        self.layout().blendshapes.end
    }

    /// Where in the output each kind of number is. What the net does not say has an empty range.
    pub fn layout(&self) -> Layout {
        let n = self.scheme.n_points();
        let after = |start: usize, given: bool, len: usize| start..start + if given { len } else { 0 };
        let depth = after(2 * n, self.depth, n);
        let sigma = after(depth.end, self.sigma, n);
        let presence = after(sigma.end, self.presence, 1);
        let blendshapes = after(presence.end, self.blendshapes, BLENDSHAPES.len());
        Layout { points: 0..2 * n, depth, sigma, presence, blendshapes }
    }

    /// Reads the contract from a file's key-value pairs.
    ///
    /// # Errors
    /// As [`Spec::from_metadata`], and if the model is a face detector.
    pub fn from_metadata(pairs: impl IntoIterator<Item = (String, String)>) -> Result<Self> {
        match Spec::from_metadata(pairs)? {
            Spec::Landmarks(spec) => Ok(spec),
            Spec::FaceDetector(_) => {
                Err(Error::Model("it is a face detector, not a landmark model".to_owned()))
            }
        }
    }
}

impl DetectorSpec {
    /// Reads the contract from a file's key-value pairs.
    ///
    /// # Errors
    /// As [`Spec::from_metadata`], and if the model is a landmark model.
    pub fn from_metadata(pairs: impl IntoIterator<Item = (String, String)>) -> Result<Self> {
        match Spec::from_metadata(pairs)? {
            Spec::FaceDetector(spec) => Ok(spec),
            Spec::Landmarks(_) => Err(Error::Model("it is a landmark model, not a face detector".to_owned())),
        }
    }
}

fn is_false(value: &bool) -> bool {
    !value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn landmarks() -> ModelSpec {
        ModelSpec {
            name: "resnet18".to_owned(),
            width: 112,
            height: 96,
            scheme: Scheme::Ibug68,
            normalisation: Normalisation::Fixed { mean: 0.5, std: 0.25 },
            framing: Framing { width: 1.3, height: 1.1, shift_x: 0.0, shift_y: -0.05 },
            mirrored: false,
            depth: false,
            sigma: false,
            sigma_scale: None,
            presence: false,
            blendshapes: false,
            training: BTreeMap::from([("data".to_owned(), "300-W".to_owned())]),
        }
    }

    fn detector() -> DetectorSpec {
        DetectorSpec {
            name: "face".to_owned(),
            width: 256,
            height: 192,
            normalisation: Normalisation::PerCrop,
            calibration: None,
            training: BTreeMap::from([("data".to_owned(), "300-W".to_owned())]),
        }
    }

    #[test]
    fn calibrated_scores_stay_in_order_and_between_0_and_1() {
        let calibration = Calibration { slope: 1.5, offset: -0.4 };
        let scores: Vec<f32> = (0..=20).map(|i| calibration.apply(i as f32 / 20.0)).collect();
        assert!(scores.is_sorted() && scores[0] == 0.0 && scores[20] == 1.0, "{scores:?}");
        let same = Calibration { slope: 1.0, offset: 0.0 };
        assert!((same.apply(0.3) - 0.3).abs() < 1e-6);
    }

    fn read_back(spec: &Spec) -> Result<Spec> {
        Spec::from_metadata([spec.to_metadata()])
    }

    #[test]
    fn metadata_is_read_as_it_was_written() {
        let per_crop = ModelSpec {
            normalisation: Normalisation::PerCrop,
            mirrored: true,
            presence: true,
            ..landmarks()
        };
        let mesh = ModelSpec {
            scheme: Scheme::Mesh478,
            depth: true,
            sigma: true,
            sigma_scale: Some(1.25),
            blendshapes: true,
            ..per_crop.clone()
        };
        assert_eq!((per_crop.n_values(), mesh.n_values()), (137, 4 * 478 + 1 + 52));
        let calibration = Some(Calibration { slope: 1.2, offset: -0.3 });
        let calibrated = DetectorSpec { normalisation: Normalisation::Local, calibration, ..detector() };
        let points = [landmarks(), per_crop, mesh].map(Spec::Landmarks);
        let faces = [detector(), calibrated].map(Spec::FaceDetector);
        for spec in points.into_iter().chain(faces) {
            assert_eq!(read_back(&spec).unwrap(), spec);
            assert!(!spec.to_metadata().1.contains("00000"), "{spec:?}");
        }
    }

    #[test]
    fn the_two_kinds_are_not_confused() {
        let message = |error: Error| error.to_string();
        let face = [Spec::FaceDetector(detector()).to_metadata()];
        let error = message(ModelSpec::from_metadata(face).unwrap_err());
        assert_eq!(error, "the model cannot be used: it is a face detector, not a landmark model");
        let points = [Spec::Landmarks(landmarks()).to_metadata()];
        let error = message(DetectorSpec::from_metadata(points).unwrap_err());
        assert_eq!(error, "the model cannot be used: it is a landmark model, not a face detector");
    }

    #[test]
    fn impossible_values_are_named() {
        let refused = |spec: Spec| read_back(&spec).unwrap_err().to_string();
        assert!(refused(Spec::Landmarks(ModelSpec { width: 999_999, ..landmarks() })).contains("999999×96"));
        assert!(refused(Spec::Landmarks(ModelSpec { height: 0, ..landmarks() })).contains("112×0"));
        let normalisation = Normalisation::Fixed { mean: 0.0, std: 0.0 };
        assert!(
            refused(Spec::Landmarks(ModelSpec { normalisation, ..landmarks() })).contains("normalisation")
        );
        for (sigma, scale) in [(true, 0.0), (true, -1.0), (false, 1.2)] {
            let spec = ModelSpec { sigma, sigma_scale: Some(scale), ..landmarks() };
            assert!(refused(Spec::Landmarks(spec)).contains("expected distances"), "{sigma} {scale}");
        }
        let framing = Framing { width: -1.0, ..landmarks().framing };
        assert!(refused(Spec::Landmarks(ModelSpec { framing, ..landmarks() })).contains("framing"));
        assert!(refused(Spec::FaceDetector(DetectorSpec { width: 250, ..detector() })).contains("250×192"));
        let calibration = Some(Calibration { slope: 0.0, offset: 1.0 });
        let flat = Spec::FaceDetector(DetectorSpec { calibration, ..detector() });
        assert!(refused(flat).contains("calibration"));
    }

    #[test]
    fn invalid_json_is_refused_with_the_field() {
        let (key, good) = Spec::Landmarks(landmarks()).to_metadata();
        for (from, to, named) in [
            ("\"format\":2", "\"format\":3", "format 3"),
            ("\"format\":2", "\"form\":2", "format null"),
            ("ibug68", "face", "`face`"),
            ("\"width\":112", "\"width\":\"wide\"", "wide"),
            ("\"width\":112", "\"breadth\":112", "breadth"),
            ("\"shift_x\":0.0", "\"shift_x\":1e300", "framing"),
            ("\"name\":\"resnet18\",", "", "`name`"),
            ("}", "", "EOF"),
        ] {
            assert!(good.contains(from), "{good}");
            let error = Spec::from_metadata([(key.clone(), good.replace(from, to))]).unwrap_err().to_string();
            assert!(error.contains(named), "{to}: {error}");
        }
    }

    #[test]
    fn files_without_metadata_and_older_ones_are_told_apart() {
        let error = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter().map(|&(key, value)| (key.to_owned(), value.to_owned()));
            Spec::from_metadata(pairs).unwrap_err().to_string()
        };
        assert!(error(&[]).contains("no facemark metadata"));
        assert!(error(&[("facemark.format", "1"), ("facemark.name", "nose")]).contains("export it again"));
    }
}
