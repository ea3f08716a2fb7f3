//! Training and measuring the face detector: the landmark nets' room, for pictures with any number of faces.
//!
//! | module | what |
//! |---|---|
//! | `photos` | photos and the regions of all faces in them, from a CSV file |
//! | `scene` | a training picture: photos pasted over each other, faces turned, cut, hidden |
//! | `targets` | what each cell of the net's grids is to answer |
//! | `loss` | focal loss and smooth L1 |
//! | `eval` | an ONNX file measured through the tracker's own code |

pub mod eval;
mod loss;
mod photos;
mod scene;
mod targets;

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use crossbeam::channel::Receiver;
use facemark::detect::{Detection, MIN_SCORE, grid, suppress};
use facemark::onnx::spec::ModelSpec;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rayon::prelude::*;

use crate::batch::{self, Batch, Numbers};
use crate::boxes::FaceBox;
use crate::config::{Loss, Recipe};
use crate::dataset::{Part, Source};
use crate::nets::Net;
use crate::train::{Task, Validation};
pub use loss::cross_entropies;
use photos::Photo;
use scene::{Placed, Scene};

/// Pictures that a net is validated with; making them takes time.
const N_VALIDATION: usize = 400;
/// A face is found if a detection's square and its own have at least this intersection over union.
const FOUND: f32 = 0.5;

/// The task of finding faces.
pub struct Faces {
    recipe: Recipe,
    spec: ModelSpec,
    training: Arc<[Photo]>,
    n_validation: usize,
    /// Pictures of held-out photos, made once.
    scenes: Vec<Scene>,
}

impl Faces {
    /// Reads the photos that a folder's CSV file names; those in folders called `test` or `testset` are left out.
    pub fn load(data: &Source, recipe: &Recipe) -> Result<Self> {
        let list = photos::find_list(&data.path)?;
        let mut photos = photos::load(&list, list.parent().unwrap_or(&list), data.reading.skip_bad)?;
        photos.retain(|photo| photo.part != Part::Test);
        let (training, held_out): (Vec<_>, Vec<_>) =
            photos.into_iter().partition(|photo| photo.part == Part::Training);
        let place = || data.path.display().to_string();
        ensure!(!training.is_empty(), "{}: no photo is left to train on", place());
        ensure!(!held_out.is_empty(), "{}: no photo is held out for validation", place());
        let spec = recipe.net.spec(recipe.framing);
        // A fixed seed: runs with other seeds are compared on the same pictures.
        let make = |i: usize| {
            scene::paste(&held_out, i, &spec, &recipe.augment, &mut StdRng::seed_from_u64(i as u64))
        };
        let step = held_out.len().div_ceil(N_VALIDATION);
        let scenes = (0..held_out.len()).into_par_iter().step_by(step).map(make).collect();
        let n_validation = held_out.len();
        Ok(Self { recipe: recipe.clone(), spec, training: training.into(), n_validation, scenes })
    }

    fn maker(&self) -> impl batch::Maker + use<> {
        let (photos, spec, augment) = (self.training.clone(), self.spec.clone(), self.recipe.augment.clone());
        move |i: usize, rng: &mut StdRng| numbers(scene::paste(&photos, i, &spec, &augment, rng), &spec)
    }
}

fn numbers(scene: Scene, spec: &ModelSpec) -> Numbers {
    let targets = targets::encode(&scene.faces, spec.width, spec.height);
    Numbers { pixels: scene.pixels, targets }
}

impl Task for Faces {
    fn counts(&self) -> (usize, usize) {
        (self.training.len(), self.n_validation)
    }

    /// A detector has none.
    fn mean_shape(&self) -> Vec<f32> {
        Vec::new()
    }

    fn batches(&self, first_epoch: usize) -> Receiver<Batch> {
        let n = self.training.len();
        batch::training(n, self.maker(), self.spec.clone(), self.recipe.clone(), first_epoch)
    }

    fn sample_batch(&self) -> Batch {
        batch::sample_crops(self.training.len(), self.maker(), &self.spec, &self.recipe)
    }

    fn loss<B: Backend>(&self, found: Tensor<B, 2>, targets: Tensor<B, 2>) -> Tensor<B, 1> {
        let Loss::Focal { gamma, alpha, beta, place } = self.recipe.loss else {
            unreachable!("recipes are checked: a detector has the focal loss")
        };
        let size = (self.spec.width, self.spec.height);
        loss::Focal { gamma, alpha, beta, place }.of(found, targets, size)
    }

    fn validate<B: Backend>(&self, net: &Net<B>, device: &B::Device) -> Result<Validation> {
        let (width, height) = (self.spec.width, self.spec.height);
        let mut all = Detections::default();
        let mut total = 0.0;
        for scenes in self.scenes.chunks(self.recipe.batch) {
            let examples: Vec<Numbers> =
                scenes.iter().map(|scene| numbers(scene.clone(), &self.spec)).collect();
            let (pictures, targets) = Batch::new(&examples, &self.spec).into_tensors::<B>(device);
            let found = net.forward(pictures);
            let loss = self.loss(found.clone(), targets).into_data().iter::<f64>().sum::<f64>();
            total += loss * scenes.len() as f64;
            let found: Vec<f32> = found.into_data().iter::<f32>().collect();
            for (scene, answer) in scenes.iter().zip(found.chunks_exact(grid::n_values(width, height))) {
                all.add(&suppress(grid::decode(answer, width, height, MIN_SCORE)), &scene.faces);
            }
        }
        let n = self.scenes.len();
        let (nme, pixels) = all.errors().context("no held-out picture shows a face")?;
        let text = format!(
            "validation error {nme:.2} %  found {:.2} % of {}  false {} in {n}",
            100.0 * all.found as f64 / all.faces as f64,
            all.faces,
            all.false_alarms
        );
        Ok(Validation { loss: total / n as f64, nme, pixels, text })
    }
}

/// How detections and true faces agree over some pictures.
///
/// A face's error is 1 less the intersection over union of the true square and the detected one, and 1 if it was missed;
/// its mean in per cent is what a run's best net has least of.
#[derive(Debug, Default)]
pub struct Detections {
    /// True faces.
    faces: usize,
    /// Those that were found.
    found: usize,
    /// Detections that lie on no face, not even on a hidden one.
    false_alarms: usize,
    /// Sum of 1 - intersection over union.
    error: f64,
    /// Sum of the found faces' distances in pixels.
    distance: f64,
}

impl Detections {
    /// Counts a picture's.
    fn add(&mut self, found: &[Detection], faces: &[Placed]) {
        for face in faces.iter().filter(|face| face.is_clear) {
            let iou = |detection: &&Detection| iou(detection, face);
            let best = found.iter().max_by(|a, b| iou(a).total_cmp(&iou(b)));
            self.faces += 1;
            match best.filter(|best| iou(best) >= FOUND) {
                Some(best) => {
                    self.found += 1;
                    self.error += f64::from(1.0 - iou(&best));
                    self.distance += f64::from(best.region.center.distance(face.region.center));
                }
                None => self.error += 1.0,
            }
        }
        let is_false = |detection: &&Detection| {
            faces.iter().all(|face| detection.region.overlap(&face.region) < LIES_ON)
        };
        self.false_alarms += found.iter().filter(is_false).count();
    }

    /// Mean error in per cent, and mean distance in pixels.
    fn errors(&self) -> Option<(f64, f64)> {
        let n = Some(self.faces as f64).filter(|&n| n > 0.0)?;
        Some((100.0 * self.error / n, self.distance / (self.found as f64).max(1.0)))
    }
}

/// A detection of which less than this share overlaps any face is a false alarm.
const LIES_ON: f32 = 0.3;

fn iou(detection: &Detection, face: &Placed) -> f32 {
    FaceBox::square(&detection.region).iou(&FaceBox::square(&face.region))
}

#[cfg(test)]
mod tests {
    use facemark::geometry::{Point, Region};

    use super::*;

    fn face(x: f32, is_clear: bool) -> Placed {
        let region = Region { center: Point::new(x, 50.0), size: 20.0, angle: 0.0 };
        Placed { region, has_roll: true, is_clear }
    }

    fn found(x: f32) -> Detection {
        Detection { region: face(x, true).region, score: 0.9 }
    }

    #[test]
    fn found_missed_hidden_and_false_faces_are_told_apart() {
        let mut all = Detections::default();
        // The first is found 2 px off, the second missed by far, the third is hidden and may be found, the last is none.
        all.add(
            &[found(22.0), found(150.0), found(100.0)],
            &[face(20.0, true), face(60.0, true), face(100.0, false)],
        );
        assert_eq!((all.faces, all.found, all.false_alarms), (2, 1, 1));
        let (error, pixels) = all.errors().expect("there are faces");
        // 18 of 22 columns are common.
        assert!((error - 100.0 * ((1.0 - 18.0 / 22.0) + 1.0) / 2.0).abs() < 1e-3);
        assert!((pixels - 2.0).abs() < 1e-6);
        assert!(Detections::default().errors().is_none());
    }

    #[cfg(feature = "flex")]
    #[test]
    fn a_detector_is_trained_resumed_exported_and_measured() -> Result<()> {
        use burn::backend::Autodiff;
        use burn_flex::Flex;

        use crate::export::{Which, export};
        use crate::graph::Weights;
        use crate::nets::NetKind;
        use crate::run_dir::RunDir;
        use crate::{test_data, train};

        let _alone = test_data::random_numbers();
        let dir = tempfile::tempdir()?;
        let (photos, run, file) =
            (dir.path().join("photos"), dir.path().join("run"), dir.path().join("face.onnx"));
        test_data::faces(&photos, 20)?;
        let data = Source::from(photos.clone());
        let recipe = Recipe { epochs: 3, batch: 4, warmup_epochs: 0.0, ..Recipe::best(NetKind::Face) };
        let device = Default::default();
        train::start::<Autodiff<Flex>>(&data, &run, &recipe, None, Some(2), &device)?;
        train::resume::<Autodiff<Flex>>(&data, &run, None, &device)?;
        let epochs = RunDir::open(&run)?.0.metrics()?;
        assert_eq!(epochs.len(), 3);
        assert!(epochs[2].loss < 0.9 * epochs[0].loss, "{epochs:?}");
        export::<Autodiff<Flex>>(&run, &file, Which::Last, Weights::Int8, &device)?;
        let mut detector = eval::load(&file)?.context("it is a detector")?;
        let job = eval::Job { boxes: Some(photos.join("faces.csv")), data, held_out: false, n_worst: 3 };
        let report = serde_json::to_value(eval::evaluate(&mut detector, &job)?)?;
        assert_eq!(report["annotated"]["of"], 20);
        Ok(())
    }
}
