//! Landmarks as datagrams for other programs: OSC bundles or JSON, one per frame. No receiver is required, and a frame
//! that cannot be sent immediately is dropped.

use std::io::ErrorKind;
use std::net::{SocketAddr, ToSocketAddrs, UdpSocket};

use anyhow::Result;
use facemark::Face;
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
const NOW: OscTime = OscTime { seconds: 0, fractional: 1 };

/// The content of the datagrams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// An OSC bundle.
    Osc,
    /// The line of `--jsonl`, without its line break.
    Json,
}

/// Sends one datagram per frame.
pub struct Datagrams {
    socket: UdpSocket,
    format: Format,
    info: SourceInfo,
    /// Whether a datagram was too long or could not be sent, which is reported only once.
    told: bool,
}

impl Datagrams {
    /// Prepares to send to `target`, a host and a port.
    ///
    /// # Errors
    /// [`Fault::Usage`] for a target that is not `HOST:PORT`, [`Fault::Output`] for an unknown host.
    pub fn open(target: &str, format: Format, info: SourceInfo) -> Result<Self> {
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
        Ok(Self { socket, format, info, told: false })
    }

    fn tell(&mut self, message: &str) {
        if !std::mem::replace(&mut self.told, true) {
            log::warn!("{message}");
        }
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
            self.tell("there are more faces than a datagram can hold; some are left out");
        };
        match self.socket.send(&datagram) {
            Ok(_) => {}
            // The receiver is not listening yet, or is too slow.
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::WouldBlock) => {}
            Err(error) => self.tell(&format!("a datagram could not be sent: {error}")),
        }
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

fn face_messages(face: &Face) -> [OscPacket; 2] {
    let (min, max) = bounds(face.landmarks.iter().copied());
    let id = OscType::Int(face.id as i32);
    let numbers = [face.score, min.x, min.y, max.x - min.x, max.y - min.y];
    let points = face.landmarks.iter().flat_map(|p| [OscType::Float(p.x), OscType::Float(p.y)]);
    [
        message(
            "/facemark/face".to_owned(),
            std::iter::once(id.clone()).chain(numbers.map(OscType::Float)).collect(),
        ),
        message("/facemark/points".to_owned(), std::iter::once(id).chain(points).collect()),
    ]
}

fn message(addr: String, args: Vec<OscType>) -> OscPacket {
    OscPacket::Message(OscMessage { addr, args })
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

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
