//! Where a model is told to look for a face.

use std::path::Path;

use anyhow::{Context, Result};
use clap::ValueEnum;
use facemark::geometry::Region;
use facemark::onnx::spec::ModelSpec;
use serde::Serialize;

use crate::batch::regions::whole_photo;
use crate::dataset::boxes::DetectorBoxes;
use crate::dataset::{FaceBox, Sample};

/// What the model is told of where the face is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Given {
    /// The bounding box of the true points, upright.
    Box,
    /// Nothing: its crop is the whole photo.
    Photo,
    /// The box that the data set gives (dlib's XML, WFLW, CSV), as a square.
    DataBox,
}

/// Where to look for a face.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// What the first crop is framed by.
    pub region: Region,
    /// Whether the first landmarks only say where to look properly, as when the tracker meets a new face.
    pub twice: bool,
}

/// Where to look for one face.
///
/// # Errors
/// If the data set's box is wanted and there is none.
pub fn look(sample: &Sample, spec: &ModelSpec, given: Given, twice: bool) -> Result<Look> {
    let region = match given {
        Given::Box => sample.region,
        Given::Photo => whole_photo(&spec.framing, &sample.photo),
        Given::DataBox => {
            sample.face_box.with_context(|| format!("{}: the data set gives no box", sample.name))?.region()
        }
    };
    Ok(Look { region, twice })
}

/// Where a detector's boxes say that the faces are, `None` for faces that it missed, and what it was learnt from how the
/// boxes lie.
pub fn looks_by(boxes: &Path, samples: &[Sample], twice: bool) -> Result<(Vec<Option<Look>>, &'static str)> {
    let boxes = DetectorBoxes::read(boxes)?;
    let matched = boxes.of(samples)?;
    let (habit, is_own) = boxes.habit(samples, &matched);
    let look = |face_box: FaceBox| Look { region: habit.region(&face_box), twice };
    let looks = matched.into_iter().map(|found| found.map(look)).collect();
    Ok((looks, if is_own { "these faces" } else { "other photos" }))
}

impl Given {
    /// For people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Box => "the box of the true points",
            Self::Photo => "the whole photo",
            Self::DataBox => "the data set's boxes",
        }
    }

    /// In a word or two.
    pub fn in_short(self) -> &'static str {
        match self {
            Self::Box => "boxes",
            Self::Photo => "whole photos",
            Self::DataBox => "the set's boxes",
        }
    }
}

/// How often a face is looked at, for people.
pub fn looks_title(twice: bool) -> &'static str {
    if twice { "two looks" } else { "one look" }
}
