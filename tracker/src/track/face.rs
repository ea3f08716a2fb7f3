//! One face that is being followed.

use super::Options;
use super::motion::Motion;
use crate::detect::{Detection, Detector};
use crate::error::Result;
use crate::face::{Camera, Face, FaceSmoother, Measures, More, Scheme, mesh};
use crate::geometry::{Point, Region};
use crate::image::Luma;
use crate::model::{Landmarker, Landmarks};
use crate::timing::{Stage, Timing};

/// The score that a face needs if it is new or back: the mean of the detector's, where it found the face and where its
/// landmarks are.
const ENTER: f32 = 0.5;
/// The score that a followed face needs. It is lower because the face may be turned away or partly covered;
/// new faces with such scores are often false alarms.
const HOLD: f32 = 0.3;
/// While a face's score is below this, the detector looks at it in every frame.
const SURE: f32 = 0.7;
/// While the surprise of a face's motion is above this, the detector looks at it in every frame, too.
const STEADY: f32 = 0.3;
/// Otherwise the detector looks at a face once in this many frames, so that its end may be noticed two frames
/// late.
const CONFIRM_EVERY: u32 = 3;
/// The same for models that report presence.
const CONFIRM_EVERY_PRESENT: u32 = 6;
/// Such a model's presence below which the detector looks at a followed face in every frame.
const PRESENT: f32 = 0.9;
/// A new face is refused if its presence and the detector's score together are less than this.
const BOTH_SURE: f32 = 1.4;
/// If the landmarks make a face larger or smaller than the detector sees it by more than this factor, the
/// next crop is the detector's. On profiles, landmarks drift like that from crop to crop.
const MAX_DRIFT: f32 = 1.5;
/// If the landmarks make a face turned by more than this against what the detector sees, in radians, they are
/// those of a face the wrong way up: landmark nets put an upright face on anything.
const MAX_TURN: f32 = std::f32::consts::FRAC_PI_3;
/// Faces smaller than this, in pixels, show too little for landmarks.
const MIN_SIZE: f32 = 12.0;
/// The most that a face may grow or shrink from one frame to the next, as a factor.
const MAX_GROWTH: f32 = 1.6;
/// The furthest that a face may move from one frame to the next, in its sizes. Beyond that, it would be
/// outside the crop.
const MAX_MOVE: f32 = 0.6;
/// The furthest that a landmark may be from the face's centre, in its sizes. Crops show about one size.
const MAX_REACH: f32 = 4.0;

/// A face that is being followed.
pub struct Track {
    /// The face's ID, once it has been seen.
    pub id: Option<u32>,
    /// Where the face was last seen.
    pub region: Region,
    /// What the detector has just found, if it has.
    found: Option<Detection>,
    /// When it was last seen, in seconds.
    pub seen: f64,
    /// The detector's score when it last looked.
    score: f32,
    /// How many frames ago that was.
    unconfirmed: u32,
    /// How it has moved since it was found.
    pub motion: Motion,
    smoother: Option<FaceSmoother>,
    /// The camera's horizontal field of view in radians, if there are to be measures.
    fov: Option<f32>,
    as_68: bool,
}

/// What is needed to look at a face.
pub struct Eyes<'a> {
    /// Says whether a face is there.
    pub detector: &'a mut dyn Detector,
    /// Finds its landmarks.
    pub model: &'a mut dyn Landmarker,
    /// The picture.
    pub luma: Luma<'a>,
    /// When the picture is shown, in seconds.
    pub time: f64,
    /// Where times are recorded.
    pub timing: &'a mut Timing,
}

impl Track {
    /// A face that the detector has found.
    pub fn new(found: Detection, options: &Options) -> Self {
        Self {
            id: None,
            region: found.region,
            found: Some(found),
            seen: f64::NEG_INFINITY,
            score: 0.0,
            unconfirmed: 0,
            motion: Motion::new(),
            smoother: options.smoothing.map(FaceSmoother::new),
            fov: options.measures.then_some(options.fov.to_radians()),
            as_68: options.as_68,
        }
    }

    /// The same face, found again here.
    pub fn back_at(self, found: Detection) -> Self {
        Self { found: Some(found), motion: Motion::new(), ..self }
    }

    /// The face in this picture, or `None` if it cannot be seen. It gets the next ID when it is first seen.
    ///
    /// # Errors
    /// If the net or the detector fails.
    pub fn follow(&mut self, eyes: &mut Eyes, next_id: &mut u32) -> Result<Option<Face>> {
        let found = self.found.take();
        let start = match found {
            // The detector's region is rough, so the first landmarks only say where to look again.
            Some(rough) => eyes.landmarks(&rough.region)?.map(|(region, _)| region),
            None => Some(self.region),
        };
        let Some(start) = start else { return Ok(None) };
        let Some((mut region, mut landmarks)) = eyes.landmarks(&start)? else { return Ok(None) };
        self.motion.step(&region, eyes.time);
        self.unconfirmed += 1;
        let presence = landmarks.presence;
        let with_size = eyes.scheme().eyes().is_some();
        if found.is_some() || self.is_in_doubt(presence) || !with_size {
            let mut seen = eyes.confirm(&region)?.filter(|seen| seen.score >= HOLD);
            if let Some(found) = found {
                // Of what only looks like a face the model is unsure, too.
                let enough = ENTER / eyes.clearness(&landmarks, &region);
                let mean = seen.map(|seen| Detection { score: (found.score + seen.score) / 2.0, ..seen });
                seen = mean.filter(|seen| seen.score >= enough);
            }
            match seen {
                Some(seen) if with_size && region.turn(&seen.region) > MAX_TURN => {
                    let Some(again) = eyes.turned(&seen.region)? else { return Ok(None) };
                    (region, landmarks) = again;
                    (self.score, self.unconfirmed) = (seen.score, 0);
                }
                Some(seen) => {
                    (self.score, self.unconfirmed) = (seen.score, 0);
                    region = corrected(region, &seen.region, with_size);
                }
                None if found.is_none() && self.is_trusted(presence) => (),
                None => return Ok(None),
            }
        }
        // The detector sometimes takes hands for faces, but seldom the net, too.
        let is_refused = |presence| presence + self.score < BOTH_SURE;
        if found.is_some() && presence.is_some_and(is_refused) {
            return Ok(None);
        }
        self.region = region;
        self.seen = eyes.time;
        let id = *self.id.get_or_insert_with(|| {
            let id = *next_id;
            *next_id = id.wrapping_add(1);
            id
        });
        Ok(Some(self.face(id, landmarks, eyes)))
    }

    /// Whether the detector has to look if the face is still there.
    fn is_in_doubt(&self, presence: Option<f32>) -> bool {
        let confirm_every = if presence.is_some() { CONFIRM_EVERY_PRESENT } else { CONFIRM_EVERY };
        self.score < SURE
            || self.motion.surprise() > STEADY
            || self.unconfirmed >= confirm_every
            || presence.is_some_and(|presence| presence < PRESENT)
    }

    /// Whether the net's presence is enough for a face that the detector misses, as it sometimes misses
    /// profiles.
    fn is_trusted(&self, presence: Option<f32>) -> bool {
        presence.is_some_and(|presence| presence >= PRESENT) && self.unconfirmed < CONFIRM_EVERY_PRESENT
    }

    fn face(&mut self, id: u32, found: Landmarks, eyes: &mut Eyes) -> Face {
        let Self { region, score, .. } = *self;
        let score = score * eyes.clearness(&found, &region);
        let Landmarks { points: mut landmarks, mut more, .. } = found;
        if let Some(smoother) = &mut self.smoother {
            eyes.timing
                .measure(Stage::Smooth, || smoother.apply(&mut landmarks, &mut more, eyes.time, region.size));
        }
        let measures = self.fov.and_then(|fov| Measures::of(&landmarks, eyes.scheme(), &eyes.camera(fov)));
        if self.as_68 && eyes.scheme() == Scheme::Mesh478 {
            (landmarks, more) = as_68(landmarks, more);
        }
        Face { id, region, landmarks, more, score, measures }
    }
}

impl Eyes<'_> {
    fn scheme(&self) -> Scheme {
        self.model.spec().scheme
    }

    /// See [`More::clearness`].
    fn clearness(&self, found: &Landmarks, region: &Region) -> f32 {
        found.more.clearness(&found.points, region.size, self.luma)
    }

    fn camera(&self, fov: f32) -> Camera {
        Camera::with_fov(fov, self.luma.width(), self.luma.height())
    }

    /// The landmarks in the region, and the region around them. `None` if they cannot be this face's.
    fn landmarks(&mut self, region: &Region) -> Result<Option<(Region, Landmarks)>> {
        let landmarks = self.model.landmarks(self.luma, region, self.timing)?;
        if !landmarks.points.iter().all(|&point| is_near(point, region)) {
            return Ok(None);
        }
        let next = region.moved_to(&landmarks.points, self.scheme());
        Ok(next.filter(|next| is_plausible(region, next, self.luma)).map(|next| (next, landmarks)))
    }

    /// The landmarks where the detector sees a face turned otherwise than they were. `None` if they still are
    /// those of a face the wrong way up.
    fn turned(&mut self, seen: &Region) -> Result<Option<(Region, Landmarks)>> {
        Ok(self.landmarks(seen)?.filter(|(region, _)| region.turn(seen) <= MAX_TURN))
    }

    /// The face that the detector sees in the region.
    fn confirm(&mut self, region: &Region) -> Result<Option<Detection>> {
        let Self { detector, luma, timing, .. } = self;
        timing.measure(Stage::Confirm, || detector.confirm(*luma, region))
    }
}

/// The 68 landmarks of 300-W that a mesh shows, and what is known of them.
fn as_68(landmarks: Vec<Point>, mut more: More) -> (Vec<Point>, More) {
    for values in [&mut more.depths, &mut more.sigmas] {
        *values = mesh::IBUG68.iter().filter_map(|&i| values.get(i).copied()).collect();
    }
    match mesh::ibug68(&landmarks, Scheme::Mesh478) {
        Some(points) => (points.into_owned(), more),
        None => (landmarks, more),
    }
}

/// Whether a landmark can be one of this face at all. NaN cannot.
fn is_near(point: Point, region: &Region) -> bool {
    point.distance(region.center) <= MAX_REACH * region.size
}

/// Whether a face can have moved from `last` to `next`, in this picture, within a frame.
fn is_plausible(last: &Region, next: &Region, luma: Luma) -> bool {
    let moved = next.center.distance(last.center) / last.size;
    luma.shows(next.center) && next.size >= MIN_SIZE && growth(last, next) <= MAX_GROWTH && moved <= MAX_MOVE
}

/// The landmarks' region, corrected by the detector's where that is more reliable.
fn corrected(region: Region, seen: &Region, with_size: bool) -> Region {
    if !with_size {
        // Such landmarks do not show size and roll, but the detector does.
        Region { size: seen.size, angle: seen.angle, ..region }
    } else if growth(&region, seen) > MAX_DRIFT {
        *seen
    } else {
        region
    }
}

/// The factor by which one of two regions is larger than the other.
fn growth(a: &Region, b: &Region) -> f32 {
    (a.size / b.size).max(b.size / a.size)
}
