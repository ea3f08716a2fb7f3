//! Decides which new detections are faces that were lost shortly before.

use crate::geometry::Region;

/// How far a lost face may have moved until it is back, in its sizes.
const MAX_DISTANCE: f32 = 1.5;
/// By which factor its size may have changed.
const MAX_RATIO: f32 = 1.6;

/// How close a detection is to a face that was lost shortly before: 0 or less. `None` if it is another face.
fn closeness(lost: &Region, found: &Region) -> Option<f32> {
    let distance = lost.center.distance(found.center) / lost.size;
    let ratio = (lost.size / found.size).max(found.size / lost.size);
    (distance <= MAX_DISTANCE && ratio <= MAX_RATIO).then_some(-distance)
}

/// Pairs lost faces with new detections, each at most once, closest pairs first. Returns, for each detection,
/// the index of its lost face.
///
/// Greedy is enough: another assignment can only have a smaller total distance where two lost faces are close
/// to the same two detections, and then positions do not show which is which.
pub fn pair(lost: &[Region], new: &[Region]) -> Vec<Option<usize>> {
    let mut fits: Vec<(f32, usize, usize)> = Vec::new();
    for (i, a) in lost.iter().enumerate() {
        fits.extend(new.iter().enumerate().filter_map(|(j, b)| Some((closeness(a, b)?, i, j))));
    }
    // The sort is stable: of equal pairs, the face lost earlier comes first, then the detection with the
    // higher score.
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
    fn each_face_is_paired_with_the_closest_one() {
        let lost = [region(100.0, 60.0), region(150.0, 60.0)];
        // Both are close to both.
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
    fn faces_too_far_or_too_different_are_not_paired() {
        let face = region(100.0, 60.0);
        assert!(closeness(&face, &region(190.0, 60.0)).is_some());
        assert!(closeness(&face, &region(191.0, 60.0)).is_none());
        assert!(closeness(&face, &region(100.0, 96.0)).is_some());
        assert!(closeness(&face, &region(100.0, 97.0)).is_none());
    }
}
