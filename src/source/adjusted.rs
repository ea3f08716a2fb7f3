//! A source whose pictures are rotated, and of which not every frame is searched for faces.

use anyhow::Result;

use super::{Source, SourceInfo};
use crate::av::orient::Orientation;
use crate::error::Fault;
use crate::frame::{Frame, Yuv420};

/// What is done to a source's frames before anything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Adjustment {
    /// Only every `every`-th frame is searched for faces; 1 for all frames.
    pub every: u32,
    /// Number of clockwise quarter turns, after the rotation that the file specifies.
    pub quarter_turns: u8,
    /// Whether interlaced pictures are made whole. Those that are turned always are.
    pub deinterlace: bool,
}

impl Adjustment {
    /// Leaves frames unchanged.
    pub const NONE: Self = Self { every: 1, quarter_turns: 0, deinterlace: false };

    /// The source with this adjustment applied to its frames.
    ///
    /// # Errors
    /// [`Fault::Usage`] if frames would be skipped in a source of unrelated pictures.
    pub fn of(self, inner: Box<dyn Source>) -> Result<Box<dyn Source>> {
        let mut info = inner.info().clone();
        if info.stills && self.every > 1 {
            return Err(Fault::Usage.error("--every is for videos: every picture has its own faces"));
        }
        if self.every == 1 && self.quarter_turns == 0 {
            return Ok(inner);
        }
        let turn = match self.quarter_turns % 4 {
            1 => Orientation { transpose: true, flip_x: true, flip_y: false },
            2 => Orientation { transpose: false, flip_x: true, flip_y: true },
            3 => Orientation { transpose: true, flip_x: false, flip_y: true },
            _ => Orientation::default(),
        };
        info.every = self.every;
        info.size = turn.turn(info.size);
        info.pixel_aspect = info.pixel_aspect.map(|aspect| turn.turn(aspect));
        Ok(Box::new(Adjusted { inner, info, turn, spare: Yuv420::default() }))
    }
}

struct Adjusted {
    inner: Box<dyn Source>,
    info: SourceInfo,
    turn: Orientation,
    spare: Yuv420,
}

impl Source for Adjusted {
    fn ready(&mut self) -> Result<bool> {
        self.inner.ready()
    }

    fn next(&mut self, frame: &mut Frame) -> Result<bool> {
        let is_there = self.inner.next(frame)?;
        if is_there && self.turn != Orientation::default() {
            let Yuv420 { luma, chroma: [blue, red], color } = &mut self.spare;
            *color = frame.image.color;
            let [from_blue, from_red] = &frame.image.chroma;
            for (from, to) in [(&frame.image.luma, luma), (from_blue, blue), (from_red, red)] {
                self.turn.copy_plane(from.data(), from.width(), (from.width(), from.height()), to);
            }
            std::mem::swap(&mut frame.image, &mut self.spare);
        }
        Ok(is_there)
    }

    fn is_live(&self) -> bool {
        self.inner.is_live()
    }

    fn info(&self) -> &SourceInfo {
        &self.info
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// One 4×2 picture with columns from dark to bright.
    struct One(SourceInfo);

    impl Source for One {
        fn next(&mut self, frame: &mut Frame) -> Result<bool> {
            frame.image.resize(4, 2);
            frame.image.luma.data_mut().copy_from_slice(&[1, 2, 3, 4, 5, 6, 7, 8]);
            frame.image.chroma.iter_mut().for_each(|plane| plane.data_mut().copy_from_slice(&[1, 2]));
            Ok(true)
        }

        fn info(&self) -> &SourceInfo {
            &self.0
        }
    }

    fn source(stills: bool) -> Box<dyn Source> {
        let info = SourceInfo::empty(Path::new("x"));
        Box::new(One(SourceInfo { size: (4, 2), pixel_aspect: Some((16, 15)), stills, ..info }))
    }

    #[test]
    fn pictures_are_turned_clockwise() {
        for (quarter_turns, luma, chroma, size) in [
            (1, [5, 1, 6, 2, 7, 3, 8, 4], [1, 2], (2, 4)),
            (2, [8, 7, 6, 5, 4, 3, 2, 1], [2, 1], (4, 2)),
            (3, [4, 8, 3, 7, 2, 6, 1, 5], [2, 1], (2, 4)),
        ] {
            let mut turned = Adjustment { quarter_turns, ..Adjustment::NONE }.of(source(false)).unwrap();
            let aspect = if size == (2, 4) { (15, 16) } else { (16, 15) };
            assert_eq!((turned.info().size, turned.info().pixel_aspect), (size, Some(aspect)));
            let mut frame = Frame::empty();
            assert!(turned.next(&mut frame).unwrap());
            assert_eq!((frame.image.size(), frame.image.luma.data()), (size, &luma[..]));
            assert_eq!(frame.image.chroma[1].data(), chroma);
        }
    }

    #[test]
    fn pictures_cannot_be_passed_over() {
        let some = Adjustment { every: 2, ..Adjustment::NONE };
        assert_eq!(Fault::of(&some.of(source(true)).err().unwrap()), Fault::Usage);
        assert_eq!(some.of(source(false)).unwrap().info().every, 2);
    }
}
