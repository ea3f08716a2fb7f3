//! All samples of a data set.

use anyhow::{Context, Result, anyhow, ensure};
use facemark::face::Scheme;
use rayon::prelude::*;

use super::annotation::Annotation;
use super::formats::Format;
use super::sample::{Sample, read_sample};
use super::source::Source;
use super::split::Part;

/// Reads all annotated photos in `data` that have the scheme's points, sorted by name so that a seed means the same everywhere.
///
/// # Errors
/// If there are none, or if an annotation or its picture is broken and not to be skipped. The message names file and line.
pub fn load(data: &Source, scheme: Scheme) -> Result<Vec<Sample>> {
    load_all(data, scheme, annotations(data, Some(scheme))?.1)
}

/// Like [`load`], but leaves out what is meant for testing: folders called `test` or `testset`, lists with `test` in their name.
/// The further photos come last.
pub fn load_for_training(data: &Source, scheme: Scheme) -> Result<Vec<Sample>> {
    let load = |data: &Source| {
        let mut annotations = annotations(data, Some(scheme))?.1;
        annotations.retain(|annotation| annotation.as_ref().map_or(true, |a| a.part != Part::Test));
        load_all(data, scheme, annotations)
    };
    let mut samples = load(data)?;
    for path in &data.more {
        let more = load(&Source::new(path.clone(), data.reading.clone()))?;
        samples.extend(more.into_iter().map(|sample| Sample { held_out: false, ..sample }));
    }
    Ok(samples)
}

/// The format, and everything that is annotated in it.
pub fn annotations(data: &Source, scheme: Option<Scheme>) -> Result<(Format, Vec<Result<Annotation>>)> {
    let format = match data.reading.format {
        Some(format) => format,
        None => Format::recognise(&data.path, scheme)?,
    };
    Ok((format, format.read(&data.path)?))
}

fn load_all(data: &Source, scheme: Scheme, annotations: Vec<Result<Annotation>>) -> Result<Vec<Sample>> {
    let Source { path, reading, .. } = data;
    ensure!(!annotations.is_empty(), "no annotated face to use in {}", path.display());
    let n = annotations.len();
    let read = |annotation: Result<Annotation>| read_sample(path, annotation?, Some(scheme));
    let (good, bad): (Vec<_>, Vec<_>) =
        annotations.into_par_iter().map(read).partition_map(|sample| match sample {
            Ok(sample) => rayon::iter::Either::Left(sample),
            Err(error) => rayon::iter::Either::Right(error),
        });
    report_bad(bad, n, reading.skip_bad)?;
    ensure!(!good.is_empty(), "no face in {} can be used", path.display());
    Ok(good)
}

/// Prints what is left out, or fails with the first error.
fn report_bad(bad: Vec<anyhow::Error>, n: usize, skip_bad: bool) -> Result<()> {
    if skip_bad {
        bad.iter().for_each(|error| eprintln!("left out: {error:#}"));
        if !bad.is_empty() {
            eprintln!("left out {} of {n} faces", bad.len());
        }
        return Ok(());
    }
    let others = match bad.len() {
        0 => return Ok(()),
        1 => String::new(),
        n_bad => format!("; so are {} others, which `facemark-train data check` lists", n_bad - 1),
    };
    let first = bad.into_iter().next().context("there is a first one")?;
    Err(anyhow!("{first:#} (that one is broken{others}; --skip-bad leaves such faces out)"))
}

/// The samples to train on and those to validate with, in that order.
///
/// # Errors
/// If one of the two is empty.
pub fn split(samples: Vec<Sample>) -> Result<(Vec<Sample>, Vec<Sample>)> {
    let (validation, training): (Vec<_>, Vec<_>) = samples.into_iter().partition(|sample| sample.held_out);
    ensure!(!training.is_empty(), "every photo is held out, none is left to train on");
    ensure!(!validation.is_empty(), "no photo is held out for validation");
    Ok((training, validation))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::source::Reading;
    use super::*;
    use crate::test_data;

    #[test]
    fn an_empty_folder_is_an_error_that_says_what_was_looked_for() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let data = Source::from(dir.path().to_owned());
        let error = load(&data, Scheme::Ibug68).expect_err("nothing is there");
        let message = format!("{error:#}");
        assert!(message.contains("no annotations") && message.contains(".pts"), "{message}");
        assert!(message.contains(&dir.path().display().to_string()), "{message}");
        Ok(())
    }

    fn cut_short(file: &Path) -> Result<()> {
        let bytes = std::fs::read(file)?;
        Ok(std::fs::write(file, &bytes[..bytes.len() - 20])?)
    }

    #[test]
    fn bad_annotations_and_pictures_stop_or_are_skipped_by_name() -> Result<()> {
        type Spoil = fn(&Path) -> Result<()>;
        let cases: [(&str, Spoil, &str); 7] = [
            ("b.pts", |file| test_data::write_pts(file, 67, (40.0, 40.0), 30.0), "67 points instead of 68"),
            // Point 1 is the circle's rightmost.
            (
                "b.pts",
                |file| test_data::write_pts(file, 68, (400.0, 40.0), 30.0),
                "point 1 lies outside the picture, by 11.17",
            ),
            ("b.pts", |file| test_data::write_pts(file, 68, (40.0, f32::NAN), 30.0), "b.pts:4: "),
            ("b.pts", |file| test_data::write_pts(file, 68, (40.0, 40.0), 0.0), "in one place"),
            ("b.jpg", |file| Ok(std::fs::remove_file(file)?), "no .jpg or .png"),
            ("b.jpg", |file| Ok(std::fs::write(file, b"no picture")?), "cannot read the picture"),
            ("b.jpg", cut_short, "b.jpg: it is cut short"),
        ];
        for (name, spoil, part) in cases {
            let dir = tempfile::tempdir()?;
            let data = Source::from(dir.path().to_owned());
            test_data::ibug(dir.path(), &["a", "b", "c"])?;
            spoil(&dir.path().join(name))?;
            let error = load(&data, Scheme::Ibug68).expect_err(part);
            let message = format!("{error:#}");
            assert!(message.contains(part) && message.contains("b.pts"), "{message}");
            assert_eq!(message.lines().count(), 1, "{message}");
            assert!(message.contains("--skip-bad"), "{message}");
            let data = Source { reading: Reading { skip_bad: true, format: None }, ..data };
            let names: Vec<String> =
                load(&data, Scheme::Ibug68)?.into_iter().map(|sample| sample.name).collect();
            assert_eq!(names, ["a.pts", "c.pts"], "{part}");
        }
        Ok(())
    }

    #[test]
    fn a_point_just_beyond_the_edge_is_a_guess_one_far_beyond_an_error() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let data = Source::from(dir.path().to_owned());
        test_data::ibug(dir.path(), &["a"])?;
        // The face is 40 px wide and the picture 80: it ends 8 px beyond.
        test_data::write_pts(&dir.path().join("a.pts"), 68, (68.0, 40.0), 40.0)?;
        assert_eq!(load(&data, Scheme::Ibug68)?.len(), 1);
        test_data::write_pts(&dir.path().join("a.pts"), 68, (75.0, 40.0), 40.0)?;
        assert!(load(&data, Scheme::Ibug68).is_err());
        Ok(())
    }
}
