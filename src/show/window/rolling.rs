//! The last frames' latencies, for the panel.

use std::time::Duration;

use crate::draw::Panel;

/// How many frames are remembered: eight seconds at 30 a second.
const KEPT: usize = 240;
/// Bars of the histogram.
const BARS: usize = 30;

/// Latencies of the last frames in milliseconds, and how many frames never came.
#[derive(Clone, Debug, Default)]
pub(super) struct Rolling {
    /// A ring: the oldest is at `next` once it is full.
    times: Vec<f64>,
    next: usize,
    /// Seconds between the last frames, smoothed.
    interval: Option<f64>,
    last_index: Option<u64>,
    missed: u64,
}

impl Rolling {
    /// Adds a frame that was shown `latency` after its capture, `interval` after the one before.
    pub(super) fn add(&mut self, index: u64, latency: Duration, interval: Option<Duration>) {
        let ms = latency.as_secs_f64() * 1e3;
        if self.times.len() < KEPT {
            self.times.push(ms);
        } else {
            self.times[self.next] = ms;
        }
        self.next = (self.next + 1) % KEPT;
        if let Some(interval) = interval.map(|interval| interval.as_secs_f64()) {
            self.interval = Some(self.interval.map_or(interval, |before| before * 0.9 + interval * 0.1));
        }
        if let Some(last) = self.last_index.replace(index) {
            self.missed += index.saturating_sub(last + 1);
        }
    }

    /// The value that this share of the frames does not exceed, nearest rank; 0 without frames.
    fn percentile(sorted: &[f64], share: f64) -> f64 {
        let rank = (share * sorted.len() as f64).ceil() as usize;
        sorted.get(rank.max(1) - 1).copied().unwrap_or(0.0)
    }

    /// What the panel shows.
    pub(super) fn panel(&self, model_ms: Option<f64>) -> Panel {
        let mut sorted = self.times.clone();
        sorted.sort_by(f64::total_cmp);
        let [p50, p95, p99, max] = [0.5, 0.95, 0.99, 1.0].map(|share| Self::percentile(&sorted, share));
        let rate = self.interval.map_or(0.0, |seconds| 1.0 / seconds.max(1e-6));
        let mut second = format!("{rate:.1} frames/s, {} dropped", self.missed);
        if let Some(ms) = model_ms {
            second += &format!(", tracking {ms:.1} ms");
        }
        let end = scale(max);
        Panel {
            lines: vec![
                format!("capture to display, last {} frames", self.times.len()),
                format!("p50 {p50:.1}  p95 {p95:.1}  p99 {p99:.1}  max {max:.1} ms"),
                second,
            ],
            bars: bars(&self.times, end),
            end: format!("{end:.0} ms"),
        }
    }
}

/// A round number of milliseconds that is above all of them.
fn scale(max: f64) -> f64 {
    let steps = [10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0];
    steps.into_iter().find(|&step| max < step).unwrap_or(10_000.0)
}

/// How many of the times fall into each of [`BARS`] equal parts of 0 to `end`; the highest bar is 1.
fn bars(times: &[f64], end: f64) -> Vec<f32> {
    let mut counts = vec![0.0_f32; BARS];
    for time in times {
        let bar = (time / end * BARS as f64) as usize;
        counts[bar.min(BARS - 1)] += 1.0;
    }
    let most = counts.iter().copied().fold(1.0, f32::max);
    counts.into_iter().map(|count| count / most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_last_frames() {
        let mut rolling = Rolling::default();
        // The first hundred are pushed out by 240 others: 1 to 240 ms.
        let times = std::iter::repeat_n(9000, 100).chain(1..=240);
        for (index, ms) in times.enumerate() {
            rolling.add(index as u64, Duration::from_millis(ms), Some(Duration::from_millis(40)));
        }
        let panel = rolling.panel(Some(12.345));
        assert_eq!(panel.lines[0], "capture to display, last 240 frames");
        assert_eq!(panel.lines[1], "p50 120.0  p95 228.0  p99 238.0  max 240.0 ms");
        assert_eq!(panel.lines[2], "25.0 frames/s, 0 dropped, tracking 12.3 ms");
        assert_eq!(panel.end, "500 ms");
        // 500 ms in 30 bars: 14 full ones of 16 or 17 frames, the rest of the 240, and nothing.
        assert!(panel.bars[..14].iter().all(|&bar| bar > 0.9));
        assert!(panel.bars[15..].iter().all(|&bar| bar == 0.0));
    }

    #[test]
    fn gaps_in_the_frames_numbers_are_dropped_frames() {
        let mut rolling = Rolling::default();
        assert_eq!(rolling.panel(None).lines[2], "0.0 frames/s, 0 dropped");
        for index in [5, 6, 9, 10, 20] {
            rolling.add(index, Duration::ZERO, None);
        }
        assert_eq!(rolling.panel(None).lines[2], "0.0 frames/s, 11 dropped");
    }
}
