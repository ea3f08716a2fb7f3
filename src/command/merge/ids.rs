//! Face IDs that continue over the cuts between ranges.

use std::collections::{HashMap, VecDeque};

/// A face in a frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Seen {
    pub(super) id: u32,
    /// Left, top, width and height of its landmarks' box.
    pub(super) bounds: [f64; 4],
}

/// More frames than any run-up has.
const KEPT: usize = 4096;
/// Two boxes in the same frame are the same face if they share at least this much: intersection over union.
const SAME: f64 = 0.5;
/// Times are written with six decimals.
const SAME_TIME: f64 = 1e-6;

/// Gives faces the IDs that they have in the whole film.
pub(super) struct Ids {
    /// The last frames that were written.
    written: VecDeque<(f64, Vec<Seen>)>,
    /// In how many frames of the run-up a face of this range matches an earlier one.
    votes: HashMap<(u32, u32), u32>,
    /// From the range's IDs to the film's.
    names: HashMap<u32, u32>,
    next: u32,
}

impl Ids {
    pub(super) fn new() -> Self {
        Self { written: VecDeque::new(), votes: HashMap::new(), names: HashMap::new(), next: 1 }
    }

    /// The time of the last frame that was written, in seconds.
    pub(super) fn last_time(&self) -> Option<f64> {
        self.written.back().map(|(time, _)| *time)
    }

    /// Faces from here on are of another range.
    pub(super) fn begin_range(&mut self) {
        self.names.clear();
        self.votes.clear();
    }

    /// Takes a frame of the run-up.
    pub(super) fn overlap(&mut self, time: f64, faces: &[Seen]) {
        let known = self.written.iter().rev().find(|(other, _)| (other - time).abs() <= SAME_TIME);
        for (old, new) in known.into_iter().flat_map(|(_, known)| pairs(known, faces)) {
            *self.votes.entry((old, new)).or_default() += 1;
        }
    }

    /// Takes the next frame, and returns its faces' IDs in the film.
    pub(super) fn rename(&mut self, time: f64, faces: &[Seen]) -> Vec<u32> {
        self.decide();
        let next = &mut self.next;
        let mut name = |id: u32| {
            *self.names.entry(id).or_insert_with(|| {
                *next = next.wrapping_add(1);
                next.wrapping_sub(1)
            })
        };
        let names: Vec<u32> = faces.iter().map(|face| name(face.id)).collect();
        let renamed = faces.iter().zip(&names).map(|(face, &id)| Seen { id, ..*face });
        self.written.push_back((time, renamed.collect()));
        if self.written.len() > KEPT {
            self.written.pop_front();
        }
        names
    }

    /// Ends the run-up: each face gets the ID of the earlier face with which it shares the most frames, each ID once.
    fn decide(&mut self) {
        let mut votes: Vec<_> = self.votes.drain().collect();
        votes.sort_by_key(|&(pair, count)| (std::cmp::Reverse(count), pair));
        for ((old, new), _) in votes {
            if !self.names.contains_key(&new) && !self.names.values().any(|&taken| taken == old) {
                self.names.insert(new, old);
            }
        }
    }
}

/// Which faces are the same in both lists, the best match first.
fn pairs(old: &[Seen], new: &[Seen]) -> Vec<(u32, u32)> {
    let all = old.iter().flat_map(|a| new.iter().map(move |b| (shared(a.bounds, b.bounds), a.id, b.id)));
    let mut fits: Vec<_> = all.filter(|&(shared, ..)| shared >= SAME).collect();
    fits.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut pairs: Vec<(u32, u32)> = Vec::new();
    for (_, a, b) in fits {
        if pairs.iter().all(|&(old, new)| old != a && new != b) {
            pairs.push((a, b));
        }
    }
    pairs
}

/// Intersection over union of two boxes.
fn shared(a: [f64; 4], b: [f64; 4]) -> f64 {
    let side = |i: usize| ((a[i] + a[i + 2]).min(b[i] + b[i + 2]) - a[i].max(b[i])).max(0.0);
    let both = side(0) * side(1);
    let all = a[2] * a[3] + b[2] * b[3] - both;
    if all > 0.0 { both / all } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(id: u32, x: f64) -> Seen {
        Seen { id, bounds: [x, 10.0, 100.0, 100.0] }
    }

    #[test]
    fn faces_keep_their_ids_over_a_cut_and_new_ones_get_new_ids() {
        let mut ids = Ids::new();
        ids.begin_range();
        assert_eq!(ids.rename(0.0, &[at(1, 0.0), at(2, 200.0)]), [1, 2]);
        assert_eq!(ids.rename(0.1, &[at(2, 203.0), at(3, 500.0)]), [2, 3]);
        assert_eq!(ids.last_time(), Some(0.1));
        ids.begin_range();
        // The run-up found them in another order.
        ids.overlap(0.0, &[at(1, 205.0)]);
        ids.overlap(0.1, &[at(1, 205.0), at(2, 498.0)]);
        assert_eq!(ids.rename(0.2, &[at(2, 498.0), at(3, 0.0)]), [3, 4], "3 was not seen before the cut");
        assert_eq!(ids.rename(0.3, &[at(1, 200.0), at(4, 800.0)]), [2, 5]);
    }

    #[test]
    fn two_faces_never_get_the_same_id() {
        let mut ids = Ids::new();
        ids.rename(0.0, &[at(1, 0.0)]);
        ids.rename(0.1, &[at(1, 0.0)]);
        ids.begin_range();
        ids.overlap(0.0, &[at(1, 0.0)]);
        ids.overlap(0.1, &[at(2, 10.0)]);
        assert_eq!(ids.rename(0.2, &[at(1, 0.0), at(2, 10.0)]), [1, 2]);
    }
}
