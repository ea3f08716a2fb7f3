//! What the subcommands do: open the parts, run the pipeline, report.

mod annotate;
mod batch;
mod bench;
mod common;
mod crew;
mod devices;
mod job;
mod live;
mod manual;
mod merge;
mod models;
mod openface;
mod room;
mod shard;

pub use annotate::annotate;
pub use bench::bench;
pub use common::Settings;
pub use devices::devices;
pub use live::live;
pub use manual::{completions, man};
pub use merge::merge;
pub use models::models;
pub use openface::openface;
pub use shard::status;
