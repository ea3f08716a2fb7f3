//! Film time: one continuous timeline for files whose clock starts late, jumps or restarts.
//!
//! Film time 0 is where the file begins, and joined recordings follow each other without a gap. What counts as a new
//! clock follows the ffmpeg program: in broadcast formats a step back, or a step forward of more than 10 s; in other
//! formats a step back, or a step forward of more than 30 hours. All streams are shifted by the same amount, so that
//! sound and picture stay in sync.

/// Ticks of film time per second.
pub(crate) const SECOND: i64 = 1_000_000;

/// A larger step forward means a new clock in formats whose clocks are known to jump.
const JUMP: i64 = 10 * SECOND;
/// A larger step forward means a new clock in all other formats.
const HUGE_JUMP: i64 = 30 * 3600 * SECOND;
/// A larger step back means a new clock.
const STEP_BACK: i64 = SECOND / 10;
/// At the end of a part, one stream may last this much longer than another.
const UNEVEN_END: i64 = SECOND;

/// Converts a file's time stamps to film time. All times are in microseconds.
pub(crate) struct Timeline {
    /// The largest step forward that counts as a gap and not as a new clock.
    jump: i64,
    /// For each of the file's clocks so far, the offset from it to film time.
    clocks: Vec<i64>,
    /// By stream; `None` for streams that follow the others, such as subtitles.
    tracks: Vec<Option<Track>>,
    /// The stream whose clock decides.
    main: usize,
    /// The clock of the last packet placed.
    current: usize,
    /// How often the main stream's clock changed.
    breaks: usize,
}

/// The position of a stream.
#[derive(Clone, Copy, Default)]
pub(crate) struct Track {
    clock: usize,
    /// Film time at which the next packet is due.
    next: Option<i64>,
    /// The latest packet.
    last: i64,
    /// The time from one packet to the next, for packets without a duration.
    step: i64,
}

impl Timeline {
    /// For a file whose own clock reads `start` at film time 0. `leading` says for each stream whether its times
    /// count: pictures and sound. `main` is the video stream, which decides where a new clock begins;
    /// `discontinuous` says whether clocks in this format are known to jump.
    pub(crate) fn new(start: i64, leading: Vec<bool>, main: usize, discontinuous: bool) -> Self {
        Self {
            jump: if discontinuous { JUMP } else { HUGE_JUMP },
            clocks: vec![-start],
            tracks: leading.into_iter().map(|leads| leads.then(Track::default)).collect(),
            main,
            current: 0,
            breaks: 0,
        }
    }

    /// How often the main stream's clock has changed so far.
    pub(crate) fn breaks(&self) -> usize {
        self.breaks
    }

    /// Whether an audio packet does not follow the previous one on any known clock. The main stream may be about to
    /// begin a new one: check that with [`finds_break`](Self::finds_break) before [`place`](Self::place).
    pub(crate) fn is_lost(&self, stream: usize, time: Option<i64>) -> bool {
        let (Some(time), Some(track)) = (time, self.track(stream)) else { return false };
        stream != self.main
            && !self.fits(&track, time, track.clock)
            && self.other_clock(&track, time).is_none()
    }

    /// Checks a packet of the main stream that is not placed yet: if it begins a new clock, returns that clock's
    /// offset to film time. `ahead` is the stream's position, initially [`ahead`](Self::ahead).
    pub(crate) fn finds_break(&self, ahead: &mut Track, time: i64, duration: i64) -> Option<i64> {
        if !self.fits(ahead, time, ahead.clock) && self.other_clock(ahead, time).is_none() {
            return ahead.next.map(|next| next - time);
        }
        ahead.advance(time + self.clocks[ahead.clock], duration);
        None
    }

    /// The position of the main stream.
    pub(crate) fn ahead(&self) -> Track {
        self.track(self.main).unwrap_or_default()
    }

    /// Adds a new clock with its offset to film time.
    pub(crate) fn add_clock(&mut self, ahead: i64) {
        self.clocks.push(ahead);
    }

    /// Takes a packet with its decoding time on the file's clock; returns the offset to film time.
    pub(crate) fn place(&mut self, stream: usize, time: Option<i64>, duration: i64) -> i64 {
        let (Some(time), Some(mut track)) = (time, self.track(stream)) else {
            return self.clocks[self.track(stream).map_or(self.current, |track| track.clock)];
        };
        if !self.fits(&track, time, track.clock) {
            self.change_clock(&mut track, stream, time);
        } else if track.next.is_none() {
            track.clock = self.current;
        }
        self.current = track.clock;
        track.advance(time + self.clocks[track.clock], duration);
        self.tracks[stream] = Some(track);
        self.clocks[track.clock]
    }

    fn change_clock(&mut self, track: &mut Track, stream: usize, time: i64) {
        let next = track.next.unwrap_or(track.last);
        let known = self.other_clock(track, time);
        if known.is_none() && stream != self.main && (time + self.clocks[track.clock] - next).abs() <= JUMP {
            // A slip in this stream alone: its time stamps are still in sync with the others.
            return;
        }
        track.clock = known.unwrap_or_else(|| {
            self.clocks.push(next - time);
            self.clocks.len() - 1
        });
        if stream == self.main {
            self.breaks += 1;
        }
        // Another stream came first and ended earlier, so this one would overlap itself. A moment of sound may do so.
        let overlap = next - (time + self.clocks[track.clock]);
        if overlap > if stream == self.main { 0 } else { STEP_BACK } {
            self.clocks[track.clock] += overlap;
        }
    }

    fn track(&self, stream: usize) -> Option<Track> {
        self.tracks.get(stream).copied().flatten()
    }

    /// Whether a packet follows the previous one on this clock.
    fn fits(&self, track: &Track, time: i64, clock: usize) -> bool {
        let Some(next) = track.next else { return true };
        let film = time + self.clocks[clock];
        film + STEP_BACK >= track.last && (film - next).abs() <= self.jump
    }

    /// Another clock on which a packet follows: one that another stream reached earlier, or an old one.
    fn other_clock(&self, track: &Track, time: i64) -> Option<usize> {
        let next = track.next?;
        let is_near = |&clock: &usize| {
            let late = time + self.clocks[clock] - next;
            let uneven = if clock > track.clock { UNEVEN_END } else { STEP_BACK };
            clock != track.clock && (-uneven..=JUMP).contains(&late)
        };
        let later = track.clock + 1..self.clocks.len();
        later.chain((0..track.clock).rev()).find(is_near)
    }
}

impl Track {
    fn advance(&mut self, film: i64, duration: i64) {
        if self.next.is_some() && (1..=SECOND).contains(&(film - self.last)) {
            self.step = film - self.last;
        }
        self.last = if self.next.is_some() { self.last.max(film) } else { film };
        self.next = Some(film + if duration > 0 { duration } else { self.step });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: i64 = SECOND / 25;

    /// The film times of pictures (stream 0) with these times on the file's clock.
    fn pictures(timeline: &mut Timeline, times: impl IntoIterator<Item = i64>) -> Vec<i64> {
        times.into_iter().map(|time| time + timeline.place(0, Some(time), FRAME)).collect()
    }

    fn timeline(start: i64, discontinuous: bool) -> Timeline {
        Timeline::new(start, vec![true, true, false], 0, discontinuous)
    }

    fn part(start: i64) -> impl Iterator<Item = i64> {
        (0..100).map(move |i| start + i * FRAME)
    }

    #[test]
    fn a_clock_that_starts_anew_or_jumps_leaves_no_gap() {
        let even: Vec<_> = part(0).chain(part(100 * FRAME)).chain(part(200 * FRAME)).collect();
        for starts in [[5, 5, 5], [5, 3600, 7], [9000, 5, 90_000], [5, 9, 13]] {
            let starts = starts.map(|start| start * SECOND);
            let mut timeline = timeline(starts[0], true);
            assert_eq!(pictures(&mut timeline, starts.into_iter().flat_map(part)), even);
            assert_eq!(timeline.breaks(), if starts[1] == 9 * SECOND { 0 } else { 2 });
        }
    }

    #[test]
    fn gaps_stay_up_to_what_the_format_allows() {
        for (discontinuous, gap, stays) in
            [(true, 9, true), (true, 11, false), (false, 3600, true), (false, 40 * 3600, false)]
        {
            let mut timeline = timeline(0, discontinuous);
            let found = pictures(&mut timeline, [0, FRAME, 2 * FRAME + gap * SECOND]);
            assert_eq!(found[2], 2 * FRAME + if stays { gap * SECOND } else { 0 }, "{gap} s");
        }
    }

    #[test]
    fn sound_and_subtitles_move_with_the_picture() {
        let mut timeline = timeline(5 * SECOND, true);
        pictures(&mut timeline, part(5 * SECOND));
        let film =
            |timeline: &mut Timeline, stream, time: i64| time + timeline.place(stream, Some(time), FRAME);
        for time in part(5 * SECOND) {
            film(&mut timeline, 1, time);
        }
        pictures(&mut timeline, [5 * SECOND]);
        // The sound of the first part continues for a moment, then follows to the new clock.
        assert_eq!(film(&mut timeline, 1, 9 * SECOND), 4 * SECOND);
        let second = film(&mut timeline, 1, 5 * SECOND + FRAME);
        assert_eq!(second, 4 * SECOND + FRAME);
        assert_eq!(film(&mut timeline, 2, 6 * SECOND), 5 * SECOND);
        assert_eq!(timeline.breaks(), 1);
    }

    #[test]
    fn sound_that_meets_a_new_clock_first_waits_for_the_picture() {
        let mut timeline = timeline(0, true);
        pictures(&mut timeline, part(0));
        for time in part(0) {
            timeline.place(1, Some(time), FRAME);
        }
        assert!(timeline.is_lost(1, Some(0)));
        let mut ahead = timeline.ahead();
        assert_eq!(timeline.finds_break(&mut ahead, 100 * FRAME, FRAME), None);
        let found = timeline.finds_break(&mut ahead, FRAME, FRAME);
        assert_eq!(found, Some(100 * FRAME));
        timeline.add_clock(100 * FRAME);
        assert!(!timeline.is_lost(1, Some(0)));
        assert_eq!(timeline.place(1, Some(0), FRAME), 100 * FRAME);
    }

    #[test]
    fn one_wrong_time_stamp_moves_one_packet() {
        let mut timeline = timeline(0, true);
        let found = pictures(&mut timeline, [0, FRAME, 90_000 * SECOND, 3 * FRAME, 4 * FRAME]);
        assert_eq!(found, [0, FRAME, 2 * FRAME, 3 * FRAME, 4 * FRAME]);
        // In the sound alone, a small error moves nothing.
        timeline.place(1, Some(2 * SECOND), FRAME);
        assert_eq!(timeline.place(1, Some(SECOND), FRAME), 0);
    }
}
