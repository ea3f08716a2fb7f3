//! Following faces: crop where the last landmarks were, ask the detector whether a face is there, and look for new ones.

mod aspect;
mod face;
mod matching;
mod motion;
mod scene;
#[cfg(test)]
mod tests;

use std::fs;
use std::mem;
use std::path::{Path, PathBuf};

use crate::detect::{Detection, Detector, FaceNet, is_same};
use crate::error::{Error, Result};
use crate::face::{Face, Measures, Scheme, Smoothing};
use crate::geometry::Region;
use crate::image::{Image, Luma, Plane};
use crate::model::{LandmarkModel, Landmarker};
use crate::models;
use crate::onnx::MAX_FILE;
use crate::timing::{Stage, Timing};
use aspect::{Stretch, bring_back};
use face::{Eyes, Track};
use matching::pair;
use scene::Scene;

/// What a user may decide about tracking.
#[derive(Clone, Debug)]
pub struct Options {
    /// The landmark model's ONNX file; `None` is [`models::COMPACT`].
    pub model: Option<PathBuf>,
    /// The face detector's ONNX file; `None` is [`models::FACE`].
    pub detector: Option<PathBuf>,
    /// Threads that each net may use, up to 256. One is best for all but the largest nets.
    pub threads: usize,
    /// Whether to look for small faces, too: from 15 px in 640×480 on instead of 30. Looking for faces takes seven times
    /// as long.
    pub small_faces: bool,
    /// At most this many faces are followed, the most certain ones first; [`usize::MAX`] for all.
    pub max_faces: usize,
    /// While all known faces are seen, the detector looks for new ones every so many frames. 0 is as 1.
    pub redetect_every: u32,
    /// How the landmarks are smoothed over time; `None`: not at all.
    pub smoothing: Option<Smoothing>,
    /// Whether faces are measured, where the scheme has the points.
    pub measures: bool,
    /// Width to height of a pixel. Ratios of more than four either way are taken for mistakes and left alone.
    pub pixel_aspect: f32,
}

impl Default for Options {
    /// What the program does by default: four faces, a little smoothing, no measures, square pixels.
    fn default() -> Self {
        Self {
            model: None,
            detector: None,
            threads: 1,
            small_faces: false,
            max_faces: 4,
            redetect_every: 10,
            smoothing: Some(Smoothing::LOW),
            measures: false,
            pixel_aspect: 1.0,
        }
    }
}

/// Finds and follows the faces of one video.
pub struct Tracker {
    detector: Box<dyn Detector>,
    model: Box<dyn Landmarker>,
    options: Options,
    /// For pixels that are not square.
    stretch: Option<Stretch>,
    /// For luma of pictures that are in colour.
    spare: Plane,
    /// Faces that the last frame showed.
    tracks: Vec<Track>,
    /// Faces that it did not show, and that may come back.
    lost: Vec<Track>,
    scene: Scene,
    next_id: u32,
    frames_since_detection: u32,
    /// Faces that the last picture showed beyond those that may be followed.
    unfollowed: usize,
    timing: Timing,
}

/// A lost face is remembered for so many seconds.
const MEMORY: f64 = 1.0;

impl Tracker {
    /// A tracker that has seen nothing, with the models that the options name.
    ///
    /// # Errors
    /// [`Error::Read`] if a model's file cannot be read, and [`Error::Model`] if it is not what it should be.
    pub fn new(options: Options) -> Result<Self> {
        let model = with_bytes(options.model.as_deref(), models::COMPACT, |bytes| {
            LandmarkModel::from_bytes(bytes, options.threads)
        })?;
        let mut detector = with_bytes(options.detector.as_deref(), models::FACE, |bytes| {
            FaceNet::from_bytes(bytes, options.threads)
        })?;
        if options.small_faces {
            detector = detector.with_small_faces();
        }
        Ok(Self::with(Box::new(detector), Box::new(model), options))
    }

    /// A tracker with a detector and a model that are there already; what the options say of either is not looked at.
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
            unfollowed: 0,
            timing: Timing::default(),
        }
    }

    /// The faces of the next picture of a video, in order of their IDs. No face is not an error.
    ///
    /// `seconds` is when the picture is shown. Times should rise; a step back only starts the smoothing anew.
    ///
    /// # Errors
    /// [`Error::Time`] if the time is not finite, and [`Error::Run`] if the detector or the net cannot be run.
    pub fn track(&mut self, image: &Image, seconds: f64) -> Result<Vec<Face>> {
        if !seconds.is_finite() {
            return Err(Error::Time(seconds));
        }
        self.timing.clear();
        self.unfollowed = 0;
        // Taken out and put back, so that the buffers are kept.
        let (mut spare, mut stretch) = (mem::take(&mut self.spare), self.stretch.take());
        let luma = image.as_luma(&mut spare);
        let faces = match &mut stretch {
            Some(stretch) => self.stretched_faces(stretch, luma, seconds),
            None => self.faces(luma, seconds),
        };
        (self.spare, self.stretch) = (spare, stretch);
        faces
    }

    /// The faces of a picture that has nothing to do with any other.
    ///
    /// # Errors
    /// As [`track`](Self::track).
    pub fn still(&mut self, image: &Image) -> Result<Vec<Face>> {
        self.reset();
        self.track(image, 0.0)
    }

    /// Says how wide the pixels are by their height from now on, as [`Options::pixel_aspect`].
    pub fn set_pixel_aspect(&mut self, aspect: f32) {
        self.options.pixel_aspect = aspect;
        self.stretch = Stretch::new(aspect);
    }

    /// What the last picture cost.
    pub fn timing(&self) -> &Timing {
        &self.timing
    }

    /// How many faces the detector saw in the last picture beyond the [`Options::max_faces`] that are followed; 0 where it
    /// was not asked.
    pub fn unfollowed(&self) -> usize {
        self.unfollowed
    }

    /// The point scheme of the landmarks.
    pub fn scheme(&self) -> Scheme {
        self.model.spec().scheme
    }

    /// Whether faces come with measures.
    pub fn measures(&self) -> bool {
        self.options.measures && Measures::has(self.scheme())
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

    fn stretched_faces(&mut self, stretch: &mut Stretch, luma: Luma, time: f64) -> Result<Vec<Face>> {
        let stretched = stretch.apply(luma);
        let mut faces = self.faces(stretched, time)?;
        let factor = stretched.width() as f32 / luma.width() as f32;
        faces.iter_mut().for_each(|face| bring_back(face, factor));
        Ok(faces)
    }

    fn faces(&mut self, luma: Luma, time: f64) -> Result<Vec<Face>> {
        if self.scene.changes(luma) {
            self.forget();
        }
        // Time may also step back, where streams are joined.
        self.lost.retain(|lost| (0.0..=MEMORY).contains(&(time - lost.seen)));
        self.frames_since_detection += 1;
        let all_seen = !self.tracks.is_empty() && self.lost.is_empty();
        let is_turn = self.frames_since_detection >= self.options.redetect_every;
        let is_due = !all_seen || is_turn;
        // Without room, faces are only counted.
        if is_due && (self.has_room() || is_turn) {
            self.look_for_faces(luma)?;
        }
        let mut faces = Vec::with_capacity(self.tracks.len());
        self.follow(0, luma, time, &mut faces)?;
        if !is_due && !self.lost.is_empty() && self.has_room() {
            // It may only have jumped.
            let n_followed = self.tracks.len();
            self.look_for_faces(luma)?;
            self.follow(n_followed, luma, time, &mut faces)?;
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
    fn look_for_faces(&mut self, luma: Luma) -> Result<()> {
        self.frames_since_detection = 0;
        let known: Vec<Region> = self.tracks.iter().map(|track| track.region).collect();
        let Self { detector, timing, .. } = self;
        let found = timing.measure(Stage::Detect, || detector.detect(luma, &known))?;
        self.take_in(&found);
        Ok(())
    }

    /// Adds a track for each detection: a lost face's that is back, or a new one.
    fn take_in(&mut self, found: &[Detection]) {
        let mut news: Vec<Region> = found.iter().map(|face| face.region).collect();
        let room = self.options.max_faces.saturating_sub(self.tracks.len());
        self.unfollowed = news.len().saturating_sub(room);
        news.truncate(room);
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
    fn follow(&mut self, start: usize, luma: Luma, time: f64, faces: &mut Vec<Face>) -> Result<()> {
        let Self { detector, model, tracks, lost, next_id, timing, .. } = self;
        let (detector, model) = (detector.as_mut(), model.as_mut());
        let mut eyes = Eyes { detector, model, luma, time, timing };
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

/// Loads a model from a file, or from the bytes that the library has of it.
fn with_bytes<T>(path: Option<&Path>, built_in: &[u8], load: impl FnOnce(&[u8]) -> Result<T>) -> Result<T> {
    let Some(path) = path else { return load(built_in) };
    let unreadable = |source| Error::Read { path: path.to_owned(), source };
    let size = fs::metadata(path).map_err(unreadable)?.len();
    if size > MAX_FILE {
        let message =
            format!("{} has {size} bytes; no model of ours has more than {MAX_FILE}", path.display());
        return Err(Error::Model(message));
    }
    load(&fs::read(path).map_err(unreadable)?).map_err(|error| match error {
        Error::Model(why) => Error::Model(format!("{}: {why}", path.display())),
        other => other,
    })
}
