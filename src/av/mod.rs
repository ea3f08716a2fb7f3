//! The libav code that sources and outputs share.

pub mod container;
pub mod convert;
pub mod damage;
pub(crate) mod deinterlace;
pub mod demux;
pub mod encode;
pub(crate) mod fields;
pub mod foreign;
pub mod mux;
pub mod orient;
pub(crate) mod reader;
pub mod remux;
pub mod tags;
pub(crate) mod timeline;
pub mod writer;
