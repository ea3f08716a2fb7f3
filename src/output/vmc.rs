//! A face for avatars: the Virtual Motion Capture protocol (<https://protocol.vmc.info>), OSC bundles over UDP.
//!
//! A receiver animates one avatar, so only the face that has been followed longest is sent.

use anyhow::Result;
use facemark::Face;
use facemark::face::{BLENDSHAPES, Measures, Pose};
use rosc::OscType::{self, Float};
use rosc::{OscBundle, OscPacket, encoder};

use super::net::{NOW, Socket, message};
use super::sink::{End, Sink};
use crate::error::{Blame, Fault};
use crate::frame::Tracked;

/// Sends a bundle per frame.
pub struct Vmc {
    socket: Socket,
}

impl Vmc {
    /// Prepares to send to `target`, a host and a port; receivers usually listen on port 39539.
    ///
    /// # Errors
    /// [`Fault::Usage`] for a target that is not `HOST:PORT`, [`Fault::Output`] for an unknown host.
    pub fn open(target: &str) -> Result<Self> {
        Ok(Self { socket: Socket::open(target)? })
    }
}

impl Sink for Vmc {
    fn write(&mut self, tracked: &mut Tracked) -> Result<()> {
        if tracked.frame.held {
            return Ok(());
        }
        let face = tracked.faces.iter().min_by_key(|face| face.id);
        let content = messages(face, tracked.frame.time.seconds() as f32);
        let bundle = OscPacket::Bundle(OscBundle { timetag: NOW, content });
        let bytes = encoder::encode(&bundle).blame(Fault::Failure, || "writing a VMC bundle")?;
        self.socket.send(&bytes);
        Ok(())
    }

    fn finish(&mut self, _: End) -> Result<()> {
        Ok(())
    }
}

/// The messages for a frame. Without a face, the avatar keeps its last expression.
fn messages(face: Option<&Face>, seconds: f32) -> Vec<OscPacket> {
    let tell = |address: &str, args: Vec<OscType>| message(format!("/VMC/Ext/{address}"), args);
    let mut content = vec![tell("OK", vec![OscType::Int(1)]), tell("T", vec![Float(seconds)])];
    let Some(face) = face else { return content };
    if let Some(Measures { pose, .. }) = face.measures {
        let position = [0.0; 3].map(Float);
        let rotation = quaternion(pose).map(Float);
        let name = OscType::String("Head".to_owned());
        content.push(tell("Bone/Pos", std::iter::once(name).chain(position).chain(rotation).collect()));
    }
    let values = arkit(face).into_iter().chain(vrm(face));
    content.extend(
        values.map(|(name, value)| tell("Blend/Val", vec![OscType::String(name.to_owned()), Float(value)])),
    );
    content.push(tell("Blend/Apply", Vec::new()));
    content
}

/// ARKit's 52 values. No model sees the tongue.
fn arkit(face: &Face) -> Vec<(&'static str, f32)> {
    let shares = &face.more.blendshapes;
    if shares.is_empty() {
        return Vec::new();
    }
    let named = BLENDSHAPES.into_iter().zip(shares.iter().copied());
    named.filter(|&(name, _)| name != "_neutral").chain([("tongueOut", 0.0)]).collect()
}

/// The basic values of VRM 0: vowels, blinks and joy, from what they look like most.
fn vrm(face: &Face) -> Vec<(&'static str, f32)> {
    let shares = &face.more.blendshapes;
    if shares.is_empty() {
        return Vec::new();
    }
    let of = |wanted: &str| {
        let index = BLENDSHAPES.iter().position(|&name| name == wanted);
        index.and_then(|i| shares.get(i)).copied().unwrap_or_default()
    };
    let both = |name: &str| (of(&format!("{name}Left")) + of(&format!("{name}Right"))) / 2.0;
    let (open, smile, pucker, funnel) =
        (of("jawOpen"), both("mouthSmile"), of("mouthPucker"), of("mouthFunnel"));
    let stretch = both("mouthStretch");
    // Of an open mouth: how round and how wide it is.
    let (round, wide) = (funnel.max(pucker), smile.max(stretch));
    let (left, right) = (of("eyeBlinkLeft"), of("eyeBlinkRight"));
    [
        ("A", open * (1.0 - round) * (1.0 - wide)),
        ("I", wide * (1.0 - open)),
        ("U", pucker * (1.0 - open)),
        ("E", open * wide),
        ("O", open.max(0.5 * funnel) * round),
        ("Blink", left.min(right)),
        ("Blink_L", left),
        ("Blink_R", right),
        ("Joy", smile),
    ]
    .map(|(name, value)| (name, value.clamp(0.0, 1.0)))
    .to_vec()
}

/// The rotation as x, y, z, w in Unity's axes, as the avatar sees itself: x to its right, y up, z forward.
///
/// These are the camera's axes, all three turned round, for somebody who looks into the camera. Turning round all of
/// them leaves the matrix as it is, and makes the axes left-handed, as Unity's are.
fn quaternion(Pose { pitch, yaw, roll }: Pose) -> [f32; 4] {
    let ((a, p), (b, q), (c, r)) = ((pitch / 2.0).sin_cos(), (yaw / 2.0).sin_cos(), (roll / 2.0).sin_cos());
    [a * q * r + p * b * c, p * b * r - a * q * c, p * q * c + a * b * r, p * q * r - a * b * c]
}

#[cfg(test)]
mod tests {
    use facemark::geometry::{Point, Region};

    use super::*;

    fn face(shares: &[(&str, f32)]) -> Face {
        let share = |name: &str| shares.iter().find(|(of, _)| *of == name).map_or(0.0, |&(_, share)| share);
        let mut face = Face {
            id: 1,
            region: Region { center: Point::new(5.0, 5.0), size: 9.0, angle: 0.0 },
            landmarks: Vec::new(),
            more: Default::default(),
            score: 1.0,
            measures: None,
        };
        face.more.blendshapes = BLENDSHAPES.iter().map(|name| share(name)).collect();
        face
    }

    #[test]
    fn a_bundle_has_arkits_52_names_and_the_basic_ones() {
        let values = arkit(&face(&[("eyeBlinkLeft", 0.75)]));
        assert_eq!(values.len(), 52);
        assert!(values.contains(&("eyeBlinkLeft", 0.75)) && values.contains(&("tongueOut", 0.0)));
        assert!(!values.iter().any(|(name, _)| name.starts_with('_')));
        let vrm = |shares: &[(&str, f32)]| {
            let all = vrm(&face(shares)).into_iter().filter(|(_, value)| *value > 0.4);
            all.map(|(name, _)| name).collect::<Vec<_>>()
        };
        assert_eq!(vrm(&[("eyeBlinkLeft", 0.75)]), ["Blink_L"]);
        assert_eq!(vrm(&[("jawOpen", 0.8)]), ["A"]);
        assert_eq!(vrm(&[("mouthPucker", 0.9)]), ["U"]);
        assert_eq!(vrm(&[("mouthSmileLeft", 0.8), ("mouthSmileRight", 0.8)]), ["I", "Joy"]);
    }

    #[test]
    fn without_a_face_nothing_moves() {
        let addresses = |face: Option<&Face>| -> Vec<String> {
            let address = |packet| match packet {
                OscPacket::Message(message) => message.addr,
                OscPacket::Bundle(_) => String::new(),
            };
            messages(face, 1.5).into_iter().map(address).collect()
        };
        assert_eq!(addresses(None), ["/VMC/Ext/OK", "/VMC/Ext/T"]);
        let some = addresses(Some(&face(&[])));
        assert_eq!(some.last().map(String::as_str), Some("/VMC/Ext/Blend/Apply"));
        assert_eq!(some.len(), 2 + 52 + 9 + 1);
    }

    #[test]
    fn a_quaternion_turns_as_its_angles_do() {
        let pose = Pose { pitch: 0.3, yaw: -0.5, roll: 0.2 };
        let [x, y, z, w] = quaternion(pose);
        let rows = [
            [1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y - z * w), 2.0 * (x * z + y * w)],
            [2.0 * (x * y + z * w), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z - x * w)],
            [2.0 * (x * z - y * w), 2.0 * (y * z + x * w), 1.0 - 2.0 * (x * x + y * y)],
        ];
        for (row, expected) in rows.iter().zip(pose.matrix()) {
            assert!(row.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{rows:?}");
        }
        // To the picture's left is the right of somebody who looks into the camera.
        let [_, y, ..] = quaternion(Pose { pitch: 0.0, yaw: 0.4, roll: 0.0 });
        assert!(y > 0.0);
    }
}
