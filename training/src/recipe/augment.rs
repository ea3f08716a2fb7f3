//! How training crops are varied.

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

/// Where a training crop's region begins before it is jittered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// At the face.
    Face,
    /// Anywhere between the face and the whole photo.
    Between,
    /// So that the crop is the whole photo.
    Photo,
}

/// How far training crops stray from the true face region and from the true pixels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Augment {
    /// Where regions begin.
    pub start: Start,
    /// Greatest roll either way, in degrees.
    pub roll: f32,
    /// Greatest change of size, as a natural logarithm, either way.
    pub scale: f32,
    /// Greatest shift along each axis, in the crop's width and height.
    pub shift: f32,
    /// How much wider and at once lower faces become at most, as a natural logarithm, or the other way round.
    #[serde(default)]
    pub stretch: f32,
    /// Whether half of the crops are mirrored.
    pub mirror: bool,
    /// Probability that the eyes are closed further than they were.
    #[serde(default)]
    pub blink: f32,
    /// Probability that the irises are moved, and the upper lids with them, so that the face looks elsewhere. Only meshes have
    /// irises.
    #[serde(default)]
    pub gaze: f32,
    /// Probability of a face mask over nose and mouth. The pictures of masks are in the data's folder `masks`.
    #[serde(default)]
    pub mask: f32,
    /// Greatest change of contrast, as a natural logarithm; what leaves 0–255 is clipped.
    pub contrast: f32,
    /// Greatest change of brightness in grey levels.
    pub brightness: f32,
    /// Greatest gamma, as a natural logarithm, either way.
    pub gamma: f32,
    /// Greatest standard deviation of the blur in pixels; half of the crops stay sharp.
    pub blur: f32,
    /// Greatest standard deviation of the noise in grey levels.
    pub noise: f32,
    /// Probability of a patch over a part of the crop, grey or of noise.
    pub occlusion: f32,
    /// Probability of light from behind or from one side, and of a dark picture, in those that the detector learns from.
    #[serde(default)]
    pub light: f32,
    /// Probability of a strong JPEG compression.
    pub jpeg: f32,
    /// Probability of a crop without a face, or with one that is too large, too small or too far off. Only nets that say whether
    /// there is a face can learn from it.
    #[serde(default)]
    pub absent: f32,
}

impl Augment {
    /// The crop at its start, unchanged.
    pub fn none(start: Start) -> Self {
        Self {
            start,
            roll: 0.0,
            scale: 0.0,
            shift: 0.0,
            stretch: 0.0,
            mirror: false,
            blink: 0.0,
            gaze: 0.0,
            mask: 0.0,
            contrast: 0.0,
            brightness: 0.0,
            gamma: 0.0,
            blur: 0.0,
            noise: 0.0,
            occlusion: 0.0,
            light: 0.0,
            jpeg: 0.0,
            absent: 0.0,
        }
    }

    /// Refuses numbers that spoil every crop, or of which none can be made.
    pub fn check(&self) -> Result<()> {
        for (name, value, most) in [
            ("roll", self.roll, 180.0),
            ("scale", self.scale, 3.0),
            ("shift", self.shift, 10.0),
            ("stretch", self.stretch, 1.0),
            ("contrast", self.contrast, 3.0),
            ("brightness", self.brightness, 255.0),
            ("gamma", self.gamma, 3.0),
            ("blur", self.blur, 32.0),
            ("noise", self.noise, 255.0),
            ("occlusion", self.occlusion, 1.0),
            ("light", self.light, 1.0),
            ("jpeg", self.jpeg, 1.0),
            ("blink", self.blink, 1.0),
            ("gaze", self.gaze, 1.0),
            ("mask", self.mask, 1.0),
            ("absent", self.absent, 1.0),
        ] {
            ensure!((0.0..=most).contains(&value), "augment.{name} must be from 0 to {most}, not {value}");
        }
        Ok(())
    }
}
