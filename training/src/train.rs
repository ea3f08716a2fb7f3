//! The training loop.

use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use burn::module::{AutodiffModule, Module};
use burn::optim::{GradientsParams, Optimizer};
use burn::tensor::Tensor;
use burn::tensor::backend::AutodiffBackend;
use crossbeam::channel::Receiver;
use indicatif::ProgressBar;

use crate::average;
use crate::batch::{self, Batch};
use crate::checkpoint::{Progress, State, optimiser};
use crate::dataset::Source;
use crate::init::{self, Init};
use crate::nets::Net;
use crate::recipe::Recipe;
use crate::run_dir::{Epoch, Record, RunDir, commit};
use crate::task::faces::Faces;
use crate::task::landmarks::Landmarks;
use crate::task::{Task, Validation};

/// Trains a new net, from the weights of `init` if there are any, and leaves it in the folder `out`; ends early after
/// the epoch `stop_after`.
pub fn start<B: AutodiffBackend>(
    data: &Source,
    out: &Path,
    recipe: &Recipe,
    init: Option<&Init>,
    stop_after: Option<usize>,
    device: &B::Device,
) -> Result<()> {
    recipe.check()?;
    if recipe.net.is_detector() {
        start_task::<B>(&Faces::load(data, recipe)?, data, out, recipe, init, stop_after, device)
    } else {
        start_task::<B>(&Landmarks::load(data, recipe)?, data, out, recipe, init, stop_after, device)
    }
}

fn start_task<B: AutodiffBackend>(
    task: &impl Task,
    data: &Source,
    out: &Path,
    recipe: &Recipe,
    init: Option<&Init>,
    stop_after: Option<usize>,
    device: &B::Device,
) -> Result<()> {
    let (n_training, n_validation) = task.counts();
    let known_shape = init.map(|init| init.mean_shape(recipe.framing)).transpose()?.flatten();
    let record = Record {
        data: data.path.canonicalize()?.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        n_training,
        n_validation,
        commit: commit(),
        init: init.map(Init::to_string),
        mean_shape: known_shape.unwrap_or_else(|| task.mean_shape()),
    };
    B::seed(device, recipe.seed);
    let net = Net::<B>::new(recipe.net, &record.mean_shape, device);
    let net = match init {
        Some(init) => init::load(init, net, task.sample_batch().into_tensors(device).0, device)?,
        None => net,
    };
    let dir = RunDir::create(out, recipe, &record)?;
    let progress = Progress { epochs: 0, best_nme: f64::INFINITY, best_epoch: 0 };
    eprintln!("{} parameters, {n_training} faces to train on, {n_validation} held out", net.num_params());
    let average = recipe.ema.map(|_| net.valid());
    let state = State { net, average, optimiser: optimiser(recipe), progress };
    run(task, &dir, recipe, state, stop_after, device)
}

/// Goes on with the run in the folder `out`; ends early after the epoch `stop_after`.
pub fn resume<B: AutodiffBackend>(
    data: &Source,
    out: &Path,
    stop_after: Option<usize>,
    device: &B::Device,
) -> Result<()> {
    let (_, recipe, _) = RunDir::open(out)?;
    if recipe.net.is_detector() {
        resume_task::<B>(&Faces::load(data, &recipe)?, data, out, stop_after, device)
    } else {
        resume_task::<B>(&Landmarks::load(data, &recipe)?, data, out, stop_after, device)
    }
}

fn resume_task<B: AutodiffBackend>(
    task: &impl Task,
    data: &Source,
    out: &Path,
    stop_after: Option<usize>,
    device: &B::Device,
) -> Result<()> {
    let (dir, recipe, record) = RunDir::open(out)?;
    let (n_training, n_validation) = task.counts();
    ensure!(
        (n_training, n_validation) == (record.n_training, record.n_validation),
        "{} holds other data than the run began with ({n_training} + {n_validation} faces, not {} + {})",
        data.path.display(),
        record.n_training,
        record.n_validation
    );
    let net = Net::<B>::new(recipe.net, &record.mean_shape, device);
    let state = dir.load(net, optimiser(&recipe), device)?;
    eprintln!("going on after epoch {}", state.progress.epochs);
    run(task, &dir, &recipe, state, stop_after, device)
}

/// All remaining epochs.
fn run<B: AutodiffBackend>(
    task: &impl Task,
    dir: &RunDir,
    recipe: &Recipe,
    mut state: State<B>,
    stop_after: Option<usize>,
    device: &B::Device,
) -> Result<()> {
    let n_steps = batch::steps_per_epoch(task.counts().0, recipe);
    let batches = task.batches(state.progress.epochs);
    let last = stop_after.map_or(recipe.epochs, |epoch| epoch.min(recipe.epochs));
    while state.progress.epochs < last && !state.progress.is_stuck(recipe.patience) {
        let started = Instant::now();
        let first_step = state.progress.epochs * n_steps;
        let trained =
            train_epoch(task, &mut state, &batches, recipe, first_step..first_step + n_steps, device)?;
        let train_seconds = started.elapsed().as_secs_f64();
        let validation = task.validate(&state.best_net(), device)?;
        let is_best = state.progress.add(validation.nme);
        // The checkpoint first: a line about an epoch that could not be resumed from would be a lie.
        dir.save(&state, is_best)?;
        let epoch = Epoch {
            epoch: state.progress.epochs,
            loss: trained.loss,
            validation_loss: Some(validation.loss),
            validation_nme: validation.nme,
            validation_pixels: validation.pixels,
            lr: recipe.learning_rate(first_step + n_steps - 1, n_steps),
            photos_per_second: trained.n_photos as f64 / train_seconds,
            waited: Some(trained.waited.as_secs_f64() / train_seconds),
            seconds: started.elapsed().as_secs_f64(),
        };
        dir.log(&epoch)?;
        report(&epoch, &validation, is_best);
    }
    Ok(())
}

/// What an epoch of training has to tell.
struct Trained {
    /// Mean loss over the batches.
    loss: f64,
    /// Photos seen.
    n_photos: usize,
    /// Time in which the net had no batch.
    waited: Duration,
}

/// One pass over the training faces; `steps` are counted from the run's beginning.
fn train_epoch<B: AutodiffBackend>(
    task: &impl Task,
    state: &mut State<B>,
    batches: &Receiver<Batch>,
    recipe: &Recipe,
    steps: Range<usize>,
    device: &B::Device,
) -> Result<Trained> {
    let n_steps = steps.len();
    let bar = ProgressBar::new(n_steps as u64);
    let mut net = state.net.clone();
    let mut total = Tensor::<B::InnerBackend, 1>::zeros([1], device);
    let (mut n_photos, mut waited) = (0, Duration::ZERO);
    for step in steps {
        let asked = Instant::now();
        let batch = batches.recv().context("the loader thread died")?;
        waited += asked.elapsed();
        n_photos += batch.len;
        let (crops, targets) = batch.into_tensors::<B>(device);
        let loss = task.loss(net.forward_in(recipe.precision, crops), targets);
        // Summed on the device: reading every step's value would make a GPU wait.
        total = total + loss.clone().inner();
        let gradients = GradientsParams::from_grads(loss.backward(), &net);
        net = state.optimiser.step(recipe.learning_rate(step, n_steps), net, gradients);
        if let (Some(decay), Some(average)) = (recipe.ema, state.average.take()) {
            state.average = Some(average::moved(average, &net.valid(), decay, step));
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    state.net = net;
    let loss = total.into_data().iter::<f64>().sum::<f64>() / n_steps as f64;
    ensure!(loss.is_finite(), "the loss is no longer a number; try a smaller --lr");
    Ok(Trained { loss, n_photos, waited })
}

fn report(epoch: &Epoch, validation: &Validation, is_best: bool) {
    let Epoch { epoch, loss, lr, photos_per_second, .. } = epoch;
    let mark = if is_best { "  best so far" } else { "" };
    let text = &validation.text;
    eprintln!("epoch {epoch:4}  loss {loss:.6}  {text}  lr {lr:.1e}  {photos_per_second:.0} photos/s{mark}");
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use std::fs;

    use anyhow::{Result, bail};
    use burn::backend::Autodiff;
    use burn_flex::Flex;
    use facemark::onnx::spec::Spec;

    use super::*;
    use crate::export::{Which, export};
    use crate::nets::Storage;
    use crate::recipe::NetKind;
    use crate::test_data;

    /// Loss and validation error of each epoch: the same seed and data must give the same.
    fn curve(run: &Path) -> Result<Vec<(f64, f64)>> {
        let (dir, _, _) = RunDir::open(run)?;
        Ok(dir.metrics()?.iter().map(|epoch| (epoch.loss, epoch.validation_nme)).collect())
    }

    #[test]
    fn a_resumed_run_gives_the_curve_of_an_unbroken_one() -> Result<()> {
        let _alone = test_data::random_numbers();
        let dir = tempfile::tempdir()?;
        let data = Source::from(test_data::imm(&dir.path().join("imm"))?);
        let recipe = Recipe { epochs: 5, batch: 4, warmup_epochs: 1.0, ..Recipe::best(NetKind::Nose) };
        let (whole, broken) = (dir.path().join("whole"), dir.path().join("broken"));
        let device = Default::default();
        start::<Autodiff<Flex>>(&data, &whole, &recipe, None, None, &device)?;
        start::<Autodiff<Flex>>(&data, &broken, &recipe, None, Some(2), &device)?;
        // A killed run may have logged an epoch whose checkpoint was never finished.
        let metrics = broken.join("metrics.jsonl");
        let log = fs::read_to_string(&metrics)?;
        let lost = log.lines().last().unwrap_or_default().replace("\"epoch\":2", "\"epoch\":3");
        fs::write(&metrics, format!("{log}{lost}\n"))?;
        resume::<Autodiff<Flex>>(&data, &broken, None, &device)?;
        let (whole, broken) = (curve(&whole)?, curve(&broken)?);
        assert_eq!(whole.len(), 5);
        assert_eq!(broken.len(), 5);
        for (a, b) in whole.iter().zip(&broken) {
            assert!((a.0 - b.0).abs() < 1e-6 * a.0 && (a.1 - b.1).abs() < 1e-5 * a.1, "{whole:?} {broken:?}");
        }
        assert!(whole[4].0 < whole[0].0, "the loss falls: {whole:?}");
        Ok(())
    }

    #[test]
    fn the_same_seed_gives_the_same_file_and_another_seed_another() -> Result<()> {
        let _alone = test_data::random_numbers();
        let dir = tempfile::tempdir()?;
        let data = Source::from(test_data::imm(&dir.path().join("imm"))?);
        let device = Default::default();
        let train = |name: &str, seed: u64| -> Result<_> {
            let run = dir.path().join(name);
            let recipe = Recipe { epochs: 3, batch: 4, seed, ..Recipe::best(NetKind::Nose) };
            start::<Autodiff<Flex>>(&data, &run, &recipe, None, None, &device)?;
            let file = run.join("net.onnx");
            export::<Autodiff<Flex>>(&run, &[], &file, Which::Last, Storage::F32, None, &device)?;
            Ok((curve(&run)?, fs::read(file)?))
        };
        let (first, again, other) = (train("first", 7)?, train("again", 7)?, train("other", 8)?);
        assert!(first == again, "{:?} {:?}", first.0, again.0);
        assert_ne!(first.0, other.0);
        Ok(())
    }

    #[test]
    fn a_file_may_have_the_mean_of_runs_of_one_net() -> Result<()> {
        let _alone = test_data::random_numbers();
        let dir = tempfile::tempdir()?;
        let data = Source::from(test_data::imm(&dir.path().join("imm"))?);
        let device = Default::default();
        let train = |name: &str, recipe: Recipe, init: Option<&Init>| -> Result<_> {
            let run = dir.path().join(name);
            start::<Autodiff<Flex>>(
                &data,
                &run,
                &Recipe { epochs: 1, batch: 4, ..recipe },
                init,
                None,
                &device,
            )?;
            Ok(run)
        };
        let first = train("first", Recipe::best(NetKind::Nose), None)?;
        let second = train("second", Recipe::best(NetKind::Nose), Some(&Init::Run(first.clone())))?;
        let file = dir.path().join("mean.onnx");
        let mean = |runs: &[&std::path::PathBuf]| {
            let others: Vec<_> = runs[1..].iter().map(|&run| run.clone()).collect();
            export::<Autodiff<Flex>>(runs[0], &others, &file, Which::Last, Storage::F32, None, &device)
        };
        mean(&[&first, &second])?;
        let Spec::Landmarks(spec) = Spec::of_file(&fs::read(&file)?)? else { bail!("a model of landmarks") };
        assert_eq!(spec.training.get("mean_of").map(String::as_str), Some("first, second"));
        assert!(!spec.training.contains_key("validation_nme"), "it was measured with the first net");
        let other = train("other", Recipe::best(NetKind::FullFace), None)?;
        let error = mean(&[&first, &other]).expect_err("they are different nets");
        assert!(error.to_string().contains("other is a run of another net"), "{error:#}");
        Ok(())
    }

    /// Whatever is written to /dev/full meets a full disk.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_leaves_the_last_checkpoint_whole_and_the_run_resumes() -> Result<()> {
        let _alone = test_data::random_numbers();
        let dir = tempfile::tempdir()?;
        let data = Source::from(test_data::imm(&dir.path().join("imm"))?);
        let (run, whole) = (dir.path().join("run"), dir.path().join("whole"));
        let device = Default::default();
        let recipe = Recipe { epochs: 4, batch: 4, ..Recipe::best(NetKind::Nose) };
        start::<Autodiff<Flex>>(&data, &whole, &recipe, None, None, &device)?;
        start::<Autodiff<Flex>>(&data, &run, &recipe, None, Some(2), &device)?;
        let checkpoint = fs::read(run.join("last.mpk"))?;
        std::os::unix::fs::symlink("/dev/full", run.join("last.partial"))?;
        let error = resume::<Autodiff<Flex>>(&data, &run, None, &device).expect_err("the disk is full");
        let message = format!("{error:#}");
        assert!(message.contains("last.mpk: No space left"), "{message}");
        assert!(fs::read(run.join("last.mpk"))? == checkpoint && !run.join("last.partial").exists());
        resume::<Autodiff<Flex>>(&data, &run, None, &device)?;
        let (whole, resumed) = (curve(&whole)?, curve(&run)?);
        assert_eq!(whole.len(), resumed.len());
        for (a, b) in whole.iter().zip(&resumed) {
            assert!((a.0 - b.0).abs() < 1e-6 * a.0, "{whole:?} {resumed:?}");
        }
        Ok(())
    }

    #[test]
    fn a_run_is_not_overwritten_and_a_foreign_checkpoint_is_refused() -> Result<()> {
        let _alone = test_data::random_numbers();
        let dir = tempfile::tempdir()?;
        let data = Source::from(test_data::imm(&dir.path().join("imm"))?);
        let run = dir.path().join("run");
        let recipe = Recipe { epochs: 1, batch: 4, ..Recipe::best(NetKind::Nose) };
        let device = Default::default();
        start::<Autodiff<Flex>>(&data, &run, &recipe, None, None, &device)?;
        let again = start::<Autodiff<Flex>>(&data, &run, &recipe, None, None, &device);
        assert!(format!("{:#}", again.expect_err("the folder is taken")).contains("--resume"));
        let whole = fs::read(run.join("last.mpk"))?;
        for broken in [b"not a checkpoint", &whole[..whole.len() / 2]] {
            fs::write(run.join("last.mpk"), broken)?;
            let broken = resume::<Autodiff<Flex>>(&data, &run, None, &device);
            assert!(format!("{:#}", broken.expect_err("the file is broken")).contains("last.mpk"));
        }
        Ok(())
    }

    #[test]
    fn another_nets_checkpoint_is_refused() -> Result<()> {
        let _alone = test_data::random_numbers();
        let dir = tempfile::tempdir()?;
        let data = Source::from(test_data::imm(&dir.path().join("imm"))?);
        let run = dir.path().join("run");
        let recipe = Recipe { epochs: 1, batch: 4, ..Recipe::best(NetKind::Nose) };
        let device = Default::default();
        start::<Autodiff<Flex>>(&data, &run, &recipe, None, None, &device)?;
        // A full-face run whose checkpoints are a nose's.
        let (_, _, record) = RunDir::open(&run)?;
        let record = Record { mean_shape: vec![0.5; 116], ..record };
        fs::write(run.join("run.json"), serde_json::to_vec(&record)?)?;
        let recipe = Recipe { epochs: 2, batch: 4, ..Recipe::best(NetKind::FullFace) };
        fs::write(run.join("recipe.toml"), recipe.to_toml()?)?;
        let error = resume::<Autodiff<Flex>>(&data, &run, None, &device).expect_err("it is another net's");
        assert!(format!("{error:#}").contains("last.mpk is not a checkpoint of this net"), "{error:#}");
        Ok(())
    }

    #[test]
    fn a_run_that_gets_no_better_ends_early_and_fine_tuning_begins_where_another_ended() -> Result<()> {
        let _alone = test_data::random_numbers();
        let dir = tempfile::tempdir()?;
        let data = Source::from(test_data::imm(&dir.path().join("imm"))?);
        let (first, second) = (dir.path().join("first"), dir.path().join("second"));
        let device = Default::default();
        let recipe = Recipe { epochs: 9, batch: 4, ..Recipe::best(NetKind::Nose) };
        start::<Autodiff<Flex>>(&data, &first, &recipe, None, None, &device)?;
        // A rate so small that no weight changes.
        let still = Recipe { lr: 1e-30, ema: None, patience: Some(2), ..recipe };
        start::<Autodiff<Flex>>(&data, &second, &still, Some(&Init::Run(first.clone())), None, &device)?;
        // From an exported file all weights learn on.
        let (file, third) = (dir.path().join("first.onnx"), dir.path().join("third"));
        export::<Autodiff<Flex>>(&first, &[], &file, Which::Best, Storage::F32, None, &device)?;
        let moving = Recipe { epochs: 2, lr: 1e-3, ..still };
        start::<Autodiff<Flex>>(&data, &third, &moving, Some(&Init::Onnx(file)), None, &device)?;
        let third = curve(&third)?;
        assert!((third[0].1 - third[1].1).abs() > 1e-3 * third[0].1, "{third:?}");
        let (first, second) = (curve(&first)?, curve(&second)?);
        assert_eq!(second.len(), 3, "the best is the first, and two more are waited for");
        let best = first.iter().map(|epoch| epoch.1).fold(f64::INFINITY, f64::min);
        assert!(second.iter().all(|epoch| (epoch.1 - best).abs() < 1e-4 * best), "{best} {second:?}");
        Ok(())
    }
}
