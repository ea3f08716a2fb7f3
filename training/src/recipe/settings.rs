//! The settings of each net: ours and the course's.

use facemark::crop::Framing;

use super::{Augment, Loss, NetKind, Precision, Recipe, Schedule, Start};

impl Recipe {
    /// Our settings for a net.
    pub fn best(net: NetKind) -> Self {
        // The Wing paper uses 10 and 2 px on crops of 256 px.
        let wing = Loss::Wing { width: 0.04, curvature: 0.008 };
        let common = Self {
            net,
            epochs: 200,
            batch: 32,
            lr: 1e-3,
            warmup_epochs: 2.0,
            schedule: Schedule::Cosine,
            weight_decay: 1e-2,
            clip_norm: None,
            ema: Some(0.998),
            patience: None,
            precision: Precision::F32,
            seed: 1,
            loss: wing,
            framing: framing(net),
            augment: Augment::best(net),
        };
        match net {
            NetKind::Nose | NetKind::Nose3 => {
                Self { epochs: 1000, batch: 64, warmup_epochs: 10.0, loss: Loss::Mse, ..common }
            }
            NetKind::FullFace => Self { epochs: 300, batch: 16, lr: 5e-4, ..common },
            NetKind::Resnet18 => common,
            NetKind::Compact => Self { epochs: 600, lr: 2e-3, ..common },
            NetKind::Large => Self { epochs: 85, lr: 8e-4, warmup_epochs: 0.5, weight_decay: 5e-2, ..common },
            NetKind::Mesh => Self {
                epochs: 80,
                lr: 2e-3,
                loss: Loss::Mesh { width: 0.04, curvature: 0.008, depth: 0.3, sigma: 2e-3, blendshapes: 0.3 },
                ..common
            },
            NetKind::Face => Self {
                epochs: 36,
                batch: 16,
                lr: 2e-3,
                warmup_epochs: 0.5,
                loss: Loss::Focal { gamma: 2.0, alpha: 0.6, beta: 0.1, place: 0.6 },
                ..common
            },
        }
    }

    /// The course's settings: Adam at a constant rate, MSE, whole photos (resnet18: the face); the nose without any
    /// augmentation.
    ///
    /// Numbers of epochs are ours, where the course's curves have long been flat, as is full-face's batch.
    pub fn course(net: NetKind) -> Self {
        let (epochs, batch) = match net {
            NetKind::Nose | NetKind::Nose3 => (100, 64),
            NetKind::FullFace => (30, 16),
            NetKind::Resnet18 | NetKind::Compact | NetKind::Large => (20, 66),
            // The course has neither.
            NetKind::Mesh | NetKind::Face => return Self::best(net),
        };
        Self {
            epochs,
            batch,
            lr: 1e-3,
            warmup_epochs: 0.0,
            schedule: Schedule::Constant,
            weight_decay: 0.0,
            ema: None,
            loss: Loss::Mse,
            augment: Augment::course(net),
            ..Self::best(net)
        }
    }
}

impl Augment {
    /// Our settings for a net.
    pub fn best(net: NetKind) -> Self {
        let common = Self {
            start: Start::Face,
            // The tracker turns its crops upright; this is for what it gets wrong, and for 300-W's own rolls of ±8°.
            roll: 25.0,
            scale: 0.15,
            shift: 0.06,
            stretch: 0.0,
            mirror: true,
            blink: 0.0,
            gaze: 0.0,
            mask: 0.0,
            contrast: 0.5,
            brightness: 40.0,
            gamma: 0.4,
            blur: 1.2,
            noise: 8.0,
            occlusion: 0.4,
            light: 0.0,
            jpeg: 0.2,
            absent: 0.0,
        };
        let mild = Self {
            roll: 17.0,
            scale: 0.12,
            shift: 0.05,
            stretch: 0.05,
            blink: 0.1,
            contrast: 0.4,
            brightness: 30.0,
            gamma: 0.3,
            noise: 6.0,
            occlusion: 0.18,
            jpeg: 0.1,
            ..common
        };
        match net {
            // A trained photo shows little but one of 32 people before one wall: vary the framing more, blur less.
            NetKind::Nose | NetKind::Nose3 | NetKind::FullFace => {
                Self { start: Start::Between, roll: 15.0, scale: 0.2, shift: 0.05, blur: 0.8, ..common }
            }
            // They cannot learn everything in the time there is: what is rare takes accuracy from what is common.
            NetKind::Resnet18 => mild,
            NetKind::Compact => Self { absent: 0.1, ..mild },
            NetKind::Mesh => Self {
                roll: 20.0,
                shift: 0.05,
                gaze: 0.3,
                occlusion: 0.2,
                jpeg: 0.1,
                mask: 0.06,
                absent: 0.1,
                ..common
            },
            NetKind::Large => Self {
                roll: 18.0,
                scale: 0.13,
                shift: 0.055,
                stretch: 0.06,
                blink: 0.1,
                contrast: 0.45,
                brightness: 35.0,
                gamma: 0.35,
                noise: 7.0,
                occlusion: 0.2,
                jpeg: 0.1,
                ..common
            },
            // Faces anywhere in the picture, of 6 to 280 px. Those that are turned further are found in the turned picture.
            NetKind::Face => Self {
                start: Start::Photo,
                roll: 65.0,
                scale: 1.9,
                shift: 0.48,
                contrast: 0.4,
                brightness: 25.0,
                blur: 2.2,
                occlusion: 0.3,
                light: 0.25,
                ..common
            },
        }
    }

    /// The course's settings for a net.
    ///
    /// It also jitters the saturation, which moves each pixel towards or away from its own grey value and so leaves the
    /// luma that the nets read as it is.
    pub fn course(net: NetKind) -> Self {
        match net {
            NetKind::Nose | NetKind::Nose3 => Self::none(Start::Photo),
            // ±24 and ±18 px of 240×180.
            NetKind::FullFace => {
                Self { roll: 15.0, shift: 0.1, brightness: 40.0, ..Self::none(Start::Photo) }
            }
            NetKind::Resnet18 | NetKind::Compact | NetKind::Large => {
                Self { roll: 15.0, shift: 0.05, brightness: 40.0, ..Self::none(Start::Face) }
            }
            NetKind::Mesh | NetKind::Face => Self::best(net),
        }
    }
}

/// What each net's crop covers.
fn framing(net: NetKind) -> Framing {
    match net {
        // The whole photo for the mean face of IMM's people 1–32, whose region is 202 px wide and centred on (326.6, 299.3)
        // in photos of 640×480.
        NetKind::Nose | NetKind::Nose3 | NetKind::FullFace => {
            Framing { width: 3.168, height: 2.376, shift_x: -0.035, shift_y: -0.296 }
        }
        // 10 % of margin on each side. More pixels on the face are worth more than landmarks that always stay inside a crop
        // that is off.
        NetKind::Resnet18 | NetKind::Compact | NetKind::Large => {
            Framing { width: 1.2, height: 1.2, shift_x: 0.0, shift_y: 0.0 }
        }
        // The forehead reaches beyond it, but shows nothing to place its points by.
        NetKind::Mesh => Framing { width: 1.2, height: 1.2, shift_x: 0.0, shift_y: -0.05 },
        // It looks at the whole picture.
        NetKind::Face => Framing { width: 1.0, height: 1.0, shift_x: 0.0, shift_y: 0.0 },
    }
}
