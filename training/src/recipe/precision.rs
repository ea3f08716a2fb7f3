//! The numbers that a training computes with.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// What convolutions multiply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// Numbers of 32 bits.
    #[default]
    F32,
    /// Numbers of 16 bits with the range of those of 32 bits, and 8 bits of precision.
    Bf16,
}

impl Precision {
    /// Whether it is the usual one, which recipes need not name.
    pub fn is_f32(&self) -> bool {
        *self == Self::F32
    }
}
