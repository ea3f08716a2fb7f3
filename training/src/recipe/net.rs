//! The kinds of nets.

use std::collections::BTreeMap;

use clap::ValueEnum;
use facemark::crop::{Framing, Normalisation};
use facemark::face::Scheme;
use facemark::onnx::spec::ModelSpec;
use serde::{Deserialize, Serialize};

/// A net's name on the command line and in recipes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum NetKind {
    /// The nose's lower middle from 60×80 px (course, part 1).
    Nose,
    /// The same with three convolutions in place of four.
    Nose3,
    /// 58 IMM points from 180×240 px (course, part 2).
    FullFace,
    /// 68 iBUG points from 112×112 px.
    Resnet18,
    /// 68 iBUG points from 112×112 px, in a twelfth of the time.
    Compact,
    /// The same from 160×160 px, wider and deeper: our most accurate net, for recordings.
    Large,
    /// MediaPipe's 478 points with their depths, and 52 blendshapes, from 112×112 px.
    Mesh,
    /// All faces in a picture of 256×192 px: the tracker's detector.
    Face,
}

impl NetKind {
    /// The name, as files and recipes spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nose => "nose",
            Self::Nose3 => "nose3",
            Self::FullFace => "full-face",
            Self::Resnet18 => "resnet18",
            Self::Compact => "compact",
            Self::Large => "large",
            Self::Mesh => "mesh",
            Self::Face => "face",
        }
    }

    /// The points that the net finds; for the detector, those whose regions it finds.
    pub fn scheme(self) -> Scheme {
        match self {
            Self::Nose | Self::Nose3 => Scheme::Nose,
            Self::FullFace => Scheme::Imm58,
            Self::Resnet18 | Self::Compact | Self::Large | Self::Face => Scheme::Ibug68,
            Self::Mesh => Scheme::Mesh478,
        }
    }

    /// Width and height of the net's input in pixels.
    pub fn input_size(self) -> (usize, usize) {
        match self {
            Self::Nose | Self::Nose3 => (80, 60),
            Self::FullFace => (240, 180),
            Self::Resnet18 | Self::Compact | Self::Mesh => (112, 112),
            Self::Large => (160, 160),
            Self::Face => (256, 192),
        }
    }

    /// Whether the net answers if there is a face in its crop.
    pub fn has_presence(self) -> bool {
        matches!(self, Self::Compact | Self::Mesh)
    }

    /// Whether the net finds faces in a picture, not landmarks in a crop.
    pub fn is_detector(self) -> bool {
        self == Self::Face
    }

    /// The net's specification; `framing` says what its crop covers.
    pub fn spec(self, framing: Framing) -> ModelSpec {
        let (width, height) = self.input_size();
        ModelSpec {
            name: self.name().to_owned(),
            width,
            height,
            scheme: self.scheme(),
            normalisation: if self.is_detector() { Normalisation::Local } else { Normalisation::PerCrop },
            framing,
            // It is for recordings, where time matters less.
            mirrored: self == Self::Large,
            depth: self == Self::Mesh,
            sigma: matches!(self, Self::Compact | Self::Mesh),
            sigma_scale: None,
            presence: self.has_presence(),
            blendshapes: self == Self::Mesh,
            training: BTreeMap::new(),
        }
    }
}
