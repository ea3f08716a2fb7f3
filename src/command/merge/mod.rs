//! `facemark merge`: joins the data of a film that was annotated in ranges.

mod ids;
mod parts;
mod shots;

use std::path::Path;

use anyhow::Result;

use super::common::Settings;
use crate::cli::Merge;
use crate::error::{Fault, tell};
use crate::output::End;
use crate::output::data::DataFile;
use crate::output::target::Target;
use ids::Ids;
use parts::Film;
use shots::Shots;

/// Joins the ranges of each film.
///
/// # Errors
/// What is wrong with the arguments; after all films, the fault of the first one that failed.
pub fn merge(args: &Merge, settings: Settings) -> Result<()> {
    let films = parts::films(&args.input, args.output.as_deref())?;
    let mut failures = Vec::new();
    for film in &films {
        match join(film, args.overwrite) {
            Ok(told) if !settings.quiet => tell(told),
            Ok(_) => {}
            // A single film's error is the run's.
            Err(error) if films.len() == 1 => return Err(error),
            Err(error) => {
                log::error!("{error:#}");
                failures.push(error);
            }
        }
    }
    failures.first().map_or(Ok(()), |first| {
        let (count, all) = (failures.len(), films.len());
        Err(Fault::of(first).error(format!("{count} of {all} films failed; the messages above name them")))
    })
}

/// Joins a film's ranges; returns the line to print.
fn join(film: &Film, overwrite: bool) -> Result<String> {
    let shown = film.output.display();
    if film.is_found && !overwrite && film.output.exists() {
        return Ok(format!("{shown} exists and is left as it is; --overwrite replaces it"));
    }
    let inputs: Vec<_> = film.parts.iter().map(|part| part.to_path_buf()).collect();
    let mut out = DataFile::create(&Target::new(&film.output, &inputs, overwrite)?)?;
    let (mut ids, mut frames, mut header) = (Ids::new(), 0, None);
    for (place, part) in film.parts.iter().enumerate() {
        let mut shots = Shots::open(part)?;
        put_header(&mut header, &shots, part, &mut out)?;
        // The frames of the run-up are those that the range before has, too.
        let end = ids.last_time();
        ids.begin_range();
        while let Some(mut shot) = shots.next()? {
            if place > 0 && end.is_some_and(|end| shot.time <= end) {
                ids.overlap(shot.time, &shot.faces);
                continue;
            }
            let renamed = ids.rename(shot.time, &shot.faces);
            out.put(&shot.renumbered(frames, &renamed)?)?;
            frames += 1;
        }
    }
    out.finish(End::Complete)?;
    Ok(format!("{frames} frames of {} ranges -> {shown}", film.parts.len()))
}

/// Writes the header of the first range that has one, and checks that the others have the same.
fn put_header(header: &mut Option<Vec<u8>>, shots: &Shots, part: &Path, out: &mut DataFile) -> Result<()> {
    match (shots.header(), &header) {
        (None, _) => Ok(()),
        (Some(found), None) => {
            out.put(found)?;
            *header = Some(found.to_vec());
            Ok(())
        }
        (Some(found), Some(header)) if found == header => Ok(()),
        _ => Err(Fault::Input.error(format!(
            "{} has other columns than the ranges before it; annotate all with the same arguments",
            part.display()
        ))),
    }
}
