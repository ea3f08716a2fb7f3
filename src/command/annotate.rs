//! `facemark annotate`.

use std::sync::atomic::AtomicBool;

use anyhow::Result;

use super::batch;
use super::common::{Settings, annotated, tracker};
use super::job::Job;
use crate::cli::Annotate;
use crate::error::{Fault, tell};
use crate::output::{Annotated, Targets};
use crate::source::files::{Files, Pace};

/// Finds landmarks and writes what was asked for.
///
/// # Errors
/// See [`Fault`] for the kinds.
pub fn annotate(args: &Annotate, settings: Settings, stop: &AtomicBool) -> Result<()> {
    if args.output.is_none() && args.data.files().next().is_none() {
        return Err(Fault::Usage.error("nothing to write; pass -o FILE, --jsonl FILE or --csv FILE"));
    }
    let part = args.part()?;
    if let Some(videos) = batch::videos(&args.input)? {
        if args.video_format.is_some() || args.trace.is_some() {
            let message = "--format and --trace are for one video, not for several or a folder of them";
            return Err(Fault::Usage.error(message));
        }
        return batch::annotate(&videos, args, part, settings, stop);
    }
    if args.resume {
        return Err(Fault::Usage.error("--resume is for several videos or a folder of them"));
    }
    let targets = Targets {
        annotated: annotated(&args.output, args.video_format, Annotated::Copy),
        show_latency: args.show_latency,
        jsonl: args.data.jsonl.clone(),
        csv: args.data.csv.clone(),
        trace: args.trace.clone(),
        overwrite: args.overwrite,
        ..Targets::default()
    };
    let job = Job::new(Files::new(&args.input)?, targets)?;
    let mut source = job.open(if args.live { Pace::Live } else { Pace::Free }, part)?;
    let mut tracker = tracker(&args.tracking)?;
    let outcome = job.run(source.as_mut(), &mut tracker, settings, stop)?;
    if !settings.quiet {
        tell(outcome);
    }
    Ok(())
}
