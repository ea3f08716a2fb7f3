//! Training crops: the region is jittered, the crop cut once, its points moved by the same map, then the pixels spoilt.

use std::ops::Range;

use facemark::crop::crop;
use facemark::face::mirrored_blendshapes;
use facemark::geometry::{Affine, Point, Region};
use facemark::onnx::spec::ModelSpec;
use rand::RngExt;
use rand::rngs::StdRng;

use super::masks::put_on;
use super::pixels::spoil;
use super::regions::{elsewhere, jittered, symmetric};
use super::{eyelids, gaze};
use crate::dataset::Sample;
use crate::dataset::mask::Mask;
use crate::dataset::sample::outermost;
use crate::recipe::Augment;

/// How far a blink lowers the upper lids, as a share of the way down: something of the lashes stays.
const BLINK: Range<f32> = 0.3..0.95;

/// How far irises are moved at most, in eye widths along each eye and across it: about 30° and 20°, with eyeballs of 12 mm and
/// eyes of 30 mm.
const GAZE: Point = Point::new(0.2, 0.14);
/// How far the upper lids go along with irises that move down by an eye's width, as a share of the way down to the lower lids:
/// three quarters as far, in eyes that are 0.3 widths open.
const LIDS: f32 = 2.5;

/// A crop before normalisation, and where the points lie in it.
pub struct Example {
    /// `width * height` grey levels.
    pub pixels: Vec<u8>,
    /// The landmarks in crop sides.
    pub points: Vec<Point>,
    /// What else is known of them if they are a mesh; otherwise empty.
    pub mesh: Mesh,
    /// Whether they are there to be found.
    pub present: bool,
}

/// What is known of a mesh besides x and y.
#[derive(Default)]
pub struct Mesh {
    /// In crop widths.
    pub depths: Vec<f32>,
    /// Shares of 0 to 1; empty if they are not known.
    pub blendshapes: Vec<f32>,
    /// Whether each point lies inside its photo, so that its place was seen and not guessed.
    pub known: Vec<bool>,
}

/// The crop of a region as it is.
pub fn plain(sample: &Sample, region: &Region, spec: &ModelSpec) -> Example {
    cut(sample, &spec.framing.crop_to_image(region), spec)
}

/// A crop for training.
pub fn augmented(
    sample: &Sample,
    spec: &ModelSpec,
    how: &Augment,
    masks: &[Mask],
    rng: &mut StdRng,
) -> Example {
    let blinks = how.blink > 0.0 && rng.random::<f32>() < how.blink;
    let blinking = blinks.then(|| eyelids::lowered(sample, rng.random_range(BLINK)));
    let looks_away = how.gaze > 0.0 && rng.random::<f32>() < how.gaze;
    let looking = looks_away.then(|| {
        let by = Point::new(symmetric(rng, GAZE.x), symmetric(rng, GAZE.y));
        gaze::turned(&eyelids::lowered(sample, LIDS * by.y), by)
    });
    let sample = blinking.as_ref().or(looking.as_ref()).unwrap_or(sample);
    let absent = how.absent > 0.0 && rng.random::<f32>() < how.absent;
    let region =
        if absent { elsewhere(&sample.region, rng) } else { jittered(sample, &spec.framing, how, rng) };
    let stretch = if how.stretch > 0.0 { symmetric(rng, how.stretch).exp() } else { 1.0 };
    let to_image = stretched(stretch).then(&spec.framing.crop_to_image(&region));
    let mut example = Example { present: !absent, ..cut(sample, &to_image, spec) };
    if how.mask > 0.0 && rng.random::<f32>() < how.mask {
        put_on(masks, &mut example, spec.width, rng);
    }
    if how.mirror && rng.random::<bool>() {
        mirror(&mut example, spec);
    }
    spoil(&mut example.pixels, spec.width, how, rng);
    example
}

fn cut(sample: &Sample, to_image: &Affine, spec: &ModelSpec) -> Example {
    let mut pixels = vec![0; spec.width * spec.height];
    crop(sample.photo.luma(), to_image, spec.width, &mut pixels);
    let to_crop = to_image.inverse();
    let points = sample.points.iter().map(|&p| to_crop.apply(p)).collect();
    let mesh = sample.mesh.as_ref().map(|mesh| {
        let crop_width = to_image.rows[0][0].hypot(to_image.rows[1][0]);
        let is_inside = |p: &Point| outermost(&[*p], &sample.photo).1 <= 0.0;
        Mesh {
            depths: mesh.depths.iter().map(|z| z / crop_width).collect(),
            blendshapes: mesh.blendshapes.clone(),
            known: sample.points.iter().map(is_inside).collect(),
        }
    });
    Example { pixels, points, mesh: mesh.unwrap_or_default(), present: true }
}

/// Takes crop sides to crop sides so that what they show gets wider by a factor and lower by the same, around the middle.
fn stretched(by: f32) -> Affine {
    let (x, y) = (1.0 / by, by);
    Affine::shift_then_scale((x - 1.0) / (2.0 * x), (y - 1.0) / (2.0 * y), x, y)
}

/// Turns the crop left to right; each point takes the place of its counterpart.
fn mirror(example: &mut Example, spec: &ModelSpec) {
    example.pixels.chunks_exact_mut(spec.width).for_each(<[u8]>::reverse);
    let counterparts = spec.scheme.mirror();
    example.points =
        counterparts.iter().map(|&i| Point::new(1.0 - example.points[i].x, example.points[i].y)).collect();
    let Mesh { depths, blendshapes, known } = &mut example.mesh;
    if !depths.is_empty() {
        *depths = counterparts.iter().map(|&i| depths[i]).collect();
        *known = counterparts.iter().map(|&i| known[i]).collect();
        if !blendshapes.is_empty() {
            *blendshapes = mirrored_blendshapes().map(|i| blendshapes[i]).to_vec();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use facemark::Plane;
    use facemark::crop::Framing;
    use facemark::geometry::mean;
    use rand::SeedableRng;

    use super::*;
    use crate::recipe::{NetKind, Start};

    /// A dark photo with a bright dot at the only point.
    fn dot(x: usize, y: usize) -> Sample {
        let mut photo = Plane::new(200, 160, vec![20; 200 * 160]).unwrap();
        for (dx, dy) in (0..25).map(|i| (i % 5, i / 5)) {
            photo.data_mut()[(y + dy - 2) * 200 + x + dx - 2] = 250;
        }
        Sample {
            name: "dot".to_owned(),
            picture: "dot.png".into(),
            face_box: None,
            photo: Arc::new(photo),
            points: vec![Point::new(x as f32, y as f32)],
            region: Region { center: Point::new(100.0, 80.0), size: 60.0, angle: 0.0 },
            held_out: false,
            mesh: None,
        }
    }

    /// The centre of the pixels nearer to the brightest than to the darkest one, in crop sides.
    fn bright_spot(pixels: &[u8], width: usize) -> Point {
        let extreme = |pick: fn(u8, u8) -> u8| pixels.iter().copied().reduce(pick).map_or(0.0, f32::from);
        let limit = (extreme(u8::min) + extreme(u8::max)) / 2.0;
        let bright: Vec<Point> = (0..pixels.len())
            .filter(|&i| f32::from(pixels[i]) > limit)
            .map(|i| Point::new((i % width) as f32 + 0.5, (i / width) as f32 + 0.5))
            .collect();
        let center = mean(&bright);
        Point::new(center.x / width as f32, center.y / (pixels.len() / width) as f32)
    }

    #[test]
    fn as_many_crops_are_without_a_face_as_the_recipe_says() {
        let spec = NetKind::Compact.spec(Framing { width: 1.3, height: 1.3, shift_x: 0.0, shift_y: 0.0 });
        let sample = Sample { points: vec![Point::new(100.0, 80.0); 68], ..dot(100, 80) };
        let absent = |share| {
            let how = Augment { absent: share, ..Augment::none(Start::Face) };
            let mut rng = StdRng::seed_from_u64(1);
            (0..400).filter(|_| !augmented(&sample, &spec, &how, &[], &mut rng).present).count()
        };
        assert_eq!((absent(0.0), absent(1.0)), (0, 400));
        assert!((80..120).contains(&absent(0.25)), "{}", absent(0.25));
    }

    #[test]
    fn a_stretched_face_is_wider_and_lower_around_the_middle() {
        let inverse = stretched(1.25).inverse();
        assert_eq!(inverse.apply(Point::new(0.5, 0.5)), Point::new(0.5, 0.5));
        let corner = inverse.apply(Point::new(0.7, 0.75));
        assert!((corner.x - 0.75).abs() < 1e-6 && (corner.y - 0.7).abs() < 1e-6, "{corner:?}");
    }

    #[test]
    fn points_move_with_their_pixels() {
        let spec = NetKind::Nose.spec(Framing { width: 2.0, height: 1.5, shift_x: 0.1, shift_y: -0.1 });
        let how =
            Augment { stretch: 0.2, occlusion: 0.0, noise: 0.0, jpeg: 0.0, ..Augment::best(NetKind::Nose) };
        let sample = dot(112, 71);
        for seed in 0..50 {
            let example = augmented(&sample, &spec, &how, &[], &mut StdRng::seed_from_u64(seed));
            let (found, told) = (bright_spot(&example.pixels, spec.width), example.points[0]);
            assert!(found.distance(told) < 0.02, "seed {seed}: dot at {found:?}, point at {told:?}");
        }
    }

    #[test]
    fn mirrored_points_take_their_counterparts_place() {
        let spec = NetKind::Resnet18.spec(Framing { width: 1.0, height: 1.0, shift_x: 0.0, shift_y: 0.0 });
        let points: Vec<Point> = (0..68).map(|i| Point::new(i as f32 / 100.0, 0.5)).collect();
        let mut pixels = vec![0; 112 * 112];
        pixels[111] = 9;
        let mut example = Example { pixels, points, mesh: Mesh::default(), present: true };
        mirror(&mut example, &spec);
        assert_eq!(example.pixels[0], 9);
        // Point 36 is the left eye's outer corner; mirrored, the right eye's, 45, is there.
        assert_eq!(example.points[36], Point::new(1.0 - 0.45, 0.5));
        assert_eq!(example.points[33], Point::new(1.0 - 0.33, 0.5));
    }

    #[test]
    fn a_mirrored_mesh_takes_its_depths_and_expression_along() {
        let spec = NetKind::Mesh.spec(Framing { width: 1.0, height: 1.0, shift_x: 0.0, shift_y: 0.0 });
        let mut known = vec![true; 478];
        known[234] = false;
        let mesh = Mesh {
            depths: (0..478).map(|i| i as f32).collect(),
            blendshapes: (0..52).map(|i| i as f32).collect(),
            known,
        };
        let points = vec![Point::new(0.5, 0.5); 478];
        let mut example = Example { pixels: vec![0; 112 * 112], points, mesh, present: true };
        mirror(&mut example, &spec);
        let Mesh { depths, blendshapes, known } = example.mesh;
        // The outer corners of the eyes, the outline at the ears, and browDownLeft and Right.
        assert_eq!((depths[33], depths[263], depths[1]), (263.0, 33.0, 1.0));
        assert_eq!((known[234], known[454]), (true, false));
        assert_eq!((blendshapes[0], blendshapes[1], blendshapes[2]), (0.0, 2.0, 1.0));
    }

    #[test]
    fn depths_are_in_crop_widths_and_points_outside_the_photo_unknown() {
        let framing = Framing { width: 1.2, height: 1.2, shift_x: 0.0, shift_y: 0.0 };
        let spec = NetKind::Mesh.spec(framing);
        let mut points = vec![Point::new(100.0, 80.0); 478];
        points[152] = Point::new(100.0, 163.0);
        let more = crate::dataset::Mesh { depths: vec![-36.0; 478], blendshapes: vec![0.0; 52] };
        let sample = Sample { points, mesh: Some(more), ..dot(100, 80) };
        let region = Region { size: 50.0, ..sample.region };
        let Mesh { depths, known, .. } = plain(&sample, &region, &spec).mesh;
        assert!((depths[7] + 0.6).abs() < 1e-6);
        assert!(!known[152] && known.iter().filter(|known| !**known).count() == 1);
    }

    #[test]
    fn training_crops_blink_as_often_as_the_recipe_says() {
        let spec = NetKind::Compact.spec(Framing { width: 1.3, height: 1.3, shift_x: 0.0, shift_y: 0.0 });
        let (face, mut rng) = (eyelids::tests::face(0.0), StdRng::seed_from_u64(1));
        let mut n_closed = |share| {
            let how = Augment { blink: share, ..Augment::none(Start::Face) };
            let crops = (0..200).map(|_| augmented(&face, &spec, &how, &[], &mut rng).points);
            crops.filter(|p| p[37].distance(p[41]) < 0.7 * 16.0 / (1.3 * 60.0)).count()
        };
        assert_eq!((n_closed(0.0), n_closed(1.0)), (0, 200));
        assert!((80..120).contains(&n_closed(0.5)), "{}", n_closed(0.5));
    }
}
