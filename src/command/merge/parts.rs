//! Which files are ranges of which film.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::error::{Blame, Fault};
use crate::output::target::means_folder;

/// The ranges of a film, all of them and in order, and the file that they become.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Film {
    pub(super) parts: Vec<PathBuf>,
    pub(super) output: PathBuf,
    /// Whether it was found in a folder rather than named.
    pub(super) is_found: bool,
}

/// The kinds of data that can be merged.
const ENDINGS: [&str; 2] = ["jsonl", "csv"];

/// What a range's file name says.
#[derive(Debug, PartialEq, Eq)]
struct Name {
    /// The merged file's.
    merged: String,
    part: u32,
    parts: u32,
}

/// The films whose ranges are given, or are in a given folder.
///
/// # Errors
/// [`Fault::Input`] if there are none, or a range is missing; [`Fault::Usage`] for other files.
pub(super) fn films(input: &[PathBuf], output: Option<&Path>) -> Result<Vec<Film>> {
    let mut films: BTreeMap<(PathBuf, u32), Vec<(u32, PathBuf)>> = BTreeMap::new();
    let is_found = matches!(input, [folder] if folder.is_dir());
    let files = if is_found { in_folder(&input[0])? } else { input.to_vec() };
    for file in files {
        match Name::of(&file) {
            Some(Name { merged, part, parts }) => {
                films.entry((file.with_file_name(merged), parts)).or_default().push((part, file));
            }
            None if is_found => {}
            None => {
                let message = format!(
                    "{} is not a range of a film; those are called NAME.part-0001-of-0012.jsonl or .csv",
                    file.display()
                );
                return Err(Fault::Usage.error(message));
            }
        }
    }
    if films.is_empty() {
        let shown = input[0].display();
        return Err(
            Fault::Input.error(format!("{shown} has no ranges to merge; annotate --split makes them"))
        );
    }
    let is_one = films.len() == 1;
    let film = |((merged, parts), found): ((PathBuf, u32), _)| {
        let output = match output {
            None => merged,
            Some(folder) if means_folder(folder) || !is_one => {
                folder.join(merged.file_name().unwrap_or_default())
            }
            Some(file) => file.to_owned(),
        };
        Ok(Film { parts: complete(found, parts, &output)?, output, is_found })
    };
    films.into_iter().map(film).collect()
}

fn in_folder(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).blame(Fault::Input, || format!("cannot read {}", folder.display()))?;
    Ok(entries.flatten().map(|entry| entry.path()).collect())
}

/// The files in order, none missing.
fn complete(mut found: Vec<(u32, PathBuf)>, parts: u32, output: &Path) -> Result<Vec<PathBuf>> {
    found.sort();
    found.dedup();
    let missing: Vec<_> = (1..=parts)
        .filter(|part| !found.iter().any(|(found, _)| found == part))
        .map(|part| part.to_string())
        .collect();
    if !missing.is_empty() {
        let (shown, missing) = (output.display(), missing.join(", "));
        let message =
            format!("{shown}: of {parts} ranges these are missing: {missing}; run their shards again");
        return Err(Fault::Input.error(message));
    }
    Ok(found.into_iter().map(|(_, file)| file).collect())
}

impl Name {
    fn of(file: &Path) -> Option<Self> {
        let (stem, ending) = file.file_name()?.to_str()?.rsplit_once('.')?;
        let (film, range) = stem.rsplit_once(".part-")?;
        let (part, parts) = range.split_once("-of-")?;
        let (part, parts) = (part.parse().ok()?, parts.parse().ok()?);
        let is_range = ENDINGS.contains(&ending) && (1..=parts).contains(&part);
        is_range.then(|| Self { merged: format!("{film}.{ending}"), part, parts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(names: &[&str]) -> (tempfile::TempDir, Vec<PathBuf>) {
        let folder = tempfile::tempdir().unwrap();
        let paths: Vec<_> = names.iter().map(|name| folder.path().join(name)).collect();
        paths.iter().for_each(|path| fs::write(path, "").unwrap());
        (folder, paths)
    }

    #[test]
    fn a_folders_films_are_found() {
        let names =
            ["b.part-0002-of-0002.csv", "b.part-0001-of-0002.csv", "a.part-0001-of-0001.jsonl", "c.csv"];
        let (folder, paths) = made(&names);
        let found = films(&[folder.path().to_owned()], None).unwrap();
        let film = |parts: &[usize], output: &str| Film {
            parts: parts.iter().map(|&i| paths[i].clone()).collect(),
            output: folder.path().join(output),
            is_found: true,
        };
        assert_eq!(found, [film(&[2], "a.jsonl"), film(&[1, 0], "b.csv")]);
        let named = films(&[paths[0].clone(), paths[1].clone()], Some(Path::new("x.csv"))).unwrap();
        assert_eq!(named[0].output, Path::new("x.csv"));
        assert_eq!(Fault::of(&films(&[paths[3].clone()], None).unwrap_err()), Fault::Usage);
    }

    #[test]
    fn a_missing_range_is_named() {
        let (folder, _) = made(&["a.part-0001-of-0003.csv", "a.part-0002-of-0003.csv"]);
        let error = films(&[folder.path().to_owned()], None).unwrap_err();
        assert!(Fault::of(&error) == Fault::Input && error.to_string().contains("missing: 3;"), "{error}");
        let empty = tempfile::tempdir().unwrap();
        assert!(films(&[empty.path().to_owned()], None).unwrap_err().to_string().contains("no ranges"));
    }
}
