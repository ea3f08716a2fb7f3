//! Polygons.

use facemark::geometry::Point;

/// Whether a point lies inside a polygon: a ray from it crosses the outline an odd number of times.
pub fn is_inside(outline: &[Point], p: Point) -> bool {
    let edges = outline.iter().zip(outline.iter().cycle().skip(1));
    let crossed = edges
        .filter(|(a, b)| (a.y > p.y) != (b.y > p.y) && p.x < a.x + (b.x - a.x) * (p.y - a.y) / (b.y - a.y));
    crossed.count() % 2 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_polygon_holds_what_is_inside() {
        let outline = [(0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (5.0, 2.0), (0.0, 10.0)];
        let outline = outline.map(|(x, y)| Point::new(x, y));
        assert!(is_inside(&outline, Point::new(5.0, 1.0)) && is_inside(&outline, Point::new(9.0, 5.0)));
        assert!(!is_inside(&outline, Point::new(5.0, 5.0)) && !is_inside(&outline, Point::new(11.0, 5.0)));
    }
}
