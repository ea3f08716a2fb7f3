//! Which of the new places belong to which of the old ones.

use crate::face::Region;

/// Regions that overlap more than this, as intersection over union, show the same face. Landmarks and detector frame a
/// face alike, and faces side by side share less.
pub const SAME_FACE: f32 = 0.4;
/// A lost face is taken up again where one appears no further from its last place than this, in its sizes …
const NEAR: f32 = 1.5;
/// … and no more than so many times larger or smaller.
const ALIKE: f32 = 1.6;

/// How well a detection fits a face that is followed; `None` if it is another's.
pub fn overlap(followed: &Region, found: &Region) -> Option<f32> {
    let iou = followed.iou(found);
    (iou > SAME_FACE).then_some(iou)
}

/// How well a detection fits a face that was lost a short while ago; `None` if it is another's.
pub fn nearness(lost: &Region, found: &Region) -> Option<f32> {
    let distance = lost.center.distance(found.center) / lost.size;
    let ratio = (lost.size / found.size).max(found.size / lost.size);
    (distance <= NEAR && ratio <= ALIKE).then_some(-distance)
}

/// Pairs old and new places, each at most once, the best fits first. Returns the old one's index for each new one.
///
/// Greedy: another assignment could only have a larger sum where two faces overlap two others each, and which is which is
/// not for their places to tell then.
pub fn pair(
    old: &[Region],
    new: &[Region],
    fit: impl Fn(&Region, &Region) -> Option<f32>,
) -> Vec<Option<usize>> {
    let mut fits: Vec<(f32, usize, usize)> = Vec::new();
    for (i, a) in old.iter().enumerate() {
        fits.extend(new.iter().enumerate().filter_map(|(j, b)| Some((fit(a, b)?, i, j))));
    }
    // Stable: of equal fits the older face, then the more certain detection is first.
    fits.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut pairs = vec![None; new.len()];
    let mut taken = vec![false; old.len()];
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
    use crate::face::Point;

    fn region(x: f32, size: f32) -> Region {
        Region { center: Point::new(x, 100.0), size, angle: 0.0 }
    }

    #[test]
    fn each_face_goes_to_the_one_that_fits_best() {
        let old = [region(100.0, 60.0), region(130.0, 60.0)];
        // Both overlap the first; the second fits it better.
        let new = [region(120.0, 60.0), region(98.0, 60.0), region(300.0, 60.0)];
        assert_eq!(pair(&old, &new, overlap), [Some(1), Some(0), None]);
        assert_eq!(pair(&[], &new, overlap), [None; 3]);
        assert_eq!(pair(&old, &[], overlap), []);
    }

    #[test]
    fn no_face_is_paired_twice() {
        let old = [region(100.0, 60.0)];
        let new = [region(104.0, 60.0), region(98.0, 60.0)];
        assert_eq!(pair(&old, &new, overlap), [None, Some(0)]);
    }

    #[test]
    fn overlap_and_nearness_end_where_they_should() {
        let face = region(100.0, 60.0);
        // Squares of 60 px, 25 and 26 px apart, share 35/85 and 34/86.
        assert!(overlap(&face, &region(125.0, 60.0)).is_some());
        assert!(overlap(&face, &region(126.0, 60.0)).is_none());
        assert!(nearness(&face, &region(190.0, 60.0)).is_some());
        assert!(nearness(&face, &region(191.0, 60.0)).is_none());
        assert!(nearness(&face, &region(100.0, 96.0)).is_some());
        assert!(nearness(&face, &region(100.0, 97.0)).is_none());
    }
}
