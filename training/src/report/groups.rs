//! Held-out faces by what makes them hard: what their names tell, and what their true landmarks tell.

use std::collections::BTreeMap;

use facemark::face::Scheme;
use facemark::geometry::{Point, Region, bounds, mean};

use super::HeldOut;

/// Faces with something in common.
pub struct Group {
    /// What.
    pub name: String,
    /// How many.
    pub n: usize,
    /// Their mean NME in per cent.
    pub nme: f64,
}

/// The groups of some faces, the worst first. Names tell one of IMM's six poses, elsewhere the folder; a face can have
/// several traits besides.
pub fn groups(faces: &[HeldOut]) -> Vec<Group> {
    let mut errors = BTreeMap::<String, Vec<f64>>::new();
    for face in faces {
        let traits = face.traits.iter().map(|&name| name.to_owned());
        traits.chain([by_name(&face.name)]).for_each(|name| errors.entry(name).or_default().push(face.nme));
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

/// A head counts as turned if its nose is this much nearer to one end of the jaw than to the other.
const TURNED: f32 = 0.5;
/// Eyes whose landmarks' box is flatter than this, height over width, count as closed or nearly so. (Soukupová and Čech,
/// "Real-Time Eye Blink Detection using Facial Landmarks", 2016, take 0.2 for a blink.)
const CLOSED: f32 = 0.2;
/// Beyond this roll, in degrees, a head counts as tilted.
const TILTED: f32 = 15.0;

/// What a face's true landmarks tell of how hard it is; nothing for a scheme without eyes.
pub fn traits(points: &[Point], scheme: Scheme) -> Vec<&'static str> {
    let (Some(eyes), Some(region)) = (scheme.eyes(), Region::from_landmarks(points, scheme)) else {
        return Vec::new();
    };
    let level: Vec<Point> = points.iter().map(|p| p.rotated(-region.angle)).collect();
    let part =
        |name: &str| scheme.contours().iter().find(|c| c.name == name).map(|c| &level[c.points.clone()]);
    let openness = |eye: &[Point]| {
        let (min, max) = bounds(eye.iter().copied());
        (max.y - min.y) / (max.x - min.x)
    };
    let is_closed = eyes.iter().all(|eye| openness(&level[eye.clone()]) < CLOSED);
    let asymmetry = part("nose").zip(part("jaw")).and_then(|(nose, jaw)| {
        let nose = mean(nose).x;
        let [a, b] = [jaw.first()?, jaw.last()?].map(|end| (end.x - nose).abs());
        Some(a.min(b) / a.max(b))
    });
    let mut traits = Vec::new();
    traits.extend(asymmetry.filter(|&a| a < TURNED).map(|_| "turned head"));
    traits.extend(is_closed.then_some("closed eyes"));
    traits.extend((region.angle.to_degrees().abs() > TILTED).then_some("tilted head"));
    traits
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

    /// A face of 100 px: jaw ends at 0 and 100, eyes `open` high at 25 and 75, the nose's middle at `nose`.
    fn face(nose: f32, open: f32) -> Vec<Point> {
        let eye = |x: f32| [-10.0, -5.0, 5.0, 10.0, 5.0, -5.0].map(|dx| x + dx);
        let lids = [0.0, -0.5, -0.5, 0.0, 0.5, 0.5].map(|dy| 20.0 * open * dy);
        let point = |i: usize| match i {
            0..17 => Point::new(100.0 * i as f32 / 16.0, 50.0),
            31..36 => Point::new(nose + 5.0 * (i as f32 - 33.0), 30.0),
            36..42 => Point::new(eye(25.0)[i - 36], lids[i - 36]),
            42..48 => Point::new(eye(75.0)[i - 42], lids[i - 42]),
            _ => Point::new(50.0, 60.0),
        };
        (0..68).map(point).collect()
    }

    #[test]
    fn turned_tilted_and_sleeping_faces_are_told_apart() {
        let told = |points: &[Point]| traits(points, Scheme::Ibug68);
        assert_eq!(told(&face(50.0, 0.3)), Vec::<&str>::new());
        assert_eq!(told(&face(20.0, 0.3)), ["turned head"]);
        assert_eq!(told(&face(50.0, 0.1)), ["closed eyes"]);
        let tilted: Vec<Point> = face(50.0, 0.3).into_iter().map(|p| p.rotated(0.4)).collect();
        assert_eq!(told(&tilted), ["tilted head"]);
        assert_eq!(traits(&[Point::new(1.0, 2.0)], Scheme::Nose), Vec::<&str>::new());
    }
}
