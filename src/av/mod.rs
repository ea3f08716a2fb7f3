//! What sources and outputs share of libav.

pub mod convert;
pub mod damage;
pub mod demux;
pub mod encode;
pub mod foreign;
pub mod mux;
pub mod orient;
pub mod remux;
pub mod tags;
pub mod writer;
