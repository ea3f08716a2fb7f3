//! Follows faces: finds their landmarks where they were in the last frame, asks the detector whether they are
//! still there, and looks for new ones.

mod aspect;
mod face;
mod matching;
mod motion;
mod options;
mod scene;
#[cfg(test)]
mod tests;

use std::fmt;
use std::mem;

use crate::detect::{Detection, Detector, is_same};
use crate::error::{Error, Result};
use crate::face::{Face, Measures, Scheme};
use crate::geometry::Region;
use crate::image::{Image, Luma, Plane};
use crate::model::Landmarker;
use crate::onnx::spec::ModelSpec;
use crate::timing::{Stage, Timing};
use aspect::{Stretch, map_back};
use face::{Eyes, Track};
use matching::pair;
pub use options::{Model, Options};
use scene::Scene;

/// Finds and follows the faces of one video. See the [crate's example](crate).
pub struct Tracker {
    detector: Box<dyn Detector>,
    model: Box<dyn Landmarker>,
    options: Options,
    /// Only for pixels that are not square.
    stretch: Option<Stretch>,
    /// The luma of pictures that are not [borrowed](Image) as they are.
    spare: Plane,
    /// Faces in the last frame.
    tracks: Vec<Track>,
    /// Faces that were seen shortly before and may come back.
    lost: Vec<Track>,
    scene: Scene,
    next_id: u32,
    frames_since_detection: u32,
    /// How often the detector has found nothing since it last searched, or `None` if it has to search at once.
    since_search: Option<u32>,
    /// Faces that the last picture showed beyond those that may be followed.
    unfollowed: usize,
    timing: Timing,
}

impl fmt::Debug for Tracker {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_struct("Tracker").field("options", &self.options).finish_non_exhaustive()
    }
}

/// How long a lost face is remembered, in seconds.
const MEMORY: f64 = 1.0;
/// While [`Options::max_faces`] are being followed, the detector only counts the others, which can wait: this many times
/// longer than [`Options::redetect_every`].
const COUNT_EVERY: u32 = 15;

impl Tracker {
    /// A tracker with the models in the options, which it loads.
    ///
    /// # Errors
    /// [`Error::Read`] if a model file cannot be read, and [`Error::Model`] if it has more than [`MAX_FILE`](crate::onnx::MAX_FILE)
    /// bytes or is not a model of the right kind.
    pub fn new(options: Options) -> Result<Self> {
        let (detector, model) = options.load()?;
        Ok(Self::with(Box::new(detector), Box::new(model), options))
    }

    /// A tracker with a detector and a landmark model that are already loaded. The options' `model`,
    /// `detector`, `threads` and `small_faces` are ignored.
    pub fn with(detector: Box<dyn Detector>, model: Box<dyn Landmarker>, options: Options) -> Self {
        Self {
            detector,
            model,
            stretch: Stretch::new(options.pixel_aspect),
            options,
            spare: Plane::default(),
            tracks: Vec::new(),
            lost: Vec::new(),
            scene: Scene::new(),
            next_id: 1,
            frames_since_detection: 0,
            since_search: None,
            unfollowed: 0,
            timing: Timing::default(),
        }
    }

    /// The faces in the next picture of a video, sorted by ID. Finding none is not an error.
    ///
    /// `seconds` is when the picture is shown. Times should increase: after a step back, smoothing restarts
    /// and lost faces are forgotten.
    ///
    /// # Errors
    /// [`Error::Time`] if the time is not finite, and [`Error::Run`] or [`Error::Model`] if a net fails. The
    /// tracker can be used further.
    pub fn track(&mut self, image: &Image, seconds: f64) -> Result<Vec<Face>> {
        if !seconds.is_finite() {
            return Err(Error::Time(seconds));
        }
        self.timing.clear();
        self.unfollowed = 0;
        // Taken out while `self` is borrowed.
        let (mut spare, mut stretch) = (mem::take(&mut self.spare), self.stretch.take());
        let luma = image.as_luma(&mut spare);
        let faces = match &mut stretch {
            Some(stretch) => self.stretched_faces(stretch, luma, seconds),
            None => self.faces(luma, seconds),
        };
        (self.spare, self.stretch) = (spare, stretch);
        faces
    }

    /// The faces in a single picture that has nothing to do with the last one: [`reset`](Self::reset), then
    /// [`track`](Self::track).
    ///
    /// # Errors
    /// As [`track`](Self::track).
    pub fn still(&mut self, image: &Image) -> Result<Vec<Face>> {
        self.reset();
        self.track(image, 0.0)
    }

    /// Changes [`Options::pixel_aspect`] for the following pictures.
    pub fn set_pixel_aspect(&mut self, aspect: f32) {
        self.options.pixel_aspect = aspect;
        self.stretch = Stretch::new(aspect);
    }

    /// How long each stage took for the last picture.
    pub fn timing(&self) -> &Timing {
        &self.timing
    }

    /// How many faces the detector saw in the last picture beyond the [`Options::max_faces`] that are followed; 0 where it
    /// was not asked.
    pub fn unfollowed(&self) -> usize {
        self.unfollowed
    }

    /// What the landmark model's file says of it.
    pub fn model(&self) -> &ModelSpec {
        self.model.spec()
    }

    /// Which landmark is which.
    pub fn scheme(&self) -> Scheme {
        match self.model.spec().scheme {
            Scheme::Mesh478 if self.options.as_68 => Scheme::Ibug68,
            scheme => scheme,
        }
    }

    /// Whether faces have measures: the options ask for them and the scheme has them.
    pub fn measures(&self) -> bool {
        self.options.measures && Measures::has(self.scheme())
    }

    /// The camera's horizontal field of view in degrees, see [`Options::fov`].
    pub fn fov(&self) -> f32 {
        self.options.fov
    }

    /// Forgets all faces, and IDs start at 1 again: the next picture has nothing to do with the last one.
    pub fn reset(&mut self) {
        self.forget();
        self.scene = Scene::new();
        self.next_id = 1;
    }

    fn forget(&mut self) {
        self.tracks.clear();
        self.lost.clear();
        self.since_search = None;
    }

    fn stretched_faces(&mut self, stretch: &mut Stretch, luma: Luma, time: f64) -> Result<Vec<Face>> {
        let stretched = stretch.apply(luma);
        let mut faces = self.faces(stretched, time)?;
        let factor = stretched.width() as f32 / luma.width() as f32;
        faces.iter_mut().for_each(|face| map_back(face, factor));
        Ok(faces)
    }

    fn faces(&mut self, luma: Luma, time: f64) -> Result<Vec<Face>> {
        if self.scene.changes(luma) {
            self.forget();
        }
        // Time may also step back, where videos are joined.
        self.lost.retain(|lost| (0.0..=MEMORY).contains(&(time - lost.seen)));
        self.frames_since_detection = self.frames_since_detection.saturating_add(1);
        let all_seen = !self.tracks.is_empty() && self.lost.is_empty();
        let patience = if self.has_room() { 1 } else { COUNT_EVERY };
        let is_turn = self.frames_since_detection >= self.options.redetect_every.saturating_mul(patience);
        let is_due = !all_seen || is_turn;
        // Without room, faces are only counted.
        if is_due && (self.has_room() || is_turn) {
            self.look_for_faces(luma)?;
        }
        let mut faces = Vec::with_capacity(self.tracks.len());
        self.follow(0, luma, time, &mut faces)?;
        if is_due && self.tracks.is_empty() && self.has_to_search() {
            self.search_for_faces(luma)?;
            self.follow(0, luma, time, &mut faces)?;
        }
        if !is_due && !self.lost.is_empty() && self.has_room() {
            // A face that was just lost may only have jumped.
            let n_followed = self.tracks.len();
            self.look_for_faces(luma)?;
            self.follow(n_followed, luma, time, &mut faces)?;
        }
        // There is one face per track; sorted by ID, they are in the same order.
        self.tracks.sort_by_key(|track| track.id);
        faces.sort_by_key(|face| face.id);
        self.drop_doubles(&mut faces);
        Ok(faces)
    }

    /// Whether another face may be followed.
    fn has_room(&self) -> bool {
        self.tracks.len() < self.options.max_faces
    }

    /// Adds the faces that the detector finds and that are not followed yet.
    fn look_for_faces(&mut self, luma: Luma) -> Result<()> {
        self.frames_since_detection = 0;
        let known: Vec<Region> = self.tracks.iter().map(|track| track.region).collect();
        let Self { detector, timing, .. } = self;
        let found = timing.measure(Stage::Detect, || detector.detect(luma, &known))?;
        self.take_in(&found);
        Ok(())
    }

    /// The same for a picture that shows none as it is: neither the detector nor the landmark model sees one.
    fn search_for_faces(&mut self, luma: Luma) -> Result<()> {
        let Self { detector, timing, .. } = self;
        let found = timing.measure(Stage::Detect, || detector.search(luma))?;
        self.take_in(&found);
        Ok(())
    }

    /// Whether it is time for the detector to look harder for faces: at once in the first picture and after one was lost,
    /// later as rarely as it looks for further faces.
    fn has_to_search(&mut self) -> bool {
        let since = self.since_search.map(|since| since.saturating_add(1));
        let is_due = since.is_none_or(|since| since >= self.options.redetect_every);
        self.since_search = Some(if is_due { 0 } else { since.unwrap_or_default() });
        is_due
    }

    /// Adds a track for each detection: that of a lost face that is back, or a new one.
    fn take_in(&mut self, found: &[Detection]) {
        let room = self.options.max_faces.saturating_sub(self.tracks.len());
        self.unfollowed = found.len().saturating_sub(room);
        let found = &found[..room.min(found.len())];
        let news: Vec<Region> = found.iter().map(|face| face.region).collect();
        let lost: Vec<Region> = self.lost.iter().map(|track| track.region).collect();
        let again = pair(&lost, &news);
        let mut lost: Vec<Option<Track>> = self.lost.drain(..).map(Some).collect();
        for (&face, again) in found.iter().zip(again) {
            let track = again.and_then(|i| lost[i].take());
            self.tracks.push(match track {
                Some(track) => track.back_at(face),
                None => Track::new(face, &self.options),
            });
        }
        self.lost.extend(lost.into_iter().flatten());
    }

    /// Finds the faces of the tracks from index `start` on. Tracks whose face is not seen move to the lost
    /// ones.
    fn follow(&mut self, start: usize, luma: Luma, time: f64, faces: &mut Vec<Face>) -> Result<()> {
        let Self { detector, model, tracks, lost, next_id, timing, since_search, .. } = self;
        let (detector, model) = (detector.as_mut(), model.as_mut());
        let mut eyes = Eyes { detector, model, luma, time, timing };
        let mut i = start;
        while i < tracks.len() {
            if let Some(face) = tracks[i].follow(&mut eyes, next_id)? {
                faces.push(face);
                i += 1;
            } else {
                let track = tracks.remove(i);
                if track.id.is_some() {
                    *since_search = None;
                }
                // A track without an ID was never confirmed to be a face.
                lost.extend(track.id.is_some().then_some(track));
            }
        }
        Ok(())
    }

    /// Two tracks may slide onto the same face, for example when one person passes another. Keeps the track
    /// that was moving that way; if both were, the one with the higher score.
    fn drop_doubles(&mut self, faces: &mut Vec<Face>) {
        while let Some((i, j)) = double(faces) {
            let doubt = |k: usize| self.tracks[k].motion.surprise() - faces[k].score;
            let stray = if doubt(i) > doubt(j) { i } else { j };
            faces.remove(stray);
            self.lost.push(self.tracks.remove(stray));
        }
    }
}

/// Two faces that are the same, the older one first.
fn double(faces: &[Face]) -> Option<(usize, usize)> {
    let mut pairs = (1..faces.len()).flat_map(|j| (0..j).map(move |i| (i, j)));
    pairs.find(|&(i, j)| is_same(&faces[i].region, &faces[j].region))
}
