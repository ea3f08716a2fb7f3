//! Tests camera failures, with a scripted camera.

use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;

use super::device::Buffer;
use super::*;

const LIMITS: Limits = Limits {
    opening: Duration::from_millis(800),
    patience: Duration::from_millis(400),
    first_pause: Duration::from_millis(20),
    longest_pause: Duration::from_millis(80),
};
const MODE: Mode = Mode { encoding: Encoding::Nv12, width: 4, height: 2, rate: 30 };
/// The time from one picture to the next in the fake driver's time stamps.
const STEP: Duration = Duration::from_millis(33);

/// What the driver does when asked for the next picture.
#[derive(Clone, Copy)]
enum Act {
    /// A grey picture.
    Grey(u8),
    /// The same picture as before, with the same time stamp.
    Again,
    /// A buffer that is too short.
    Broken,
    /// A pause, then a grey picture.
    Late(Duration, u8),
    /// A driver error.
    Gone,
    Panic,
    /// Never returns.
    Block,
}

struct Fake {
    acts: std::vec::IntoIter<Act>,
    mode: Mode,
    stamp: Instant,
}

impl Device for Fake {
    fn about(&self) -> Arc<About> {
        Arc::new(About { name: "Fake".to_owned(), path: "/dev/video9".to_owned(), mode: self.mode })
    }

    fn next(&mut self) -> Result<Buffer> {
        let pixels = (self.mode.width * self.mode.height * 3 / 2) as usize;
        let mut grey = |value: u8| {
            self.stamp += STEP;
            Ok(Buffer { data: vec![value; pixels].into(), captured: self.stamp })
        };
        match self.acts.next().unwrap_or(Act::Block) {
            Act::Grey(value) => grey(value),
            Act::Late(pause, value) => {
                thread::sleep(pause);
                grey(value)
            }
            Act::Again => Ok(Buffer { data: vec![0; pixels].into(), captured: self.stamp }),
            Act::Broken => {
                thread::sleep(Duration::from_millis(40));
                self.stamp += STEP;
                Ok(Buffer { data: vec![0; pixels - 1].into(), captured: self.stamp })
            }
            Act::Gone => Err(Fault::Device.error("/dev/video9 is gone")),
            Act::Panic => panic!("called `unwrap` on a driver"),
            Act::Block => loop {
                thread::park();
            },
        }
    }
}

/// A camera that follows this script at each attempt to open it, then is gone; and the times of the attempts.
fn camera(attempts: Vec<Option<(Mode, Vec<Act>)>>) -> (Opener, Arc<Mutex<Vec<Instant>>>) {
    let times = Arc::new(Mutex::new(Vec::new()));
    let (seen, next) = (Arc::clone(&times), AtomicUsize::new(0));
    let opener = move || -> Result<Box<dyn Device>> {
        seen.lock().unwrap().push(Instant::now());
        match attempts.get(next.fetch_add(1, Ordering::Relaxed)).cloned().flatten() {
            Some((mode, acts)) => Ok(Box::new(Fake { acts: acts.into_iter(), mode, stamp: Instant::now() })),
            None => Err(Fault::Device.error("there is no camera")),
        }
    };
    (Arc::new(opener), times)
}

fn once(acts: &[Act]) -> Opener {
    camera(vec![Some((MODE, acts.to_vec()))]).0
}

fn start(open: Opener, reconnect: bool) -> Result<CameraSource> {
    CameraSource::start(open, reconnect, LIMITS, &AtomicBool::new(false)).map(Option::unwrap)
}

/// The next picture's number and grey level.
fn next(source: &mut CameraSource) -> Result<(u64, u8)> {
    let mut frame = Frame::empty();
    assert!(source.next(&mut frame)?);
    Ok((frame.index, frame.image.luma.data()[0]))
}

/// All pictures until the camera is lost, and the message then.
fn until_lost(open: Opener) -> (Vec<(u64, u8)>, String) {
    let mut source = start(open, false).unwrap();
    let mut seen = Vec::new();
    loop {
        match next(&mut source) {
            Ok(picture) => seen.push(picture),
            Err(error) => {
                assert_eq!(Fault::of(&error), Fault::Device);
                return (seen, error.to_string());
            }
        }
    }
}

/// A picture that arrives after the previous one has been fetched.
fn late(value: u8) -> Act {
    Act::Late(Duration::from_millis(60), value)
}

#[test]
fn pictures_come_in_order_with_the_drivers_times() {
    let mut source = start(once(&[Act::Grey(10), late(20), late(30)]), false).unwrap();
    let info = source.info().clone();
    assert_eq!((info.size, info.frame_rate, info.file(0)), ((4, 2), Some((30, 1)), Path::new("/dev/video9")));
    let mut frame = Frame::empty();
    let mut captured = Vec::new();
    for (index, value) in [(0, 10), (1, 20), (2, 30)] {
        source.next(&mut frame).unwrap();
        assert_eq!((frame.index, frame.image.luma.data()[0]), (index, value));
        assert!((frame.time.seconds() - index as f64 * STEP.as_secs_f64()).abs() < 1e-5);
        assert!(frame.timing.get(Stage::Decode).is_some());
        captured.push(frame.captured);
    }
    assert_eq!((captured[1] - captured[0], captured[2] - captured[1]), (STEP, STEP));
}

#[test]
fn who_is_slower_than_the_camera_gets_the_newest_picture_and_a_gap() {
    let pause = Act::Late(Duration::from_millis(150), 1);
    let acts: Vec<_> = [Act::Grey(0), pause].into_iter().chain((2..50).map(Act::Grey)).collect();
    let mut source = start(once(&acts), false).unwrap();
    assert_eq!(next(&mut source).unwrap(), (0, 0));
    thread::sleep(Duration::from_millis(300));
    assert_eq!(next(&mut source).unwrap(), (49, 49));
}

#[test]
fn a_camera_that_is_not_there_is_said_in_the_drivers_words() {
    let error = start(camera(vec![None]).0, false).err().unwrap();
    assert_eq!((Fault::of(&error), error.to_string().as_str()), (Fault::Device, "there is no camera"));
}

#[test]
fn one_that_opens_and_sends_nothing_is_given_up() {
    let began = Instant::now();
    let error = start(once(&[]), false).err().unwrap();
    assert_eq!(error.to_string(), "the camera sends no pictures");
    assert!((LIMITS.opening..2 * LIMITS.opening).contains(&began.elapsed()));
}

#[test]
fn one_that_is_unplugged_is_lost_at_once() {
    let began = Instant::now();
    let (seen, message) = until_lost(once(&[Act::Grey(10), late(20), Act::Gone]));
    assert_eq!(seen, [(0, 10), (1, 20)]);
    assert_eq!(
        message,
        "camera lost: Fake (/dev/video9): /dev/video9 is gone; pass --reconnect to wait for it"
    );
    assert!(began.elapsed() < LIMITS.patience);
}

#[test]
fn one_that_stalls_is_lost_after_a_while_and_holds_nobody_up() {
    let began = Instant::now();
    let (seen, message) = until_lost(once(&[Act::Grey(10), Act::Block]));
    assert_eq!(seen, [(0, 10)]);
    assert!(message.contains("the camera sends no pictures"), "{message}");
    assert!((LIMITS.patience..3 * LIMITS.patience).contains(&began.elapsed()), "{:?}", began.elapsed());
}

#[test]
fn a_defect_of_the_driver_is_a_lost_camera() {
    let (_, message) = until_lost(once(&[Act::Grey(10), Act::Panic]));
    assert!(message.contains("camera lost") && message.contains("called `unwrap` on a driver"), "{message}");
}

#[test]
fn what_is_delivered_twice_counts_once() {
    let acts = [Act::Grey(10), Act::Again, Act::Again, late(20), Act::Again, Act::Gone];
    assert_eq!(until_lost(once(&acts)).0, [(0, 10), (1, 20)]);
    let forever: Vec<_> = [Act::Grey(10)].into_iter().chain(std::iter::repeat_n(Act::Again, 1000)).collect();
    let (seen, message) = until_lost(once(&forever));
    assert_eq!(seen, [(0, 10)]);
    assert!(message.contains("the camera sends no pictures"), "{message}");
}

#[test]
fn broken_pictures_are_left_out_and_nothing_else_is_a_lost_camera() {
    let acts = [Act::Grey(10), Act::Broken, late(20), Act::Broken, Act::Broken, late(30), Act::Gone];
    assert_eq!(until_lost(once(&acts)).0, [(0, 10), (2, 20), (5, 30)]);
    let began = Instant::now();
    let only: Vec<_> = [Act::Grey(10)].into_iter().chain(std::iter::repeat_n(Act::Broken, 1000)).collect();
    let (seen, message) = until_lost(once(&only));
    assert_eq!(seen, [(0, 10)]);
    assert!(message.contains("sends only broken pictures: 11 bytes instead of 12"), "{message}");
    assert!(began.elapsed() < 3 * LIMITS.patience);
}

#[test]
fn pictures_of_another_size_are_a_lost_camera() {
    let wide = Mode { width: 8, ..MODE };
    let (open, _) =
        camera(vec![Some((MODE, vec![Act::Grey(10), Act::Gone])), Some((wide, vec![Act::Grey(20)]))]);
    let mut source = start(open, true).unwrap();
    assert_eq!(next(&mut source).unwrap(), (0, 10));
    source.reconnect = false;
    source.feed = None;
    let error = next(&mut source).unwrap_err().to_string();
    assert!(error.contains("its pictures have changed from 4×2 to 8×2"), "{error}");
}

#[test]
fn a_lost_camera_is_tried_again_with_longer_and_longer_pauses() {
    let session = |value| Some((MODE, vec![Act::Grey(value), Act::Gone]));
    let (open, times) = camera(vec![None, session(10), None, None, None, None, session(20)]);
    let mut source = start(open, true).unwrap();
    assert_eq!(next(&mut source).unwrap(), (0, 10));
    assert_eq!(next(&mut source).unwrap(), (1, 20), "the numbers go on");
    let times = times.lock().unwrap();
    let pauses: Vec<_> = times.windows(2).map(|pair| (pair[1] - pair[0]).as_millis() as u64).collect();
    for (pause, least) in pauses.iter().zip([20, 20, 40, 80, 80, 80]) {
        assert!((least..least + 60).contains(pause), "{pauses:?}");
    }
}

#[test]
fn one_that_stalls_and_goes_on_is_not_opened_again() {
    let acts = vec![Act::Grey(10), Act::Late(3 * LIMITS.patience, 20)];
    let (open, times) = camera(vec![Some((MODE, acts))]);
    let mut source = start(open, true).unwrap();
    assert_eq!([next(&mut source).unwrap(), next(&mut source).unwrap()], [(0, 10), (1, 20)]);
    assert_eq!(times.lock().unwrap().len(), 1);
    assert!(!source.lost);
}

#[test]
fn waiting_for_a_camera_can_be_stopped_and_costs_nothing() {
    let (open, times) = camera(Vec::new());
    let stop = Arc::new(AtomicBool::new(false));
    let stopping = Arc::clone(&stop);
    let stopper = thread::spawn(move || {
        thread::sleep(Duration::from_millis(500));
        stopping.store(true, Ordering::Relaxed);
    });
    let began = Instant::now();
    assert!(CameraSource::start(open, true, LIMITS, &stop).unwrap().is_none());
    assert!(began.elapsed() < Duration::from_millis(500) + 3 * TICK);
    assert!((5..12).contains(&times.lock().unwrap().len()));
    stopper.join().unwrap();
}

#[test]
fn a_picture_that_stays_the_same_to_the_byte_is_noticed_once() {
    let mut frozen = Frozen::default();
    let (one, other) = (Bytes::from_static(b"one"), Bytes::from_static(b"other"));
    let patience = Duration::from_millis(20);
    assert!(!frozen.looks_so(&one, patience));
    thread::sleep(patience);
    assert!(!frozen.looks_so(&other, patience));
    thread::sleep(patience);
    assert!(frozen.looks_so(&other, patience) && !frozen.looks_so(&other, patience));
    assert!(!frozen.looks_so(&one, patience));
}
