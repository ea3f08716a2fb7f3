//! What each cell of the net's grids is to answer.

use facemark::detect::grid::{Cell, STRIDES, VALUES, cells, n_values};

use super::scene::Placed;

/// A cell's score target where no face is …
pub const NONE: f32 = 0.0;
/// … and where nobody can tell or both answers are right. Where a face is, it is the cell's share in it: positive, and
/// together 1 for all cells of a grid that are to find it, so that large faces do not count more than small ones.
pub const EITHER: f32 = -1.0;

/// The sizes in pixels that each grid is to find. Faces between two grids are found by both.
const SIZES: [[f32; 2]; STRIDES.len()] = [[6.5, 22.0], [18.0, 62.0], [52.0, f32::INFINITY]];
/// A grid may find faces that are beyond its sizes by this factor.
const NEARLY: f32 = 1.3;
/// A face is found by the cell that its centre is in, and by those within this many sizes of it …
const NEAR: f32 = 0.2;
/// … and may be found within this.
const AROUND: f32 = 0.45;

/// The net's best answer to a picture with these faces, laid out as [`facemark::detect::grid`] has it. A score is the cell's
/// share in a face, [`NONE`] or [`EITHER`]; where a face's roll is unknown, cosine and sine are 0. The rest of a cell
/// without a face is 0.
pub fn encode(faces: &[Placed], width: usize, height: usize) -> Vec<f32> {
    let mut targets = vec![0.0; n_values(width, height)];
    let mut shares = vec![[0.0; STRIDES.len()]; faces.len()];
    let mut finders = Vec::new();
    for cell in cells(width, height) {
        let judged = faces.iter().map(|face| judge(&cell, face));
        let is_near =
            |a: &usize, b: &usize| distance(&cell, &faces[*a]).total_cmp(&distance(&cell, &faces[*b]));
        let found =
            judged.clone().enumerate().filter(|(_, j)| *j == Judgement::Face).map(|(i, _)| i).min_by(is_near);
        match found {
            Some(face) => {
                shares[face][grid(&cell)] += 1.0;
                finders.push((cell, face));
            }
            None if judged.clone().any(|j| j == Judgement::Either) => targets[cell.index] = EITHER,
            None => targets[cell.index] = NONE,
        }
    }
    for (cell, face) in finders {
        targets[cell.index] = 1.0 / shares[face][grid(&cell)];
        put(&mut targets, &cell, &faces[face]);
    }
    targets
}

/// Whether a cell is to find a face.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Judgement {
    Face,
    None,
    Either,
}

/// Which grid a cell is of.
fn grid(cell: &Cell) -> usize {
    STRIDES.iter().position(|&stride| stride as f32 == cell.stride).unwrap_or_default()
}

fn put(targets: &mut [f32], cell: &Cell, face: &Placed) {
    let mut values = cell.encode(&face.region);
    if !face.has_roll {
        values[VALUES - 3..].fill(0.0);
    }
    for (i, value) in values.into_iter().enumerate() {
        targets[cell.index + (i + 1) * cell.step] = value;
    }
}

/// Whether the cell is to find the face.
fn judge(cell: &Cell, face: &Placed) -> Judgement {
    let size = face.region.size;
    let grid = grid(cell);
    let [low, high] = SIZES[grid];
    let (dx, dy) = (face.region.center.x - cell.center.x, face.region.center.y - cell.center.y);
    let holds = dx.abs().max(dy.abs()) <= cell.stride / 2.0;
    let distance = distance(cell, face);
    // The smallest faces of all are nobody's to find, nor a mistake.
    let is_near_size = (size >= low / NEARLY || grid == 0) && size < high * NEARLY;
    if !is_near_size || !(holds || distance < AROUND) {
        Judgement::None
    } else if face.is_clear && (low..high).contains(&size) && (holds || distance < NEAR) {
        Judgement::Face
    } else {
        Judgement::Either
    }
}

/// From the cell's middle to the face's centre, in sizes of the face.
fn distance(cell: &Cell, face: &Placed) -> f32 {
    cell.center.distance(face.region.center) / face.region.size
}

#[cfg(test)]
mod tests {
    use facemark::detect::grid::decode;
    use facemark::geometry::{Point, Region};

    use super::*;

    fn face(x: f32, y: f32, size: f32) -> Placed {
        let region = Region { center: Point::new(x, y), size, angle: 0.3 };
        Placed { region, has_roll: true, is_clear: true }
    }

    /// The targets as a net's answer: scores as logits.
    fn found(faces: &[Placed]) -> Vec<Region> {
        let mut answer = encode(faces, 256, 192);
        for cell in cells(256, 192) {
            answer[cell.index] = if answer[cell.index] > 0.0 { 3.0 } else { -3.0 };
        }
        decode(&answer, 256, 192, 0.5).into_iter().map(|found| found.region).collect()
    }

    #[test]
    fn a_face_goes_to_the_grid_of_its_size_and_comes_back_the_same() {
        for (size, strides) in [(12.0, &[8.0][..]), (20.0, &[8.0, 16.0]), (40.0, &[16.0]), (150.0, &[32.0])] {
            let one = face(101.5, 77.0, size);
            let targets = encode(&[one], 256, 192);
            let positive: Vec<Cell> = cells(256, 192).filter(|cell| targets[cell.index] > 0.0).collect();
            let total: f32 = positive.iter().map(|cell| targets[cell.index]).sum();
            assert!((total - strides.len() as f32).abs() < 1e-5, "size {size}: {total}");
            assert!(positive.iter().all(|cell| strides.contains(&cell.stride)), "size {size}: {positive:?}");
            assert!(strides.iter().all(|stride| positive.iter().any(|cell| cell.stride == *stride)));
            for region in found(&[one]) {
                assert!(region.center.distance(one.region.center) < 1e-3, "size {size}: {region:?}");
                assert!((region.size - size).abs() < 1e-3 && (region.angle - 0.3).abs() < 1e-5);
            }
        }
    }

    #[test]
    fn around_a_face_both_answers_are_right_and_further_off_none_is() {
        let targets = encode(&[face(100.0, 100.0, 50.0)], 256, 192);
        let at = |x: f32, y: f32| {
            let cell = cells(256, 192).find(|cell| {
                cell.stride == 16.0 && (cell.center.x - x).abs() < 8.0 && (cell.center.y - y).abs() < 8.0
            });
            targets[cell.map_or(0, |cell| cell.index)]
        };
        assert!(at(100.0, 100.0) > 0.0);
        assert_eq!((at(120.0, 104.0), at(140.0, 104.0)), (EITHER, NONE));
    }

    #[test]
    fn hidden_and_tiny_faces_are_neither_faces_nor_mistakes() {
        for one in [Placed { is_clear: false, ..face(100.0, 100.0, 40.0) }, face(100.0, 100.0, 5.0)] {
            let targets = encode(&[one], 256, 192);
            let scores: Vec<f32> = cells(256, 192).map(|cell| targets[cell.index]).collect();
            assert!(scores.contains(&EITHER) && scores.iter().all(|&score| score <= 0.0), "{one:?}");
        }
    }

    #[test]
    fn a_cell_between_two_faces_takes_the_nearer_and_leaves_out_an_unknown_roll() {
        let (left, right) = (face(96.0, 100.0, 30.0), face(104.5, 100.0, 30.0));
        assert!(found(&[left, right]).contains(&found(&[right])[0]));
        let unknown = Placed { has_roll: false, ..left };
        let targets = encode(&[unknown], 256, 192);
        let cell = cells(256, 192).find(|cell| targets[cell.index] > 0.0).expect("a cell has it");
        assert_eq!(cell.values(&targets)[4..], [0.0, 0.0]);
        assert!((cell.values(&targets)[3] - (30.0_f32 / cell.stride).ln()).abs() < 1e-6);
    }
}
