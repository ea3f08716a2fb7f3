//! A timeline of bounded length.

/// The most points, about one per pixel.
const MAX_POINTS: usize = 1200;

/// The largest value in each group of frames. The longer the run, the more frames a point stands for, so that neither
/// the memory nor the chart grows with it, and no peak is lost.
#[derive(Debug)]
pub(super) struct Timeline {
    /// Each point's time in seconds, and the largest value since then.
    points: Vec<(f64, f64)>,
    /// Frames per point, and frames in the last one.
    stride: u64,
    filled: u64,
}

impl Default for Timeline {
    fn default() -> Self {
        Self { points: Vec::new(), stride: 1, filled: 1 }
    }
}

impl Timeline {
    /// Adds a frame's value.
    pub(super) fn add(&mut self, seconds: f64, value: f64) {
        match self.points.last_mut().filter(|_| self.filled < self.stride) {
            Some(last) => last.1 = last.1.max(value),
            None => {
                if self.points.len() == MAX_POINTS {
                    let pairs =
                        self.points.chunks(2).map(|p| (p[0].0, p.iter().fold(0.0, |m: f64, p| m.max(p.1))));
                    self.points = pairs.collect();
                    self.stride *= 2;
                }
                self.points.push((seconds, value));
                self.filled = 0;
            }
        }
        self.filled += 1;
    }

    /// The points in order.
    pub(super) fn points(&self) -> &[(f64, f64)] {
        &self.points
    }

    /// Number of frames that a point stands for.
    pub(super) fn stride(&self) -> u64 {
        self.stride
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_runs_have_few_points_and_keep_their_peaks() {
        let mut timeline = Timeline::default();
        for i in 0..100_000 {
            timeline.add(f64::from(i), if i == 54_321 { 500.0 } else { 10.0 });
        }
        let points = timeline.points();
        assert!((MAX_POINTS / 2..=MAX_POINTS).contains(&points.len()), "{}", points.len());
        assert_eq!(timeline.stride(), 128);
        let peaks: Vec<_> = points.iter().filter(|point| point.1 > 10.0).collect();
        assert_eq!((peaks.len(), peaks[0].1), (1, 500.0));
        assert!((54_321.0 - peaks[0].0) < 128.0 && points.is_sorted_by(|a, b| a.0 < b.0));
    }
}
