//! The weights in a model file: checked before use, and unpacked to 32-bit floats.
//!
//! Files store them as 8-bit levels with a scale per output channel (ONNX `DequantizeLinear`) or as
//! half-precision floats (`Cast`). tract folds such nodes only if their result has at most 4 MiB and would
//! compute the others again for every frame, so they are folded here.

use std::collections::HashMap;

use tract_onnx::pb::tensor_proto::{DataLocation, DataType};
use tract_onnx::pb::{GraphProto, NodeProto, TensorProto};
use tract_onnx::prelude::{Framework, f16};

use crate::error::{Error, Result, ensure};

/// Refuses weights that are in other files or whose size is not what their shape says.
///
/// # Errors
/// Names the first such tensor.
pub fn check(graph: &GraphProto) -> Result<()> {
    for tensor in &graph.initializer {
        let name = &tensor.name;
        let is_external = tensor.data_location == Some(DataLocation::External as i32);
        ensure!(!is_external && tensor.external_data.is_empty(), "its weights {name:?} are in another file");
        let claimed = count(&tensor.dims).and_then(|n| n.checked_mul(element_size(tensor)?));
        let held = tensor.raw_data.len() + 4 * tensor.float_data.len() + 8 * tensor.int64_data.len();
        ensure!(claimed == Some(held), "the size of its weights {name:?} does not match their shape");
    }
    Ok(())
}

/// Replaces every `DequantizeLinear` or `Cast` of constant weights by the unpacked weights.
///
/// # Errors
/// If such a node's inputs do not match.
pub fn expand(graph: &mut GraphProto) -> Result<()> {
    let tensors: HashMap<String, usize> =
        graph.initializer.iter().enumerate().map(|(i, tensor)| (tensor.name.clone(), i)).collect();
    let mut kept = Vec::with_capacity(graph.node.len());
    for node in std::mem::take(&mut graph.node) {
        let inputs: Option<Vec<usize>> = node.input.iter().map(|name| tensors.get(name).copied()).collect();
        let floats = inputs.as_deref().map(|inputs| floats(&node, inputs, &graph.initializer)).transpose()?;
        match (floats.flatten(), inputs.as_deref(), node.output.first()) {
            (Some(floats), Some(&[weights, ..]), Some(output)) => {
                let tensor = &mut graph.initializer[weights];
                tensor.name.clone_from(output);
                tensor.data_type = DataType::Float as i32;
                tensor.raw_data = floats;
            }
            _ => kept.push(node),
        }
    }
    graph.node = kept;
    Ok(())
}

/// The node's result as the bytes of 32-bit floats, if the node only unpacks weights.
fn floats(node: &NodeProto, inputs: &[usize], tensors: &[TensorProto]) -> Result<Option<Vec<u8>>> {
    let is = |tensor: &TensorProto, kind: DataType| tensor.data_type == kind as i32;
    match (node.op_type.as_str(), inputs) {
        ("DequantizeLinear", &[levels, scales, zeros]) if is(&tensors[levels], DataType::Int8) => {
            let (levels, scales, zeros) = (&tensors[levels], &tensors[scales], &tensors[zeros]);
            let name = &node.name;
            ensure!(is(scales, DataType::Float), "the scales of its weights {name:?} are not 32-bit floats");
            ensure!(
                zeros.raw_data.iter().all(|&zero| zero == 0),
                "a zero point of its weights {name:?} is not 0"
            );
            let floats = dequantised(levels, &read_floats(&scales.raw_data), axis(node));
            ensure!(floats.is_some(), "the levels and scales of its weights {name:?} do not match");
            Ok(floats)
        }
        ("Cast", &[half]) if is(&tensors[half], DataType::Float16) => {
            let bits = tensors[half].raw_data.chunks_exact(2).map(|b| u16::from_le_bytes([b[0], b[1]]));
            Ok(Some(bits.flat_map(|bits| f16::from_bits(bits).to_f32().to_le_bytes()).collect()))
        }
        _ => Ok(None),
    }
}

/// A convolution or fully connected layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// The shape of `weights`: `[outputs, inputs, height, width]` of a convolution, `[inputs, outputs]` of a
    /// fully connected layer.
    pub shape: Vec<usize>,
    /// The weights, row-major.
    pub weights: Vec<f32>,
    /// One number per output channel.
    pub bias: Vec<f32>,
}

/// The convolutions and fully connected layers of a file that `facemark-train export` wrote, in the order in
/// which they were exported.
///
/// # Errors
/// [`Error::Model`] if the bytes are not such a file.
pub fn layers(bytes: &[u8]) -> Result<Vec<Layer>> {
    let proto = tract_onnx::onnx().proto_model_for_read(&mut &*bytes);
    let mut graph = proto
        .ok()
        .and_then(|proto| proto.graph)
        .ok_or_else(|| Error::Model("it is not an ONNX file, or a broken one".to_owned()))?;
    check(&graph)?;
    expand(&mut graph)?;
    let tensor = |node: &NodeProto, input: usize| {
        let tensor = graph.initializer.iter().find(|tensor| Some(&tensor.name) == node.input.get(input));
        tensor.ok_or_else(|| Error::Model(format!("its layer {:?} has no weights or no bias", node.name)))
    };
    let with_weights = graph.node.iter().filter(|node| ["Conv", "Gemm"].contains(&node.op_type.as_str()));
    let layer = |node| -> Result<Layer> {
        let (weights, bias) = (tensor(node, 1)?, tensor(node, 2)?);
        // `check` has refused negative sizes.
        let shape = weights.dims.iter().map(|&dim| usize::try_from(dim).unwrap_or(0)).collect();
        Ok(Layer { shape, weights: read_floats(&weights.raw_data), bias: read_floats(&bias.raw_data) })
    };
    with_weights.map(layer).collect()
}

/// `level · scale`, with one scale for each position along `axis`. `None` if there is no such axis, or if the
/// number of scales differs.
fn dequantised(levels: &TensorProto, scales: &[f32], axis: usize) -> Option<Vec<u8>> {
    let &channels = levels.dims.get(axis)?;
    if usize::try_from(channels) != Ok(scales.len()) {
        return None;
    }
    let run = count(&levels.dims[axis + 1..])?.max(1);
    let mut floats = Vec::with_capacity(levels.raw_data.len() * size_of::<f32>());
    for (run, scale) in levels.raw_data.chunks(run).zip(scales.iter().cycle()) {
        for &level in run {
            floats.extend_from_slice(&(f32::from(level as i8) * scale).to_le_bytes());
        }
    }
    Some(floats)
}

fn axis(node: &NodeProto) -> usize {
    let axis = node.attribute.iter().find(|attribute| attribute.name == "axis").map_or(1, |axis| axis.i);
    usize::try_from(axis).unwrap_or(usize::MAX)
}

fn read_floats(raw: &[u8]) -> Vec<f32> {
    raw.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}

/// The number of elements of a tensor with these dimensions.
fn count(dims: &[i64]) -> Option<usize> {
    dims.iter().try_fold(1_usize, |n, &dim| n.checked_mul(dim.try_into().ok()?))
}

/// Bytes per element; `None` for types that our models do not use.
fn element_size(tensor: &TensorProto) -> Option<usize> {
    match DataType::try_from(tensor.data_type).ok()? {
        DataType::Int8 => Some(1),
        DataType::Float16 => Some(2),
        DataType::Float => Some(4),
        DataType::Int64 => Some(8),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use tract_onnx::pb::AttributeProto;

    use super::*;

    fn tensor(name: &str, kind: DataType, dims: &[i64], raw: Vec<u8>) -> TensorProto {
        let (name, dims) = (name.to_owned(), dims.to_vec());
        TensorProto { name, dims, data_type: kind as i32, raw_data: raw, ..TensorProto::default() }
    }

    fn node(kind: &str, inputs: &[&str], axis: i64) -> NodeProto {
        NodeProto {
            op_type: kind.to_owned(),
            input: inputs.iter().map(|&name| name.to_owned()).collect(),
            output: vec!["w".to_owned()],
            attribute: vec![AttributeProto { name: "axis".to_owned(), i: axis, ..AttributeProto::default() }],
            ..NodeProto::default()
        }
    }

    fn quantised(axis: i64, scales: &[f32]) -> GraphProto {
        let raw = scales.iter().flat_map(|scale| scale.to_le_bytes()).collect();
        let n = scales.len() as i64;
        GraphProto {
            node: vec![node("DequantizeLinear", &["q", "s", "z"], axis)],
            initializer: vec![
                tensor("q", DataType::Int8, &[2, 3], vec![1, 2, 3, 255, 254, 128]),
                tensor("s", DataType::Float, &[n], raw),
                tensor("z", DataType::Int8, &[n], vec![0; scales.len()]),
            ],
            ..GraphProto::default()
        }
    }

    fn expanded(mut graph: GraphProto) -> Vec<f32> {
        check(&graph).unwrap();
        expand(&mut graph).unwrap();
        check(&graph).unwrap();
        assert!(graph.node.is_empty());
        let weights = graph.initializer.iter().find(|tensor| tensor.name == "w").unwrap();
        read_floats(&weights.raw_data)
    }

    #[test]
    fn levels_are_multiplied_by_the_scale_of_their_channel() {
        assert_eq!(expanded(quantised(0, &[0.5, 2.0])), [0.5, 1.0, 1.5, -2.0, -4.0, -256.0]);
        assert_eq!(expanded(quantised(1, &[1.0, 10.0, 100.0])), [1.0, 20.0, 300.0, -1.0, -20.0, -12800.0]);
    }

    #[test]
    fn halves_become_floats() {
        let half = [1.5, -0.25].iter().flat_map(|&v| f16::from_f32(v).to_bits().to_le_bytes()).collect();
        let graph = GraphProto {
            node: vec![node("Cast", &["h"], 0)],
            initializer: vec![tensor("h", DataType::Float16, &[2], half)],
            ..GraphProto::default()
        };
        assert_eq!(expanded(graph), [1.5, -0.25]);
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(expand(&mut quantised(0, &[1.0, 2.0, 3.0])).is_err());
        assert!(expand(&mut quantised(7, &[1.0, 2.0])).is_err());
        assert!(expand(&mut quantised(-1, &[1.0, 2.0])).is_err());
        let mut graph = quantised(0, &[1.0, 2.0]);
        graph.initializer[0].dims = vec![i64::MAX, 4];
        assert!(check(&graph).unwrap_err().to_string().contains("\"q\""));
        graph.initializer[0].dims = vec![2, 2];
        assert!(check(&graph).is_err());
        graph = quantised(0, &[1.0, 2.0]);
        graph.initializer[1].data_location = Some(DataLocation::External as i32);
        assert!(check(&graph).unwrap_err().to_string().contains("another file"));
    }

    #[test]
    fn other_nodes_stay() {
        let mut graph = quantised(0, &[1.0, 2.0]);
        graph.node.push(node("Conv", &["x", "w"], 0));
        expand(&mut graph).unwrap();
        assert_eq!(graph.node.len(), 1);
        assert_eq!(graph.node[0].op_type, "Conv");
    }
}
