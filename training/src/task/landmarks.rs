//! The landmark nets' task: the points of the face in a crop.

use std::sync::Arc;

use anyhow::{Context, Result};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use crossbeam::channel::Receiver;
use facemark::geometry::{Point, Region};
use facemark::onnx::spec::ModelSpec;
use rand::rngs::StdRng;

use super::{Task, Validation};
use crate::batch::masks;
use crate::batch::regions::whole_photo;
use crate::batch::{self, Batch, Numbers, crops};
use crate::dataset::mask::Mask;
use crate::dataset::{self, Sample, Source};
use crate::loss::landmark_loss;
use crate::metrics::{FaceError, Summary};
use crate::nets::Net;
use crate::recipe::{Recipe, Start};

/// Landmarks in crops.
pub struct Landmarks {
    recipe: Recipe,
    spec: ModelSpec,
    training: Arc<[Sample]>,
    masks: Arc<[Mask]>,
    validation: Vec<Sample>,
}

impl Landmarks {
    /// Reads the photos and decides which are held out.
    pub fn load(data: &Source, recipe: &Recipe) -> Result<Self> {
        let spec = recipe.net.spec(recipe.framing);
        let samples = dataset::load_for_training(data, spec.scheme)?;
        let (training, validation) =
            dataset::split(samples).with_context(|| format!("{}", data.path.display()))?;
        let masks = masks::of(&data.path, &recipe.augment)?;
        let recipe = recipe.clone();
        Ok(Self { recipe, spec, training: training.into(), masks: masks.into(), validation })
    }

    fn maker(&self) -> impl batch::Maker + use<> {
        let (samples, masks) = (self.training.clone(), self.masks.clone());
        let (spec, augment) = (self.spec.clone(), self.recipe.augment.clone());
        move |i: usize, rng: &mut StdRng| {
            Numbers::new(crops::augmented(&samples[i], &spec, &augment, &masks, rng), &spec)
        }
    }
}

impl Task for Landmarks {
    fn counts(&self) -> (usize, usize) {
        (self.training.len(), self.validation.len())
    }

    fn mean_shape(&self) -> Vec<f32> {
        mean_shape(&self.training, &self.spec)
    }

    fn batches(&self, first_epoch: usize) -> Receiver<Batch> {
        let n = self.training.len();
        batch::training(n, self.maker(), self.spec.clone(), self.recipe.clone(), first_epoch)
    }

    fn sample_batch(&self) -> Batch {
        batch::sample_crops(self.training.len(), self.maker(), &self.spec, &self.recipe)
    }

    fn loss<B: Backend>(&self, found: Tensor<B, 2>, targets: Tensor<B, 2>) -> Tensor<B, 1> {
        landmark_loss(found, targets, self.recipe.loss, &self.spec)
    }

    fn validate<B: Backend>(&self, net: &Net<B>, device: &B::Device) -> Result<Validation> {
        let views = validation_views(&self.validation, &self.recipe);
        let (loss, summary) = validate(net, &views, &self.recipe, &self.spec, device)?;
        let Summary { nme_mean: nme, pixels, relative_mse, .. } = summary;
        let text = format!("validation NME {nme:.3} %  {pixels:.2} px  mse {relative_mse:.6}");
        Ok(Validation { loss, nme, pixels, text })
    }
}

/// The crops to validate with: of each held-out face, framed by its true points, of the whole photo, or both, depending on how
/// the training crops begin.
fn validation_views<'a>(validation: &'a [Sample], recipe: &Recipe) -> Vec<(&'a Sample, Region)> {
    let start = recipe.augment.start;
    let boxes = validation.iter().map(|sample| (sample, sample.region));
    let photos = validation.iter().map(|sample| (sample, whole_photo(&recipe.framing, &sample.photo)));
    boxes.filter(|_| start != Start::Photo).chain(photos.filter(|_| start != Start::Face)).collect()
}

/// Mean loss and errors over the held-out faces.
fn validate<B: Backend>(
    net: &Net<B>,
    views: &[(&Sample, Region)],
    recipe: &Recipe,
    spec: &ModelSpec,
    device: &B::Device,
) -> Result<(f64, Summary)> {
    let mut errors = Vec::with_capacity(views.len());
    let mut total = 0.0;
    for (batch, views) in batch::plain(views, spec, recipe.batch).into_iter().zip(views.chunks(recipe.batch))
    {
        let (crops, targets) = batch.into_tensors::<B>(device);
        let found = net.forward(crops);
        let loss =
            landmark_loss(found.clone(), targets, recipe.loss, spec).into_data().iter::<f64>().sum::<f64>();
        total += loss * views.len() as f64;
        let found: Vec<f32> = found.into_data().iter::<f32>().collect();
        for ((sample, region), found) in views.iter().zip(found.chunks_exact(spec.n_values())) {
            let to_image = spec.framing.crop_to_image(region);
            let found: Vec<Point> = found[..2 * spec.scheme.n_points()]
                .chunks_exact(2)
                .map(|xy| to_image.apply(Point::new(xy[0], xy[1])))
                .collect();
            errors.push(FaceError::new(&found, sample, spec.scheme));
        }
    }
    Ok((total / views.len() as f64, Summary::new(&errors, spec.scheme)))
}

/// The mean of the faces' points in crop sides, x0, y0, x1, y1 …
fn mean_shape(training: &[Sample], spec: &ModelSpec) -> Vec<f32> {
    let mut sum = vec![0.0; 2 * spec.scheme.n_points()];
    for sample in training {
        let to_crop = spec.framing.crop_to_image(&sample.region).inverse();
        let points = sample.points.iter().map(|&p| to_crop.apply(p));
        sum.iter_mut().zip(points.flat_map(|p| [p.x, p.y])).for_each(|(sum, v)| *sum += v);
    }
    sum.into_iter().map(|v| v / training.len() as f32).collect()
}
