//! Plays a file as if it were a camera.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::frame::Frame;
use crate::source::{Source, SourceInfo};

/// The longest wait before the caller can give up.
const TICK: Duration = Duration::from_millis(100);

/// Delivers a source's frames when they are due, as a live source. A frame counts as captured at the moment it was
/// due, so any delay in the source itself counts towards its latency.
pub struct Paced {
    inner: Box<dyn Source>,
    /// Frames per second; `None` to use the frames' own times.
    rate: Option<u32>,
    /// When the first frame was delivered, and its media time in seconds.
    start: Option<(Instant, f64)>,
    delivered: u64,
    /// The next frame, until it is due.
    waiting: Frame,
    due: Option<Instant>,
    over: bool,
}

impl Paced {
    /// Plays `inner`, at its own times or at a fixed rate; the clock starts with its first frame.
    pub fn new(inner: Box<dyn Source>, rate: Option<u32>) -> Self {
        Self { inner, rate, start: None, delivered: 0, waiting: Frame::empty(), due: None, over: false }
    }

    /// Fetches the next frame unless that has been done; returns when it is due, or `None` at the end.
    fn fetch(&mut self) -> Result<Option<Instant>> {
        if self.due.is_some() || self.over {
            return Ok(self.due);
        }
        self.waiting.timing.clear();
        if !self.inner.next(&mut self.waiting)? {
            self.over = true;
            return Ok(None);
        }
        let time = self.waiting.time.seconds();
        let (began, first) = *self.start.get_or_insert((Instant::now(), time));
        let since = self.rate.map_or(time - first, |rate| self.delivered as f64 / f64::from(rate));
        self.due = Some(began + Duration::from_secs_f64(since.clamp(0.0, f64::from(u32::MAX))));
        Ok(self.due)
    }
}

impl Source for Paced {
    fn ready(&mut self) -> Result<bool> {
        let Some(due) = self.fetch()? else { return Ok(true) };
        let wait = due.saturating_duration_since(Instant::now());
        thread::sleep(wait.min(TICK));
        Ok(wait <= TICK)
    }

    fn next(&mut self, frame: &mut Frame) -> Result<bool> {
        while !self.ready()? {}
        let Some(due) = self.due.take() else { return Ok(false) };
        std::mem::swap(frame, &mut self.waiting);
        frame.captured = due;
        self.delivered += 1;
        Ok(true)
    }

    fn is_live(&self) -> bool {
        true
    }

    fn info(&self) -> &SourceInfo {
        self.inner.info()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::frame::MediaTime;

    /// Ten frames, one per tick of this time base; the source is 100 ms late with number 5.
    struct Ten(SourceInfo, u64, (i32, i32));

    fn ten(base: (i32, i32)) -> Box<Ten> {
        Box::new(Ten(SourceInfo::empty(Path::new("x")), 0, base))
    }

    impl Source for Ten {
        fn next(&mut self, frame: &mut Frame) -> Result<bool> {
            if self.1 == 5 {
                thread::sleep(Duration::from_millis(100));
            }
            frame.time = MediaTime { ticks: self.1 as i64, base: self.2 };
            self.1 += 1;
            Ok(self.1 <= 10)
        }

        fn info(&self) -> &SourceInfo {
            &self.0
        }
    }

    /// When the frames counted as captured and how late they came, in milliseconds.
    fn played(rate: Option<u32>) -> Vec<(f64, f64)> {
        let mut paced = Paced::new(ten((1, 25)), rate);
        let (mut frame, mut times, mut first) = (Frame::empty(), Vec::new(), None);
        while paced.next(&mut frame).unwrap() {
            let first = *first.get_or_insert(frame.captured);
            let ms = |time: Duration| time.as_secs_f64() * 1e3;
            times.push((ms(frame.captured - first), ms(frame.captured.elapsed())));
        }
        times
    }

    #[test]
    fn frames_count_from_when_they_were_due_even_if_they_come_late() {
        for (rate, interval) in [(None, 40.0), (Some(100), 10.0)] {
            let times = played(rate);
            for (i, (captured, _)) in times.iter().enumerate() {
                assert!((captured - interval * i as f64).abs() < 0.01, "{rate:?}: {times:?}");
            }
            // The source's delay makes its frame late, minus the time by which it was early.
            assert!(times[5].1 >= 100.0 - interval - 1.0, "{rate:?}: {times:?}");
        }
    }

    #[test]
    fn a_long_gap_is_waited_for_in_short_steps() {
        // One frame every ten seconds of media time.
        let mut paced = Paced::new(ten((10, 1)), None);
        let mut frame = Frame::empty();
        assert!(paced.ready().unwrap() && paced.next(&mut frame).unwrap());
        for _ in 0..3 {
            let start = Instant::now();
            assert!(!paced.ready().unwrap());
            assert!(start.elapsed() < 5 * TICK, "{:?}", start.elapsed());
        }
    }
}
