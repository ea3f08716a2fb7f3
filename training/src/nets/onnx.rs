//! A net as an ONNX file, with all that the tracker needs to know in its metadata.

use burn::tensor::backend::Backend;
use facemark::onnx::spec::{DetectorSpec, ModelSpec, Spec};
use prost::Message;
use tract_onnx::pb::{ModelProto, OperatorSetIdProto, StringStringEntryProto};

use super::graph::{Graph, Step, Storage};
use super::net::Net;
use super::proto::Value;
use super::walk::walk;

/// Name of the graph's input.
const INPUT: &str = "crop";

impl<B: Backend> Net<B> {
    /// What the layers do as they stand in a file, in order. `spec` gives the input's size.
    pub fn steps(&self, spec: &ModelSpec) -> Vec<Step> {
        let mut graph = Graph::new(&self.weights, Storage::F32);
        walk(&self.layers, Value::input(INPUT, [spec.height, spec.width]), &mut graph);
        graph.into_steps()
    }

    /// The net as an ONNX file's bytes.
    pub fn to_onnx(&self, spec: &ModelSpec, storage: Storage) -> Vec<u8> {
        let mut graph = Graph::new(&self.weights, storage);
        let input = Value::input(INPUT, [spec.height, spec.width]);
        let output = walk(&self.layers, input.clone(), &mut graph);
        let (key, value) = self.file_spec(spec).to_metadata();
        let model = ModelProto {
            ir_version: 8,
            opset_import: vec![OperatorSetIdProto { domain: String::new(), version: 13 }],
            producer_name: env!("CARGO_PKG_NAME").to_owned(),
            producer_version: env!("CARGO_PKG_VERSION").to_owned(),
            graph: Some(graph.finish(&spec.name, &input, &output)),
            metadata_props: vec![StringStringEntryProto { key, value }],
            ..ModelProto::default()
        };
        model.encode_to_vec()
    }

    /// What the file says of itself. A detector has neither points nor a crop.
    fn file_spec(&self, spec: &ModelSpec) -> Spec {
        let spec = spec.clone();
        if !self.kind.is_detector() {
            return Spec::Landmarks(spec);
        }
        let ModelSpec { name, width, height, normalisation, training, .. } = spec;
        Spec::FaceDetector(DetectorSpec { name, width, height, normalisation, calibration: None, training })
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::module::Module;
    use burn::tensor::{Distribution, Tensor};
    use burn_flex::Flex;
    use clap::ValueEnum;
    use facemark::crop::Framing;
    use facemark::detect::FaceNet;
    use facemark::model::{LandmarkModel, Landmarker};

    use super::*;
    use crate::nets::graph::values;
    use crate::recipe::NetKind;
    use crate::test_data;

    /// Mean and largest distance between Burn's and tract's points over some random crops, in crop sides, and how far
    /// the crops' points are from each other.
    fn compare(kind: NetKind, storage: Storage) -> (f32, f32, f32) {
        let device = Default::default();
        Flex::seed(&device, 1);
        let mean_shape: Vec<f32> =
            (0..2 * kind.scheme().n_points()).map(|i| 0.2 + 0.004 * i as f32).collect();
        let net = Net::<Flex>::new(kind, &mean_shape, &device).map(&mut test_data::Shaken);
        let spec = kind.spec(Framing { width: 1.0, height: 1.0, shift_x: 0.0, shift_y: 0.0 });
        let mut model = LandmarkModel::from_bytes(&net.to_onnx(&spec, storage), 1).expect("it loads");
        assert_eq!(model.spec(), &spec);
        let shape = [3, 1, spec.height, spec.width];
        let crops = Tensor::<Flex, 4>::random(shape, Distribution::Normal(0.0, 1.0), &device);
        let burn: Vec<f32> = values(net.forward(crops.clone()));
        let crops = values(crops);
        let run = |crop| test_data::values(model.run(crop).expect("it runs"));
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
            let (mean, largest, spread) = compare(kind, Storage::F32);
            println!("{} f32: mean {mean:.1e}, largest {largest:.1e} of the crop side", kind.name());
            assert!(spread > 0.005, "{}: crops differ by {spread} alone, which tests nothing", kind.name());
            assert!(largest <= 1e-4, "{}: {largest}", kind.name());
            // What packing loses, against how much the crops themselves make the points differ.
            for (storage, limit) in [(Storage::F16, 0.05), (Storage::Int8, 0.5)] {
                let (mean, _, spread) = compare(kind, storage);
                println!(
                    "{} {storage:?}: mean {mean:.1e} of the crop side, crops differ by {spread:.1e}",
                    kind.name()
                );
                assert!(mean <= limit * spread, "{} {storage:?}: {mean} of {spread}", kind.name());
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
        for (storage, limit) in [(Storage::F32, 1e-4), (Storage::F16, 0.01), (Storage::Int8, 0.1)] {
            let file = net.to_onnx(&spec, storage);
            let mut detector = FaceNet::from_bytes(&file, 1).expect("it loads");
            assert_eq!(Spec::FaceDetector(detector.spec().clone()), net.file_spec(&spec));
            let tract = detector.run(&picture).expect("it runs");
            assert_eq!(burn.len(), tract.len());
            let scale = burn.iter().fold(0.0_f32, |largest, v| largest.max(v.abs()));
            let largest = burn.iter().zip(&tract).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            println!("{storage:?}: largest difference {largest:.1e} of {scale:.1}");
            assert!(largest <= limit * scale, "{storage:?}: {largest} of {scale}");
        }
    }
}
