//! What training minimises.

use serde::{Deserialize, Serialize};

/// The error that training minimises, over coordinates in crop sides.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Loss {
    /// Mean squared error, the course's loss.
    Mse,
    /// Squared below `beta` and linear above it (Girshick, "Fast R-CNN", ICCV 2015), in units of `beta`.
    SmoothL1 {
        /// Where the parabola turns into a line, in crop sides.
        beta: f32,
    },
    /// Wing loss (Feng et al., "Wing Loss for Robust Facial Landmark Localisation", CVPR 2018): logarithmic
    /// below `width`, so that small errors still count, and linear above it.
    Wing {
        /// Where the logarithm turns into a line, in crop sides.
        width: f32,
        /// How sharply the logarithm bends at zero, in crop sides.
        curvature: f32,
    },
    /// For the mesh: Wing loss for the places of the points, those of eyes, lips, brows and nose counting more, and
    /// what else is said of them, each with its weight. Points outside their photo do not count.
    Mesh {
        /// As in `wing`.
        width: f32,
        /// As in `wing`.
        curvature: f32,
        /// Weight of the depths' Wing loss.
        depth: f32,
        /// Weight of the expected distances' loss: that of exponential distributions of these means.
        sigma: f32,
        /// Weight of the blendshapes' smooth L1, which turns into a line at a tenth.
        blendshapes: f32,
    },
    /// For the detector: focal loss for the scores (Lin et al., "Focal loss for dense object detection", ICCV 2017), and
    /// smooth L1 for where the faces are.
    Focal {
        /// How much less a cell counts the surer it is.
        gamma: f32,
        /// The weight of cells with a face; that of the others is the rest to 1.
        alpha: f32,
        /// Where smooth L1 turns into a line, in sizes of the face.
        beta: f32,
        /// Weight of smooth L1.
        place: f32,
    },
}

impl Loss {
    /// Its numbers, all of which must be positive.
    pub fn numbers(&self) -> Vec<f32> {
        match *self {
            Self::Mse => vec![],
            Self::SmoothL1 { beta } => vec![beta],
            Self::Wing { width, curvature } => vec![width, curvature],
            Self::Mesh { width, curvature, depth, sigma, blendshapes } => {
                vec![width, curvature, depth, sigma, blendshapes]
            }
            Self::Focal { gamma, alpha, beta, place } => vec![gamma, alpha, beta, place],
        }
    }
}
