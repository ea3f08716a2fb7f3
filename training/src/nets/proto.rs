//! The parts of ONNX files, in the types of ONNX's own description.

use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension};
use tract_onnx::pb::{AttributeProto, TensorShapeProto, TypeProto, ValueInfoProto, type_proto};

use super::layer::Window;

/// What flows between two layers.
#[derive(Clone, Debug)]
pub struct Value {
    /// Its name in the graph.
    pub name: String,
    /// Without the batch: channels, height, width, or the number of values.
    pub size: Vec<usize>,
}

impl Value {
    /// A net's input.
    pub fn input(name: &str, [height, width]: [usize; 2]) -> Self {
        Self { name: name.to_owned(), size: vec![1, height, width] }
    }
}

/// Where a convolution or pool looks.
pub fn window_attributes(Window { size, stride, pad }: Window) -> Vec<AttributeProto> {
    vec![ints("kernel_shape", &size), ints("strides", &stride), ints("pads", &[pad; 4])]
}

/// An attribute of one integer.
pub fn int(name: &str, value: usize) -> AttributeProto {
    let r#type = AttributeType::Int as i32;
    AttributeProto { name: name.to_owned(), r#type, i: value as i64, ..AttributeProto::default() }
}

/// An attribute of several integers.
fn ints(name: &str, values: &[usize]) -> AttributeProto {
    let ints = values.iter().map(|&value| value as i64).collect();
    AttributeProto {
        name: name.to_owned(),
        r#type: AttributeType::Ints as i32,
        ints,
        ..AttributeProto::default()
    }
}

/// A value's name and shape, for one crop.
pub fn value_info(value: &Value) -> ValueInfoProto {
    let dim = |&dim: &usize| Dimension {
        value: Some(dimension::Value::DimValue(dim as i64)),
        ..Dimension::default()
    };
    let shape = TensorShapeProto { dim: std::iter::once(&1).chain(&value.size).map(dim).collect() };
    let tensor = type_proto::Tensor { elem_type: DataType::Float as i32, shape: Some(shape) };
    let r#type = TypeProto { value: Some(type_proto::Value::TensorType(tensor)), ..TypeProto::default() };
    ValueInfoProto { name: value.name.clone(), r#type: Some(r#type), ..ValueInfoProto::default() }
}
