//! The detector's task: all faces in a picture.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use crossbeam::channel::Receiver;
use facemark::detect::{MIN_SCORE, grid, suppress};
use facemark::onnx::spec::ModelSpec;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rayon::prelude::*;

use super::{Task, Validation};
use crate::batch::scene::{self, Scene};
use crate::batch::{self, Batch, Numbers, targets};
use crate::dataset::mask::Mask;
use crate::dataset::photos::{self, Photo, Pictures};
use crate::dataset::{Part, Source};
use crate::loss::focal::Focal;
use crate::metrics::faces::Detections;
use crate::nets::Net;
use crate::recipe::{Loss, Recipe};

/// Pictures that a net is validated with; making them takes time.
const N_VALIDATION: usize = 400;
/// Width and height of training pictures in pixels. The net takes any size; pictures half as large as the tracker's have
/// more faces for the time that they take.
const SIZE: (usize, usize) = (192, 128);

/// The task of finding faces.
pub struct Faces {
    recipe: Recipe,
    spec: ModelSpec,
    training: Arc<Pictures>,
    held_out: Pictures,
    /// Pictures of held-out photos, made once.
    scenes: Vec<Scene>,
}

impl Faces {
    /// Reads the photos whose faces a folder's meshes or its CSV file tell; those in folders called `test` or `testset` are
    /// left out.
    pub fn load(data: &Source, recipe: &Recipe) -> Result<Self> {
        let mut photos = read(&data.path, data.reading.skip_bad)?;
        for more in &data.more {
            let further = read(more, data.reading.skip_bad)?;
            photos.extend(further.into_iter().filter(|photo| photo.part == Part::Training));
        }
        photos.retain(|photo| photo.part != Part::Test);
        let (training, held_out): (Vec<_>, Vec<_>) =
            photos.into_iter().partition(|photo| photo.part == Part::Training);
        let place = || data.path.display().to_string();
        ensure!(!training.is_empty(), "{}: no photo is left to train on", place());
        ensure!(!held_out.is_empty(), "{}: no photo is held out for validation", place());
        let (width, height) = SIZE;
        let spec = ModelSpec { width, height, ..recipe.net.spec(recipe.framing) };
        let plain = data.plain.as_deref().map_or_else(|| Ok(Vec::new()), photos::load_plain)?;
        let masks: Arc<[Mask]> = Mask::read_any(&data.path)?.into();
        let training = Pictures { photos: training, plain, masks: masks.clone() };
        let held_out = Pictures { photos: held_out, plain: Vec::new(), masks };
        // A fixed seed: runs with other seeds are compared on the same pictures.
        let make = |i: usize| {
            scene::paste(&held_out, i, &spec, &recipe.augment, &mut StdRng::seed_from_u64(i as u64))
        };
        let n_validation = held_out.photos.len();
        let step = n_validation.div_ceil(N_VALIDATION);
        let scenes = (0..n_validation).into_par_iter().step_by(step).map(make).collect();
        Ok(Self { recipe: recipe.clone(), spec, training: Arc::new(training), held_out, scenes })
    }

    /// What training pictures are pasted together from.
    pub fn into_pictures(self) -> Arc<Pictures> {
        self.training
    }

    /// The same of held-out photos.
    pub fn into_held_out(self) -> Pictures {
        self.held_out
    }

    fn maker(&self) -> impl batch::Maker + use<> {
        let (photos, spec, augment) = (self.training.clone(), self.spec.clone(), self.recipe.augment.clone());
        move |i: usize, rng: &mut StdRng| numbers(scene::paste(&photos, i, &spec, &augment, rng), &spec)
    }
}

fn read(data: &Path, skip_bad: bool) -> Result<Vec<Photo>> {
    if data.is_dir() && !photos::mesh_files(data)?.is_empty() {
        return photos::load_meshes(data, skip_bad);
    }
    let list = photos::find_list(data)?;
    photos::load(&list, list.parent().unwrap_or(&list), skip_bad)
}

fn numbers(scene: Scene, spec: &ModelSpec) -> Numbers {
    let targets = targets::encode(&scene.faces, spec.width, spec.height);
    Numbers { pixels: scene.pixels, targets }
}

impl Task for Faces {
    fn counts(&self) -> (usize, usize) {
        (self.training.photos.len(), self.held_out.photos.len())
    }

    /// A detector has none.
    fn mean_shape(&self) -> Vec<f32> {
        Vec::new()
    }

    fn batches(&self, first_epoch: usize) -> Receiver<Batch> {
        let n = self.training.photos.len();
        batch::training(n, self.maker(), self.spec.clone(), self.recipe.clone(), first_epoch)
    }

    fn sample_batch(&self) -> Batch {
        batch::sample_crops(self.training.photos.len(), self.maker(), &self.spec, &self.recipe)
    }

    fn loss<B: Backend>(&self, found: Tensor<B, 2>, targets: Tensor<B, 2>) -> Tensor<B, 1> {
        let Loss::Focal { gamma, alpha, beta, place } = self.recipe.loss else {
            unreachable!("recipes are checked: a detector has the focal loss")
        };
        let size = (self.spec.width, self.spec.height);
        Focal { gamma, alpha, beta, place }.of(found, targets, size)
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
