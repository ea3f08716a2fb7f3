//! The three threads and the channels between them. Only [`threads`](crate::threads) makes others.
//!
//! ```text
//! capture ──Frame──▶ inference ──Tracked──▶ main (sinks)
//!    ▲                                        │
//!    └───────────── empty frames ◀────────────┘
//! ```
//!
//! A stage ends when its input closes. Every channel is bounded, and frames are recycled, so the memory in use
//! does not grow with the length of the video.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};
use facemark::{Image, Tracker};

use crate::frame::{Frame, Stage, Tracked};
use crate::output::{End, Sink};
use crate::source::Source;
use crate::threads::joined;

/// Frames waiting between two stages of a file. Enough to ride out an uneven decoder or encoder.
const QUEUE: usize = 2;
/// Live, only the newest frame waits.
const LIVE_QUEUE: usize = 1;
/// All existing frames: both queues, and one in the hands of each stage.
const FRAMES: usize = 2 * QUEUE + 3;

/// While no frame arrives, the sinks are asked this often whether they have something to do.
const IDLE: Duration = Duration::from_millis(15);

/// The result of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Frames that made it to the sinks.
    pub frames: u64,
    /// Frames that did not: a newer one had arrived, or their picture was broken. Only ever live.
    pub dropped: u64,
    /// The fullest picture in which not all faces were followed.
    pub crowd: Crowd,
}

/// The fullest picture of which not all faces were followed; zeros if there was none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Crowd {
    /// Faces that were seen.
    pub seen: usize,
    /// Those of them that were followed.
    pub followed: usize,
}

/// Takes the source's frames through the tracker into the sinks, until the source ends or `stop` is set.
///
/// From a live source only the newest frame is kept for the tracker, and the others are counted; from a file
/// every frame arrives. The sinks run on the calling thread and are finished if all went well, when stopped,
/// and when the input broke off after some frames.
///
/// # Errors
/// The first real error of any stage; a panic in a stage is an error that names the stage. The sinks are
/// finished before [`Fault::EndedEarly`](crate::error::Fault::EndedEarly) is returned, and left unfinished otherwise.
pub fn run(
    source: &mut dyn Source,
    tracker: &mut Tracker,
    sinks: &mut [&mut dyn Sink],
    stop: &AtomicBool,
) -> Result<Summary> {
    let (empty_in, empty_out) = bounded(FRAMES);
    for _ in 0..FRAMES {
        // Has room: the channel was made for this many.
        let _ = empty_in.try_send(Frame::empty());
    }
    let (live, stills, every) = (source.is_live(), source.info().stills, source.info().every);
    let queue = if live { LIVE_QUEUE } else { QUEUE };
    let (frames_in, frames_out) = bounded(queue);
    let (tracked_in, tracked_out) = bounded(queue);

    let aspect = source.info().pixel_aspect.map_or(1.0, |(width, height)| width as f32 / height as f32);
    tracker.set_pixel_aspect(aspect);
    let over = AtomicBool::new(false);
    let (captured, inferred, written) = thread::scope(|scope| {
        let stale = live.then(|| (frames_out.clone(), empty_in.clone()));
        let outlet = Outlet { frames: frames_in, stale };
        let may_go_on = || !stop.load(Ordering::Relaxed) && !over.load(Ordering::Relaxed);
        let capture = scope.spawn(move || capture(source, &empty_out, &outlet, may_go_on));
        let inference = scope.spawn(move || infer(tracker, (stills, every), &frames_out, &tracked_in));
        let written = catch_unwind(AssertUnwindSafe(|| write(sinks, &tracked_out, &empty_in, live)));
        // This tells the other two to end, in case they do not know yet.
        over.store(true, Ordering::Relaxed);
        drop((tracked_out, empty_in));
        (joined(capture.join(), "capture"), joined(inference.join(), "inference"), joined(written, "output"))
    });
    // A later stage's error is the cause: the earlier ones only saw their channel close.
    let (mut summary, crowd) = (written??, inferred??);
    summary.crowd = crowd;
    let end = captured?;
    let stopped = stop.load(Ordering::Relaxed);
    // Without any frame there is nothing to complete, unless the source has none.
    if summary.frames > 0 || (end.is_ok() && !stopped) {
        let kind = if stopped { End::CutShort } else { End::Complete };
        sinks.iter_mut().try_for_each(|sink| sink.finish(kind))?;
    }
    end.map(|()| summary)
}

/// Where captured frames go.
struct Outlet {
    frames: Sender<Frame>,
    /// Live only: the other end of `frames`, to take back what was not fetched in time, and where to return it.
    stale: Option<(Receiver<Frame>, Sender<Frame>)>,
}

impl Outlet {
    /// Hands the frame on; `false` when no more are wanted.
    fn send(&self, frame: Frame) -> bool {
        let Some((stale, empty)) = &self.stale else {
            return self.frames.send(frame).is_ok();
        };
        let Err(TrySendError::Full(frame)) = self.frames.try_send(frame) else {
            return true;
        };
        if let Ok(old) = stale.try_recv() {
            // Has room: there are no more frames than places.
            let _ = empty.try_send(old);
        }
        // Only this thread sends, so there is room now.
        self.frames.try_send(frame).is_ok()
    }
}

/// Reads the source to its end, or while `may_go_on` holds.
fn capture(
    source: &mut dyn Source,
    empty: &Receiver<Frame>,
    outlet: &Outlet,
    may_go_on: impl Fn() -> bool,
) -> Result<()> {
    while may_go_on() {
        if !source.ready()? {
            continue;
        }
        let Ok(mut frame) = empty.recv() else { break };
        frame.timing.clear();
        if !source.next(&mut frame)? || !outlet.send(frame) {
            break;
        }
    }
    Ok(())
}

fn infer(
    tracker: &mut Tracker,
    (stills, every): (bool, u32),
    frames: &Receiver<Frame>,
    tracked: &Sender<Tracked>,
) -> Result<Crowd> {
    let (mut crowd, mut next, mut last) = (Crowd::default(), 0, Vec::new());
    for mut frame in frames {
        frame.held = frame.index < next;
        if frame.held {
            if tracked.send(Tracked { frame, faces: last.clone() }).is_err() {
                break;
            }
            continue;
        }
        next = frame.index + u64::from(every);
        if stills {
            tracker.reset();
        }
        let start = Instant::now();
        let (width, height) = frame.image.size();
        let image = Image::luma(width, height, frame.image.luma.data())?;
        let faces = tracker.track(&image, frame.time.seconds())?;
        frame.timing.add_tracker(tracker.timing());
        frame.timing.since(Stage::Track, start);
        if tracker.unfollowed() > 0 && faces.len() + tracker.unfollowed() > crowd.seen {
            crowd = Crowd { seen: faces.len() + tracker.unfollowed(), followed: faces.len() };
        }
        if every > 1 {
            last.clone_from(&faces);
        }
        if tracked.send(Tracked { frame, faces }).is_err() {
            break;
        }
    }
    Ok(crowd)
}

/// Hands the frames to the sinks. Live, a gap in the frames' numbers means dropped frames.
fn write(
    sinks: &mut [&mut dyn Sink],
    tracked: &Receiver<Tracked>,
    empty: &Sender<Frame>,
    live: bool,
) -> Result<Summary> {
    let (mut summary, mut next) = (Summary::default(), 0);
    loop {
        let mut tracked = match tracked.recv_timeout(IDLE) {
            Ok(tracked) => tracked,
            Err(RecvTimeoutError::Timeout) => {
                sinks.iter_mut().try_for_each(|sink| sink.idle())?;
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => return Ok(summary),
        };
        sinks.iter_mut().try_for_each(|sink| sink.write(&mut tracked))?;
        summary.frames += 1;
        if live {
            summary.dropped += tracked.frame.index.saturating_sub(next);
            next = tracked.frame.index + 1;
        }
        // Has room; and if capture is gone, the frame is not needed.
        let _ = empty.try_send(tracked.frame);
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use facemark::crop::{Framing, Normalisation};
    use facemark::detect::{Detection, Detector};
    use facemark::face::Scheme;
    use facemark::geometry::Region;
    use facemark::model::{Landmarker, Landmarks};
    use facemark::onnx::spec::ModelSpec;
    use facemark::{Luma, Options};

    use super::*;
    use crate::error::Fault;
    use crate::frame::{ColorTags, Fields};
    use crate::source::SourceInfo;
    use crate::source::paced::Paced;

    /// Counts up; its end can be an error or a panic.
    struct Counter {
        info: SourceInfo,
        live: bool,
        length: u64,
        next: u64,
        end: fn() -> Result<bool>,
    }

    impl Source for Counter {
        fn next(&mut self, frame: &mut Frame) -> Result<bool> {
            if self.next == self.length {
                return (self.end)();
            }
            if self.live {
                thread::sleep(Duration::from_millis(1));
            }
            frame.image.resize(8, 8);
            frame.index = self.next;
            self.next += 1;
            Ok(true)
        }

        fn is_live(&self) -> bool {
            self.live
        }

        fn info(&self) -> &SourceInfo {
            &self.info
        }
    }

    fn counter(length: u64, live: bool, end: fn() -> Result<bool>) -> Counter {
        let info = SourceInfo {
            files: Vec::new(),
            stills: false,
            every: 1,
            size: (8, 8),
            frames: None,
            time_base: (1, 25),
            start: 0.0,
            begin: None,
            end: None,
            frame_rate: None,
            pixel_aspect: None,
            fields: Fields::default(),
            color: ColorTags::JPEG,
            range_stated: true,
        };
        Counter { info, live, length, next: 0, end }
    }

    /// Sees no face, and takes its time.
    struct Slow(Duration, fn());

    impl Detector for Slow {
        fn detect(&mut self, _: Luma, _: &[Region]) -> facemark::Result<Vec<Detection>> {
            thread::sleep(self.0);
            self.1();
            Ok(Vec::new())
        }

        fn confirm(&mut self, _: Luma, _: &Region) -> facemark::Result<Option<Detection>> {
            Ok(None)
        }
    }

    struct Never(ModelSpec);

    impl Landmarker for Never {
        fn spec(&self) -> &ModelSpec {
            &self.0
        }

        fn landmarks(
            &mut self,
            _: Luma,
            _: &Region,
            _: &mut facemark::Timing,
        ) -> facemark::Result<Landmarks> {
            Ok(Landmarks { points: Vec::new(), presence: None, more: Default::default() })
        }
    }

    fn tracker(pause: Duration, effect: fn()) -> Tracker {
        let spec = ModelSpec {
            name: "never".to_owned(),
            width: 8,
            height: 8,
            scheme: Scheme::Nose,
            normalisation: Normalisation::PerCrop,
            framing: Framing { width: 1.0, height: 1.0, shift_x: 0.0, shift_y: 0.0 },
            mirrored: false,
            depth: false,
            sigma: false,
            sigma_scale: None,
            presence: false,
            blendshapes: false,
            training: Default::default(),
        };
        let options = Options { max_faces: 1, redetect_every: 1, smoothing: None, ..Options::default() };
        Tracker::with(Box::new(Slow(pause, effect)), Box::new(Never(spec)), options)
    }

    #[derive(Default)]
    struct Record {
        seen: Vec<u64>,
        finished: bool,
        fail_at: Option<u64>,
        pause: Duration,
        idle: u64,
        /// For each frame, how long its tracking took, and how long ago it had been captured by then.
        times: Vec<(Duration, Duration)>,
    }

    impl Sink for Record {
        fn write(&mut self, tracked: &mut Tracked) -> Result<()> {
            // Live, that very frame may have been dropped.
            if self.fail_at.is_some_and(|at| tracked.frame.index >= at) {
                return Err(Fault::Output.error("disk full"));
            }
            thread::sleep(self.pause);
            self.seen.push(tracked.frame.index);
            let frame = &tracked.frame;
            self.times.push((frame.timing.get(Stage::Track).unwrap(), frame.captured.elapsed()));
            Ok(())
        }

        fn idle(&mut self) -> Result<()> {
            self.idle += 1;
            Ok(())
        }

        fn finish(&mut self, _: End) -> Result<()> {
            self.finished = true;
            Ok(())
        }
    }

    fn end() -> Result<bool> {
        Ok(false)
    }

    fn run_one(source: &mut Counter, tracker: &mut Tracker, sink: &mut Record) -> Result<Summary> {
        run(source, tracker, &mut [sink], &AtomicBool::new(false))
    }

    #[test]
    fn a_file_loses_no_frame_and_keeps_the_order() {
        let mut sink = Record { pause: Duration::from_micros(100), ..Record::default() };
        let summary =
            run_one(&mut counter(300, false, end), &mut tracker(Duration::ZERO, || ()), &mut sink).unwrap();
        assert_eq!(summary, Summary { frames: 300, ..Summary::default() });
        assert_eq!(sink.seen, (0..300).collect::<Vec<_>>());
        assert!(sink.finished);
    }

    #[test]
    fn live_drops_old_frames_and_counts_them() {
        let mut sink = Record::default();
        let mut source = counter(200, true, end);
        let summary =
            run_one(&mut source, &mut tracker(Duration::from_millis(10), || ()), &mut sink).unwrap();
        assert_eq!(summary.frames + summary.dropped, 200);
        assert!(summary.dropped > 100, "{summary:?}");
        assert!(sink.seen.is_sorted());
        assert_eq!(sink.seen.last(), Some(&199), "the newest frame is never the one dropped");
    }

    #[test]
    fn a_net_slower_than_the_camera_costs_frames_and_no_latency() {
        // 30 frames a second for four seconds, 45 ms for each: a quarter must be dropped, and none may pile up.
        let mut source = Paced::new(Box::new(counter(120, false, end)), Some(30));
        let mut tracker = tracker(Duration::from_millis(45), || ());
        let mut sink = Record::default();
        let summary = run(&mut source, &mut tracker, &mut [&mut sink], &AtomicBool::new(false)).unwrap();
        assert_eq!(summary.frames + summary.dropped, 120);
        assert!(summary.dropped >= 25, "{summary:?}");
        let p95 = |mut times: Vec<Duration>| {
            times.sort();
            times[times.len() * 95 / 100]
        };
        let (track, latency): (Vec<_>, Vec<_>) = sink.times.into_iter().unzip();
        // A frame waits only for the one before it. On an idle machine this is 150 ms; a busy one is itself slow.
        let bound = 2 * p95(track) + Duration::from_millis(60);
        let latency = p95(latency);
        assert!(latency < bound, "{latency:?}, {bound:?}");
    }

    /// Has a frame every third time it is asked.
    struct Hesitant(Counter, u32);

    impl Source for Hesitant {
        fn ready(&mut self) -> Result<bool> {
            self.1 += 1;
            Ok(self.1.is_multiple_of(3))
        }

        fn next(&mut self, frame: &mut Frame) -> Result<bool> {
            assert!(self.1.is_multiple_of(3));
            self.0.next(frame)
        }

        fn info(&self) -> &SourceInfo {
            self.0.info()
        }
    }

    #[test]
    fn a_source_is_asked_for_frames_only_when_it_is_ready_and_may_be_stopped_meanwhile() {
        let mut sink = Record::default();
        let mut source = Hesitant(counter(5, false, end), 0);
        let mut tracker = tracker(Duration::ZERO, || ());
        run(&mut source, &mut tracker, &mut [&mut sink], &AtomicBool::new(false)).unwrap();
        assert_eq!((sink.seen.len(), source.1), (5, 18));
    }

    /// Never has a frame.
    struct Silent(SourceInfo);

    impl Source for Silent {
        fn ready(&mut self) -> Result<bool> {
            thread::sleep(Duration::from_millis(100));
            Ok(false)
        }

        fn next(&mut self, _: &mut Frame) -> Result<bool> {
            Ok(false)
        }

        fn info(&self) -> &SourceInfo {
            &self.0
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn waiting_for_a_frame_costs_next_to_nothing() {
        let used = || {
            let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
            Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
        };
        let stop = AtomicBool::new(false);
        let mut sink = Record::default();
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(Duration::from_secs(1));
                stop.store(true, Ordering::Relaxed);
            });
            let before = used();
            let mut source = Silent(counter(0, false, end).info);
            run(&mut source, &mut tracker(Duration::ZERO, || ()), &mut [&mut sink], &stop).unwrap();
            assert!(used() - before < Duration::from_millis(50), "{:?}", used() - before);
        });
        assert!(sink.idle > 10 && !sink.finished);
    }

    #[test]
    fn sinks_are_asked_while_no_frame_comes() {
        let mut sink = Record::default();
        let mut tracker = tracker(4 * IDLE, || ());
        run_one(&mut counter(3, false, end), &mut tracker, &mut sink).unwrap();
        assert!((1..=12).contains(&sink.idle), "{}", sink.idle);
    }

    #[test]
    fn a_source_that_breaks_off_leaves_finished_sinks_and_its_error() {
        let mut sink = Record::default();
        let broken = || Err(Fault::EndedEarly.error("broken at 0.4 s"));
        let error = run_one(&mut counter(10, false, broken), &mut tracker(Duration::ZERO, || ()), &mut sink);
        assert_eq!(Fault::of(&error.unwrap_err()), Fault::EndedEarly);
        assert!(sink.finished && sink.seen.len() == 10);
    }

    #[test]
    fn a_source_without_any_frame_finishes_nothing() {
        let mut sink = Record::default();
        let broken = || Err(Fault::Input.error("no picture"));
        run_one(&mut counter(0, false, broken), &mut tracker(Duration::ZERO, || ()), &mut sink).unwrap_err();
        assert!(!sink.finished);
    }

    #[test]
    fn a_run_that_is_stopped_before_its_first_frame_finishes_nothing() {
        let mut sink = Record::default();
        let (mut source, mut tracker) = (counter(9, false, end), tracker(Duration::ZERO, || ()));
        run(&mut source, &mut tracker, &mut [&mut sink], &AtomicBool::new(true)).unwrap();
        assert!(!sink.finished && sink.seen.is_empty());
    }

    #[test]
    fn a_failing_sink_ends_the_run_and_stays_unfinished() {
        for live in [false, true] {
            let mut sink = Record { fail_at: Some(3), ..Record::default() };
            let mut source = counter(u64::MAX, live, end);
            let error = run_one(&mut source, &mut tracker(Duration::ZERO, || ()), &mut sink).unwrap_err();
            assert_eq!(Fault::of(&error), Fault::Output);
            assert!(!sink.finished);
        }
    }

    #[test]
    fn a_panic_names_its_stage() {
        let mut sink = Record::default();
        let mut source = counter(5, false, || panic!("broken decoder"));
        let error =
            run_one(&mut source, &mut tracker(Duration::ZERO, || ()), &mut sink).unwrap_err().to_string();
        assert!(error.contains("capture") && error.contains("broken decoder"), "{error}");
        let mut tracker = tracker(Duration::ZERO, || panic!("broken net"));
        let error =
            run_one(&mut counter(u64::MAX, true, end), &mut tracker, &mut sink).unwrap_err().to_string();
        assert!(error.contains("inference") && error.contains("broken net"), "{error}");
        assert!(!sink.finished);
    }

    #[test]
    fn stopping_ends_an_endless_source_properly() {
        let stop = AtomicBool::new(false);
        let mut sink = Record::default();
        let (mut source, mut tracker) =
            (counter(u64::MAX, false, end), tracker(Duration::from_millis(1), || ()));
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(Duration::from_millis(50));
                stop.store(true, Ordering::Relaxed);
            });
            let start = Instant::now();
            run(&mut source, &mut tracker, &mut [&mut sink], &stop).unwrap();
            assert!(start.elapsed() < Duration::from_secs(2));
        });
        assert!(sink.finished && !sink.seen.is_empty());
    }
}
