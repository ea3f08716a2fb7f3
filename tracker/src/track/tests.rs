use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::*;
use crate::crop::{Framing, Normalisation};
use crate::face::Smoothing;
use crate::geometry::Point;
use crate::model::Landmarks;
use crate::onnx::spec::ModelSpec;

/// The faces in each frame. The first pixel says which frame it is.
type World = Vec<Vec<Region>>;

fn there(world: &World, luma: Luma) -> Vec<Region> {
    world.get(usize::from(luma.data()[0])).cloned().unwrap_or_default()
}

/// Sees the faces that are there, the first with its full certainty, the second with half of it, and so on.
struct TrueDetector {
    world: World,
    /// The score of a face in this frame when it looks again.
    certainty: fn(u8) -> f32,
    /// With which score it finds the first face, if not with the same.
    found: Option<f32>,
    /// Frames in which it looked for all faces.
    asked: SyncSender<u8>,
}

impl Detector for TrueDetector {
    fn detect(&mut self, luma: Luma, known: &[Region]) -> Result<Vec<Detection>> {
        self.asked.try_send(luma.data()[0]).unwrap();
        let first = self.found.unwrap_or((self.certainty)(luma.data()[0]));
        let score = |i| first / (i + 1) as f32;
        let faces = there(&self.world, luma).into_iter().enumerate();
        let new = faces.filter(|(_, face)| !known.iter().any(|known| is_same(known, face)));
        Ok(new.map(|(i, region)| Detection { region, score: score(i) }).collect())
    }

    fn confirm(&mut self, luma: Luma, near: &Region) -> Result<Option<Detection>> {
        let seen = there(&self.world, luma).into_iter().find(|face| face.overlap(near) > 0.5);
        Ok(seen.map(|region| Detection { region, score: (self.certainty)(luma.data()[0]) }))
    }
}

/// Puts its landmarks onto the closest face within two thirds of a size, or else into the region itself.
struct TrueNet {
    spec: ModelSpec,
    world: World,
    /// Changes the landmarks of a call.
    spoil: fn(call: u32, &mut [Point]),
    calls: u32,
    /// The presence in this frame, if it reports it.
    presence: Option<fn(u8) -> f32>,
}

impl Landmarker for TrueNet {
    fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    fn landmarks(&mut self, luma: Luma, region: &Region, timing: &mut Timing) -> Result<Landmarks> {
        timing.measure(Stage::Infer, || ());
        let distance = |face: &Region| face.center.distance(region.center) / region.size;
        let near = there(&self.world, luma).into_iter().filter(|face| distance(face) < 0.67);
        let face = near.min_by(|a, b| distance(a).total_cmp(&distance(b))).unwrap_or(*region);
        let mut landmarks = match self.spec.scheme {
            Scheme::Nose => vec![face.center],
            _ => (0..68).map(|i| on_face(&face, i)).collect(),
        };
        self.calls += 1;
        (self.spoil)(self.calls, &mut landmarks);
        let presence = self.presence.map(|presence| presence(luma.data()[0]));
        Ok(Landmarks { points: landmarks, presence, more: Default::default() })
    }
}

/// Landmark `i` of 68 whose region is `face`.
fn on_face(face: &Region, i: usize) -> Point {
    let (x, y) = match i {
        36..42 => (-0.22, -0.2),
        42..48 => (0.22, -0.2),
        _ => ((i % 2) as f32 - 0.5, (i % 4 / 2) as f32 - 0.5),
    };
    Point::new(face.center.x + x * face.size, face.center.y + y * face.size)
}

fn region(x: f32) -> Region {
    Region { center: Point::new(x, 100.0), size: 60.0, angle: 0.0 }
}

fn spec(scheme: Scheme) -> ModelSpec {
    ModelSpec {
        name: "true".to_owned(),
        width: 8,
        height: 8,
        scheme,
        normalisation: Normalisation::PerCrop,
        framing: Framing { width: 1.0, height: 1.0, shift_x: 0.0, shift_y: 0.0 },
        mirrored: false,
        depth: false,
        sigma: false,
        sigma_scale: None,
        presence: false,
        blendshapes: false,
        training: Default::default(),
    }
}

/// A tracker in a world, the next frame, and the frames in which its detector looked for faces.
struct Run {
    tracker: Tracker,
    next: u8,
    asked: Receiver<u8>,
}

const OPTIONS: Options = Options {
    model: Model::Compact,
    detector: None,
    threads: 1,
    small_faces: false,
    max_faces: 2,
    redetect_every: 5,
    smoothing: None,
    as_68: false,
    measures: false,
    fov: 60.0,
    pixel_aspect: 1.0,
};

impl Run {
    fn new(world: World) -> Self {
        Self::with(world, OPTIONS, Scheme::Ibug68, |_, _| ())
    }

    fn with(world: World, options: Options, scheme: Scheme, spoil: fn(u32, &mut [Point])) -> Self {
        let (sender, asked) = sync_channel(256);
        let net = TrueNet { spec: spec(scheme), world: world.clone(), spoil, calls: 0, presence: None };
        let detector = TrueDetector { world, certainty: |_| 0.75, found: None, asked: sender };
        Self::of(detector, net, options, asked)
    }

    fn of(detector: TrueDetector, net: TrueNet, options: Options, asked: Receiver<u8>) -> Self {
        Self { tracker: Tracker::with(Box::new(detector), Box::new(net), options), next: 0, asked }
    }

    /// A run whose detector has these scores.
    fn certain(world: World, certainty: fn(u8) -> f32) -> Self {
        Self::present(world, certainty, None)
    }

    /// A run whose detector has these scores and whose net, if it reports presence, has these.
    fn present(world: World, certainty: fn(u8) -> f32, presence: Option<fn(u8) -> f32>) -> Self {
        let (sender, asked) = sync_channel(256);
        let net = TrueNet {
            spec: spec(Scheme::Ibug68),
            world: world.clone(),
            spoil: |_, _| (),
            calls: 0,
            presence,
        };
        Self::of(TrueDetector { world, certainty, found: None, asked: sender }, net, OPTIONS, asked)
    }

    /// The faces in the next frame, at this time. Its grey levels rise to the right, or else to the left.
    fn frame(&mut self, seconds: f64, rising: bool) -> Vec<Face> {
        let column = |i: usize| if rising { i % 400 / 2 } else { 200 - i % 400 / 2 };
        let mut luma: Vec<u8> = (0..400 * 200).map(|i| column(i) as u8).collect();
        luma[0] = self.next;
        self.next += 1;
        self.tracker.track(&Image::luma(400, 200, &luma).unwrap(), seconds).unwrap()
    }

    /// Whether a stage ran in the last frame.
    fn ran(&self, stage: Stage) -> bool {
        self.tracker.timing().spans().iter().any(|span| span.stage == stage)
    }

    /// The IDs and centres of the faces in each of the next frames, 25 per second.
    fn run(&mut self, n_frames: usize) -> Vec<Vec<(u32, f32)>> {
        let faces = |_| {
            let faces = self.frame(f64::from(self.next) / 25.0, true);
            faces.iter().map(|face| (face.id, face.region.center.x.round())).collect()
        };
        (0..n_frames).map(faces).collect()
    }

    /// The IDs of the faces in each of the next frames.
    fn ids(&mut self, n_frames: usize) -> Vec<Vec<u32>> {
        let ids = |faces: Vec<(u32, f32)>| faces.into_iter().map(|(id, _)| id).collect();
        self.run(n_frames).into_iter().map(ids).collect()
    }
}

/// One face per frame, at these positions.
fn path(places: impl IntoIterator<Item = f32>) -> World {
    places.into_iter().map(|x| vec![region(x)]).collect()
}

/// The same faces in `n_frames` frames.
fn still(faces: &[Region], n_frames: usize) -> World {
    vec![faces.to_vec(); n_frames]
}

#[test]
fn a_face_is_followed_without_the_detector() {
    let mut run = Run::new(path((0..10).map(|i| 100.0 + 20.0 * i as f32)));
    let places: Vec<_> = run.run(10).concat();
    assert_eq!(places, (0..10).map(|i| (1, 100.0 + 20.0 * i as f32)).collect::<Vec<_>>());
    assert_eq!(run.asked.try_iter().collect::<Vec<_>>(), [0, 5]);
}

#[test]
fn a_face_that_goes_is_gone_within_three_frames() {
    for there in 6..12 {
        let seen = Run::new(still(&[region(100.0)], there)).ids(there + 4);
        let last = seen.iter().rposition(|ids| !ids.is_empty()).unwrap();
        assert!((there - 1..there + 2).contains(&last), "there in {there} frames, seen until frame {last}");
        assert!(seen[..last].iter().all(|ids| ids == &[1]), "{seen:?}");
    }
}

#[test]
fn a_face_is_confirmed_in_every_third_frame_unless_there_is_doubt() {
    // How often in frames 20 to 49, when it is no longer new.
    let asked_with = |world: World, certainty, presence| {
        let mut run = Run::present(world, certainty, presence);
        let mut confirms = |i| {
            run.frame(f64::from(i) / 25.0, true);
            run.ran(Stage::Confirm)
        };
        (0..50).map(&mut confirms).skip(20).filter(|&confirmed| confirmed).count()
    };
    let asked = |world, certainty| asked_with(world, certainty, None);
    let still = still(&[region(100.0)], 50);
    assert_eq!(asked_with(still.clone(), |_| 0.75, Some(|_| 0.95)), 5, "the net sees it, too");
    let doubtful: fn(u8) -> f32 = |frame| if frame < 20 { 0.95 } else { 0.5 };
    assert_eq!(asked_with(still.clone(), |_| 0.75, Some(doubtful)), 30, "the net is no longer sure");
    assert_eq!(asked(still.clone(), |_| 0.75), 10);
    assert_eq!(asked(still, |_| 0.65), 30, "the detector is not sure");
    let shaken = path((0..50).map(|i| 100.0 + 12.0 * (i % 2) as f32));
    assert_eq!(asked(shaken, |_| 0.75), 30, "it moves unsteadily");
}

#[test]
fn a_new_face_needs_the_nets_presence_too() {
    let seen = |presence| Run::present(still(&[region(100.0)], 4), |_| 0.75, Some(presence)).ids(4).concat();
    assert_eq!(seen(|_| 0.95), [1; 4]);
    assert!(seen(|_| 0.6).is_empty());
}

#[test]
fn a_face_that_the_net_is_sure_of_survives_some_misses_of_the_detector() {
    // How many of 40 frames have the face. The detector misses it in frames 20 to 22, or from frame 20 on.
    let n_seen = |certainty, presence| {
        let ids = Run::present(still(&[region(100.0)], 50), certainty, presence).ids(50);
        assert!(ids.concat().iter().all(|&id| id == 1), "{ids:?}");
        ids.iter().take(40).filter(|ids| !ids.is_empty()).count()
    };
    let a_while: fn(u8) -> f32 = |frame| if (20..23).contains(&frame) { 0.1 } else { 0.5 };
    let for_good: fn(u8) -> f32 = |frame| if frame < 20 { 0.5 } else { 0.1 };
    assert_eq!(n_seen(a_while, Some(|_| 0.95)), 40);
    assert_eq!(n_seen(for_good, Some(|_| 0.95)), 25);
    assert!(n_seen(a_while, Some(|_| 0.6)) == 0 && n_seen(a_while, None) < 40);
}

#[test]
fn a_new_faces_score_is_the_mean_of_how_it_was_found_and_seen_again() {
    let seen = |found, again: fn(u8) -> f32| {
        let mut run = Run::new(still(&[region(100.0)], 1));
        let (asked, _receiver) = sync_channel(256);
        let world = still(&[region(100.0)], 1);
        run.tracker.detector = Box::new(TrueDetector { world, certainty: again, found: Some(found), asked });
        run.frame(0.0, true).first().map(|face| face.score)
    };
    assert_eq!(seen(0.9, |_| 0.4), Some(0.65));
    assert_eq!((seen(0.6, |_| 0.35), seen(0.9, |_| 0.25)), (None, None));
}

#[test]
fn where_the_net_refuses_what_the_detector_finds_it_searches() {
    let n_looks = |presence| {
        let mut run = Run::present(still(&[region(100.0)], 1), |_| 0.75, Some(presence));
        run.frame(0.0, true);
        run.tracker.timing().spans().iter().filter(|span| span.stage == Stage::Detect).count()
    };
    assert_eq!((n_looks(|_| 0.95), n_looks(|_| 0.1)), (1, 2));
}

#[test]
fn a_new_face_needs_the_detector_and_the_net_to_be_sure_together() {
    let is_seen = |certainty: fn(u8) -> f32, presence: fn(u8) -> f32| {
        !Run::present(still(&[region(100.0)], 1), certainty, Some(presence)).ids(1).concat().is_empty()
    };
    assert!(is_seen(|_| 0.85, |_| 0.6) && is_seen(|_| 0.6, |_| 0.85));
    assert!(!is_seen(|_| 0.75, |_| 0.6) && !is_seen(|_| 0.45, |_| 1.0));
}

#[test]
fn faces_beyond_the_limit_are_counted_and_not_followed() {
    let mut run = Run::new(still(&[region(100.0), region(200.0), region(300.0)], 80));
    let seen = |run: &mut Run| (run.ids(1).concat(), run.tracker.unfollowed());
    for frame in 0..80 {
        // With room, the detector would be asked in every fifth frame.
        assert_eq!(seen(&mut run), (vec![1, 2], usize::from(frame % 75 == 0)), "{frame}");
    }
    assert_eq!(run.asked.try_iter().collect::<Vec<_>>(), [0, 75]);
}

#[test]
fn scores_are_the_detectors() {
    let mut run = Run::new(still(&[region(100.0)], 1));
    assert_eq!(run.frame(0.0, true)[0].score, 0.75);
}

#[test]
fn a_followed_face_may_have_a_lower_score_than_a_new_one() {
    let seen = |certainty| Run::certain(still(&[region(100.0)], 4), certainty).ids(4);
    assert_eq!(seen(|frame| if frame == 0 { 0.5 } else { 0.3 }), [[1], [1], [1], [1]]);
    assert_eq!(seen(|frame| if frame == 2 { 0.29 } else { 0.5 }), [vec![1], vec![1], vec![], vec![1]]);
    assert_eq!(seen(|frame| if frame < 2 { 0.49 } else { 0.5 }), [vec![], vec![], vec![1], vec![1]]);
}

#[test]
fn a_new_face_is_found_and_gets_the_next_id() {
    let mut world = still(&[region(100.0)], 3);
    world.extend(still(&[region(100.0), region(250.0)], 6));
    let mut run = Run::new(world);
    assert_eq!(run.ids(5).concat(), [1; 5]);
    assert_eq!(run.run(4), vec![vec![(1, 100.0), (2, 250.0)]; 4]);
}

#[test]
fn a_small_detection_inside_a_followed_face_is_not_a_new_face() {
    let inside = Region { size: 25.0, ..region(110.0) };
    let mut world = still(&[region(100.0)], 1);
    world.extend(still(&[region(100.0), inside], 6));
    assert_eq!(Run::new(world).ids(7), vec![vec![1]; 7]);
}

#[test]
fn no_more_faces_than_max_faces_and_those_with_the_highest_scores() {
    let many = still(&[region(40.0), region(120.0), region(200.0), region(280.0)], 7);
    assert_eq!(Run::new(many).run(7), vec![vec![(1, 40.0), (2, 120.0)]; 7]);
}

#[test]
fn a_face_that_is_back_within_a_second_has_its_id_again() {
    for (gap, place, expected) in [(3, 100.0, 1), (23, 180.0, 1), (25, 100.0, 2), (3, 200.0, 2)] {
        let mut world = still(&[region(100.0)], 4);
        world.extend(still(&[], gap));
        world.extend(still(&[region(place)], 1));
        let mut run = Run::new(world);
        let last = run.ids(5 + gap).pop();
        assert_eq!(last, Some(vec![expected]), "{gap} frames, then at {place}");
        let asked: Vec<_> = run.asked.try_iter().collect();
        let every: Vec<u8> = std::iter::once(0).chain(4..5 + gap as u8).collect();
        assert_eq!(asked, every, "while a face is missing the detector looks in every frame");
    }
}

#[test]
fn a_face_of_another_size_is_not_the_lost_one() {
    let mut world = still(&[region(100.0)], 2);
    world.extend(still(&[], 1));
    world.extend(still(&[Region { size: 100.0, ..region(100.0) }], 1));
    assert_eq!(Run::new(world).ids(4), [vec![1], vec![1], vec![], vec![2]]);
}

#[test]
fn a_face_that_jumps_is_found_again_in_the_same_frame() {
    // It jumps out of its crop.
    let mut run = Run::new(path([100.0, 100.0, 170.0, 170.0]));
    assert_eq!(run.run(4).concat(), [(1, 100.0), (1, 100.0), (1, 170.0), (1, 170.0)]);
    assert_eq!(run.asked.try_iter().collect::<Vec<_>>(), [0, 2]);
}

#[test]
fn two_faces_that_are_back_have_their_own_ids() {
    let both = [region(100.0), region(200.0)];
    let mut world = still(&both, 2);
    world.extend(still(&[], 2));
    world.extend(still(&[region(190.0), region(110.0)], 1));
    assert_eq!(Run::new(world).run(5).pop(), Some(vec![(1, 110.0), (2, 190.0)]));
}

#[test]
fn a_cut_ends_all_faces_even_if_another_is_in_the_same_place() {
    let mut run = Run::new(still(&[region(100.0)], 4));
    let faces: Vec<u32> = [true, true, false, false]
        .iter()
        .enumerate()
        .map(|(i, &rising)| run.frame(i as f64 / 25.0, rising)[0].id)
        .collect();
    assert_eq!(faces, [1, 1, 2, 2]);
    assert_eq!(run.asked.try_iter().collect::<Vec<_>>(), [0, 2]);
}

#[test]
fn reset_forgets_faces_and_ids() {
    let mut run = Run::new(still(&[region(100.0)], 4));
    run.ids(2);
    run.tracker.reset();
    assert_eq!(run.ids(1), [[1]]);
    assert_eq!(run.asked.try_iter().collect::<Vec<_>>(), [0, 2]);
}

#[test]
fn landmarks_that_are_not_finite_or_far_away_lose_the_face() {
    // One landmark in the fourth call; a new face takes two.
    fn spoil(call: u32, points: &mut [Point], y: f32) {
        if call == 4 {
            points[20].y = y;
        }
    }
    let spoils: [fn(u32, &mut [Point]); 5] = [
        |call, points| spoil(call, points, f32::NAN),
        |call, points| spoil(call, points, f32::INFINITY),
        |call, points| spoil(call, points, f32::NEG_INFINITY),
        |call, points| spoil(call, points, 1e30),
        |call, points| spoil(call, points, -1e9),
    ];
    for spoil in spoils {
        let mut run = Run::with(still(&[region(100.0)], 5), OPTIONS, Scheme::Ibug68, spoil);
        assert_eq!(run.ids(5), [[1], [1], [1], [1], [1]]);
        assert_eq!(run.asked.try_iter().collect::<Vec<_>>(), [0, 2], "looked for again");
    }
}

#[test]
fn landmarks_that_burst_or_leave_the_picture_are_not_a_face() {
    let burst = |_, points: &mut [Point]| points.iter_mut().for_each(|p| p.x = 100.0 + 1.7 * (p.x - 100.0));
    let mut run = Run::with(still(&[region(100.0)], 1), OPTIONS, Scheme::Ibug68, burst);
    assert!(run.ids(1)[0].is_empty());
    assert!(Run::new(still(&[region(-5.0)], 1)).ids(1)[0].is_empty());
    let small = Region { size: 11.0, ..region(100.0) };
    assert!(Run::new(still(&[small], 1)).ids(1)[0].is_empty());
}

#[test]
fn landmarks_that_go_astray_are_brought_back_by_the_detector() {
    // Smaller than the face by less and by more than is allowed.
    let spoils: [fn(u32, &mut [Point]); 2] =
        [|_, points| shrink(points, 0.7), |_, points| shrink(points, 0.65)];
    for (spoil, expected) in spoils.into_iter().zip([42.0, 60.0]) {
        let mut run = Run::with(still(&[region(100.0)], 2), OPTIONS, Scheme::Ibug68, spoil);
        for time in [0.0, 0.04] {
            let size = run.frame(time, true)[0].region.size;
            assert!((size - expected).abs() < 0.1, "{size} is not {expected}");
        }
    }
}

#[test]
fn landmarks_of_a_face_the_wrong_way_up_are_looked_for_again_or_refused() {
    let upside_down = Region { angle: std::f32::consts::PI, ..region(100.0) };
    // The net's landmarks are always upright; or turned as the face is, once the crop is.
    fn turn(points: &mut [Point]) {
        points.iter_mut().for_each(|p| *p = Point::new(200.0 - p.x, 200.0 - p.y));
    }
    let never: fn(u32, &mut [Point]) = |_, _| ();
    let third: fn(u32, &mut [Point]) = |call, points| {
        if call >= 3 {
            turn(points);
        }
    };
    let mut wrong = Run::with(still(&[upside_down], 3), OPTIONS, Scheme::Ibug68, never);
    assert_eq!(wrong.ids(3), [vec![], vec![], vec![]] as [Vec<u32>; 3]);
    let mut right = Run::with(still(&[upside_down], 3), OPTIONS, Scheme::Ibug68, third);
    let face = right.frame(0.0, true).remove(0);
    assert!(face.region.turn(&upside_down) < 1e-3, "{:?}", face.region);
}

/// Moves the points of a face at (100, 100) closer to its centre.
fn shrink(points: &mut [Point], scale: f32) {
    for p in points {
        *p = Point::new(100.0 + scale * (p.x - 100.0), 100.0 + scale * (p.y - 100.0));
    }
}

#[test]
fn a_face_that_is_never_confirmed_gets_no_id() {
    // The net puts all landmarks somewhere else.
    let stray = |call, points: &mut [Point]| {
        if call <= 6 {
            points.iter_mut().for_each(|p| p.x += 30.0);
        }
    };
    let mut run = Run::with(still(&[region(100.0)], 5), OPTIONS, Scheme::Ibug68, stray);
    assert_eq!(run.ids(5), [vec![], vec![], vec![], vec![1], vec![1]]);
}

#[test]
fn two_tracks_on_one_face_become_the_older_one() {
    let mut world = still(&[region(100.0), region(150.0)], 2);
    world.extend(still(&[region(125.0)], 1));
    let mut run = Run::new(world);
    assert_eq!(run.run(3), [vec![(1, 100.0), (2, 150.0)], vec![(1, 100.0), (2, 150.0)], vec![(1, 125.0)]]);
}

#[test]
fn two_faces_that_pass_each_other_keep_their_ids() {
    for front_first in [true, false] {
        let world: World = (0..60)
            .map(|i| {
                let (front, back) = (region(60.0 + 4.0 * i as f32), region(300.0 - 4.0 * i as f32));
                match (front.overlap(&back) > 0.25, front_first) {
                    (true, _) => vec![front],
                    (_, true) => vec![front, back],
                    (_, false) => vec![back, front],
                }
            })
            .collect();
        let seen = Run::new(world).run(60);
        let last = 60.0 + 4.0 * 59.0;
        let mut faces = seen[59].clone();
        faces.sort_by_key(|&(id, _)| id);
        let (front, back) = if front_first { (1, 2) } else { (2, 1) };
        let mut expected = [(front, last), (back, 300.0 - 4.0 * 59.0)];
        expected.sort_by_key(|&(id, _)| id);
        assert_eq!(faces, expected);
        assert!(
            seen.iter().all(|faces| faces.iter().any(|&(id, _)| id == front)),
            "the one in front is never lost"
        );
    }
}

#[test]
fn smoothing_restarts_when_a_face_is_back_late() {
    let options = Options { smoothing: Some(Smoothing { min_cutoff: 1.0, beta: 0.0 }), ..OPTIONS };
    let x = |seconds: &[f64], places: &[f32]| {
        let mut run = Run::with(path(places.iter().copied()), options.clone(), Scheme::Ibug68, |_, _| ());
        let faces: Vec<Vec<Face>> = seconds.iter().map(|&time| run.frame(time, true)).collect();
        let last = faces.last().and_then(|faces| faces.first()).unwrap();
        (last.id, last.landmarks[36].x)
    };
    let eye = |x: f32| on_face(&region(x), 36).x;
    // 0.2008 of the way, as in the tests of `smooth`.
    let (id, near) = x(&[0.0, 0.04], &[100.0, 110.0]);
    assert!(id == 1 && (near - (eye(100.0) + 2.008)).abs() < 1e-3);
    assert_eq!(x(&[0.0, 0.9], &[100.0, 110.0]), (1, eye(110.0)));
}

#[test]
fn a_single_landmark_gets_size_and_roll_from_the_detector() {
    let turned = Region { size: 80.0, angle: 0.3, ..region(110.0) };
    let world = vec![vec![region(100.0)], vec![turned], vec![turned]];
    let mut run = Run::with(world, OPTIONS, Scheme::Nose, |_, _| ());
    run.ids(1);
    assert_eq!(run.frame(0.04, true)[0].region, turned);
}

#[test]
fn faces_have_measures_if_asked_for_and_possible() {
    let with = Options { measures: true, ..OPTIONS };
    for (options, scheme, expected) in
        [(with.clone(), Scheme::Ibug68, true), (OPTIONS, Scheme::Ibug68, false), (with, Scheme::Nose, false)]
    {
        // Eyes and mouths need a size to be measured.
        let spread =
            |_, points: &mut [Point]| points.iter_mut().enumerate().for_each(|(i, p)| p.x += (i % 7) as f32);
        let mut run = Run::with(still(&[region(100.0)], 1), options, scheme, spread);
        assert_eq!(run.tracker.measures(), expected);
        assert_eq!(run.frame(0.0, true)[0].measures.is_some(), expected, "{scheme:?}");
    }
}

#[test]
fn times_are_recorded_and_detection_only_when_it_ran() {
    let mut run = Run::new(still(&[region(100.0)], 2));
    run.frame(0.0, true);
    assert!(run.ran(Stage::Detect) && run.ran(Stage::Infer) && run.ran(Stage::Confirm));
    run.frame(0.04, true);
    assert!(!run.ran(Stage::Detect) && run.ran(Stage::Confirm));
}

#[test]
fn times_that_are_not_finite_are_refused() {
    let mut run = Run::new(still(&[region(100.0)], 2));
    let picture = [0; 6];
    let image = Image::luma(3, 2, &picture).unwrap();
    for time in [f64::NAN, f64::INFINITY] {
        assert!(matches!(run.tracker.track(&image, time), Err(Error::Time(_))));
    }
}
