//! Following faces: crop where the last landmarks were, ask the detector whether a face is there, and look for new ones.

mod face;
mod matching;
mod motion;
mod scene;
#[cfg(test)]
mod tests;

use std::time::Instant;

use anyhow::Result;

use crate::detect::{Detection, Detector, is_same};
use crate::face::{Face, Region};
use crate::frame::{Frame, Stage};
use crate::measure::Measures;
use crate::model::Landmarker;
use crate::scheme::Scheme;
use crate::smooth::Smoothing;
use face::{Eyes, Track};
use matching::pair;
use scene::Scene;

/// What a user may decide about tracking.
#[derive(Clone, Copy, Debug)]
pub struct TrackOptions {
    /// At most this many faces are followed, the most certain ones first.
    pub max_faces: usize,
    /// While all known faces are seen, the detector looks for new ones every so many frames. At least 1.
    pub redetect_every: u32,
    /// How the landmarks are smoothed; `None`: not at all.
    pub smoothing: Option<Smoothing>,
    /// Whether faces are measured, where the scheme has the points.
    pub measures: bool,
}

/// A frame with its faces; no face is an empty list.
#[derive(Debug)]
pub struct Tracked {
    /// The picture they were found in.
    pub frame: Frame,
    /// The faces in order of their IDs.
    pub faces: Vec<Face>,
}

/// Finds and follows the faces of one video.
pub struct Tracker {
    detector: Box<dyn Detector>,
    model: Box<dyn Landmarker>,
    options: TrackOptions,
    /// Faces that the last frame showed.
    tracks: Vec<Track>,
    /// Faces that it did not show, and that may come back.
    lost: Vec<Track>,
    scene: Scene,
    next_id: u32,
    frames_since_detection: u32,
}

/// A lost face is remembered for so many seconds.
const MEMORY: f64 = 1.0;

impl Tracker {
    /// A tracker that has seen nothing.
    pub fn new(detector: Box<dyn Detector>, model: Box<dyn Landmarker>, options: TrackOptions) -> Self {
        Self {
            detector,
            model,
            options,
            tracks: Vec::new(),
            lost: Vec::new(),
            scene: Scene::new(),
            next_id: 1,
            frames_since_detection: 0,
        }
    }

    /// The point scheme of the landmarks.
    pub fn scheme(&self) -> Scheme {
        self.model.spec().scheme
    }

    /// Whether faces come with measures.
    pub fn measures(&self) -> bool {
        self.options.measures && Measures::has(self.scheme())
    }

    /// Finds the faces of the next frame; times go to the frame.
    ///
    /// # Errors
    /// If the detector or the net cannot be run. No face is not an error.
    pub fn track(&mut self, mut frame: Frame) -> Result<Tracked> {
        let start = Instant::now();
        let faces = self.faces(&mut frame)?;
        frame.timing.since(Stage::Track, start);
        Ok(Tracked { frame, faces })
    }

    /// Forgets all faces: the next frame has nothing to do with the last one.
    pub fn reset(&mut self) {
        self.forget();
        self.scene = Scene::new();
        self.next_id = 1;
    }

    fn forget(&mut self) {
        self.tracks.clear();
        self.lost.clear();
    }

    fn faces(&mut self, frame: &mut Frame) -> Result<Vec<Face>> {
        let time = frame.time.seconds();
        if self.scene.changes(&frame.image.luma) {
            self.forget();
        }
        // Time may also step back, where streams are joined.
        self.lost.retain(|lost| (0.0..=MEMORY).contains(&(time - lost.seen)));
        self.frames_since_detection += 1;
        let all_seen = !self.tracks.is_empty() && self.lost.is_empty();
        let is_due = !all_seen || self.frames_since_detection >= self.options.redetect_every;
        if is_due && self.has_room() {
            self.look_for_faces(frame)?;
        }
        let mut faces = Vec::with_capacity(self.tracks.len());
        self.follow(0, frame, &mut faces)?;
        if !is_due && !self.lost.is_empty() && self.has_room() {
            // It may only have jumped.
            let n_followed = self.tracks.len();
            self.look_for_faces(frame)?;
            self.follow(n_followed, frame, &mut faces)?;
        }
        // From here on there is one face per track, in the same order.
        self.tracks.sort_by_key(|track| track.id);
        faces.sort_by_key(|face| face.id);
        self.drop_doubles(&mut faces);
        Ok(faces)
    }

    /// Whether there may be another face.
    fn has_room(&self) -> bool {
        self.tracks.len() < self.options.max_faces
    }

    /// Asks the detector for all faces of the picture that are not followed, and takes them in.
    fn look_for_faces(&mut self, frame: &mut Frame) -> Result<()> {
        self.frames_since_detection = 0;
        let Frame { image, timing, .. } = frame;
        let known: Vec<Region> = self.tracks.iter().map(|track| track.region).collect();
        let found = timing.measure(Stage::Detect, || self.detector.detect(&image.luma, &known))?;
        self.take_in(&found);
        Ok(())
    }

    /// Adds a track for each detection: a lost face's that is back, or a new one.
    fn take_in(&mut self, found: &[Detection]) {
        let mut news: Vec<Region> = found.iter().map(|face| face.region).collect();
        news.truncate(self.options.max_faces.saturating_sub(self.tracks.len()));
        let lost: Vec<Region> = self.lost.iter().map(|track| track.region).collect();
        let again = pair(&lost, &news);
        let mut lost: Vec<Option<Track>> = self.lost.drain(..).map(Some).collect();
        for (region, again) in news.into_iter().zip(again) {
            let track = again.and_then(|i| lost[i].take());
            self.tracks.push(match track {
                Some(track) => track.back_at(region),
                None => Track::new(region, &self.options),
            });
        }
        self.lost.extend(lost.into_iter().flatten());
    }

    /// Adds the faces of the tracks from the `start`th on. Tracks whose face is not seen go over to the lost ones.
    fn follow(&mut self, start: usize, frame: &mut Frame, faces: &mut Vec<Face>) -> Result<()> {
        let Frame { image, time, timing, .. } = frame;
        let Self { detector, model, tracks, lost, next_id, .. } = self;
        let (detector, model) = (detector.as_mut(), model.as_mut());
        let mut eyes = Eyes { detector, model, luma: &image.luma, time: time.seconds(), timing };
        let mut i = start;
        while i < tracks.len() {
            if let Some(face) = tracks[i].follow(&mut eyes, next_id)? {
                faces.push(face);
                i += 1;
            } else {
                let track = tracks.remove(i);
                // What was never seen was no face.
                lost.extend(track.id.is_some().then_some(track));
            }
        }
        Ok(())
    }

    /// Two tracks may slide onto the same face, as when one person passes another: it stays with the one that was going
    /// there, and of two that were, with the one that is seen better.
    fn drop_doubles(&mut self, faces: &mut Vec<Face>) {
        while let Some((i, j)) = double(faces) {
            let doubt = |k: usize| self.tracks[k].motion.surprise() - faces[k].score;
            let stray = if doubt(i) > doubt(j) { i } else { j };
            faces.remove(stray);
            self.lost.push(self.tracks.remove(stray));
        }
    }
}

/// Two faces that are one, the older one first.
fn double(faces: &[Face]) -> Option<(usize, usize)> {
    let mut pairs = (1..faces.len()).flat_map(|j| (0..j).map(move |i| (i, j)));
    pairs.find(|&(i, j)| is_same(&faces[i].region, &faces[j].region))
}
