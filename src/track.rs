//! Following faces: detect when one is missing, else crop where the last landmarks were.

use std::time::Instant;

use anyhow::Result;

use crate::detect::{Detection, Detector};
use crate::face::{Face, Point, Region, mean};
use crate::frame::{Frame, Plane, Stage, Timing};
use crate::model::Landmarker;
use crate::scheme::Scheme;
use crate::smooth::{Smoother, Smoothing};

/// What a user may decide about tracking.
#[derive(Clone, Copy, Debug)]
pub struct TrackOptions {
    /// At most this many faces are followed, the most certain ones first.
    pub max_faces: usize,
    /// While faces are followed, the detector looks for new ones every so many frames. At least 1.
    pub redetect_every: u32,
    /// How the landmarks are smoothed; `None`: not at all.
    pub smoothing: Option<Smoothing>,
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
    tracks: Vec<Track>,
    next_id: u32,
    frames_since_detection: u32,
}

/// A face that is being followed.
struct Track {
    id: u32,
    /// Where the next crop is taken.
    region: Region,
    smoother: Option<Smoother>,
    /// How often in a row the detector has looked and not seen this face.
    misses: u32,
    /// Whether the last landmarks were those of a face turned to the camera.
    frontal: bool,
    /// Whether the region still is the detector's, not yet one from landmarks.
    is_new: bool,
}

/// A detection and a track, or two tracks, that overlap more than this are the same face.
const SAME_FACE: f32 = 0.5;
/// The cascade finds upright frontal faces: one that looks frontal and is missed this often is none …
const MAX_MISSES_FRONTAL: u32 = 3;
/// … while a turned one is given more time.
const MAX_MISSES: u32 = 12;
/// A face smaller than this, in pixels, has nothing to see landmarks in.
const MIN_SIZE: f32 = 12.0;
/// From one frame to the next a face neither grows nor shrinks by more than this factor …
const MAX_GROWTH: f32 = 1.6;
/// … nor moves further than this, in its own sizes. The crop would no longer hold it.
const MAX_MOVE: f32 = 0.6;
/// No landmark lies further from the face's centre than this, in its sizes: crops show no more than about one.
const MAX_REACH: f32 = 4.0;
/// Distance of the eyes' centres in region sizes above which a face counts as frontal. A frontal mean face
/// has 0.42; 0.34 is reached at about 35° of yaw.
const FRONTAL_EYES: f32 = 0.34;

impl Tracker {
    /// A tracker that has seen nothing.
    pub fn new(detector: Box<dyn Detector>, model: Box<dyn Landmarker>, options: TrackOptions) -> Self {
        Self { detector, model, options, tracks: Vec::new(), next_id: 1, frames_since_detection: 0 }
    }

    /// The point scheme of the landmarks.
    pub fn scheme(&self) -> Scheme {
        self.model.spec().scheme
    }

    /// Finds the faces of the next frame; times go to the frame.
    ///
    /// # Errors
    /// If the detector or the net cannot be run. No face is not an error.
    pub fn track(&mut self, mut frame: Frame) -> Result<Tracked> {
        let start = Instant::now();
        let faces = self.faces(&mut frame)?;
        frame.timing.add(Stage::Track, start.elapsed());
        Ok(Tracked { frame, faces })
    }

    fn faces(&mut self, frame: &mut Frame) -> Result<Vec<Face>> {
        let Frame { image, time, timing, .. } = frame;
        self.frames_since_detection += 1;
        if self.tracks.is_empty() || self.frames_since_detection >= self.options.redetect_every {
            self.frames_since_detection = 0;
            let found = timing.measure(Stage::Detect, || self.detector.detect(&image.luma))?;
            self.match_detections(&found);
        }
        let mut faces = Vec::with_capacity(self.tracks.len());
        for mut track in std::mem::take(&mut self.tracks) {
            if let Some(face) = track.follow(self.model.as_mut(), &image.luma, time.seconds(), timing)? {
                faces.push(face);
                self.tracks.push(track);
            }
        }
        self.drop_doubles(&mut faces);
        Ok(faces)
    }

    /// Forgets all faces: the next frame has nothing to do with the last one.
    pub fn reset(&mut self) {
        self.tracks.clear();
        self.next_id = 1;
    }

    /// Confirms the tracks that a detection lies on, starts one for each that lies on none, and ends the
    /// tracks that were missed too often.
    fn match_detections(&mut self, found: &[Detection]) {
        let has_eyes = self.scheme().eyes().is_some();
        for track in &mut self.tracks {
            let seen = found
                .iter()
                .map(|face| &face.region)
                .find(|region| region.overlap(&track.region) > SAME_FACE);
            track.misses = if seen.is_some() { 0 } else { track.misses + 1 };
            // Without eyes the landmarks tell nothing about size and roll: the detector has to.
            if let (Some(region), false) = (seen, has_eyes) {
                track.region.size = region.size;
            }
        }
        self.tracks.retain(|track| track.misses < track.max_misses());
        for Detection { region, .. } in found {
            let is_new = self.tracks.iter().all(|track| track.region.overlap(region) <= SAME_FACE);
            if is_new && self.tracks.len() < self.options.max_faces {
                self.tracks.push(Track::new(self.next_id, *region, self.options.smoothing));
                self.next_id += 1;
            }
        }
    }

    /// Two tracks may slide onto the same face; the older one keeps it.
    fn drop_doubles(&mut self, faces: &mut Vec<Face>) {
        let is_double = |i: usize| faces[..i].iter().any(|f| f.region.overlap(&faces[i].region) > SAME_FACE);
        let doubles: Vec<u32> = (1..faces.len()).filter(|&i| is_double(i)).map(|i| faces[i].id).collect();
        faces.retain(|face| !doubles.contains(&face.id));
        self.tracks.retain(|track| !doubles.contains(&track.id));
    }
}

impl Track {
    fn new(id: u32, region: Region, smoothing: Option<Smoothing>) -> Self {
        Self { id, region, smoother: smoothing.map(Smoother::new), misses: 0, frontal: true, is_new: true }
    }

    fn max_misses(&self) -> u32 {
        if self.frontal { MAX_MISSES_FRONTAL } else { MAX_MISSES }
    }

    /// The face in this picture, or `None` if it is lost.
    fn follow(
        &mut self,
        model: &mut dyn Landmarker,
        luma: &Plane,
        time: f64,
        timing: &mut Timing,
    ) -> Result<Option<Face>> {
        // The detector's region is a rough one: the first landmarks only say where to look properly.
        if std::mem::take(&mut self.is_new) && self.look(model, luma, timing)?.is_none() {
            return Ok(None);
        }
        let Some(landmarks) = self.look(model, luma, timing)? else { return Ok(None) };
        let region = self.region;
        let landmarks = timing.measure(Stage::Smooth, || match &mut self.smoother {
            Some(smoother) => smoother.apply(&landmarks, time, region.size),
            None => landmarks,
        });
        let score = 1.0 - self.misses as f32 / self.max_misses() as f32;
        Ok(Some(Face { id: self.id, region, landmarks, score }))
    }

    /// The landmarks within the region, which moves with them; `None` if they cannot be this face's.
    fn look(
        &mut self,
        model: &mut dyn Landmarker,
        luma: &Plane,
        timing: &mut Timing,
    ) -> Result<Option<Vec<Point>>> {
        let landmarks = model.landmarks(luma, &self.region, timing)?;
        if !landmarks.iter().all(|&point| is_near(point, &self.region)) {
            return Ok(None);
        }
        let scheme = model.spec().scheme;
        let next = self.region.moved_to(&landmarks, scheme);
        let Some(region) = next.filter(|next| is_plausible(&self.region, next, luma)) else {
            return Ok(None);
        };
        self.region = region;
        self.frontal = is_frontal(&region, &landmarks, scheme);
        Ok(Some(landmarks))
    }
}

/// Whether a landmark can be one of this face at all. What is no number is not near anything.
fn is_near(point: Point, region: &Region) -> bool {
    point.distance(region.center) <= MAX_REACH * region.size
}

/// Whether a face at `last` can have come to `next` in this picture within a frame.
fn is_plausible(last: &Region, next: &Region, luma: &Plane) -> bool {
    let Point { x, y } = next.center;
    let inside = x >= 0.0 && y >= 0.0 && x < luma.width as f32 && y < luma.height as f32;
    let growth = (next.size / last.size).max(last.size / next.size);
    let moved = next.center.distance(last.center) / last.size;
    inside && next.size >= MIN_SIZE && growth <= MAX_GROWTH && moved <= MAX_MOVE
}

fn is_frontal(region: &Region, landmarks: &[Point], scheme: Scheme) -> bool {
    scheme.eyes().is_none_or(|[left, right]| {
        mean(&landmarks[left]).distance(mean(&landmarks[right])) > FRONTAL_EYES * region.size
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::face::Framing;
    use crate::frame::{MediaTime, Yuv420};
    use crate::spec::{ModelSpec, Normalisation};

    /// Sees what it is told to, frame after frame; nothing when the list is over.
    struct Scripted(std::vec::IntoIter<Vec<Region>>);

    impl Detector for Scripted {
        fn detect(&mut self, _: &Plane) -> Result<Vec<Detection>> {
            let regions = self.0.next().unwrap_or_default();
            Ok(regions.into_iter().map(|region| Detection { region, score: 1.0 }).collect())
        }

        fn confirm(&mut self, _: &Plane, near: &Region) -> Result<Option<Detection>> {
            Ok(Some(Detection { region: *near, score: 1.0 }))
        }
    }

    /// A net whose landmarks are always the same 68 points around the region moved by `drift` sizes.
    struct Fake {
        spec: ModelSpec,
        drift: f32,
        growth: f32,
    }

    impl Landmarker for Fake {
        fn spec(&self) -> &ModelSpec {
            &self.spec
        }

        fn landmarks(&mut self, _: &Plane, region: &Region, timing: &mut Timing) -> Result<Vec<Point>> {
            timing.add(Stage::Infer, std::time::Duration::from_millis(1));
            let place = |i: usize| {
                let eye = match i {
                    36..42 => Some(-0.22),
                    42..48 => Some(0.22),
                    _ => None,
                };
                let (x, y) = eye.map_or(((i % 2) as f32 - 0.5, (i % 4 / 2) as f32 - 0.5), |x| (x, -0.2));
                let size = region.size * self.growth;
                Point::new(region.center.x + x * size + self.drift * region.size, region.center.y + y * size)
            };
            Ok((0..68).map(place).collect())
        }
    }

    fn region(x: f32) -> Region {
        Region { center: Point::new(x, 100.0), size: 60.0, angle: 0.0 }
    }

    /// Gives one bad number in its fourth answer; a new face takes two answers.
    struct Broken {
        inner: Fake,
        calls: u32,
        bad: f32,
    }

    impl Landmarker for Broken {
        fn spec(&self) -> &ModelSpec {
            self.inner.spec()
        }

        fn landmarks(&mut self, luma: &Plane, region: &Region, timing: &mut Timing) -> Result<Vec<Point>> {
            let mut landmarks = self.inner.landmarks(luma, region, timing)?;
            self.calls += 1;
            if self.calls == 4 {
                landmarks[20].y = self.bad;
            }
            Ok(landmarks)
        }
    }

    fn fake(drift: f32, growth: f32) -> Fake {
        let spec = ModelSpec {
            name: "fake".to_owned(),
            width: 8,
            height: 8,
            scheme: Scheme::Ibug68,
            normalisation: Normalisation::PerCrop,
            framing: Framing { width: 1.0, height: 1.0, shift_x: 0.0, shift_y: 0.0 },
            training: Default::default(),
        };
        Fake { spec, drift, growth }
    }

    fn tracker(detections: Vec<Vec<Region>>, drift: f32, growth: f32) -> Tracker {
        let options = TrackOptions { max_faces: 2, redetect_every: 5, smoothing: Some(Smoothing::LOW) };
        Tracker::new(Box::new(Scripted(detections.into_iter())), Box::new(fake(drift, growth)), options)
    }

    /// IDs and centres of the faces of the next frames.
    fn run(tracker: &mut Tracker, n_frames: u64) -> Vec<Vec<(u32, f32)>> {
        let next = |index| {
            let mut image = Yuv420::default();
            image.resize(400, 200);
            let time = MediaTime { ticks: index as i64, base: (1, 25) };
            let frame = Frame { index, time, captured: Instant::now(), image, timing: Timing::default() };
            let tracked = tracker.track(frame).unwrap();
            tracked.faces.iter().map(|face| (face.id, face.region.center.x)).collect()
        };
        (0..n_frames).map(next).collect()
    }

    #[test]
    fn the_region_follows_the_landmarks_without_the_detector() {
        let mut tracker = tracker(vec![vec![region(100.0)]], 0.1, 1.0);
        let faces = run(&mut tracker, 4);
        // The first frame looks twice.
        assert_eq!(faces[0], [(1, 112.0)]);
        assert_eq!(faces[3], [(1, 130.0)]);
    }

    #[test]
    fn detections_of_a_followed_face_start_nothing_and_new_faces_get_new_ids() {
        let both = vec![region(100.0), region(250.0)];
        let mut tracker = tracker(vec![vec![region(100.0)], both], 0.0, 1.0);
        let ids: Vec<usize> = run(&mut tracker, 8).iter().map(Vec::len).collect();
        assert_eq!(ids, [1, 1, 1, 1, 1, 2, 2, 2]);
        assert_eq!(run(&mut tracker, 1)[0], [(1, 100.0), (2, 250.0)]);
    }

    #[test]
    fn no_more_faces_than_asked_for() {
        let many = vec![region(40.0), region(120.0), region(200.0), region(280.0)];
        assert_eq!(run(&mut tracker(vec![many], 0.0, 1.0), 1)[0].len(), 2);
    }

    #[test]
    fn a_face_that_the_detector_keeps_missing_is_lost() {
        let mut tracker = tracker(vec![vec![region(100.0)]], 0.0, 1.0);
        let faces = run(&mut tracker, 20);
        let last = faces.iter().rposition(|faces| !faces.is_empty());
        // Seen in frame 0, missed in frames 5, 10 and 15.
        assert_eq!(last, Some(14));
    }

    #[test]
    fn a_face_that_jumps_bursts_or_leaves_is_lost() {
        assert!(run(&mut tracker(vec![vec![region(100.0)]], 0.7, 1.0), 1)[0].is_empty());
        assert!(run(&mut tracker(vec![vec![region(100.0)]], 0.0, 1.7), 1)[0].is_empty());
        let faces = run(&mut tracker(vec![vec![region(372.0)]], 0.2, 1.0), 2);
        assert_eq!((faces[0].len(), faces[1].len()), (1, 0));
    }

    #[test]
    fn numbers_that_are_none_or_beyond_reach_end_a_face_and_its_smoothing() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30, -1e9] {
            // In the third frame, in one point of many, that no box would show.
            let mut tracker = tracker(vec![vec![region(100.0)], vec![], vec![region(100.0)]], 0.0, 1.0);
            tracker.model = Box::new(Broken { inner: fake(0.0, 1.0), calls: 0, bad });
            let faces = run(&mut tracker, 5);
            let ids: Vec<Vec<u32>> =
                faces.iter().map(|faces| faces.iter().map(|face| face.0).collect()).collect();
            assert_eq!(ids, [vec![1], vec![1], vec![], vec![], vec![2]], "{bad}");
        }
    }

    #[test]
    fn two_tracks_on_one_face_become_the_older_one() {
        let mut tracker = tracker(vec![vec![region(100.0), region(150.0)]], 0.0, 1.0);
        tracker.track_two_onto_one();
        assert_eq!(run(&mut tracker, 1)[0], [(1, 100.0)]);
    }

    impl Tracker {
        fn track_two_onto_one(&mut self) {
            run(self, 1);
            self.tracks[1].region = region(105.0);
        }
    }

    #[test]
    fn times_are_recorded_and_detection_only_when_it_ran() {
        let mut tracker = tracker(vec![vec![region(100.0)]], 0.0, 1.0);
        let mut image = Yuv420::default();
        image.resize(400, 200);
        let time = MediaTime { ticks: 0, base: (1, 25) };
        let frame = Frame { index: 0, time, captured: Instant::now(), image, timing: Timing::default() };
        let mut frame = tracker.track(frame).unwrap().frame;
        assert!(frame.timing.get(Stage::Detect).is_some() && frame.timing.get(Stage::Smooth).is_some());
        assert!(frame.timing.get(Stage::Track) >= frame.timing.get(Stage::Detect));
        frame.timing = Timing::default();
        let frame = tracker.track(frame).unwrap().frame;
        assert_eq!(frame.timing.get(Stage::Detect), None);
    }
}
