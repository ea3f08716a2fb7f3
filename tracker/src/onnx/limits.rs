//! What a model file may contain. This is checked before tract sees the file, because tract would try to run
//! anything.
//!
//! Only the operators that our own exporter writes are allowed, with attributes of sensible size, one input
//! and one output of the shapes in the metadata, and no references to other files.

use tract_onnx::pb::tensor_shape_proto::dimension::Value as Dim;
use tract_onnx::pb::type_proto::Value as Type;
use tract_onnx::pb::{GraphProto, NodeProto, ValueInfoProto};
use tract_onnx::prelude::TypedModel;

use super::weights;
use crate::error::{Result, ensure};

/// The operators that facemark-train exports.
const OPERATORS: [&str; 15] = [
    "Add",
    "Cast",
    "Concat",
    "Conv",
    "DequantizeLinear",
    "Flatten",
    "Gather",
    "Gemm",
    "GlobalAveragePool",
    "MaxPool",
    "Mul",
    "ReduceSum",
    "Relu",
    "Reshape",
    "Softmax",
];
/// The largest model file that [`Tracker::new`](crate::Tracker::new) reads, in bytes. Our largest has 14 MB.
pub const MAX_FILE: u64 = 64 << 20;
const MAX_NODES: usize = 1000;
/// The largest kernel side, stride, padding or dilation.
const MAX_WINDOW: i64 = 32;
/// The inputs of all `Concat` layers together: a detector's three grids, or a mesh's coordinates, votes and
/// answers. Without a limit, constants concatenated again and again would fill any memory.
const MAX_JOINED: usize = 9;
/// The number of `Concat` layers.
const MAX_CONCATS: usize = 3;
/// The numbers in a layer's output; our nets have up to a million.
const MAX_ACTIVATIONS: usize = 1 << 24;

/// Refuses a graph that could read, run or allocate more than those that facemark-train exports. Its input
/// has to have the shape `[1, 1, height, width]`, and its output `[1, n_values]`.
///
/// # Errors
/// Says what is wrong.
pub fn check(graph: &GraphProto, [width, height]: [usize; 2], n_values: usize) -> Result<()> {
    ensure!(graph.sparse_initializer.is_empty(), "it has sparse weights");
    ensure!(graph.node.len() <= MAX_NODES, "it has {} layers, more than {MAX_NODES}", graph.node.len());
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
    ensure!(
        concats.len() <= MAX_CONCATS && n_joined <= MAX_JOINED,
        "it joins more than {MAX_JOINED} layers, or more often than {MAX_CONCATS} times"
    );
    weights::check(graph)?;
    graph.node.iter().try_for_each(check_node)
}

fn check_node(node: &NodeProto) -> Result<()> {
    let NodeProto { op_type, domain, name, .. } = node;
    let known = OPERATORS.contains(&op_type.as_str()) && domain.is_empty();
    ensure!(known, "its layer {name:?} is a {op_type:?}, which our models do not use");
    for attribute in &node.attribute {
        let is_plain = attribute.t.is_none()
            && attribute.g.is_none()
            && attribute.sparse_tensor.is_none()
            && attribute.tensors.is_empty()
            && attribute.graphs.is_empty()
            && attribute.ref_attr_name.is_empty();
        let is_small = attribute.ints.iter().all(|int| (0..=MAX_WINDOW).contains(int));
        ensure!(is_plain && is_small, "its layer {name:?} has an unexpected {:?}", attribute.name);
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
            ensure!(fits, "its layer {:?} is too large: {:?}", node.name, output.fact.shape);
        }
    }
    Ok(())
}

/// The shape that a value is declared with, if all its sizes are fixed.
fn shape(value: &ValueInfoProto) -> Option<Vec<i64>> {
    let Type::TensorType(tensor) = value.r#type.as_ref()?.value.as_ref()?;
    let dims = tensor.shape.as_ref()?.dim.iter().map(|dim| match dim.value.as_ref()? {
        Dim::DimValue(size) => Some(*size),
        Dim::DimParam(_) => None,
    });
    dims.collect()
}
