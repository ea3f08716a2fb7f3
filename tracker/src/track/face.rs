//! One face that is being followed.

use super::Options;
use super::motion::Motion;
use crate::detect::{Detection, Detector};
use crate::error::Result;
use crate::face::{Face, Measures, Scheme, Smoother};
use crate::geometry::{Point, Region};
use crate::image::Luma;
use crate::model::{Landmarker, Landmarks};
use crate::timing::{Stage, Timing};

/// A face that is new or back has to be as certain as this where its landmarks are …
const ENTER: f32 = 0.5;
/// … and one that is followed as this: it may be covered in part or turned away, where a false alarm would be as faint.
const HOLD: f32 = 0.3;
/// While the detector is as sure of a face as this, and the face moves steadily, …
const SURE: f32 = 0.7;
/// … by the sum of its surprises, …
const STEADY: f32 = 0.3;
/// … it is looked at again only every so many frames: a face that is gone may be told so late.
const CONFIRM_EVERY: u32 = 3;
/// A net that tells itself whether it sees a face is trusted for longer, …
const CONFIRM_EVERY_PRESENT: u32 = 6;
/// … as long as it is as sure as this; so sure it has to be of a new face, too.
const PRESENT: f32 = 0.9;
/// Landmarks that make the face larger or smaller by more than this factor than the detector sees it have gone astray, as they do
/// on profiles, crop by crop: the next crop is the detector's.
const MAX_DRIFT: f32 = 1.5;
/// A face smaller than this, in pixels, has nothing to see landmarks in.
const MIN_SIZE: f32 = 12.0;
/// From one frame to the next a face neither grows nor shrinks by more than this factor …
const MAX_GROWTH: f32 = 1.6;
/// … nor moves further than this, in its own sizes. The crop would no longer hold it.
const MAX_MOVE: f32 = 0.6;
/// No landmark lies further from the face's centre than this, in its sizes: crops show no more than about one.
const MAX_REACH: f32 = 4.0;

/// A face that is being followed.
pub struct Track {
    /// The face's number, once it has been seen.
    pub id: Option<u32>,
    /// Where the face was seen last.
    pub region: Region,
    /// Where the detector has found it, if it has to be looked for there.
    found: Option<Region>,
    /// When it was seen last, in seconds.
    pub seen: f64,
    /// How sure the detector was of it when it was asked last.
    score: f32,
    /// Frames since then.
    unconfirmed: u32,
    /// How it has moved since it was found.
    pub motion: Motion,
    smoother: Option<Smoother>,
    with_measures: bool,
}

/// What looking for faces takes.
pub struct Eyes<'a> {
    /// Tells whether a face is there.
    pub detector: &'a mut dyn Detector,
    /// Tells where its landmarks are.
    pub model: &'a mut dyn Landmarker,
    /// The picture.
    pub luma: Luma<'a>,
    /// When it is shown, in seconds.
    pub time: f64,
    /// Where times go.
    pub timing: &'a mut Timing,
}

impl Track {
    /// A face that the detector has found.
    pub fn new(region: Region, options: &Options) -> Self {
        Self {
            id: None,
            region,
            found: Some(region),
            seen: f64::NEG_INFINITY,
            score: 0.0,
            unconfirmed: 0,
            motion: Motion::new(),
            smoother: options.smoothing.map(Smoother::new),
            with_measures: options.measures,
        }
    }

    /// The same face, found again here.
    pub fn back_at(self, region: Region) -> Self {
        Self { found: Some(region), motion: Motion::new(), ..self }
    }

    /// The face in this picture, or `None` if it cannot be seen. When it is seen for the first time it takes the next
    /// number.
    ///
    /// # Errors
    /// If the net or the detector cannot be run.
    pub fn follow(&mut self, eyes: &mut Eyes, next_id: &mut u32) -> Result<Option<Face>> {
        let found = self.found.take();
        let start = match found {
            // The detector's region is a rough one: the first landmarks only say where to look properly.
            Some(rough) => eyes.landmarks(&rough)?.map(|(region, _)| region),
            None => Some(self.region),
        };
        let Some(start) = start else { return Ok(None) };
        let Some((mut region, Landmarks { points, presence })) = eyes.landmarks(&start)? else {
            return Ok(None);
        };
        self.motion.step(&region, eyes.time);
        self.unconfirmed += 1;
        // Hands look like faces to the detector now and then, less so to the net as well.
        if found.is_some() && presence.is_some_and(|presence| presence < PRESENT) {
            return Ok(None);
        }
        let with_size = eyes.scheme().eyes().is_some();
        if found.is_some() || self.is_in_doubt(presence) || !with_size {
            let enough = if found.is_some() { ENTER } else { HOLD };
            match eyes.confirm(&region)?.filter(|seen| seen.score >= enough) {
                Some(seen) => {
                    (self.score, self.unconfirmed) = (seen.score, 0);
                    region = corrected(region, &seen.region, with_size);
                }
                None if found.is_none() && self.is_trusted(presence) => (),
                None => return Ok(None),
            }
        }
        self.region = region;
        self.seen = eyes.time;
        let id = *self.id.get_or_insert_with(|| {
            *next_id += 1;
            *next_id - 1
        });
        Ok(Some(self.face(id, points, eyes)))
    }

    /// Whether the detector has to be asked if there still is a face.
    fn is_in_doubt(&self, presence: Option<f32>) -> bool {
        let confirm_every = if presence.is_some() { CONFIRM_EVERY_PRESENT } else { CONFIRM_EVERY };
        self.score < SURE
            || self.motion.surprise() > STEADY
            || self.unconfirmed >= confirm_every
            || presence.is_some_and(|presence| presence < PRESENT)
    }

    /// Whether the net's word is enough for a face that the detector does not see now, as it may not from the side.
    fn is_trusted(&self, presence: Option<f32>) -> bool {
        presence.is_some_and(|presence| presence >= PRESENT) && self.unconfirmed < CONFIRM_EVERY_PRESENT
    }

    fn face(&mut self, id: u32, mut landmarks: Vec<Point>, eyes: &mut Eyes) -> Face {
        let Self { region, score, .. } = *self;
        if let Some(smoother) = &mut self.smoother {
            eyes.timing.measure(Stage::Smooth, || smoother.apply(&mut landmarks, eyes.time, region.size));
        }
        let measures = self.with_measures.then(|| Measures::of(&landmarks, eyes.scheme())).flatten();
        Face { id, region, landmarks, score, measures }
    }
}

impl Eyes<'_> {
    fn scheme(&self) -> Scheme {
        self.model.spec().scheme
    }

    /// The landmarks within the region, and the region they make; `None` if they cannot be this face's.
    fn landmarks(&mut self, region: &Region) -> Result<Option<(Region, Landmarks)>> {
        let landmarks = self.model.landmarks(self.luma, region, self.timing)?;
        if !landmarks.points.iter().all(|&point| is_near(point, region)) {
            return Ok(None);
        }
        let next = region.moved_to(&landmarks.points, self.scheme());
        Ok(next.filter(|next| is_plausible(region, next, self.luma)).map(|next| (next, landmarks)))
    }

    /// What the detector sees in the region.
    fn confirm(&mut self, region: &Region) -> Result<Option<Detection>> {
        let Self { detector, luma, timing, .. } = self;
        timing.measure(Stage::Confirm, || detector.confirm(*luma, region))
    }
}

/// Whether a landmark can be one of this face at all. One that is not a number cannot.
fn is_near(point: Point, region: &Region) -> bool {
    point.distance(region.center) <= MAX_REACH * region.size
}

/// Whether a face at `last` can have come to `next` in this picture within a frame.
fn is_plausible(last: &Region, next: &Region, luma: Luma) -> bool {
    let Point { x, y } = next.center;
    let inside = x >= 0.0 && y >= 0.0 && x < luma.width() as f32 && y < luma.height() as f32;
    let moved = next.center.distance(last.center) / last.size;
    inside && next.size >= MIN_SIZE && growth(last, next) <= MAX_GROWTH && moved <= MAX_MOVE
}

/// The region that the landmarks make, put right by the detector's where that knows better.
fn corrected(region: Region, seen: &Region, with_size: bool) -> Region {
    if !with_size {
        // Such landmarks tell nothing about size and roll: the detector has to.
        Region { size: seen.size, angle: seen.angle, ..region }
    } else if growth(&region, seen) > MAX_DRIFT {
        *seen
    } else {
        region
    }
}

/// By which factor one of two regions is larger than the other.
fn growth(a: &Region, b: &Region) -> f32 {
    (a.size / b.size).max(b.size / a.size)
}
