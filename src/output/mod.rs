//! Where frames and faces go.

use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::frame::Tracked;

pub mod csv;
pub mod data;
pub mod images;
pub mod jsonl;
pub mod net;
pub mod overlay;
pub mod partial;
pub mod progress;
pub mod record;
pub mod report;
pub mod snapshot;
pub mod stamp;
pub mod trace;
pub mod video;
pub mod y4m;

/// Takes finished frames, one after another, on the main thread.
pub trait Sink {
    /// Takes the next frame. A sink may draw into it; the sinks after it see that.
    ///
    /// # Errors
    /// If it cannot be written.
    fn write(&mut self, tracked: &mut Tracked) -> Result<()>;

    /// Called every few milliseconds while no frame comes, for what must not wait for one: keys, a window's size.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    fn idle(&mut self) -> Result<()> {
        Ok(())
    }

    /// Completes the output. A sink that is dropped without this leaves nothing under the output's final name.
    ///
    /// # Errors
    /// If the output cannot be completed.
    fn finish(&mut self, end: End) -> Result<()>;
}

/// Why no more frames come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The source is at its end, be it early. What accompanies the frames is kept to its own end.
    Complete,
    /// The run was stopped. What accompanies the frames is cut where they stop.
    CutShort,
}

/// Whether both names lead to one file, through links of any kind.
pub fn same_file(a: &Path, b: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let id = |path: &Path| fs::metadata(path).map(|data| (data.dev(), data.ino())).ok();
        id(a).is_some() && id(a) == id(b)
    }
    #[cfg(not(unix))]
    {
        let real = |path: &Path| fs::canonicalize(path).ok();
        real(a).is_some() && real(a) == real(b)
    }
}
