//! What a model file may hold: checked before tract sees it, which would try to run anything.
//!
//! A file from somewhere else is input like any other. So only the operators of our own exporter are let in, with
//! attributes of sensible size, one input and one output of the shapes that the metadata tell, and no way to another
//! file.

use tract_onnx::pb::tensor_shape_proto::dimension::Value as Dim;
use tract_onnx::pb::type_proto::Value as Type;
use tract_onnx::pb::{GraphProto, NodeProto, ValueInfoProto};
use tract_onnx::prelude::TypedModel;

use super::weights;
use crate::error::{Result, ensure};

/// What facemark-train exports.
const OPERATORS: [&str; 14] = [
    "Add",
    "Cast",
    "Concat",
    "Conv",
    "DequantizeLinear",
    "Flatten",
    "Gemm",
    "GlobalAveragePool",
    "MaxPool",
    "Mul",
    "ReduceSum",
    "Relu",
    "Reshape",
    "Softmax",
];
/// Largest model file, in bytes; ours have 14 MB.
pub const MAX_FILE: u64 = 64 << 20;
const MAX_NODES: usize = 1000;
/// Largest kernel side, stride, pad or dilation.
const MAX_WINDOW: i64 = 32;
/// Layers that are joined: a detector's grids, or both coordinates, and a certainty. Joined again and again, small constants would
/// fill any memory.
const MAX_JOINED: usize = 8;
/// How often layers are joined.
const MAX_CONCATS: usize = 2;
/// Numbers between two layers; ours have up to a million.
const MAX_ACTIVATIONS: usize = 1 << 24;

/// Refuses a graph that is not like those that facemark-train exports, wherever it would read, run or allocate more.
/// It has to take `[1, 1, height, width]` and answer `[1, n_values]`.
///
/// # Errors
/// Says what is strange.
pub fn check(graph: &GraphProto, [width, height]: [usize; 2], n_values: usize) -> Result<()> {
    ensure!(graph.sparse_initializer.is_empty(), "it holds sparse weights");
    ensure!(graph.node.len() <= MAX_NODES, "it has {} layers", graph.node.len());
    ensure!(graph.input.len() == 1, "it has {} inputs instead of 1", graph.input.len());
    ensure!(graph.output.len() == 1, "it has {} outputs instead of 1", graph.output.len());
    let wanted_in = [1, 1, height as i64, width as i64];
    let wanted_out = [1, n_values as i64];
    for (side, value, wanted) in
        [("input", &graph.input[0], &wanted_in[..]), ("output", &graph.output[0], &wanted_out)]
    {
        let found = shape(value);
        ensure!(found.as_deref() == Some(wanted), "its {side} has shape {found:?} instead of {wanted:?}");
    }
    let concats: Vec<&NodeProto> = graph.node.iter().filter(|node| node.op_type == "Concat").collect();
    let n_joined: usize = concats.iter().map(|node| node.input.len()).sum();
    ensure!(concats.len() <= MAX_CONCATS && n_joined <= MAX_JOINED, "it joins more layers than our nets do");
    weights::check(graph)?;
    graph.node.iter().try_for_each(check_node)
}

fn check_node(node: &NodeProto) -> Result<()> {
    let NodeProto { op_type, domain, name, .. } = node;
    let known = OPERATORS.contains(&op_type.as_str()) && domain.is_empty();
    ensure!(known, "its layer {name:?} is of the unknown kind {op_type:?}");
    for attribute in &node.attribute {
        let is_plain = attribute.t.is_none()
            && attribute.g.is_none()
            && attribute.sparse_tensor.is_none()
            && attribute.tensors.is_empty()
            && attribute.graphs.is_empty()
            && attribute.ref_attr_name.is_empty();
        let is_small = attribute.ints.iter().all(|int| (0..=MAX_WINDOW).contains(int));
        ensure!(is_plain && is_small, "its layer {name:?} has a strange {:?}", attribute.name);
        let is_step = matches!(attribute.name.as_str(), "strides" | "kernel_shape" | "dilations");
        ensure!(!is_step || !attribute.ints.contains(&0), "its layer {name:?} has a {} of 0", attribute.name);
    }
    Ok(())
}

/// Refuses a net that would need too much memory to run.
///
/// # Errors
/// Names the layer.
pub fn check_sizes(model: &TypedModel) -> Result<()> {
    for node in model.nodes() {
        for output in &node.outputs {
            let product = |dims: &[usize]| dims.iter().try_fold(1_usize, |size, &dim| size.checked_mul(dim));
            let fits =
                output.fact.shape.as_concrete().and_then(product).is_some_and(|n| n <= MAX_ACTIVATIONS);
            ensure!(fits, "its layer {:?} has too many numbers: {:?}", node.name, output.fact.shape);
        }
    }
    Ok(())
}

/// The fixed shape that a value is declared with.
fn shape(value: &ValueInfoProto) -> Option<Vec<i64>> {
    let Type::TensorType(tensor) = value.r#type.as_ref()?.value.as_ref()?;
    let dims = tensor.shape.as_ref()?.dim.iter().map(|dim| match dim.value.as_ref()? {
        Dim::DimValue(size) => Some(*size),
        Dim::DimParam(_) => None,
    });
    dims.collect()
}
