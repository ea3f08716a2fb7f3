//! Makes whole pictures of interlaced ones: rows of the second field are replaced where something moves.

use facemark::Plane;

use super::orient::Orientation;
use crate::frame::{Fields, Yuv420};

/// Deinterlaces the pictures of one video. The rows of the first field stay, so times stay right.
#[derive(Default)]
pub(crate) struct Deinterlacer {
    /// The picture as it was decoded, and the one before it, if it was interlaced, too.
    current: Yuv420,
    last: Option<Yuv420>,
    whole: Yuv420,
}

impl Deinterlacer {
    /// Where to put the next picture, not turned.
    pub(crate) fn input(&mut self) -> &mut Yuv420 {
        &mut self.current
    }

    /// Fills `out` with that picture, deinterlaced if it has fields, and turned.
    pub(crate) fn apply(&mut self, fields: Fields, orientation: Orientation, out: &mut Yuv420) {
        let Self { current, last, whole } = self;
        let last_size = last.as_ref().map(Yuv420::size);
        let before = last.as_ref().filter(|_| last_size == Some(current.size()));
        let is_interlaced = fields != Fields::Progressive;
        if is_interlaced {
            let moving = usize::from(fields == Fields::TopFirst);
            whole.resize(current.size().0, current.size().1);
            weave(&current.luma, before.map(|last| &last.luma), moving, &mut whole.luma);
            for (i, plane) in whole.chroma.iter_mut().enumerate() {
                weave(&current.chroma[i], before.map(|last| &last.chroma[i]), moving, plane);
            }
        }
        let from = if is_interlaced { &*whole } else { &*current };
        out.color = current.color;
        let [blue, red] = &mut out.chroma;
        let [from_blue, from_red] = &from.chroma;
        for (from, to) in [(&from.luma, &mut out.luma), (from_blue, blue), (from_red, red)] {
            orientation.copy_plane(from.data(), from.width(), (from.width(), from.height()), to);
        }
        if is_interlaced {
            std::mem::swap(last.get_or_insert_default(), current);
        } else {
            *last = None;
        }
    }
}

/// Every second row, from row `moving` on, comes from the second field. Such a row becomes the mean of what the fields
/// before and after show there, but no further from its neighbours in the first field than the picture has changed:
/// what is still keeps all its rows, what moves gets new ones. This is the idea of the filter yadif.
fn weave(plane: &Plane, last: Option<&Plane>, moving: usize, out: &mut Plane) {
    let (width, height) = (plane.width(), plane.height());
    let row =
        |plane: &Plane, y: usize| -> std::ops::Range<usize> { y * plane.width()..(y + 1) * plane.width() };
    for y in 0..height {
        let to = &mut out.data_mut()[y * width..(y + 1) * width];
        if y % 2 != moving || height < 2 {
            to.copy_from_slice(&plane.data()[row(plane, y)]);
            continue;
        }
        let (above, below) = (if y > 0 { y - 1 } else { y + 1 }, if y + 1 < height { y + 1 } else { y - 1 });
        let now = Rows::of(plane, [above, y, below]);
        match last.map(|last| Rows::of(last, [above, y, below])) {
            Some(before) => {
                for (x, to) in to.iter_mut().enumerate() {
                    *to = now.moved(&before, x);
                }
            }
            None => {
                for (x, to) in to.iter_mut().enumerate() {
                    *to = now.between(x) as u8;
                }
            }
        }
    }
}

/// A row and its neighbours.
struct Rows<'a> {
    above: &'a [u8],
    row: &'a [u8],
    below: &'a [u8],
}

impl<'a> Rows<'a> {
    fn of(plane: &'a Plane, [above, row, below]: [usize; 3]) -> Self {
        let at = |y: usize| &plane.data()[y * plane.width()..(y + 1) * plane.width()];
        Self { above: at(above), row: at(row), below: at(below) }
    }

    /// What lies between the neighbours at `x`, along the direction in which they differ least.
    fn between(&self, x: usize) -> i16 {
        let right = self.above.len() - 1;
        let pair = |up: usize, down: usize| (i16::from(self.above[up]), i16::from(self.below[down]));
        let (before, after) = (x.saturating_sub(1), (x + 1).min(right));
        let mut best = pair(x, x);
        for (up, down) in [pair(before, after), pair(after, before)] {
            // A slant has to be clearly better.
            if (up - down).abs() + 8 < (best.0 - best.1).abs() {
                best = (up, down);
            }
        }
        (best.0 + best.1 + 1) / 2
    }

    /// The pixel at `x`, with the same rows of the picture `before`.
    fn moved(&self, before: &Self, x: usize) -> u8 {
        let change = |a: &[u8], b: &[u8]| (i16::from(a[x]) - i16::from(b[x])).abs();
        let around = (change(self.above, before.above) + change(self.below, before.below)) / 2;
        let most = around.max(change(self.row, before.row) / 2);
        let mean = (i16::from(self.row[x]) + i16::from(before.row[x]) + 1) / 2;
        self.between(x).clamp(mean - most, mean + most) as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::ColorTags;

    /// A bright bar from `left` on, 8 px wide, in rows of this parity; in all rows for `None`.
    fn bar(image: &mut Yuv420, left: usize, parity: Option<usize>) {
        for (y, row) in image.luma.data_mut().chunks_exact_mut(64).enumerate() {
            if parity.is_none_or(|parity| y % 2 == parity) {
                row.fill(40);
                row[left..left + 8].fill(200);
            }
        }
    }

    /// How much neighbouring rows differ at most.
    fn combs(image: &Yuv420) -> u8 {
        let rows: Vec<_> = image.luma.data().chunks_exact(64).collect();
        let pairs = rows.windows(2).flat_map(|pair| pair[0].iter().zip(pair[1]));
        pairs.map(|(a, b)| a.abs_diff(*b)).max().unwrap()
    }

    fn picture() -> Yuv420 {
        Yuv420::flat((64, 32), [40, 100, 150], ColorTags::UNSPECIFIED)
    }

    fn applied(deinterlacer: &mut Deinterlacer, image: &Yuv420, fields: Fields) -> Yuv420 {
        deinterlacer.input().copy_from(image);
        let mut out = Yuv420::default();
        deinterlacer.apply(fields, Orientation::default(), &mut out);
        out
    }

    #[test]
    fn what_moves_has_no_combs_and_stands_where_it_was_first() {
        for (fields, first) in [(Fields::TopFirst, 0), (Fields::BottomFirst, 1)] {
            let mut deinterlacer = Deinterlacer::default();
            for frame in 0..4 {
                let mut image = picture();
                bar(&mut image, 4 + 12 * frame, Some(first));
                bar(&mut image, 10 + 12 * frame, Some(1 - first));
                assert_eq!(combs(&image), 160);
                let out = applied(&mut deinterlacer, &image, fields);
                assert_eq!(combs(&out), 0, "{fields:?}, frame {frame}");
                let mut wanted = picture();
                bar(&mut wanted, 4 + 12 * frame, None);
                assert!(out == wanted, "{fields:?}, frame {frame}");
            }
        }
    }

    #[test]
    fn what_is_still_keeps_every_row() {
        let mut image = picture();
        for (i, pixel) in image.luma.data_mut().iter_mut().enumerate() {
            *pixel = (i * 37 % 251) as u8;
        }
        let mut deinterlacer = Deinterlacer::default();
        applied(&mut deinterlacer, &image, Fields::TopFirst);
        assert!(applied(&mut deinterlacer, &image, Fields::TopFirst) == image);
        assert!(applied(&mut deinterlacer, &image, Fields::Progressive) == image);
    }

    #[test]
    fn any_size_will_do() {
        for size in [(1, 1), (3, 2), (2, 3), (5, 7)] {
            let image = Yuv420::flat(size, [1, 2, 3], ColorTags::UNSPECIFIED);
            let mut deinterlacer = Deinterlacer::default();
            for _ in 0..2 {
                assert!(applied(&mut deinterlacer, &image, Fields::BottomFirst) == image);
            }
        }
    }
}
