//! A trained net as an ONNX file with all that the tracker needs to know in its metadata.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use burn::module::AutodiffModule;
use burn::tensor::backend::{AutodiffBackend, Backend};
use clap::ValueEnum;
use facemark::detect::grid;
use facemark::onnx::spec::{DetectorSpec, ModelSpec, Spec};

use crate::checkpoint::optimiser;
use crate::files::write_atomically;
use crate::graph::{Graph, Layer, Weights};
use crate::nets::Net;
use crate::onnx;
use crate::recipe::Recipe;
use crate::run_dir::{Epoch, Record, RunDir};

/// Name of the graph's input.
const INPUT: &str = "crop";

/// Which of a run's nets to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Which {
    /// The one with the smallest validation error.
    Best,
    /// The one after the last epoch.
    Last,
}

/// A run's net, ready to be used.
pub struct Exported<B: Backend> {
    /// The net.
    pub net: Net<B>,
    /// What its file says of it.
    pub spec: ModelSpec,
}

/// Reads one of a run's nets.
pub fn read<B: AutodiffBackend>(
    run: &Path,
    which: Which,
    device: &B::Device,
) -> Result<Exported<B::InnerBackend>> {
    let (dir, recipe, record) = RunDir::open(run)?;
    let net = Net::<B>::new(recipe.net, &record.mean_shape, device);
    let net = match which {
        Which::Best => dir.load_best(net.valid(), device)?,
        Which::Last => dir.load(net, optimiser(&recipe), device)?.best_net(),
    };
    let mut spec = recipe.net.spec(recipe.framing);
    spec.training = training_record(&dir.metrics()?, &recipe, &record, which)?;
    Ok(Exported { net, spec })
}

/// Writes a run's net to an ONNX file; its size in bytes.
pub fn export<B: AutodiffBackend>(
    run: &Path,
    output: &Path,
    which: Which,
    weights: Weights,
    device: &B::Device,
) -> Result<usize> {
    let Exported { net, spec } = read::<B>(run, which, device)?;
    let bytes = onnx_file(&net, &spec, weights);
    write_atomically(output, &bytes)?;
    Ok(bytes.len())
}

/// How the model came about, for its metadata.
fn training_record(
    epochs: &[Epoch],
    recipe: &Recipe,
    record: &Record,
    which: Which,
) -> Result<BTreeMap<String, String>> {
    let epoch = match which {
        Which::Best => epochs.iter().min_by(|a, b| a.validation_nme.total_cmp(&b.validation_nme)),
        Which::Last => epochs.last(),
    };
    let epoch = epoch.context("the run has not finished an epoch")?;
    let mean_shape: Vec<String> = record.mean_shape.iter().map(|v| format!("{v:.5}")).collect();
    let entries = [
        ("data", record.data.clone()),
        ("faces", format!("{} trained on, {} held out", record.n_training, record.n_validation)),
        ("seed", recipe.seed.to_string()),
        ("epochs", format!("{} of {}", epoch.epoch, recipe.epochs)),
        ("commit", record.commit.clone()),
        ("init", record.init.clone().unwrap_or_else(|| "random weights".to_owned())),
        ("loss", format!("{:.6}", epoch.loss)),
        ("validation_nme", format!("{:.3} %", epoch.validation_nme)),
        ("validation_pixels", format!("{:.2}", epoch.validation_pixels)),
        ("recipe", recipe.to_toml()?),
        ("mean_shape", mean_shape.join(" ")),
    ];
    Ok(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

/// The net's layers, in order.
pub fn layers<B: Backend>(net: &Net<B>, spec: &ModelSpec) -> Vec<Layer> {
    let mut graph = Graph::new(Weights::Int8, INPUT, [1, spec.height, spec.width]);
    net.export(&mut graph, INPUT);
    graph.layers().to_vec()
}

/// The ONNX file of a net.
pub fn onnx_file<B: Backend>(net: &Net<B>, spec: &ModelSpec, weights: Weights) -> Vec<u8> {
    let mut graph = Graph::new(weights, INPUT, [1, spec.height, spec.width]);
    let output = net.export(&mut graph, INPUT);
    let input = [1, 1, spec.height, spec.width];
    let (n_values, says) = match net {
        Net::Face(_) => (grid::n_values(spec.width, spec.height), Spec::FaceDetector(detector_spec(spec))),
        _ => (spec.n_values(), Spec::Landmarks(spec.clone())),
    };
    let graph = graph.into_message(&spec.name, (INPUT, &input), (&output, &[1, n_values]));
    onnx::model(&graph, &[says.to_metadata()]).into_bytes()
}

/// What a detector's file says: it has neither points nor a crop.
fn detector_spec(spec: &ModelSpec) -> DetectorSpec {
    let ModelSpec { name, width, height, normalisation, training, .. } = spec.clone();
    DetectorSpec { name, width, height, normalisation, training }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::module::Module;
    use burn::tensor::{Distribution, Tensor};
    use burn_flex::Flex;
    use facemark::crop::Framing;
    use facemark::detect::FaceNet;
    use facemark::model::{LandmarkModel, Landmarker};

    use super::*;
    use crate::graph::values;
    use crate::recipe::NetKind;
    use crate::test_data;

    /// Mean and largest distance between Burn's and tract's points over some random crops, in crop sides, and how far
    /// the crops' points are from each other.
    fn compare(kind: NetKind, weights: Weights) -> (f32, f32, f32) {
        let device = Default::default();
        Flex::seed(&device, 1);
        let mean_shape: Vec<f32> =
            (0..2 * kind.scheme().n_points()).map(|i| 0.2 + 0.004 * i as f32).collect();
        let net = Net::<Flex>::new(kind, &mean_shape, &device).map(&mut test_data::Shaken);
        let spec = kind.spec(Framing { width: 1.0, height: 1.0, shift_x: 0.0, shift_y: 0.0 });
        let mut model = LandmarkModel::from_bytes(&onnx_file(&net, &spec, weights), 1).expect("it loads");
        assert_eq!(model.spec(), &spec);
        let shape = [3, 1, spec.height, spec.width];
        let crops = Tensor::<Flex, 4>::random(shape, Distribution::Normal(0.0, 1.0), &device);
        let burn: Vec<f32> = values(net.forward(crops.clone()));
        let crops = values(crops);
        let logit = |p: f32| (p / (1.0 - p)).ln();
        let run = |crop| {
            let found = model.run(crop).expect("it runs");
            let points = found.points.into_iter().flat_map(|p| [p.x, p.y]);
            points.chain(found.presence.map(logit)).collect::<Vec<f32>>()
        };
        let tract: Vec<f32> = crops.chunks_exact(spec.width * spec.height).flat_map(run).collect();
        assert_eq!(burn.len(), tract.len());
        let n = spec.n_values();
        let difference =
            |a: &[f32], b: &[f32]| -> Vec<f32> { a.iter().zip(b).map(|(a, b)| (a - b).abs()).collect() };
        let errors = difference(&burn, &tract);
        let spread = difference(&burn[..n], &burn[n..2 * n]);
        let max = |values: &[f32]| values.iter().fold(0.0_f32, |a, &b| a.max(b));
        (errors.iter().sum::<f32>() / errors.len() as f32, max(&errors), max(&spread))
    }

    #[test]
    fn tract_finds_the_points_that_burn_finds() {
        let _alone = test_data::random_numbers();
        for &kind in NetKind::value_variants().iter().filter(|kind| !kind.is_detector()) {
            let (mean, largest, spread) = compare(kind, Weights::F32);
            println!("{} f32: mean {mean:.1e}, largest {largest:.1e} of the crop side", kind.name());
            assert!(spread > 0.005, "{}: crops differ by {spread} alone, which tests nothing", kind.name());
            assert!(largest <= 1e-4, "{}: {largest}", kind.name());
            // What packing loses, against how much the crops themselves make the points differ.
            for (weights, limit) in [(Weights::F16, 0.05), (Weights::Int8, 0.5)] {
                let (mean, _, spread) = compare(kind, weights);
                println!(
                    "{} {weights:?}: mean {mean:.1e} of the crop side, crops differ by {spread:.1e}",
                    kind.name()
                );
                assert!(mean <= limit * spread, "{} {weights:?}: {mean} of {spread}", kind.name());
            }
        }
    }

    #[test]
    fn tract_answers_as_burn_does_for_every_cell() {
        let _alone = test_data::random_numbers();
        let device = Default::default();
        Flex::seed(&device, 1);
        let net = Net::<Flex>::new(NetKind::Face, &[], &device).map(&mut test_data::Shaken);
        let spec = NetKind::Face.spec(Framing { width: 1.0, height: 1.0, shift_x: 0.0, shift_y: 0.0 });
        let shape = [1, 1, spec.height, spec.width];
        let picture = Tensor::<Flex, 4>::random(shape, Distribution::Normal(0.0, 1.0), &device);
        let burn: Vec<f32> = values(net.forward(picture.clone()));
        let picture = values(picture);
        for (weights, limit) in [(Weights::F32, 1e-4), (Weights::F16, 0.01), (Weights::Int8, 0.1)] {
            let file = onnx_file(&net, &spec, weights);
            let mut detector = FaceNet::from_bytes(&file, 1).expect("it loads");
            assert_eq!(detector.spec(), &detector_spec(&spec));
            let tract = detector.run(&picture).expect("it runs");
            assert_eq!(burn.len(), tract.len());
            let scale = burn.iter().fold(0.0_f32, |largest, v| largest.max(v.abs()));
            let largest = burn.iter().zip(&tract).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            println!("{weights:?}: largest difference {largest:.1e} of {scale:.1}");
            assert!(largest <= limit * scale, "{weights:?}: {largest} of {scale}");
        }
    }
}
