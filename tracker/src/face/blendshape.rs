//! Blendshapes: a face's expression as the shares of 52 simple ones.

/// The names of the blendshapes, in the order in which models give them. They are those of ARKit without
/// `tongueOut`, and a first one for the share of no expression at all. Left and right are the person's.
#[rustfmt::skip]
pub const BLENDSHAPES: [&str; 52] = [
    "_neutral",
    "browDownLeft",
    "browDownRight",
    "browInnerUp",
    "browOuterUpLeft",
    "browOuterUpRight",
    "cheekPuff",
    "cheekSquintLeft",
    "cheekSquintRight",
    "eyeBlinkLeft",
    "eyeBlinkRight",
    "eyeLookDownLeft",
    "eyeLookDownRight",
    "eyeLookInLeft",
    "eyeLookInRight",
    "eyeLookOutLeft",
    "eyeLookOutRight",
    "eyeLookUpLeft",
    "eyeLookUpRight",
    "eyeSquintLeft",
    "eyeSquintRight",
    "eyeWideLeft",
    "eyeWideRight",
    "jawForward",
    "jawLeft",
    "jawOpen",
    "jawRight",
    "mouthClose",
    "mouthDimpleLeft",
    "mouthDimpleRight",
    "mouthFrownLeft",
    "mouthFrownRight",
    "mouthFunnel",
    "mouthLeft",
    "mouthLowerDownLeft",
    "mouthLowerDownRight",
    "mouthPressLeft",
    "mouthPressRight",
    "mouthPucker",
    "mouthRight",
    "mouthRollLower",
    "mouthRollUpper",
    "mouthShrugLower",
    "mouthShrugUpper",
    "mouthSmileLeft",
    "mouthSmileRight",
    "mouthStretchLeft",
    "mouthStretchRight",
    "mouthUpperUpLeft",
    "mouthUpperUpRight",
    "noseSneerLeft",
    "noseSneerRight",
];

/// For each blendshape, the one that it becomes when the picture is mirrored.
pub fn mirrored() -> [usize; BLENDSHAPES.len()] {
    let counterpart = |name: &str| match name {
        name if name.ends_with("Left") => name.replace("Left", "Right"),
        name if name.ends_with("Right") => name.replace("Right", "Left"),
        name => name.to_owned(),
    };
    let index = |name: &str| {
        let other = counterpart(name);
        BLENDSHAPES.iter().position(|&name| name == other).unwrap_or_default()
    };
    BLENDSHAPES.map(index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_blendshape_of_a_side_has_its_counterpart() {
        let mirrored = mirrored();
        for (i, &j) in mirrored.iter().enumerate() {
            let (name, other) = (BLENDSHAPES[i], BLENDSHAPES[j]);
            assert_eq!(mirrored[j], i);
            let swapped = name.replace("Left", "Right") == other || name.replace("Right", "Left") == other;
            assert!(swapped && (i != j || !name.contains("Left")), "{name}, {other}");
        }
    }
}
