//! Pictures of face masks.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use facemark::geometry::Point;
use image::GrayAlphaImage;

/// A picture of a mask.
pub struct Mask {
    /// Grey and opacity.
    pub picture: GrayAlphaImage,
    /// The pixels where its upper left, middle and right and its lower left, middle and right belong.
    pub anchors: [Point; 6],
}

/// The table of a data set's masks, in its folder `masks`: `file,ax,ay,bx,by` and so on as far as `fy`.
const TABLE: &str = "masks/anchors.csv";

impl Mask {
    /// The masks of a data set.
    ///
    /// # Errors
    /// If their table or a picture cannot be read.
    pub fn read(data: &Path) -> Result<Vec<Self>> {
        let table = data.join(TABLE);
        let unreadable = || format!("cannot read the masks' table {}", table.display());
        let mut reader = csv::Reader::from_path(&table).with_context(unreadable)?;
        let mut masks = Vec::new();
        for record in reader.deserialize() {
            let (file, numbers): (String, [f32; 12]) = record.with_context(unreadable)?;
            let path = table.with_file_name(&file);
            let picture = image::open(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let anchors = std::array::from_fn(|i| Point::new(numbers[2 * i], numbers[2 * i + 1]));
            masks.push(Self { picture: picture.into_luma_alpha8(), anchors });
        }
        ensure!(!masks.is_empty(), "{} names no mask", table.display());
        Ok(masks)
    }

    /// The same, or none for a data set without masks.
    ///
    /// # Errors
    /// As [`read`](Self::read), but not if there is no table.
    pub fn read_any(data: &Path) -> Result<Vec<Self>> {
        if data.join(TABLE).is_file() { Self::read(data) } else { Ok(Vec::new()) }
    }

    /// Grey level and opacity, 0 to 1, between the four nearest pixels; `None` outside.
    pub fn at(&self, p: Point) -> Option<[f32; 2]> {
        let (x, y) = (p.x.floor(), p.y.floor());
        let (w, h) = self.picture.dimensions();
        let inside = x >= 0.0 && y >= 0.0 && x + 1.0 < w as f32 && y + 1.0 < h as f32;
        if !inside {
            return None;
        }
        let (u, v) = (p.x - x, p.y - y);
        let mut sum = [0.0; 2];
        for (dx, dy, weight) in
            [(0, 0, (1.0 - u) * (1.0 - v)), (1, 0, u * (1.0 - v)), (0, 1, (1.0 - u) * v), (1, 1, u * v)]
        {
            let [grey, alpha] = self.picture.get_pixel(x as u32 + dx, y as u32 + dy).0.map(f32::from);
            sum[0] += weight * grey;
            sum[1] += weight * alpha / 255.0;
        }
        Some(sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_set_without_a_table_is_named_if_it_needs_one() {
        let error = Mask::read(Path::new("nowhere")).err().expect("there is none");
        assert!(format!("{error:#}").contains("nowhere/masks/anchors.csv"), "{error:#}");
        assert!(Mask::read_any(Path::new("nowhere")).is_ok_and(|masks| masks.is_empty()));
    }
}
