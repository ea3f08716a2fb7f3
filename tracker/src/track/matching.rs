//! Which of the places where faces are now belong to which faces of before.

use crate::geometry::Region;

/// A lost face is taken up again where one appears no further from its last place than this, in its sizes …
const NEAR: f32 = 1.5;
/// … and no more than so many times larger or smaller.
const ALIKE: f32 = 1.6;

/// How well a detection fits a face that was lost a short while ago; `None` if it is another's.
fn nearness(lost: &Region, found: &Region) -> Option<f32> {
    let distance = lost.center.distance(found.center) / lost.size;
    let ratio = (lost.size / found.size).max(found.size / lost.size);
    (distance <= NEAR && ratio <= ALIKE).then_some(-distance)
}

/// Pairs lost faces and new places, each at most once, the nearest first. Returns the lost one's index for each new place.
///
/// Greedy: another assignment could only be better in sum where two lost faces are near two new places each, and which is
/// which is not for their places to tell then.
pub fn pair(lost: &[Region], new: &[Region]) -> Vec<Option<usize>> {
    let mut fits: Vec<(f32, usize, usize)> = Vec::new();
    for (i, a) in lost.iter().enumerate() {
        fits.extend(new.iter().enumerate().filter_map(|(j, b)| Some((nearness(a, b)?, i, j))));
    }
    // Stable: of equal fits the older face, then the more certain detection is first.
    fits.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut pairs = vec![None; new.len()];
    let mut taken = vec![false; lost.len()];
    for (_, i, j) in fits {
        if !taken[i] && pairs[j].is_none() {
            taken[i] = true;
            pairs[j] = Some(i);
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Point;

    fn region(x: f32, size: f32) -> Region {
        Region { center: Point::new(x, 100.0), size, angle: 0.0 }
    }

    #[test]
    fn each_face_goes_to_the_nearest_one() {
        let lost = [region(100.0, 60.0), region(150.0, 60.0)];
        // Both are near both.
        let new = [region(140.0, 60.0), region(95.0, 60.0), region(300.0, 60.0)];
        assert_eq!(pair(&lost, &new), [Some(1), Some(0), None]);
        assert_eq!(pair(&[], &new), [None; 3]);
        assert_eq!(pair(&lost, &[]), []);
    }

    #[test]
    fn no_face_is_paired_twice() {
        let lost = [region(100.0, 60.0)];
        assert_eq!(pair(&lost, &[region(104.0, 60.0), region(98.0, 60.0)]), [None, Some(0)]);
    }

    #[test]
    fn nearness_ends_where_it_should() {
        let face = region(100.0, 60.0);
        assert!(nearness(&face, &region(190.0, 60.0)).is_some());
        assert!(nearness(&face, &region(191.0, 60.0)).is_none());
        assert!(nearness(&face, &region(100.0, 96.0)).is_some());
        assert!(nearness(&face, &region(100.0, 97.0)).is_none());
    }
}
