//! Recall by groups of people: how often the tracker finds whom.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use facemark::Tracker;
use serde::{Deserialize, Serialize};

use super::faces::{Recall, best, detections, placed};
use crate::dataset::Part;
use crate::dataset::photos::Photo;

/// A line of the table of people.
#[derive(Deserialize)]
struct Person {
    file: String,
    age: String,
    gender: String,
    race: String,
    /// Degrees.
    yaw: f32,
}

/// Recall of all people and of each group.
#[derive(Serialize)]
pub struct Report {
    photos: usize,
    groups: Vec<Group>,
}

/// A group's recall.
#[derive(Serialize)]
struct Group {
    /// `race`, `gender`, `age`, `yaw`, or `all`.
    by: &'static str,
    name: String,
    recall: Recall,
    /// The interval that holds the true share with a probability of 95 %, per cent.
    low: f64,
    high: f64,
}

/// Looks for the face of each person that the table names. `photos` are named by their paths.
pub fn evaluate(tracker: &mut Tracker, photos: &[Photo], table: &Path, held_out: bool) -> Result<Report> {
    let people = read(table)?;
    let mut groups: BTreeMap<(&str, String), Recall> = BTreeMap::new();
    let mut n = 0;
    for photo in photos.iter().filter(|photo| photo.part == Part::HeldOut || !held_out) {
        let name = Path::new(&photo.name).file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (Some(person), Some(face)) = (people.get(&name), photo.faces.first()) else { continue };
        let found = detections(tracker, &photo.luma)?;
        let is_found = best(&found, &placed(face)).is_some();
        let yaw = match person.yaw.abs() {
            yaw if yaw <= 15.0 => "up to 15°",
            yaw if yaw <= 30.0 => "15° to 30°",
            yaw if yaw <= 45.0 => "30° to 45°",
            _ => "beyond 45°",
        };
        let beyond = (person.yaw.abs() > 30.0).then_some(("yaw", "beyond 30°".to_owned()));
        let all = [
            ("all", "all".to_owned()),
            ("race", person.race.clone()),
            ("gender", person.gender.clone()),
            ("age", person.age.clone()),
            ("yaw", yaw.to_owned()),
        ];
        for group in all.into_iter().chain(beyond) {
            groups.entry(group).or_default().count(is_found);
        }
        n += 1;
    }
    ensure!(n > 0, "{} names none of the photos that are used", table.display());
    let group = |((by, name), recall): ((&'static str, String), Recall)| {
        let (low, high) = recall.interval();
        Group { by, name, recall, low, high }
    };
    Ok(Report { photos: n, groups: groups.into_iter().map(group).collect() })
}

fn read(table: &Path) -> Result<BTreeMap<String, Person>> {
    let unreadable = || format!("{} is no table of people (file,age,gender,race,yaw)", table.display());
    let line = |line: csv::Result<Person>| {
        let person = line.with_context(unreadable)?;
        Ok((person.file.clone(), person))
    };
    csv::Reader::from_path(table).with_context(unreadable)?.deserialize().map(line).collect()
}

impl Report {
    /// Prints the table for people.
    pub fn print(&self) {
        println!("{} photos", self.photos);
        println!("| by | group | found | share | 95 % interval |\n|---|---|---|---|---|");
        for Group { by, name, recall, low, high } in &self.groups {
            let Recall { found, of } = recall;
            println!(
                "| {by} | {name} | {found} of {of} | {:.1} % | {low:.1}–{high:.1} % |",
                recall.percent()
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_wilsons() {
        // By hand for 9 of 10, with z = 1.96: (0.9 + 0.192 ± 1.96 · √(0.009 + 0.0096)) / 1.384.
        let (low, high) = Recall { found: 9, of: 10 }.interval();
        assert!((low - 59.6).abs() < 0.1 && (high - 98.2).abs() < 0.1, "{low} {high}");
        let (low, high) = Recall { found: 10, of: 10 }.interval();
        assert!(low < 75.0 && high > 99.9, "{low} {high}");
    }
}
