//! The mesh's loss.

use burn::nn::loss::SmoothL1LossConfig;
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use facemark::face::{Scheme, mesh};
use facemark::onnx::spec::{Layout, ModelSpec};

use super::{certainty, surprise, wing};

/// How much more the points of some contours count than the others, by what a contour's name holds. Eyes first: gaze and
/// blinks are told from few pixels.
const EMPHASIS: [(&str, f32); 5] =
    [("iris", 3.0), ("eye", 2.5), ("mouth", 2.0), ("brow", 1.5), ("nose", 1.5)];
/// Where the blendshapes' smooth L1 turns into a line.
const BETA: f32 = 0.1;

/// See [`crate::recipe::Loss::Mesh`].
#[derive(Clone, Copy, Debug)]
pub struct Mesh {
    /// Where the logarithm of Wing loss turns into a line, in crop sides.
    pub width: f32,
    /// How sharply it bends at zero, in crop sides.
    pub curvature: f32,
    /// Weight of the depths.
    pub depth: f32,
    /// Weight of the expected distances.
    pub sigma: f32,
    /// Weight of the blendshapes.
    pub blendshapes: f32,
}

impl Mesh {
    /// The mean loss over some faces. `found` is `[n, values]` as the net gives them; `targets` is what
    /// [`Numbers`](crate::batch::Numbers) says.
    pub fn of<B: Backend>(
        &self,
        found: Tensor<B, 2>,
        targets: Tensor<B, 2>,
        spec: &ModelSpec,
    ) -> Tensor<B, 1> {
        let n = found.dims()[0];
        let n_points = spec.scheme.n_points();
        let Layout { points, depth, sigma, presence, blendshapes } = spec.layout();
        let mut start = 0;
        let mut target = |len: usize| {
            start += len;
            targets.clone().narrow(1, start - len, len)
        };
        let (to_points, to_depth, present) = (target(points.len()), target(depth.len()), target(1));
        let (to_blendshapes, known, knows_blendshapes) =
            (target(blendshapes.len()), target(n_points), target(1));
        let part = |range: std::ops::Range<usize>| found.clone().narrow(1, range.start, range.len());

        let known = known * present.clone();
        let weight = known.clone() * row(emphasis(spec.scheme), &found.device());
        let mean = |losses: Tensor<B, 2>, weight: &Tensor<B, 2>| {
            (losses * weight.clone()).sum() / weight.clone().sum().clamp_min(1.0)
        };
        let wing_loss = |error: Tensor<B, 2>| wing(error, self.width.into(), self.curvature.into());
        let error = part(points) - to_points;
        let places = wing_loss(error.clone()).reshape([n, n_points, 2]).mean_dim(2).reshape([n, n_points]);
        let depths = wing_loss(part(depth) - to_depth);
        let surprise = surprise(error, part(sigma));
        let smooth = SmoothL1LossConfig::new().with_beta(BETA).init();
        let expression = smooth.forward(part(blendshapes), to_blendshapes).mean_dim(1);
        mean(places, &weight)
            + mean(depths, &weight) * self.depth
            + mean(surprise, &known) * self.sigma
            + mean(expression, &(knows_blendshapes * present.clone())) * self.blendshapes
            + certainty(part(presence), present)
    }
}

/// How much each point counts, 1 on average.
fn emphasis(scheme: Scheme) -> Vec<f32> {
    let mut weights = vec![1.0_f32; scheme.n_points()];
    for contour in scheme.contours() {
        let known = EMPHASIS.iter().find(|(name, _)| contour.name.contains(name));
        for (&point, &(_, weight)) in contour.points.iter().zip(known.into_iter().cycle()) {
            weights[point] = weight;
        }
    }
    // The irises' centres are in no contour.
    for center in mesh::IRISES {
        weights.get_mut(center).into_iter().for_each(|weight| *weight = EMPHASIS[0].1);
    }
    let mean = weights.iter().sum::<f32>() / weights.len() as f32;
    weights.into_iter().map(|weight| weight / mean).collect()
}

/// `[1, n]`.
fn row<B: Backend>(values: Vec<f32>, device: &B::Device) -> Tensor<B, 2> {
    let n = values.len();
    Tensor::from_data(TensorData::new(values, [1, n]), device)
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn_flex::Flex;

    use super::*;
    use crate::recipe::{NetKind, Recipe};

    const N: usize = 478;
    const MESH: Mesh = Mesh { width: 0.04, curvature: 0.008, depth: 0.5, sigma: 0.0, blendshapes: 0.0 };

    /// What a net says of one face, and what it is to say: all points at 0.5, depths and blendshapes 0, and a face there.
    struct Case {
        found: Vec<f32>,
        targets: Vec<f32>,
    }

    fn case() -> Case {
        let mut found = vec![0.5; 2 * N];
        found.extend([0.0; 2 * N]);
        found.push(30.0);
        found.extend([0.0; 52]);
        let mut targets = vec![0.5; 2 * N];
        targets.extend([0.0; N]);
        targets.push(1.0);
        targets.extend([0.0; 52]);
        targets.extend([1.0; N + 1]);
        Case { found, targets }
    }

    fn loss(mesh: Mesh, Case { found, targets }: &Case) -> f32 {
        let device = Default::default();
        let spec = NetKind::Mesh.spec(Recipe::best(NetKind::Mesh).framing);
        assert_eq!(found.len(), spec.n_values());
        mesh.of::<Flex>(row(found.clone(), &device), row(targets.clone(), &device), &spec).into_scalar()
    }

    #[test]
    fn the_right_answer_costs_nothing_and_lids_cost_more_than_cheeks() {
        assert!(loss(MESH, &case()) < 1e-6);
        let with_error_at = |point: usize| {
            let mut case = case();
            case.found[2 * point] += 0.02;
            loss(MESH, &case)
        };
        // 159 is in the middle of an upper lid, 50 on a cheek.
        let (lid, cheek) = (with_error_at(159), with_error_at(50));
        assert!(cheek > 0.0 && (lid / cheek - 2.5).abs() < 1e-3, "{lid} {cheek}");
        let mut deep = case();
        deep.found[2 * N + 50] += 0.02;
        // One number of the point, not one of two, and half as dear.
        assert!((loss(MESH, &deep) / cheek - 1.0).abs() < 1e-3);
    }

    #[test]
    fn points_outside_the_photo_and_faces_that_are_not_there_do_not_count() {
        let mut unknown = case();
        unknown.found[2 * 152 + 1] = 3.0;
        assert!(loss(MESH, &unknown) > 1e-3);
        let known = unknown.targets.len() - 1 - N;
        unknown.targets[known + 152] = 0.0;
        assert!(loss(MESH, &unknown) < 1e-6);
        let mut absent = case();
        absent.found[..2 * N].fill(3.0);
        absent.found[4 * N] = -30.0;
        absent.targets[3 * N] = 0.0;
        assert!(loss(Mesh { blendshapes: 1.0, ..MESH }, &absent) < 1e-6);
    }

    #[test]
    fn the_best_sigma_is_the_distance() {
        let with = |sigma: f32| {
            let mut case = case();
            (0..N).for_each(|i| case.found[2 * i] += 0.03);
            case.found[3 * N..4 * N].fill(sigma.ln());
            loss(Mesh { sigma: 1.0, ..MESH }, &case)
        };
        assert!(with(0.03) < with(0.025) && with(0.03) < with(0.035));
    }

    #[test]
    fn expressions_cost_by_their_difference() {
        let mut case = case();
        case.found[4 * N + 1 + 9] = 0.5;
        let expected = (0.5 - BETA / 2.0) / 52.0;
        assert!((loss(Mesh { blendshapes: 1.0, ..MESH }, &case) - expected).abs() < 1e-5);
        *case.targets.last_mut().unwrap() = 0.0;
        assert!(loss(Mesh { blendshapes: 1.0, ..MESH }, &case) < 1e-6, "unknown ones cost nothing");
    }
}
