//! The training loop.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use burn::module::{AutodiffModule, Module};
use burn::optim::adaptor::OptimizerAdaptor;
use burn::optim::{AdamW, AdamWConfig, GradientsParams, Optimizer};
use burn::tensor::Tensor;
use burn::tensor::backend::{AutodiffBackend, Backend};
use crossbeam::channel::Receiver;
use facemark::face::{Point, Region};
use facemark::spec::ModelSpec;
use indicatif::ProgressBar;

use crate::augment::whole_photo;
use crate::batch::{self, Batch};
use crate::config::{Loss, Recipe};
use crate::dataset::{self, Sample};
use crate::metrics::{FaceError, Summary};
use crate::nets::Net;
use crate::run_dir::{Epoch, Progress, Record, RunDir};

/// AdamW over all of a net's parameters.
pub type Optimiser<B> = OptimizerAdaptor<AdamW, Net<B>, B>;

/// Trains a new net and leaves it in the folder `out`.
pub fn start<B: AutodiffBackend>(data: &Path, out: &Path, recipe: &Recipe, device: &B::Device) -> Result<()> {
    recipe.check()?;
    let spec = recipe.net.spec(recipe.framing);
    let (training, validation) = load_split(data, &spec)?;
    let record = Record {
        data: data.canonicalize()?.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        n_training: training.len(),
        n_validation: validation.len(),
        commit: commit(),
        mean_shape: mean_shape(&training, &spec),
    };
    let dir = RunDir::create(out, recipe, &record)?;
    B::seed(device, recipe.seed);
    let net = Net::<B>::new(recipe.net, &record.mean_shape, device);
    let progress = Progress { epochs: 0, best_nme: f64::INFINITY };
    eprintln!("{} parameters, {} faces to train on, {} held out", net.num_params(), training.len(), validation.len());
    run(&dir, recipe, (training, validation), (net, optimiser(recipe), progress), device)
}

/// Goes on with the run in the folder `out`.
pub fn resume<B: AutodiffBackend>(data: &Path, out: &Path, device: &B::Device) -> Result<()> {
    let (dir, recipe, record) = RunDir::open(out)?;
    let spec = recipe.net.spec(recipe.framing);
    let (training, validation) = load_split(data, &spec)?;
    ensure!(
        (training.len(), validation.len()) == (record.n_training, record.n_validation),
        "{} holds other data than the run began with ({} + {} faces, not {} + {})",
        data.display(),
        training.len(),
        validation.len(),
        record.n_training,
        record.n_validation
    );
    let net = Net::<B>::new(recipe.net, &record.mean_shape, device);
    let state = dir.load(net, optimiser(&recipe), device)?;
    eprintln!("going on after epoch {}", state.2.epochs);
    run(&dir, &recipe, (training, validation), state, device)
}

/// All remaining epochs.
fn run<B: AutodiffBackend>(
    dir: &RunDir,
    recipe: &Recipe,
    (training, validation): (Vec<Sample>, Vec<Sample>),
    (mut net, mut optimiser, mut progress): (Net<B>, Optimiser<B>, Progress),
    device: &B::Device,
) -> Result<()> {
    let spec = recipe.net.spec(recipe.framing);
    let views = validation_views(&validation, recipe);
    let n_steps = batch::steps_per_epoch(training.len(), recipe);
    let batches = batch::training(training.into(), spec.clone(), recipe.clone(), progress.epochs);
    while progress.epochs < recipe.epochs {
        let started = Instant::now();
        let (trained, loss, n_photos) =
            train_epoch(net, &mut optimiser, &batches, recipe, &spec, progress.epochs * n_steps..(progress.epochs + 1) * n_steps, device)?;
        net = trained;
        let train_seconds = started.elapsed().as_secs_f64();
        ensure!(loss.is_finite(), "the loss is no longer a number; try a smaller --lr");
        let summary = validate(&net.valid(), &views, recipe, &spec, device)?;
        progress.epochs += 1;
        let is_best = summary.nme_mean < progress.best_nme;
        progress.best_nme = progress.best_nme.min(summary.nme_mean);
        // The checkpoint first: a line about an epoch that could not be resumed from would be a lie.
        dir.save(&net, &optimiser, progress, is_best)?;
        let epoch = Epoch {
            epoch: progress.epochs,
            loss,
            validation_nme: summary.nme_mean,
            validation_pixels: summary.pixels,
            lr: recipe.learning_rate(progress.epochs * n_steps - 1, n_steps),
            photos_per_second: n_photos as f64 / train_seconds,
            seconds: started.elapsed().as_secs_f64(),
        };
        dir.log(&epoch)?;
        report(&epoch, &summary, is_best);
    }
    Ok(())
}

/// One pass over the training faces: the net, its mean loss and the number of photos seen.
fn train_epoch<B: AutodiffBackend>(
    mut net: Net<B>,
    optimiser: &mut Optimiser<B>,
    batches: &Receiver<Batch>,
    recipe: &Recipe,
    spec: &ModelSpec,
    steps: std::ops::Range<usize>,
    device: &B::Device,
) -> Result<(Net<B>, f64, usize)> {
    let n_steps = steps.len();
    let bar = ProgressBar::new(n_steps as u64);
    let mut total = Tensor::<B::InnerBackend, 1>::zeros([1], device);
    let mut n_photos = 0;
    for step in steps {
        let batch = batches.recv().context("the loader thread died")?;
        n_photos += batch.len;
        let (crops, targets) = batch.into_tensors::<B>(spec, device);
        let loss = loss(net.forward(crops), targets, recipe.loss);
        // Summed on the device: reading every step's value would make a GPU wait.
        total = total + loss.clone().inner();
        let gradients = GradientsParams::from_grads(loss.backward(), &net);
        net = optimiser.step(recipe.learning_rate(step, n_steps), net, gradients);
        bar.inc(1);
    }
    bar.finish_and_clear();
    let total = total.into_data().iter::<f64>().sum::<f64>();
    Ok((net, total / n_steps as f64, n_photos))
}

/// The mean loss over all coordinates.
fn loss<B: Backend>(found: Tensor<B, 2>, targets: Tensor<B, 2>, loss: Loss) -> Tensor<B, 1> {
    let error = found - targets;
    match loss {
        Loss::Mse => error.square().mean(),
        Loss::Wing { width, curvature } => {
            let (w, c) = (f64::from(width), f64::from(curvature));
            let size = error.abs();
            // Chosen so that both pieces meet at the width.
            let offset = w - w * (1.0 + w / c).ln();
            let bent = (size.clone() / c + 1.0).log() * w;
            let straight = size.clone() - offset;
            bent.mask_where(size.greater_elem(w), straight).mean()
        }
    }
}

/// What is validated with: each held-out face by the box of its true points, and for nets that are also used on whole
/// photos by the whole photo.
fn validation_views<'a>(validation: &'a [Sample], recipe: &Recipe) -> Vec<(&'a Sample, Region)> {
    let boxes = validation.iter().map(|sample| (sample, sample.region));
    let photos = validation.iter().map(|sample| (sample, whole_photo(&recipe.framing, &sample.photo)));
    boxes.chain(photos.filter(|_| recipe.augment.whole_photo)).collect()
}

fn validate<B: Backend>(
    net: &Net<B>,
    views: &[(&Sample, Region)],
    recipe: &Recipe,
    spec: &ModelSpec,
    device: &B::Device,
) -> Result<Summary> {
    let mut errors = Vec::with_capacity(views.len());
    for (batch, views) in batch::plain(views, spec, recipe.batch).into_iter().zip(views.chunks(recipe.batch)) {
        let (crops, _) = batch.into_tensors::<B>(spec, device);
        let found: Vec<f32> = net.forward(crops).into_data().iter::<f32>().collect();
        for ((sample, region), found) in views.iter().zip(found.chunks_exact(2 * spec.scheme.n_points())) {
            let to_image = spec.framing.crop_to_image(region);
            let found: Vec<Point> =
                found.chunks_exact(2).map(|xy| to_image.apply(Point::new(xy[0], xy[1]))).collect();
            errors.push(FaceError::new(&found, sample, spec.scheme));
        }
    }
    Ok(Summary::new(&errors, spec.scheme))
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

fn optimiser<B: AutodiffBackend>(recipe: &Recipe) -> Optimiser<B> {
    AdamWConfig::new().with_epsilon(1e-8).with_weight_decay(recipe.weight_decay).init()
}

fn load_split(data: &Path, spec: &ModelSpec) -> Result<(Vec<Sample>, Vec<Sample>)> {
    let samples = dataset::load_for_training(data, spec.scheme)?;
    dataset::split(samples).with_context(|| format!("{}", data.display()))
}

fn report(epoch: &Epoch, summary: &Summary, is_best: bool) {
    let Epoch { epoch, loss, lr, photos_per_second, .. } = epoch;
    let Summary { nme_mean, pixels, relative_mse, .. } = summary;
    let mark = if is_best { "  best so far" } else { "" };
    eprintln!(
        "epoch {epoch:4}  loss {loss:.6}  validation NME {nme_mean:.3} %  {pixels:.2} px  mse {relative_mse:.6}  lr {lr:.1e}  {photos_per_second:.0} photos/s{mark}"
    );
}

/// The commit that the working folder is at, for the training record.
fn commit() -> String {
    let output = std::process::Command::new("git").args(["describe", "--always", "--dirty"]).output();
    match output {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        _ => "unknown".to_owned(),
    }
}
