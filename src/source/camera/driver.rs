//! Real cameras, through nokhwa.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use nokhwa::utils::{
    ApiBackend, CameraFormat, CameraIndex, FrameFormat, RequestedFormat, RequestedFormatType, Resolution,
};
use nokhwa::{Camera, NokhwaError};
use serde::Serialize;

use super::TICK;
use super::device::{About, Buffer, Device, Encoding, Mode, Opener, Wanted};
use crate::error::Fault;
use crate::threads::{Feed, Latest};

/// How long to wait for the drivers to describe their cameras.
const PATIENCE: Duration = Duration::from_secs(10);
/// If a picture seems older than this, its time stamp is wrong: the driver's clock has a different origin.
const OLDEST: Duration = Duration::from_secs(2);
/// Number of modes to try before giving up on opening a camera.
const ATTEMPTS: usize = 8;
/// The encodings in nokhwa's terms.
const FORMATS: [FrameFormat; 3] = [FrameFormat::MJPEG, FrameFormat::YUYV, FrameFormat::NV12];

/// A connected camera.
#[derive(Clone, Debug, Serialize)]
pub struct Found {
    /// The number in its path.
    pub index: u32,
    /// The camera's own name.
    pub name: String,
    /// Its path.
    pub path: String,
    /// The modes it can be set to; empty if it could not be queried.
    pub modes: Vec<Mode>,
    /// Why it could not be queried.
    pub problem: Option<String>,
}

/// The connected cameras, in order of their numbers; `None` if stopped before their drivers have answered.
/// Devices without a known encoding are left out.
///
/// # Errors
/// [`Fault::Device`] if the system cannot list them, or a driver does not answer.
pub fn list(stop: &AtomicBool) -> Result<Option<Vec<Found>>> {
    let feed = Feed::start("camera", |inlet| {
        inlet.put(found()?);
        Ok(())
    })?;
    answer(feed, PATIENCE, stop)
}

/// The drivers' answer, if it arrives in time; `None` if stopped first.
fn answer(feed: Feed<Vec<Found>>, patience: Duration, stop: &AtomicBool) -> Result<Option<Vec<Found>>> {
    let deadline = Instant::now() + patience;
    loop {
        match feed.wait(TICK) {
            Latest::New(list) => return Ok(Some(list)),
            Latest::Closed => return feed.end().map(|()| Some(Vec::new())),
            Latest::Nothing if stop.load(Ordering::Relaxed) => return Ok(None),
            Latest::Nothing if Instant::now() < deadline => {}
            Latest::Nothing => return Err(Fault::Device.error("a camera's driver does not answer")),
        }
    }
}

fn found() -> Result<Vec<Found>> {
    let describe = |(index, name): (u32, String)| {
        let modes = ask(index).map(|camera| camera.map_or_else(Vec::new, |mut camera| modes(&mut camera)));
        let problem = modes.as_ref().err().map(|error| format!("{error:#}"));
        Found { index, name, path: path(index), modes: modes.unwrap_or_default(), problem }
    };
    let is_camera = |found: &Found| found.problem.is_some() || !found.modes.is_empty();
    Ok(nodes()?.into_iter().map(describe).filter(is_camera).collect())
}

/// An opener for the wanted camera.
pub(super) fn opener(wanted: Wanted) -> Opener {
    Arc::new(move || open(&wanted).map(|camera| Box::new(camera) as Box<dyn Device>))
}

/// Opens the first matching node that can be opened.
fn open(wanted: &Wanted) -> Result<V4l> {
    let nodes = choose(nodes()?, wanted.camera.as_deref())?;
    let mut problem = None;
    for (index, name) in nodes {
        match open_node(index, name, wanted) {
            Ok(Some(camera)) => return Ok(camera),
            Ok(None) => {}
            Err(error) => problem = problem.or(Some(error)),
        }
    }
    Err(problem.unwrap_or_else(none))
}

/// Sets a camera to the best mode that it accepts, and starts it; `None` if it is not a camera that we can use.
fn open_node(index: u32, name: String, wanted: &Wanted) -> Result<Option<V4l>> {
    let Some(mut camera) = ask(index)? else { return Ok(None) };
    let modes = modes(&mut camera);
    let ranked = wanted.rank(&modes);
    let mut problem = None;
    for mode in ranked.iter().take(ATTEMPTS) {
        match camera.set_camera_requset(exact(*mode)).and_then(|_| camera.open_stream()) {
            Ok(()) => {
                let about = Arc::new(About { name, path: path(index), mode: *mode });
                log::debug!("{about:?}");
                return Ok(Some(V4l { camera, about }));
            }
            Err(error) => problem = problem.or(Some(explain(index, &error))),
        }
    }
    Err(problem.unwrap_or_else(|| unsuitable(&name, index, &modes)))
}

/// An open camera.
struct V4l {
    camera: Camera,
    about: Arc<About>,
}

impl Device for V4l {
    fn about(&self) -> Arc<About> {
        Arc::clone(&self.about)
    }

    fn next(&mut self) -> Result<Buffer> {
        let index = self.camera.index().as_index().unwrap_or_default();
        let buffer = self.camera.frame().map_err(|error| explain(index, &error))?;
        let captured = when(buffer.capture_timestamp());
        Ok(Buffer { data: buffer.buffer_bytes(), captured })
    }
}

/// When a picture was taken, on the monotonic clock. nokhwa has just converted the driver's monotonic time stamp to the
/// wall clock; this converts it back. If there is no time stamp or it makes no sense, the result is the current time.
fn when(stamp: Option<Duration>) -> Instant {
    let (now, wall) = (Instant::now(), SystemTime::now().duration_since(UNIX_EPOCH));
    let age = stamp.zip(wall.ok()).and_then(|(stamp, wall)| wall.checked_sub(stamp));
    age.filter(|&age| age < OLDEST).and_then(|age| now.checked_sub(age)).unwrap_or(now)
}

/// All video devices by number, with their names. Not all of them are cameras.
fn nodes() -> Result<Vec<(u32, String)>> {
    let cameras = nokhwa::query(ApiBackend::Video4Linux)
        .map_err(|error| Fault::Device.error(format!("cannot list the cameras: {error}")))?;
    let node = |info: &nokhwa::utils::CameraInfo| Some((info.index().as_index().ok()?, info.human_name()));
    let mut nodes: Vec<_> = cameras.iter().filter_map(node).collect();
    nodes.sort();
    Ok(nodes)
}

/// The nodes selected by a number, a path (links such as those in /dev/v4l are followed) or part of a name.
fn choose(mut nodes: Vec<(u32, String)>, wanted: Option<&str>) -> Result<Vec<(u32, String)>> {
    let Some(wanted) = wanted else {
        return if nodes.is_empty() { Err(none()) } else { Ok(nodes) };
    };
    let link = fs::canonicalize(wanted).ok().filter(|_| Path::new(wanted).is_absolute());
    let target = link.as_ref().map_or(wanted, |link| link.to_str().unwrap_or(wanted));
    let number = target.strip_prefix("/dev/video").unwrap_or(target).parse::<u32>().ok();
    let means = |(index, name): &(u32, String)| match number {
        Some(number) => *index == number,
        None => name.to_lowercase().contains(&wanted.to_lowercase()),
    };
    nodes.retain(means);
    // A camera has several nodes with the same name, only one of which has pictures.
    let mut names: Vec<_> = nodes.iter().map(|(_, name)| name.as_str()).collect();
    names.dedup();
    match names.as_slice() {
        [] => Err(Fault::Device
            .error(format!("there is no camera {wanted}; `facemark devices` lists those that there are"))),
        [_] => Ok(nodes),
        names => {
            let message = format!("{wanted} can be any of {}; say more of the name", names.join(", "));
            Err(Fault::Device.error(message))
        }
    }
}

fn path(index: u32) -> String {
    format!("/dev/video{index}")
}

/// Opens a node in any mode, to query it; `None` if it has no encoding that we know.
fn ask(index: u32) -> Result<Option<Camera>> {
    let any = RequestedFormat::with_formats(RequestedFormatType::None, &FORMATS);
    match Camera::new(CameraIndex::Index(index), any) {
        Ok(camera) => Ok(Some(camera)),
        // This is how nokhwa reports that nothing fits.
        Err(NokhwaError::GetPropertyError { property, .. }) if property == "CameraFormat" => Ok(None),
        Err(error) => Err(explain(index, &error)),
    }
}

fn modes(camera: &mut Camera) -> Vec<Mode> {
    let mode = |format: &CameraFormat| {
        let encoding = Encoding::ALL[FORMATS.iter().position(|&known| known == format.format())?];
        let (width, height) = (format.width(), format.height());
        (width * height > 0).then_some(Mode { encoding, width, height, rate: format.frame_rate() })
    };
    let formats = camera.compatible_camera_formats().unwrap_or_default();
    let mut modes: Vec<Mode> = formats.iter().filter_map(mode).collect();
    modes.sort();
    modes.dedup();
    modes
}

fn exact(mode: Mode) -> RequestedFormat<'static> {
    let format = FORMATS[mode.encoding as usize];
    let size = Resolution::new(mode.width, mode.height);
    let format = CameraFormat::new(size, format, mode.rate);
    RequestedFormat::with_formats(RequestedFormatType::Exact(format), &FORMATS)
}

fn none() -> anyhow::Error {
    Fault::Device.error(
        "there is no camera; connect one, or name a video: facemark live talk.mp4 (`facemark devices` lists cameras)",
    )
}

fn unsuitable(name: &str, index: u32, modes: &[Mode]) -> anyhow::Error {
    let mut encodings: Vec<_> = modes.iter().map(|mode| mode.encoding.name()).collect();
    encodings.dedup();
    let encodings = if encodings.is_empty() { "none".to_owned() } else { encodings.join(" and ") };
    let path = path(index);
    Fault::Device.error(format!("{name} ({path}) has no such pictures: of those we know it has {encodings}"))
}

/// What went wrong, and what can be done about it. nokhwa passes the system's errors on as text.
fn explain(index: u32, error: &NokhwaError) -> anyhow::Error {
    let (path, text) = (path(index), error.to_string());
    let is = |number: i32| text.contains(&format!("(os error {number})"));
    Fault::Device.error(if is(libc::EACCES) || is(libc::EPERM) {
        format!("no permission to open {path}; get it with: sudo usermod -aG video $USER (and log in again)")
    } else if is(libc::EBUSY) {
        format!("{path} is in use by another program; close that, or choose another with --camera")
    } else if [libc::ENODEV, libc::ENXIO, libc::ENOENT].into_iter().any(is) {
        format!("{path} is gone")
    } else {
        format!("{path}: {text}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes() -> Vec<(u32, String)> {
        [(0, "HD Webcam"), (1, "HD Webcam"), (2, "USB Camera"), (12, "USB Camera B")]
            .map(|(index, name)| (index, name.to_owned()))
            .to_vec()
    }

    fn chosen(wanted: &str) -> Vec<u32> {
        choose(nodes(), Some(wanted)).unwrap().into_iter().map(|(index, _)| index).collect()
    }

    #[test]
    fn a_camera_is_meant_by_number_path_or_part_of_its_name() {
        assert_eq!(chosen("2"), [2]);
        assert_eq!(chosen("/dev/video12"), [12]);
        assert_eq!(chosen("hd"), [0, 1]);
        assert_eq!(choose(nodes(), None).unwrap().len(), 4);
    }

    #[test]
    fn what_is_not_there_or_not_clear_is_said() {
        let message = |wanted| choose(nodes(), Some(wanted)).unwrap_err().to_string();
        assert!(message("/dev/video1234").contains("no camera /dev/video1234"));
        assert!(message("usb").contains("USB Camera, USB Camera B"));
        let error = choose(Vec::new(), None).unwrap_err();
        assert_eq!(Fault::of(&error), Fault::Device);
        assert!(error.to_string().starts_with("there is no camera"));
    }

    #[test]
    fn a_driver_that_does_not_answer_is_told_and_can_be_stopped() {
        let ask = |patience, stop| {
            let silent = Feed::start("silent", |_| {
                std::thread::sleep(5 * TICK);
                Ok(())
            });
            answer(silent.unwrap(), patience, &AtomicBool::new(stop)).map(|found| found.is_some())
        };
        assert!(ask(TICK, false).unwrap_err().to_string().contains("does not answer"));
        assert!(!ask(PATIENCE, true).unwrap());
        assert!(ask(PATIENCE, false).unwrap(), "a driver that has nothing to say has answered");
    }

    #[test]
    fn reasons_are_told_in_our_words() {
        let message = |text: &str| explain(3, &NokhwaError::ReadFrameError(text.to_owned())).to_string();
        assert!(message("Permission denied (os error 13)").contains("usermod"));
        assert!(message("Device or resource busy (os error 16)").contains("another program"));
        assert_eq!(message("No such device (os error 19)"), "/dev/video3 is gone");
        assert!(message("what (os error 5)").starts_with("/dev/video3: "));
    }

    #[test]
    fn time_stamps_are_taken_back_to_the_monotonic_clock_if_they_make_sense() {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let age = |stamp| Instant::now().saturating_duration_since(when(stamp));
        let (past, near) = (Duration::from_millis(500), Duration::from_millis(100));
        assert!(age(Some(wall - past)).abs_diff(past) < near);
        for senseless in [None, Some(wall - Duration::from_secs(60)), Some(wall + past)] {
            assert!(age(senseless) < near);
        }
    }
}
