//! Faces by what makes them hard.

use std::collections::BTreeMap;

use serde::Serialize;

/// Faces with something in common.
#[derive(Clone, Debug, Serialize)]
pub struct Group {
    /// What.
    pub name: String,
    /// How many.
    pub n: usize,
    /// Their mean NME in per cent.
    pub nme: f64,
}

/// The groups of some faces, the worst first. IMM's file names say which of six poses a face has; other faces are grouped by
/// folder. A face can also have several traits.
///
/// Each face comes with its name, its [`traits`](super::traits) and its NME in per cent.
pub fn groups<'a>(faces: impl IntoIterator<Item = (&'a str, &'a [&'static str], f64)>) -> Vec<Group> {
    let mut errors = BTreeMap::<String, Vec<f64>>::new();
    for (name, traits, nme) in faces {
        let names = traits.iter().map(|&name| name.to_owned()).chain([by_name(name)]);
        names.for_each(|name| errors.entry(name).or_default().push(nme));
    }
    let group = |(name, errors): (String, Vec<f64>)| Group {
        name,
        n: errors.len(),
        nme: errors.iter().sum::<f64>() / errors.len() as f64,
    };
    let mut groups: Vec<Group> = errors.into_iter().map(group).collect();
    groups.sort_by(|a, b| b.nme.total_cmp(&a.nme));
    groups
}

fn by_name(name: &str) -> String {
    // `33-4f.asf`: person, pose, sex.
    let pose = name.split_once('-').and_then(|(person, rest)| {
        let is_person = person.parse::<u32>().is_ok();
        rest.chars().next().filter(|c| is_person && ('1'..='6').contains(c))
    });
    let told =
        ["frontal", "frontal, smiling", "turned to the right", "turned to the left", "light from the side"];
    match (pose.and_then(|c| c.to_digit(10)), name.rsplit_once('/')) {
        (Some(pose), _) => {
            format!("pose {pose}: {}", told.get(pose as usize - 1).unwrap_or(&"of the person's choice"))
        }
        (None, Some((folder, _))) => folder.to_owned(),
        (None, None) => "all".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faces_are_grouped_by_pose_or_folder() {
        assert_eq!(by_name("33-4f.asf"), "pose 4: turned to the left");
        assert_eq!(by_name("33-6f.asf"), "pose 6: of the person's choice");
        assert_eq!(by_name("helen/trainset/12_1.pts"), "helen/trainset");
        assert_eq!(by_name("a.pts"), "all");
    }
}
