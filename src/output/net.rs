//! Landmarks as datagrams for other programs: OSC bundles or JSON, one per frame. No receiver is required, and a frame
//! that cannot be sent immediately is dropped.

use std::io::ErrorKind;
use std::net::{SocketAddr, ToSocketAddrs, UdpSocket};

use anyhow::Result;
use facemark::Face;
use facemark::face::{Gaze, More, Place, Pose};
use facemark::geometry::bounds;
use rosc::{OscBundle, OscMessage, OscPacket, OscTime, OscType, encoder};

use super::jsonl::to_line;
use super::sink::{End, Sink};
use crate::error::{Blame, Fault};
use crate::frame::Tracked;
use crate::info::SourceInfo;

/// The most that a datagram over IPv4 can hold: 65,535 bytes minus the IP and UDP headers.
const MOST: usize = 65_507;
/// "Immediately", section "OSC Time Tags" of the OSC 1.0 specification.
pub(super) const NOW: OscTime = OscTime { seconds: 0, fractional: 1 };

/// The content of the datagrams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// An OSC bundle.
    Osc,
    /// The line of `--jsonl`, without its line break.
    Json,
}

/// Where datagrams go.
pub(super) struct Socket {
    socket: UdpSocket,
    /// Whether a datagram was too long or could not be sent, which is reported only once.
    told: bool,
}

impl Socket {
    /// Prepares to send to `target`, a host and a port.
    ///
    /// # Errors
    /// [`Fault::Usage`] for a target that is not `HOST:PORT`, [`Fault::Output`] for an unknown host.
    pub fn open(target: &str) -> Result<Self> {
        if target.rsplit_once(':').is_none_or(|(host, port)| host.is_empty() || port.parse::<u16>().is_err())
        {
            return Err(Fault::Usage.error(format!("{target:?} is not a target; give HOST:PORT")));
        }
        let unknown = || format!("cannot send to {target}");
        let address = target.to_socket_addrs().blame(Fault::Output, unknown)?.next();
        let address =
            address.ok_or_else(|| Fault::Output.error(format!("no address is known for {target}")))?;
        let any: SocketAddr = if address.is_ipv4() { ([0; 4], 0).into() } else { ([0_u16; 8], 0).into() };
        let socket = UdpSocket::bind(any).blame(Fault::Output, unknown)?;
        socket.connect(address).blame(Fault::Output, unknown)?;
        socket.set_nonblocking(true).blame(Fault::Output, unknown)?;
        Ok(Self { socket, told: false })
    }

    /// Sends a datagram, or drops it if that cannot be done at once.
    pub fn send(&mut self, datagram: &[u8]) {
        match self.socket.send(datagram) {
            Ok(_) => {}
            // The receiver is not listening yet, or is too slow.
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::WouldBlock) => {}
            Err(error) => self.tell(&format!("a datagram could not be sent: {error}")),
        }
    }

    fn tell(&mut self, message: &str) {
        if !std::mem::replace(&mut self.told, true) {
            log::warn!("{message}");
        }
    }
}

/// Sends one datagram per frame.
pub struct Datagrams {
    socket: Socket,
    format: Format,
    info: SourceInfo,
}

impl Datagrams {
    /// Prepares to send to `target`, a host and a port.
    ///
    /// # Errors
    /// [`Fault::Usage`] for a target that is not `HOST:PORT`, [`Fault::Output`] for an unknown host.
    pub fn open(target: &str, format: Format, info: SourceInfo) -> Result<Self> {
        Ok(Self { socket: Socket::open(target)?, format, info })
    }
}

impl Sink for Datagrams {
    fn write(&mut self, tracked: &mut Tracked) -> Result<()> {
        if tracked.frame.held {
            return Ok(());
        }
        // Faces are dropped from the end until the rest fits.
        let mut faces = tracked.faces.len();
        let datagram = loop {
            let datagram = match self.format {
                Format::Osc => osc(tracked, faces)?,
                Format::Json => to_line(tracked, &tracked.faces[..faces], &self.info)?.into_bytes(),
            };
            if datagram.len() <= MOST || faces == 0 {
                break datagram;
            }
            faces -= 1;
            self.socket.tell("there are more faces than a datagram can hold; some are left out");
        };
        self.socket.send(&datagram);
        Ok(())
    }

    fn finish(&mut self, _: End) -> Result<()> {
        Ok(())
    }
}

/// The bundle for a frame, with its first `faces` faces.
fn osc(tracked: &Tracked, faces: usize) -> Result<Vec<u8>> {
    let frame = &tracked.frame;
    let (width, height) = frame.image.size();
    let faces = &tracked.faces[..faces];
    let head = vec![
        OscType::Int(frame.index as i32),
        OscType::Float(frame.time.seconds() as f32),
        OscType::Int(width as i32),
        OscType::Int(height as i32),
        OscType::Int(faces.len() as i32),
    ];
    let mut content = vec![message("/facemark/frame".to_owned(), head)];
    content.extend(faces.iter().flat_map(face_messages));
    let bundle = OscPacket::Bundle(OscBundle { timetag: NOW, content });
    encoder::encode(&bundle).blame(Fault::Failure, || "writing an OSC bundle")
}

/// A face's box and points, and what else is known of it, see docs/formats.md.
fn face_messages(face: &Face) -> Vec<OscPacket> {
    let (min, max) = bounds(face.landmarks.iter().copied());
    let tell = |address: &str, values: &[f32]| {
        let id = OscType::Int(face.id as i32);
        let values = values.iter().copied().map(OscType::Float);
        message(format!("/facemark/{address}"), std::iter::once(id).chain(values).collect())
    };
    let points: Vec<f32> = face.landmarks.iter().flat_map(|p| [p.x, p.y]).collect();
    let mut messages = vec![
        tell("face", &[face.score, min.x, min.y, max.x - min.x, max.y - min.y]),
        tell("points", &points),
    ];
    let More { depths, sigmas, blendshapes } = &face.more;
    let mut lists = vec![("depths", depths), ("sigma", sigmas)];
    lists.extend(face.measures.is_some().then_some(("blendshapes", blendshapes)));
    messages.extend(lists.iter().filter(|list| !list.1.is_empty()).map(|(name, list)| tell(name, list)));
    if let Some(Place { translation, rotation: Pose { pitch, yaw, roll }, camera }) =
        face.measures.and_then(|measures| measures.place)
    {
        let [x, y, z] = translation;
        messages.push(tell("head", &[camera.fov().to_degrees(), x, y, z, pitch, yaw, roll]));
    }
    if let Some((Gaze { eyes, .. }, closed)) =
        face.measures.and_then(|measures| Some((measures.gaze?, measures.closed())))
    {
        let closed = closed.map(|closed| f32::from(u8::from(closed)));
        messages.push(tell("gaze", &[eyes.concat(), closed.to_vec()].concat()));
    }
    messages
}

pub(super) fn message(addr: String, args: Vec<OscType>) -> OscPacket {
    OscPacket::Message(OscMessage { addr, args })
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use facemark::face::{Camera, Measures};
    use facemark::geometry::{Point, Region};

    use super::*;
    use crate::frame::{Frame, MediaTime};

    fn tracked(faces: usize, points: usize) -> Tracked {
        let mut frame = Frame::empty();
        frame.image.resize(64, 48);
        (frame.index, frame.time) = (7, MediaTime { ticks: 1, base: (1, 4) });
        let face = |id: usize| Face {
            id: id as u32,
            region: Region { center: Point::new(5.0, 5.0), size: 9.0, angle: 0.0 },
            landmarks: (0..points).map(|i| Point::new(i as f32 + 0.5, 2.0 * i as f32)).collect(),
            score: 0.75,
            more: Default::default(),
            measures: None,
        };
        Tracked { frame, faces: (1..=faces).map(face).collect() }
    }

    fn received(format: Format, mut tracked: Tracked) -> Vec<u8> {
        let listener = UdpSocket::bind("127.0.0.1:0").unwrap();
        listener.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let info = SourceInfo::empty(Path::new("cam"));
        let target = listener.local_addr().unwrap().to_string();
        Datagrams::open(&target, format, info).unwrap().write(&mut tracked).unwrap();
        let mut buffer = vec![0; 70_000];
        let length = listener.recv(&mut buffer).unwrap();
        buffer.truncate(length);
        buffer
    }

    #[test]
    fn an_osc_bundle_arrives_as_it_is_documented() {
        let bytes = received(Format::Osc, tracked(1, 3));
        let (_, OscPacket::Bundle(bundle)) = rosc::decoder::decode_udp(&bytes).unwrap() else {
            panic!("no bundle");
        };
        let messages: Vec<_> = bundle
            .content
            .into_iter()
            .map(|packet| match packet {
                OscPacket::Message(message) => (message.addr, message.args),
                OscPacket::Bundle(_) => panic!("a bundle inside"),
            })
            .collect();
        use OscType::{Float, Int};
        let expected = [
            ("/facemark/frame", vec![Int(7), Float(0.25), Int(64), Int(48), Int(1)]),
            ("/facemark/face", vec![Int(1), Float(0.75), Float(0.5), Float(0.0), Float(2.0), Float(4.0)]),
            (
                "/facemark/points",
                [0.5, 0.0, 1.5, 2.0, 2.5, 4.0].map(Float).into_iter().fold(vec![Int(1)], |mut v, x| {
                    v.push(x);
                    v
                }),
            ),
        ];
        assert_eq!(messages, expected.map(|(addr, args)| (addr.to_owned(), args)));
    }

    /// A face as a model of a mesh gives it, with measures.
    fn mesh() -> Tracked {
        let mut tracked = tracked(1, 2);
        let level = Pose { pitch: 0.0, yaw: 0.1, roll: 0.0 };
        let camera = Camera::with_fov(60_f32.to_radians(), 64, 48);
        let place = Place { translation: [10.0, -20.0, 500.0], rotation: level, camera };
        let gaze = Gaze { eyes: [[0.0, 0.6, -0.8]; 2], in_head: [[0.0, 0.0, -1.0]; 2] };
        let face = &mut tracked.faces[0];
        face.more = More {
            depths: vec![-1.0, 2.5],
            sigmas: vec![0.25, 0.5],
            blendshapes: (0..52).map(|i| i as f32 / 100.0).collect(),
        };
        face.measures = Some(Measures {
            pose: level,
            eyes: [0.3, 0.1],
            mouth: 0.0,
            place: Some(place),
            gaze: Some(gaze),
        });
        tracked
    }

    #[test]
    fn all_that_is_known_of_a_mesh_is_sent() {
        let (_, packet) = rosc::decoder::decode_udp(&received(Format::Osc, mesh())).unwrap();
        let OscPacket::Bundle(bundle) = packet else { panic!("no bundle") };
        let named = bundle.content.into_iter().filter_map(|packet| match packet {
            OscPacket::Message(message) => Some((message.addr, message.args.len())),
            OscPacket::Bundle(_) => None,
        });
        let expected = [("depths", 3), ("sigma", 3), ("blendshapes", 53), ("head", 8), ("gaze", 9)];
        let expected = expected.map(|(name, n)| (format!("/facemark/{name}"), n));
        assert_eq!(named.skip(3).collect::<Vec<_>>(), expected);

        let line: serde_json::Value = serde_json::from_slice(&received(Format::Json, mesh())).unwrap();
        let face = &line["faces"][0];
        assert_eq!(face["depths"], serde_json::json!([-1.0, 2.5]));
        assert_eq!(face["sigma"], serde_json::json!([0.25, 0.5]));
        assert_eq!(
            (&face["blendshapes"]["_neutral"], &face["blendshapes"]["browDownRight"]),
            (&0.0.into(), &0.02.into())
        );
        assert_eq!(face["head"]["fov"], 60.0);
        assert_eq!((&face["head"]["z"], &face["head"]["yaw"]), (&500.0.into(), &5.73.into()));
        assert_eq!(face["gaze"]["left"], serde_json::json!([0.0, 0.6, -0.8]));
        assert_eq!(face["gaze"]["closed"], serde_json::json!([false, true]));
    }

    #[test]
    fn json_arrives_as_one_line_and_too_many_faces_are_left_out() {
        let line: serde_json::Value = serde_json::from_slice(&received(Format::Json, tracked(2, 1))).unwrap();
        assert_eq!((&line["frame"], &line["file"]), (&7.into(), &"cam".into()));
        assert_eq!(line["faces"].as_array().unwrap().len(), 2);
        let many = received(Format::Json, tracked(200, 68));
        assert!(many.len() <= MOST && many.len() > MOST - 2000, "{}", many.len());
        assert!(serde_json::from_slice::<serde_json::Value>(&many).is_ok());
        assert!(received(Format::Osc, tracked(200, 68)).len() > MOST - 2000);
    }

    #[test]
    fn nobody_has_to_listen_and_nonsense_is_refused() {
        let info = SourceInfo::empty(Path::new("cam"));
        let free = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let mut sink = Datagrams::open(&free, Format::Json, info.clone()).unwrap();
        for _ in 0..3 {
            sink.write(&mut tracked(1, 1)).unwrap();
        }
        for target in ["localhost", "localhost:", ":9000", "localhost:99999"] {
            let error = Datagrams::open(target, Format::Osc, info.clone()).err().unwrap();
            assert_eq!(Fault::of(&error), Fault::Usage, "{target}");
        }
    }
}
