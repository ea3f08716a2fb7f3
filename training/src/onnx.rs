//! Writes ONNX's protobuf by hand: the few messages that a feed-forward net needs.
//!
//! Field numbers are those of onnx.proto3 (IR version 8, opset 13).

/// A protobuf message under construction.
#[derive(Default)]
pub struct Message {
    bytes: Vec<u8>,
}

impl Message {
    /// An integer field.
    pub fn int(mut self, field: u64, value: u64) -> Self {
        self.varint(field << 3);
        self.varint(value);
        self
    }

    /// A field of bytes, text or packed numbers.
    pub fn bytes(mut self, field: u64, value: &[u8]) -> Self {
        self.varint(field << 3 | 2);
        self.varint(value.len() as u64);
        self.bytes.extend_from_slice(value);
        self
    }

    /// A text field.
    pub fn text(self, field: u64, value: &str) -> Self {
        self.bytes(field, value.as_bytes())
    }

    /// A nested message.
    pub fn message(self, field: u64, value: &Self) -> Self {
        self.bytes(field, &value.bytes)
    }

    /// A field that repeats, once per message.
    pub fn messages(self, field: u64, values: &[Self]) -> Self {
        values.iter().fold(self, |message, value| message.message(field, value))
    }

    /// The message as it stands in a file.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Seven bits a byte, the lowest first, the top bit set on all but the last.
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }
}

/// Element types (`TensorProto.DataType`).
#[derive(Clone, Copy)]
pub enum DataType {
    /// 32-bit floats.
    Float = 1,
    /// 8-bit signed integers.
    Int8 = 3,
    /// 64-bit signed integers.
    Int64 = 7,
    /// 16-bit floats.
    Float16 = 10,
}

/// A node's attribute (`AttributeProto`).
pub enum Attribute<'a> {
    /// One integer.
    Int(&'a str, u64),
    /// A list of integers.
    Ints(&'a str, &'a [usize]),
}

impl Attribute<'_> {
    fn encode(&self) -> Message {
        match self {
            Self::Int(name, value) => Message::default().text(1, name).int(3, *value).int(20, 2),
            Self::Ints(name, values) => {
                let message = Message::default().text(1, name).int(20, 7);
                values.iter().fold(message, |message, &value| message.int(8, value as u64))
            }
        }
    }
}

/// `NodeProto`.
pub fn node(operator: &str, inputs: &[&str], output: &str, attributes: &[Attribute<'_>]) -> Message {
    let message = inputs.iter().fold(Message::default(), |message, input| message.text(1, input));
    let attributes: Vec<Message> = attributes.iter().map(Attribute::encode).collect();
    message.text(2, output).text(3, output).text(4, operator).messages(5, &attributes)
}

/// `TensorProto` with little-endian raw data.
pub fn tensor(name: &str, data_type: DataType, dims: &[usize], raw: &[u8]) -> Message {
    let message = dims.iter().fold(Message::default(), |message, &dim| message.int(1, dim as u64));
    message.int(2, data_type as u64).text(8, name).bytes(9, raw)
}

/// `ValueInfoProto` of a float tensor.
pub fn value_info(name: &str, dims: &[usize]) -> Message {
    let dims: Vec<Message> = dims.iter().map(|&dim| Message::default().int(1, dim as u64)).collect();
    let shape = Message::default().messages(1, &dims);
    let tensor = Message::default().int(1, DataType::Float as u64).message(2, &shape);
    Message::default().text(1, name).message(2, &Message::default().message(1, &tensor))
}

/// `ModelProto` around a graph, with key-value pairs.
pub fn model(graph: &Message, metadata: &[(String, String)]) -> Message {
    let opset = Message::default().text(1, "").int(2, 13);
    let metadata: Vec<Message> =
        metadata.iter().map(|(key, value)| Message::default().text(1, key).text(2, value)).collect();
    Message::default()
        .int(1, 8)
        .text(2, env!("CARGO_PKG_NAME"))
        .text(3, env!("CARGO_PKG_VERSION"))
        .message(7, graph)
        .message(8, &opset)
        .messages(14, &metadata)
}
