//! Makes faces unrecognisable, in the picture's own planes.

use anyhow::{Context, Result};
use facemark::geometry::Point;
use facemark::{Face, Plane};
use opencv::core::{Mat, MatTraitConst as _, Rect};
use opencv::imgproc;

use super::canvas::mat;
use crate::frame::Yuv420;

/// How faces are made unrecognisable. Either way, only the mean colours of a few patches are left of a face.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hiding {
    /// The patches' colours blend into each other.
    Blur,
    /// Each patch is a square.
    Mosaic,
}

/// Number of patches across a face.
const PATCHES: f32 = 5.0;
/// The landmarks reach from the brows to the chin and from ear to ear. This fraction of their box is added on each
/// side for the rest of the head.
const MARGIN: f32 = 0.3;
/// A face that is no longer found stays hidden at its last position for this many seconds.
const HOLD: f64 = 1.0;
/// Meanwhile the hidden area grows by this fraction of its size per second, since the face may move.
const GROWTH: f32 = 1.0;

/// Hides the faces in a video's frames, including those that the detector misses for a while.
pub struct Hider {
    how: Hiding,
    held: Vec<Held>,
}

/// A face that was seen.
struct Held {
    id: u32,
    area: Area,
    seen: f64,
}

/// A part of the picture, in pixels.
#[derive(Clone, Copy, Debug)]
struct Area {
    from: Point,
    to: Point,
    /// Side of a patch.
    patch: f32,
}

impl Hider {
    /// A hider that has not seen a face yet.
    pub fn new(how: Hiding) -> Self {
        Self { how, held: Vec::new() }
    }

    /// Forgets all faces: the next picture is unrelated to the last one.
    pub fn forget(&mut self) {
        self.held.clear();
    }

    /// Hides the faces in a picture that is shown at `time`, in seconds, and those that were seen a moment ago.
    ///
    /// # Errors
    /// If OpenCV rejects a plane, which does not happen for planes of the documented size.
    pub fn hide(&mut self, image: &mut Yuv420, faces: &[Face], time: f64) -> Result<()> {
        let is_missed = |held: &Held| faces.iter().all(|face| face.id != held.id);
        self.held.retain(|held| is_missed(held) && (0.0..=HOLD).contains(&(time - held.seen)));
        self.held.extend(faces.iter().map(|face| Held { id: face.id, area: Area::of(face), seen: time }));
        for held in &self.held {
            let area = held.area.grown(GROWTH * (time - held.seen) as f32 / 2.0);
            let [blue, red] = &mut image.chroma;
            for (plane, scale) in [(&mut image.luma, 1.0), (blue, 0.5), (red, 0.5)] {
                cover(plane, &area, scale, self.how).context("hiding a face")?;
            }
        }
        Ok(())
    }
}

impl Area {
    /// The whole head.
    fn of(face: &Face) -> Self {
        let region = &face.region;
        let (mut from, mut to) = (region.center, region.center);
        // In a scheme with few landmarks, only the region shows how large the face is.
        for point in region.corners().iter().chain(&face.landmarks) {
            from = Point::new(from.x.min(point.x), from.y.min(point.y));
            to = Point::new(to.x.max(point.x), to.y.max(point.y));
        }
        Self { from, to, patch: region.size / PATCHES }.grown(MARGIN)
    }

    /// The area with this fraction of its width and height added on each side.
    fn grown(self, share: f32) -> Self {
        let Self { from, to, patch } = self;
        let (x, y) = (share * (to.x - from.x), share * (to.y - from.y));
        Self { from: Point::new(from.x - x, from.y - y), to: Point::new(to.x + x, to.y + y), patch }
    }
}

/// Reduces an area to the means of its patches.
fn cover(plane: &mut Plane, area: &Area, scale: f32, how: Hiding) -> opencv::Result<()> {
    let place = |v: f32, end: usize| (v * scale).clamp(0.0, end as f32);
    let (left, top) = (place(area.from.x, plane.width()) as i32, place(area.from.y, plane.height()) as i32);
    // The last pixel is covered completely.
    let right = place(area.to.x + 1.0, plane.width()).ceil() as i32;
    let bottom = place(area.to.y + 1.0, plane.height()).ceil() as i32;
    if right <= left || bottom <= top {
        return Ok(());
    }
    let patches = |side: i32| ((side as f32 / (area.patch * scale)).round() as i32).clamp(1, side);
    let place = Rect::new(left, top, right - left, bottom - top);
    let (columns, rows) = (patches(place.width), patches(place.height));
    let means = means(plane, place, (columns as usize, rows as usize));
    let means = Mat::new_rows_cols_with_data(rows, columns, &means)?;
    let mut plane = mat(plane)?;
    let mut part = Mat::roi_mut(&mut plane, place)?;
    let size = part.size()?;
    let how = if how == Hiding::Blur { imgproc::INTER_LINEAR } else { imgproc::INTER_NEAREST };
    imgproc::resize(&means, &mut part, size, 0.0, 0.0, how)
}

/// The means of the patches, row by row. OpenCV's `INTER_AREA` takes several times as long.
fn means(plane: &Plane, place: Rect, (columns, rows): (usize, usize)) -> Vec<u8> {
    let [left, top, width, height] =
        [place.x, place.y, place.width, place.height].map(|side| side.max(0) as usize);
    let mut means = Vec::with_capacity(columns * rows);
    let mut sums = vec![0_u32; width];
    for row in 0..rows {
        let lines = top + row * height / rows..top + (row + 1) * height / rows;
        sums.fill(0);
        for y in lines.clone() {
            let line = &plane.data()[y * plane.width() + left..][..width];
            sums.iter_mut().zip(line).for_each(|(sum, &pixel)| *sum += u32::from(pixel));
        }
        means.extend((0..columns).map(|column| {
            let across = column * width / columns..(column + 1) * width / columns;
            let area = (lines.len() * across.len()) as u64;
            let total: u64 = sums[across].iter().map(|&sum| u64::from(sum)).sum();
            ((total + area / 2) / area) as u8
        }));
    }
    means
}

#[cfg(test)]
mod tests {
    use facemark::geometry::Region;

    use super::*;

    /// Black and white columns of one pixel.
    fn striped() -> Yuv420 {
        let mut image = Yuv420::default();
        image.resize(200, 160);
        let [blue, red] = &mut image.chroma;
        for plane in [&mut image.luma, blue, red] {
            plane.data_mut().iter_mut().enumerate().for_each(|(i, sample)| *sample = 255 * (i % 2) as u8);
        }
        image
    }

    fn face(x: f32) -> Face {
        let region = Region { center: Point::new(x, 80.0), size: 40.0, angle: 0.0 };
        Face {
            id: 1,
            region,
            landmarks: vec![region.center],
            score: 1.0,
            more: Default::default(),
            measures: None,
        }
    }

    /// The largest step from a pixel of the row to the next, from `from` to `to`.
    fn step(plane: &Plane, row: usize, from: usize, to: usize) -> u8 {
        let row = &plane.data()[row * plane.width()..][from..to];
        row.windows(2).map(|pair| pair[0].abs_diff(pair[1])).max().unwrap()
    }

    #[test]
    fn a_face_is_hidden_in_all_planes_and_nothing_else() {
        for how in [Hiding::Blur, Hiding::Mosaic] {
            let mut image = striped();
            Hider::new(how).hide(&mut image, &[face(100.0)], 0.0).unwrap();
            assert!(step(&image.luma, 80, 70, 130) < 40, "{how:?}");
            assert!(image.chroma.iter().all(|plane| step(plane, 40, 35, 65) < 40), "{how:?}");
            assert_eq!((step(&image.luma, 80, 0, 60), step(&image.luma, 20, 70, 130)), (255, 255));
        }
    }

    #[test]
    fn a_face_that_is_missed_stays_hidden_for_a_moment_and_growing() {
        let mut hider = Hider::new(Hiding::Blur);
        hider.hide(&mut striped(), &[face(100.0)], 5.0).unwrap();
        let mut later = |time: f64| {
            let mut image = striped();
            hider.hide(&mut image, &[], time).unwrap();
            image.luma
        };
        assert_eq!(step(&later(5.1), 80, 50, 60), 255);
        assert!(step(&later(5.9), 80, 55, 145) < 40);
        assert_eq!(step(&later(6.1), 80, 70, 130), 255);
    }

    #[test]
    fn a_face_that_is_back_is_hidden_where_it_is() {
        let mut hider = Hider::new(Hiding::Mosaic);
        hider.hide(&mut striped(), &[face(60.0)], 0.0).unwrap();
        let mut image = striped();
        hider.hide(&mut image, &[face(150.0)], 0.04).unwrap();
        assert_eq!(step(&image.luma, 80, 40, 80), 255);
        assert!(step(&image.luma, 80, 120, 180) < 40);
    }

    #[test]
    fn far_off_and_broken_faces_are_harmless() {
        let region = Region { center: Point::new(1e30, f32::NAN), size: 1e9, angle: f32::NAN };
        let broken = Face { region, landmarks: vec![Point::new(f32::NAN, -1e30)], ..face(0.0) };
        let tiny = Face { region: Region { size: 0.01, ..face(0.0).region }, ..face(0.0) };
        Hider::new(Hiding::Blur)
            .hide(&mut striped(), &[broken, tiny, face(-500.0), face(199.9)], 0.0)
            .unwrap();
    }
}
