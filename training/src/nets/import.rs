//! A net with the weights of an exported file.

use anyhow::{Result, ensure};
use burn::module::Param;
use burn::nn::conv::Conv2d;
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use facemark::onnx::weights::Layer;

use super::layer::Kind;
use super::net::Net;
use super::walk::{Role, weighted};
use super::weights::{Weights, vector};

impl<B: Backend> Net<B> {
    /// Takes over the weights of a file's layers, which are in the order of [`walk`](super::walk::walk).
    ///
    /// The file's net may be a smaller one of the same form: further channels begin without a part in the answer, and
    /// [`Extra`](super::layer::Layer::Extra) layers begin by handing on what they are given. One of the two nets may answer if
    /// there is a face, and how far off its points may be, and the other not.
    ///
    /// # Errors
    /// If the file's net has another form.
    pub fn import(mut self, mut file: Vec<Layer>) -> Result<Self> {
        let mut own: Vec<_> = weighted(&self.layers).into_iter().zip(&mut self.weights).collect();
        let tells_presence = |layer: &Layer| matches!(layer.shape[..], [_, 1]);
        let own_presence =
            own.pop_if(|((layer, _), _)| matches!(layer.kind, Kind::Dense) && layer.outputs == 1);
        let file_presence = file.pop_if(|layer| tells_presence(layer));
        // Those of the sigmas, which a net without fully connected layers has no place for.
        let has_dense = own.last().is_some_and(|((layer, _), _)| matches!(layer.kind, Kind::Dense));
        file.pop_if(|layer| !has_dense && layer.shape.len() == 2);
        if file.len() < own.len() {
            let (extra, common): (Vec<_>, Vec<_>) =
                own.into_iter().partition(|((_, role), _)| *role != Role::Common);
            let last = extra.into_iter().filter(|((_, role), _)| *role == Role::LastExtra);
            last.for_each(|(_, weights)| weights.fade());
            own = common;
        }
        ensure!(file.len() == own.len(), "it has {} layers instead of {}", file.len(), own.len());
        let presence = own_presence.zip(file_presence);
        for ((_, weights), layer) in own.into_iter().zip(file).chain(presence) {
            weights.import(layer)?;
        }
        Ok(self)
    }
}

impl<B: Backend> Weights<B> {
    /// A file's layer has no batch normalisation: export folded it into weights and bias. Its bias becomes the offset of one
    /// that changes nothing else.
    fn import(&mut self, layer: Layer) -> Result<()> {
        match self {
            Self::Conv(conv) => conv.bias = Some(vector(import_conv(conv, layer)?, &conv.weight.device())),
            Self::NormedConv(conv) => {
                let bias = import_conv(&mut conv.conv, layer)?;
                conv.offset_by(vector(bias, &conv.conv.weight.device()));
            }
            Self::Dense(dense) => {
                let bias = import_weight(&mut dense.weight, layer)?;
                dense.bias = Some(vector(bias, &dense.weight.device()));
            }
        }
        Ok(())
    }

    /// Lets a layer with batch normalisation, or a fully connected one, answer 0 until training changes it.
    fn fade(&mut self) {
        match self {
            Self::Conv(_) => (),
            Self::NormedConv(conv) => conv.fade(),
            Self::Dense(dense) => {
                let [inputs, outputs] = dense.weight.dims();
                let device = dense.weight.device();
                let zeros = TensorData::new(vec![0.0_f32; inputs * outputs], [inputs, outputs]);
                dense.weight = Param::from_data(zeros, &device);
                dense.bias = Some(vector(vec![0.0; outputs], &device));
            }
        }
    }
}

/// The layer's weights go into the convolution, which may have more channels: those that it gives keep their weights,
/// those that it takes have no effect on the layer's own until they learn one. Gives the bias.
fn import_conv<B: Backend>(conv: &mut Conv2d<B>, mut layer: Layer) -> Result<Vec<f32>> {
    let own = conv.weight.dims();
    if let [outputs, inputs, height, width] = layer.shape[..]
        && [height, width] == own[2..]
        && outputs <= own[0]
        && inputs <= own[1]
    {
        widen(&mut layer, conv);
    }
    import_weight(&mut conv.weight, layer)
}

/// Gives a convolution's layer as many channels as `conv` has.
fn widen<B: Backend>(layer: &mut Layer, conv: &Conv2d<B>) {
    let own @ [own_outputs, own_inputs, ..] = conv.weight.dims();
    let (outputs, inputs) = (layer.shape[0], layer.shape[1]);
    let size: usize = own[2..].iter().product();
    let mut weights: Vec<f32> = conv.weight.to_data().iter().collect();
    for (output, of_output) in weights.chunks_exact_mut(own_inputs * size).take(outputs).enumerate() {
        let (known, further) = of_output.split_at_mut(inputs * size);
        known.copy_from_slice(&layer.weights[output * inputs * size..][..inputs * size]);
        further.fill(0.0);
    }
    layer.weights = weights;
    layer.shape = own.to_vec();
    layer.bias.resize(own_outputs, 0.0);
}

/// Gives the bias.
fn import_weight<B: Backend, const D: usize>(
    weight: &mut Param<Tensor<B, D>>,
    layer: Layer,
) -> Result<Vec<f32>> {
    let shape = weight.dims();
    ensure!(layer.shape == shape, "a layer's weights are {:?} instead of {shape:?}", layer.shape);
    *weight = Param::from_data(TensorData::new(layer.weights, shape), &weight.device());
    Ok(layer.bias)
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use std::fs;

    use burn::tensor::Distribution;
    use burn_flex::Flex;
    use clap::ValueEnum;
    use facemark::detect::FaceNet;
    use facemark::model::{LandmarkModel, Landmarker};
    use facemark::onnx::spec::Spec;
    use facemark::onnx::weights;

    use super::super::graph::values;
    use super::*;
    use crate::init::mean_shape;
    use crate::recipe::NetKind;
    use crate::test_data;

    /// What tract answers to a normalised crop.
    fn tract(kind: NetKind, file: &[u8], crop: &[f32]) -> Result<Vec<f32>> {
        if kind.is_detector() {
            return Ok(FaceNet::from_bytes(file, 1)?.run(crop)?);
        }
        let mut model = LandmarkModel::from_bytes(file, 1)?;
        let mut found = model.run(crop)?;
        // The net does not know of the factor in its file.
        let scale = model.spec().sigma_scale.unwrap_or(1.0);
        found.more.sigmas.iter_mut().for_each(|sigma| *sigma /= scale);
        Ok(test_data::values(found))
    }

    #[test]
    fn published_models_answer_in_burn_as_they_do_in_tract() -> Result<()> {
        let _alone = test_data::random_numbers();
        let device = Default::default();
        let mut n_compared = 0;
        for &kind in NetKind::value_variants() {
            let name = kind.name();
            let path = format!("{}/../models/{name}.onnx", env!("CARGO_MANIFEST_DIR"));
            // Not every net is published.
            let Ok(file) = fs::read(path) else { continue };
            let (width, height, mean_shape) = match Spec::of_file(&file)? {
                Spec::Landmarks(spec) => (spec.width, spec.height, mean_shape(&spec)),
                Spec::FaceDetector(spec) => (spec.width, spec.height, None),
            };
            let mean_shape = mean_shape.unwrap_or_else(|| vec![0.5; 2 * kind.scheme().n_points()]);
            let net = Net::<Flex>::new(kind, &mean_shape, &device).import(weights::layers(&file)?)?;
            let shape = [1, 1, height, width];
            let crop = Tensor::<Flex, 4>::random(shape, Distribution::Normal(0.0, 1.0), &device);
            let burn = values(net.forward(crop.clone()));
            let tract = tract(kind, &file, &values(crop))?;
            assert_eq!(burn.len(), tract.len(), "{name}");
            let largest = burn.iter().zip(&tract).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            let scale = tract.iter().fold(1.0_f32, |largest, v| largest.max(v.abs()));
            assert!(largest < 1e-4 * scale, "{name}: {largest} of {scale}");
            n_compared += 1;
        }
        assert!(n_compared >= 6, "{n_compared} published models");
        Ok(())
    }
}
