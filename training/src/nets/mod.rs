//! The nets. Each is a list of layers in a file of its own, which is run ([`run`]), written to ONNX files ([`graph`]) and
//! filled with the weights of such files ([`import`]).

mod face;
mod full_face;
mod graph;
mod import;
mod layer;
mod mesh;
mod net;
mod norm;
mod nose;
mod onnx;
mod precision;
mod proto;
mod quantise;
mod resnet18;
mod run;
mod voting;
mod walk;
mod weights;

#[cfg(test)]
pub use graph::values;
pub use graph::{Step, Storage};
pub use net::Net;
