//! Shapes that cover a part of a picture.

use std::ops::Range;

use facemark::geometry::{Affine, Point, bounds};

/// A turned rectangle or ellipse in the picture.
pub struct Area {
    pub center: Point,
    /// Half its sides or axes.
    pub half: [f32; 2],
    angle: f32,
    is_ellipse: bool,
}

impl Area {
    pub fn new(center: Point, half: [f32; 2], angle: f32, is_ellipse: bool) -> Self {
        Self { center, half, angle, is_ellipse }
    }

    /// Takes the area's rectangle to the unit square.
    pub fn to_unit(&self) -> Affine {
        let (sin, cos) = self.angle.sin_cos();
        let turn = Affine { rows: [[cos, sin, 0.0], [-sin, cos, 0.0]] };
        let [a, b] = self.half;
        Affine::shift_then_scale(self.center.x, self.center.y, 1.0, 1.0)
            .then(&turn)
            .then(&Affine::shift_then_scale(-a, -b, 0.5 / a, 0.5 / b))
    }

    pub fn holds(&self, p: Point) -> bool {
        let unit = self.to_unit().apply(p);
        let (x, y) = (2.0 * unit.x - 1.0, 2.0 * unit.y - 1.0);
        if self.is_ellipse { x.hypot(y) < 1.0 } else { x.abs().max(y.abs()) < 1.0 }
    }

    /// Columns and rows of a picture of `width × height` pixels that it lies in.
    pub fn pixels(&self, width: usize, height: usize) -> (Range<usize>, Range<usize>) {
        span_of(&self.corners(), width, height)
    }

    pub fn corners(&self) -> [Point; 4] {
        let to_canvas = self.to_unit().inverse();
        [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)].map(|(x, y)| to_canvas.apply(Point::new(x, y)))
    }
}

/// Columns and rows of a picture of `width × height` pixels that some points span.
pub fn span_of(points: &[Point], width: usize, height: usize) -> (Range<usize>, Range<usize>) {
    let (min, max) = bounds(points.iter().copied());
    let span = |low: f32, high: f32, side: usize| {
        (low.floor().max(0.0) as usize).min(side)..(high.ceil().max(0.0) as usize).min(side)
    };
    (span(min.x, max.x, width), span(min.y, max.y, height))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_area_holds_what_is_within_its_turned_sides() {
        let area = Area::new(Point::new(50.0, 40.0), [20.0, 5.0], std::f32::consts::FRAC_PI_2, false);
        assert!(area.holds(Point::new(50.0, 59.0)) && !area.holds(Point::new(56.0, 40.0)));
        assert!(area.corners().iter().any(|p| p.distance(Point::new(55.0, 60.0)) < 1e-3));
        let ellipse = Area { is_ellipse: true, ..area };
        assert!(ellipse.holds(Point::new(54.0, 40.0)) && !ellipse.holds(Point::new(54.0, 58.0)));
    }
}
