//! Odd values for everything public: nothing panics, and results that claim to be usable are finite.

#![allow(clippy::unwrap_used)]

use std::fmt::Debug;
use std::path::{Path, PathBuf};

use facemark::crop::{Framing, Normalisation, bilinear, crop, normalise};
use facemark::detect::grid::{self, Cell};
use facemark::detect::{Detection, Detector, FaceNet, suppress};
use facemark::face::{Camera, Contour, Smoother};
use facemark::geometry::{Affine, bounds, mean};
use facemark::model::{LandmarkModel, Landmarker, Landmarks};
use facemark::onnx::spec::{DetectorSpec, ModelSpec, Spec};
use facemark::onnx::weights;
use facemark::{
    Error, Face, Image, Layout, Luma, Measures, Model, Options, Plane, Point, Pose, Region, Result, Scheme,
    Smoothing, Timing, Tracker, models,
};

const NUMBERS: [f32; 12] =
    [0.0, 1.0, -1.0, 20.0, 1e-30, 1e9, 1e30, f32::MAX, f32::MIN, f32::INFINITY, f32::NEG_INFINITY, f32::NAN];
const COUNTS: [usize; 6] = [0, 1, 7, 1 << 33, usize::MAX / 2, usize::MAX];
const GOOD: Region = Region { center: Point::new(30.0, 30.0), size: 40.0, angle: 0.0 };

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

fn planes() -> Vec<Plane> {
    let plane = |(width, height)| Plane::new(width, height, vec![200; width * height]).unwrap();
    [(0, 0), (0, 5), (5, 0), (1, 1), (1, 3000), (5000, 1), (60, 60)].map(plane).into()
}

/// All regions of odd numbers.
fn regions() -> impl Iterator<Item = Region> {
    let pairs = NUMBERS.into_iter().flat_map(|x| NUMBERS.map(|size| (x, size)));
    pairs.flat_map(|(x, size)| NUMBERS.map(|angle| Region { center: Point::new(x, 9.0), size, angle }))
}

/// The landmarks of a real face within [`GOOD`].
fn face() -> Vec<Point> {
    let csv = std::fs::read_to_string(path("media/talker.csv")).unwrap();
    let numbers: Vec<f32> =
        csv.lines().nth(1).unwrap().split(',').skip(1).map(|v| v.parse().unwrap()).collect();
    let points: Vec<Point> = numbers.chunks_exact(2).map(|pair| Point::new(pair[0], pair[1])).collect();
    let Region { center, size, .. } = Region::from_landmarks(&points, Scheme::Ibug68).unwrap();
    let place = |v: f32, center: f32| (v - center) / size * GOOD.size + 30.0;
    points.iter().map(|p| Point::new(place(p.x, center.x), place(p.y, center.y))).collect()
}

/// Too few, too many and unusable landmarks.
fn odd_landmarks() -> Vec<Vec<Point>> {
    let counts = [0, 1, 17, 41, 57, 58, 67, 68, 100];
    let mut all: Vec<Vec<Point>> =
        counts.iter().flat_map(|&n| NUMBERS.map(|v| vec![Point::new(v, 1.0); n])).collect();
    all.extend((0..68).flat_map(|i| {
        NUMBERS.map(|v| {
            let mut points = face();
            points[i].y = v;
            points
        })
    }));
    all
}

#[test]
fn images_of_odd_sizes_are_refused_or_tracked() {
    let mut tracker = Tracker::with(Box::new(Stub::default()), Box::new(Stub::default()), Options::default());
    let mut check = |image: Result<Image>| {
        if let Ok(image) = image {
            tracker.track(&image, 0.0).unwrap();
        }
    };
    let bytes = [7; 4 * 49];
    for (width, height) in COUNTS.into_iter().flat_map(|width| COUNTS.map(|height| (width, height))) {
        for data in [&bytes[..0], &bytes[..1], &bytes[..49], &bytes] {
            for image in [Image::luma, Image::rgb, Image::bgr, Image::rgba] {
                check(image(width, height, data));
            }
            for stride in COUNTS {
                for layout in [Layout::Luma, Layout::Rgb, Layout::Bgr, Layout::Rgba] {
                    check(Image::with_stride(layout, width, height, stride, data));
                }
                check(Image::yuv420(width, height, [(data, stride), (&bytes, 7), (&bytes, stride)]));
            }
            assert!(
                Plane::new(width, height, data.to_vec()).is_err()
                    || width.checked_mul(height) == Some(data.len())
            );
        }
    }
}

#[test]
fn crops_of_odd_places_are_made() {
    let mut out = [0; 100];
    let mut check = |luma: Luma, map: &Affine| {
        for (width, length) in [(0, 100), (1, 0), (9, 5), (9, 100), (100, 100)] {
            crop(luma, map, width, &mut out[..length]);
        }
        // The picture is uniform, so there is nothing between its grey level and black.
        assert!(out.iter().all(|v| [0, 200].contains(v)));
    };
    let planes = planes();
    let framing = |v| Framing { width: v, height: 2.0, shift_x: v, shift_y: 0.0 };
    for luma in planes.iter().map(Plane::luma) {
        for map in regions().map(|region| framing(2.0).crop_to_image(&region)) {
            check(luma, &map);
            check(luma, &map.inverse());
        }
        for v in NUMBERS {
            check(luma, &framing(v).crop_to_image(&GOOD));
            for i in 0..6 {
                let mut rows = [[30.0, 0.0, 5.0], [0.0, 30.0, 5.0]];
                rows[i / 3][i % 3] = v;
                check(luma, &Affine { rows });
            }
            for w in NUMBERS {
                assert!([0, 200].contains(&bilinear(luma, Point::new(v, w))));
            }
        }
    }
    let mut numbers = [0.0; 5];
    for pixels in [&[][..], &[9], &[9; 9]] {
        for width in COUNTS {
            normalise(pixels, width, Normalisation::PerCrop, &mut numbers);
            normalise(pixels, width, Normalisation::Local, &mut numbers);
            for v in NUMBERS {
                normalise(pixels, width, Normalisation::Fixed { mean: v, std: v }, &mut numbers);
            }
        }
    }
}

#[test]
fn odd_outputs_of_a_detectors_net_are_decoded() {
    for (width, height) in COUNTS.into_iter().flat_map(|width| COUNTS.map(|height| (width, height))) {
        grid::cells(width, height).take(3).for_each(drop);
        let short = grid::decode(&[0.0; 5], width, height, 0.0);
        assert!(short.is_empty(), "{width}×{height} has {} numbers", grid::n_values(width, height));
    }
    for v in NUMBERS {
        let output = vec![v; grid::n_values(32, 64)];
        for min_score in NUMBERS {
            let faces = grid::decode(&output, 32, 64, min_score);
            assert!(faces.iter().all(|face| face.region.is_usable()));
        }
        let cell = Cell { stride: v, center: Point::new(v, v), index: usize::MAX, step: usize::MAX };
        assert!(cell.values(&output).iter().all(|v| v.is_nan()));
        assert!(regions().all(|region| !cell.decode(cell.encode(&region)).is_usable() || v > 0.0));
    }
}

#[test]
fn odd_regions_are_compared() {
    let mut detections = Vec::new();
    for (region, score) in regions().zip(NUMBERS.into_iter().cycle()) {
        let shares = [region.overlap(&GOOD), GOOD.overlap(&region), region.overlap(&region)];
        assert!(
            !region.is_usable() || shares.iter().all(|share| share.is_nan() || *share >= 0.0),
            "{region:?}: {shares:?}"
        );
        let around = Region::from_points(region.corners());
        assert!(!around.is_usable() || region.is_usable() || region.size < 0.0, "{region:?}");
        detections.push(Detection { region, score });
    }
    suppress(detections);
    assert!(!Region::from_points([]).is_usable() && !mean(&[]).is_finite());
    assert!(!bounds([].into_iter()).0.is_finite());
}

const CAMERA: Camera = Camera { focal: 500.0, center: Point::new(320.0, 240.0) };

#[test]
fn odd_landmarks_have_finite_measures_or_none() {
    for points in odd_landmarks() {
        for scheme in Scheme::ALL {
            if let Some(Measures { pose, eyes: [left, right], mouth, place, gaze }) =
                Measures::of(&points, scheme, &CAMERA)
            {
                let places = place.iter().flat_map(|place| place.translation);
                let directions = gaze.iter().flat_map(|gaze| gaze.eyes).flatten();
                assert!(places.chain(directions).all(f32::is_finite), "{place:?} {gaze:?}");
                let Pose { pitch, yaw, roll } = pose;
                assert!([pitch, yaw, roll, left, right, mouth].iter().all(|v| v.is_finite()), "{points:?}");
            }
            Pose::of(&points, scheme);
            for region in [Region::from_landmarks(&points, scheme), GOOD.moved_to(&points, scheme)] {
                assert!(region.is_none_or(|region| region.is_usable()), "{region:?}");
            }
        }
    }
    assert!(Measures::of(&face(), Scheme::Ibug68, &CAMERA).is_some());
}

#[test]
fn nothing_odd_stays_in_a_smoother() {
    let odd = odd_landmarks();
    for (min_cutoff, beta) in NUMBERS.into_iter().flat_map(|a| NUMBERS.map(|b| (a, b))) {
        let mut smoother = Smoother::new(Smoothing { min_cutoff, beta });
        for (i, points) in odd.iter().enumerate() {
            let mut points = points.clone();
            smoother.apply(&mut points, i as f64 * 0.04, NUMBERS[i % NUMBERS.len()]);
        }
        let mut time = odd.len() as f64 * 0.04;
        for time_step in [0.04, f64::NAN, 0.04, f64::INFINITY, 0.04, -f64::MAX, 0.04, 0.0] {
            time = if time.is_finite() { time + time_step } else { 0.0 };
            let mut points = face();
            smoother.apply(&mut points, time, 40.0);
            assert!(points.iter().all(|point| point.is_finite()), "{min_cutoff} Hz, {beta}");
        }
    }
}

/// Finds the same faces in every picture, and the same landmarks in every region.
#[derive(Clone, Debug)]
struct Stub {
    face: Detection,
    landmarks: Landmarks,
    spec: ModelSpec,
}

impl Default for Stub {
    fn default() -> Self {
        let Ok(Spec::Landmarks(spec)) = Spec::of_file(models::COMPACT) else {
            panic!("not a landmark model")
        };
        let face_at = Detection { region: GOOD, score: 1.0 };
        Self {
            face: face_at,
            landmarks: Landmarks { points: face(), presence: Some(1.0), more: Default::default() },
            spec,
        }
    }
}

impl Detector for Stub {
    fn detect(&mut self, _: Luma, _: &[Region]) -> Result<Vec<Detection>> {
        Ok(vec![self.face; 3])
    }

    fn confirm(&mut self, _: Luma, _: &Region) -> Result<Option<Detection>> {
        Ok(Some(self.face))
    }
}

impl Landmarker for Stub {
    fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    fn landmarks(&mut self, _: Luma, _: &Region, _: &mut Timing) -> Result<Landmarks> {
        Ok(self.landmarks.clone())
    }
}

/// Tracks some pictures; the faces are finite. Returns how many there are in the last one.
#[track_caller]
fn tracked(stub: &Stub, options: Options) -> usize {
    let mut tracker = Tracker::with(Box::new(stub.clone()), Box::new(stub.clone()), options);
    let picture = [90; 60 * 60];
    let image = Image::luma(60, 60, &picture).unwrap();
    for seconds in [f64::NAN, f64::INFINITY] {
        assert!(matches!(tracker.track(&image, seconds), Err(Error::Time(_))));
    }
    let mut faces = Vec::new();
    for seconds in [0.0, -f64::MAX, f64::MAX, 1e-300, 0.0, 0.04, 0.08, 0.12] {
        faces = tracker.track(&image, seconds).unwrap();
        let points = faces.iter().flat_map(|face| &face.landmarks);
        assert!(points.copied().all(Point::is_finite), "{stub:?}: {faces:?}");
        assert!(faces.iter().all(|face| face.region.is_usable()), "{stub:?}: {faces:?}");
    }
    faces.len()
}

#[test]
fn odd_detectors_and_landmarkers_are_tracked() {
    let good = Stub::default();
    let measured = || Options { measures: true, ..Options::default() };
    assert_eq!(tracked(&good, measured()), 1);
    for (region, score) in regions().zip(NUMBERS.into_iter().cycle()) {
        tracked(&Stub { face: Detection { region, score }, ..good.clone() }, measured());
    }
    for (points, v) in odd_landmarks().into_iter().zip(NUMBERS.into_iter().cycle()) {
        for scheme in Scheme::ALL {
            let landmarks = Landmarks { points: points.clone(), presence: Some(v), more: Default::default() };
            let spec = ModelSpec { scheme, ..good.spec.clone() };
            tracked(&Stub { landmarks, spec, ..good.clone() }, measured());
        }
    }
}

#[test]
fn odd_options_are_taken() {
    for (count, v) in COUNTS.into_iter().flat_map(|count| NUMBERS.map(|v| (count, v))) {
        let smoothing = Some(Smoothing { min_cutoff: v, beta: -v });
        let (max_faces, redetect_every) = (count, count as u32);
        let options = Options {
            max_faces,
            redetect_every,
            smoothing,
            pixel_aspect: v,
            threads: count,
            ..Options::default()
        };
        assert_eq!(tracked(&Stub::default(), options), count.min(1), "{count}, {v}");
    }
    for threads in [0, usize::MAX] {
        let mut tracker = Tracker::new(Options { threads, small_faces: true, ..Options::default() }).unwrap();
        assert!(tracker.still(&Image::luma(1, 3000, &[0; 3000]).unwrap()).unwrap().is_empty());
    }
    for name in ["", "nothing.onnx", "media", "media/talker.csv", "/dev/null", "/dev/zero"] {
        let (model, detector) = (Model::File(path(name)), Some(path(name)));
        let error = Tracker::new(Options { model, ..Options::default() }).unwrap_err();
        assert!(matches!(error, Error::Read { .. } | Error::Model(_)) && error.to_string().contains(name));
        assert!(Tracker::new(Options { detector, ..Options::default() }).is_err(), "{name}");
    }
}

#[test]
fn nets_take_odd_inputs() {
    let mut detector = FaceNet::from_bytes(models::FACE, 1).unwrap();
    let mut model = LandmarkModel::from_bytes(models::COMPACT, 1).unwrap();
    for numbers in [&[][..], &[f32::NAN; 7]] {
        assert!(matches!(detector.run(numbers), Err(Error::Run(_))));
        assert!(matches!(model.run(numbers), Err(Error::Run(_))));
    }
    let &DetectorSpec { width, height, .. } = detector.spec();
    detector.run(&vec![f32::NAN; width * height]).unwrap();
    for luma in planes().iter().map(Plane::luma) {
        assert_eq!(detector.detect(luma, &[GOOD]).unwrap(), [], "{luma:?}");
        for v in NUMBERS {
            let region = Region { center: Point::new(v, 1.0), size: v, angle: v };
            assert!(detector.confirm(luma, &region).unwrap().is_none_or(|face| face.region.is_usable()));
            model.landmarks(luma, &region, &mut Timing::default()).unwrap();
        }
    }
}

#[test]
fn garbage_is_not_a_model() {
    let models = [models::COMPACT, models::FACE];
    let mut files: Vec<Vec<u8>> = vec![vec![], b"garbage".to_vec(), vec![255; 999]];
    files.extend(
        models.iter().flat_map(|model| [1, 2, 3].map(|quarter| model[..quarter * model.len() / 4].to_vec())),
    );
    for file in &files {
        assert!(matches!(FaceNet::from_bytes(file, 1), Err(Error::Model(_))));
        assert!(matches!(LandmarkModel::from_bytes(file, 1), Err(Error::Model(_))));
        assert!(
            Spec::of_file(file).is_err()
                && weights::layers(file).is_err_and(|error| error.to_string().len() < 200)
        );
    }
    assert!(
        FaceNet::from_bytes(models::COMPACT, 1).is_err()
            && LandmarkModel::from_bytes(models::FACE, 1).is_err()
    );
}

#[test]
fn odd_metadata_is_written_and_refused() {
    let good = Stub::default().spec;
    let read = |spec: &ModelSpec| ModelSpec::from_metadata([Spec::Landmarks(spec.clone()).to_metadata()]);
    assert_eq!(read(&good).unwrap(), good);
    for v in NUMBERS.into_iter().filter(|v| !v.is_finite()) {
        let framing = Framing { shift_x: v, ..good.framing };
        assert!(read(&ModelSpec { framing, ..good.clone() }).is_err());
        let normalisation = Normalisation::Fixed { mean: v, std: 1.0 };
        assert!(read(&ModelSpec { normalisation, ..good.clone() }).is_err());
    }
    for width in COUNTS.into_iter().filter(|width| !(1..=512).contains(width)) {
        assert!(read(&ModelSpec { width, ..good.clone() }).is_err());
    }
}

#[test]
fn public_types_can_be_sent_shown_and_shared() {
    fn moves<T: Send + Debug>() {}
    fn shares<T: Send + Sync + Debug + 'static>() {}
    moves::<(Tracker, FaceNet, LandmarkModel)>();
    shares::<(Error, Face, Options, Plane, Image, Luma, Smoother, Spec, Timing)>();
    shares::<(Landmarks, Contour)>();
    let image = format!("{:?}", Image::rgb(20, 30, &[0; 1800]).unwrap());
    assert!(image.contains("20×30") && image.len() < 50, "{image}");
}
