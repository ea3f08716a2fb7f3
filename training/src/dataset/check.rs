//! `facemark-train data check`: counts a data set's faces and finds what is wrong with them.

use std::collections::hash_map::{DefaultHasher, Entry};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::path::Path;

use anyhow::{Result, bail, ensure};
use facemark::Plane;
use rayon::prelude::*;

use super::annotation::{Annotation, Place};
use super::formats::Format;
use super::load::annotations;
use super::sample::{Sample, outermost, read_sample};
use super::source::Source;
use super::split::Part;

/// What a data set holds.
pub struct Check {
    /// Faces that can be used.
    n_good: usize,
    /// Lines to print.
    lines: Vec<String>,
    /// What is wrong, each with its file and line.
    errors: Vec<anyhow::Error>,
}

/// A face that can be used, without its pixels.
struct Checked {
    place: Place,
    part: Part,
    identity: String,
    folder: String,
    n_points: usize,
    /// Side of the landmarks' box in pixels.
    size: f32,
    /// How far points lie outside the picture, in sizes of the face.
    outside: f32,
    /// Of size and pixels.
    content: u64,
}

/// Reads all annotations and pictures in a data set.
///
/// # Errors
/// If there are none.
pub fn check(data: &Source) -> Result<Check> {
    let (format, annotations) = annotations(data, None)?;
    let data = &data.path;
    ensure!(!annotations.is_empty(), "no annotated face in {}", data.display());
    let results: Vec<Result<Checked>> =
        annotations.into_par_iter().map(|annotation| checked(data, annotation?)).collect();
    let (faces, errors): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
    let faces: Vec<Checked> = faces.into_iter().flatten().collect();
    let mut errors: Vec<anyhow::Error> = errors.into_iter().filter_map(Result::err).collect();
    errors.extend(doubles(&faces));
    Ok(Check { n_good: faces.len(), lines: summary(data, format, &faces), errors })
}

impl Check {
    /// Prints what was found; bad faces are an error unless they are to be skipped.
    pub fn print(self, skip_bad: bool) -> Result<()> {
        self.lines.iter().for_each(|line| println!("{line}"));
        self.errors.iter().for_each(|error| eprintln!("{error:#}"));
        match self.errors.len() {
            0 => println!("nothing is wrong"),
            n if skip_bad => println!("{n} errors; {} faces are left to use", self.n_good),
            n => bail!("{n} errors; --skip-bad goes on without such faces"),
        }
        Ok(())
    }
}

fn checked(data: &Path, annotation: Annotation) -> Result<Checked> {
    let Annotation { place, part, identity, .. } = annotation.clone();
    let Sample { points, region, photo, picture, .. } = read_sample(data, annotation, None)?;
    let folder =
        picture.parent().map(|folder| folder.strip_prefix(data).unwrap_or(folder).display().to_string());
    Ok(Checked {
        place,
        part,
        identity,
        folder: folder.filter(|folder| !folder.is_empty()).unwrap_or_else(|| ".".to_owned()),
        n_points: points.len(),
        size: region.size,
        outside: outermost(&points, &photo).1 / region.size,
        content: content(&photo),
    })
}

/// A number that two pictures share only if they show the same.
fn content(photo: &Plane) -> u64 {
    let mut hasher = DefaultHasher::new();
    (photo.width(), photo.data()).hash(&mut hasher);
    hasher.finish()
}

/// Pictures, photos and people that are on both sides of a split.
fn doubles(faces: &[Checked]) -> Vec<anyhow::Error> {
    let mut errors = Vec::new();
    let mut seen: HashMap<(&str, u64), &Checked> = HashMap::new();
    for face in faces {
        let keys = [
            (("", face.content), "the same picture"),
            ((face.identity.as_str(), 0), "the same photo or person"),
        ];
        for (key, what) in keys {
            let other = match seen.entry(key) {
                Entry::Vacant(entry) => {
                    entry.insert(face);
                    continue;
                }
                Entry::Occupied(entry) => *entry.get(),
            };
            if other.part != face.part {
                let (part, others) = (face.part.name(), other.part.name());
                errors.push(
                    face.place.error(format!("{what} as {}; that is {others}, this {part}", other.place)),
                );
                break;
            }
        }
    }
    errors
}

fn summary(data: &Path, format: Format, faces: &[Checked]) -> Vec<String> {
    let mut lines =
        vec![format!("{}: {} faces that can be used, format {}", data.display(), faces.len(), format.name())];
    for (title, counts) in [
        ("points", count(faces, |face| face.n_points.to_string())),
        ("part", count(faces, |face| face.part.name().to_owned())),
        ("folder", count(faces, |face| face.folder.clone())),
    ] {
        let counts: Vec<String> = counts.iter().map(|(name, n)| format!("{name}: {n}")).collect();
        let shown = counts.len().min(20);
        let more =
            if counts.len() > shown { format!(" and {} more", counts.len() - shown) } else { String::new() };
        lines.push(format!("  {title:<7} {}{more}", counts[..shown].join(", ")));
    }
    let mut sizes: Vec<f32> = faces.iter().map(|face| face.size).collect();
    sizes.sort_by(f32::total_cmp);
    if let (Some(least), Some(greatest)) = (sizes.first(), sizes.last()) {
        lines.push(format!("  size    {least:.0} to {greatest:.0} px, median {:.0}", sizes[sizes.len() / 2]));
    }
    let n_outside = faces.iter().filter(|face| face.outside > 0.0).count();
    if n_outside > 0 {
        let worst = faces.iter().map(|face| face.outside).fold(0.0, f32::max);
        lines.push(format!(
            "  {n_outside} faces have points a little outside the picture, at most {worst:.2} face sizes"
        ));
    }
    let pictures: HashSet<u64> = faces.iter().map(|face| face.content).collect();
    if pictures.len() < faces.len() {
        lines.push(format!("  {} different pictures", pictures.len()));
    }
    lines
}

fn count(faces: &[Checked], key: impl Fn(&Checked) -> String) -> BTreeMap<String, usize> {
    faces.iter().fold(BTreeMap::new(), |mut counts, face| {
        *counts.entry(key(face)).or_default() += 1;
        counts
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::test_data;

    fn errors(data: &Path) -> Result<Vec<String>> {
        let check = check(&Source::from(data.to_owned()))?;
        Ok(check.errors.iter().map(|error| format!("{error:#}")).collect())
    }

    #[test]
    fn a_sound_data_set_is_counted() -> Result<()> {
        let dir = tempfile::tempdir()?;
        test_data::imm(dir.path())?;
        let check = check(&Source::from(dir.path().to_owned()))?;
        assert!(check.errors.is_empty(), "{:?}", check.errors);
        let text = check.lines.join("\n");
        assert!(text.contains("10 faces that can be used, format imm"), "{text}");
        assert!(
            text.contains("training: 6, held out: 4") || text.contains("held out: 4, training: 6"),
            "{text}"
        );
        Ok(())
    }

    #[test]
    fn the_same_picture_on_both_sides_is_found() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let (train, test) = (dir.path().join("train"), dir.path().join("testset"));
        test_data::ibug(&train, &["a", "b"])?;
        test_data::ibug(&test, &["c", "d"])?;
        assert_eq!(errors(dir.path())?, Vec::<String>::new());
        fs::copy(train.join("b.jpg"), test.join("c.jpg"))?;
        let found = errors(dir.path())?;
        let [error] = &found[..] else { bail!("{found:?}") };
        assert!(error.contains("the same picture") && error.contains("testset/c.pts"), "{error}");
        Ok(())
    }

    #[test]
    fn faces_of_one_photo_on_both_sides_are_found() -> Result<()> {
        let dir = tempfile::tempdir()?;
        test_data::ibug(&dir.path().join("train"), &["1234_1"])?;
        test_data::ibug(&dir.path().join("test"), &["1234_2"])?;
        let found = errors(dir.path())?;
        assert!(found.len() == 1 && found[0].contains("the same photo or person"), "{found:?}");
        Ok(())
    }

    #[test]
    fn every_bad_file_is_listed_and_fails_unless_skipped() -> Result<()> {
        let dir = tempfile::tempdir()?;
        test_data::ibug(dir.path(), &["a", "b", "c"])?;
        test_data::write_pts(&dir.path().join("a.pts"), 67, (40.0, 40.0), 30.0)?;
        fs::write(dir.path().join("c.jpg"), b"no picture")?;
        let found = errors(dir.path())?;
        assert!(
            found.len() == 2 && found[0].contains("67 points") && found[1].contains("c.jpg"),
            "{found:?}"
        );
        assert!(check(&Source::from(dir.path().to_owned()))?.print(false).is_err());
        check(&Source::from(dir.path().to_owned()))?.print(true)
    }
}
