//! Line charts as SVG.

use maud::{Markup, PreEscaped, html};

/// Width and height in SVG's units, and the room left of and below the plot.
const SIZE: (f64, f64) = (560.0, 300.0);
const LEFT: f64 = 64.0;
const BELOW: f64 = 42.0;
const ABOVE: f64 = 12.0;
/// Lines of the grid along each axis.
const N_TICKS: usize = 5;
/// Told apart also by those who do not see colours well (Okabe and Ito, "Color Universal Design", 2008).
const COLOURS: [&str; 5] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00"];

/// A line of a chart.
pub struct Series {
    /// What the legend calls it.
    pub name: String,
    /// Points from left to right. Those that are no finite numbers are left out.
    pub points: Vec<(f64, f64)>,
}

impl Series {
    /// A line.
    pub fn new(name: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let points = points.into_iter().filter(|(x, y)| x.is_finite() && y.is_finite()).collect();
        Self { name: name.into(), points }
    }
}

/// How a chart's numbers are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Evenly, from 0.
    Linear,
    /// By their logarithms; numbers that have none are left out.
    Logarithmic,
}

/// A chart with its legend.
pub fn chart(title: &str, (x_title, y_title): (&str, &str), scale: Scale, series: &[Series]) -> Markup {
    let raw = |y: f64| if scale == Scale::Logarithmic { y.log10() } else { y };
    let points =
        || series.iter().flat_map(|s| &s.points).map(|&(x, y)| (x, raw(y))).filter(|p| p.1.is_finite());
    let (x_low, x_high) = range(points().map(|p| p.0));
    let (low, y_high) = range(points().map(|p| p.1));
    let y_low = if scale == Scale::Linear { low.min(0.0) } else { low };
    let x_at = |x: f64| LEFT + (x - x_low) / (x_high - x_low) * (SIZE.0 - LEFT - 12.0);
    let y_at = |y: f64| SIZE.1 - BELOW - (y - y_low) / (y_high - y_low) * (SIZE.1 - BELOW - ABOVE);
    let tick = |i: usize, low: f64, high: f64| low + (high - low) * i as f64 / (N_TICKS - 1) as f64;
    let path = |series: &Series| -> String {
        let points = series.points.iter().map(|&(x, y)| (x, raw(y))).filter(|p| p.1.is_finite());
        let steps = points
            .enumerate()
            .map(|(i, (x, y))| format!("{}{:.1} {:.1}", if i == 0 { 'M' } else { 'L' }, x_at(x), y_at(y)));
        steps.collect()
    };
    html! {
        figure.chart {
            figcaption { (title) }
            svg viewBox=(format!("0 0 {} {}", SIZE.0, SIZE.1)) role="img" aria-label=(title) {
                @for i in 0..N_TICKS {
                    @let (x, y) = (tick(i, x_low, x_high), tick(i, y_low, y_high));
                    @let value = if scale == Scale::Logarithmic { 10.0_f64.powf(y) } else { y };
                    line.grid x1=(LEFT) x2=(SIZE.0 - 12.0) y1=(y_at(y)) y2=(y_at(y)) {}
                    text x=(LEFT - 6.0) y=(y_at(y) + 4.0) text-anchor="end" { (short(value)) }
                    text x=(x_at(x)) y=(SIZE.1 - BELOW + 16.0) text-anchor="middle" { (short(x)) }
                }
                text x=((SIZE.0 + LEFT) / 2.0) y=(SIZE.1 - 6.0) text-anchor="middle" { (x_title) }
                text transform=(format!("translate(13 {}) rotate(-90)", SIZE.1 / 2.0)) text-anchor="middle" { (y_title) }
                @for (line, colour) in series.iter().zip(COLOURS.iter().cycle()) {
                    path d=(path(line)) fill="none" stroke=(colour) stroke-width="2" stroke-linejoin="round" {}
                }
            }
            p.legend {
                @for (line, colour) in series.iter().zip(COLOURS.iter().cycle()) {
                    span style=(PreEscaped(format!("color:{colour}"))) { "■ " } (line.name) " "
                }
            }
        }
    }
}

/// The smallest and largest number, never equal.
fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)));
    match (low.is_finite(), low < high) {
        (false, _) => (0.0, 1.0),
        (true, false) => (low - 0.5, low + 0.5),
        (true, true) => (low, high),
    }
}

/// A number in few characters.
fn short(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && size < 0.01 {
        format!("{value:.1e}")
    } else if size < 10.0 && value.fract().abs() > 1e-9 {
        format!("{value:.2}")
    } else {
        format!("{value:.0}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_span_the_plot_and_names_are_escaped() {
        let series = [Series::new("<a>", [(1.0, 0.0), (2.0, f64::NAN), (3.0, 4.0)])];
        let svg = chart("t", ("x", "y"), Scale::Linear, &series).into_string();
        assert!(svg.contains("M64.0 258.0L548.0 12.0"), "{svg}");
        assert!(svg.contains("&lt;a&gt;") && !svg.contains("<a>"));
    }

    #[test]
    fn one_point_and_none_are_drawn_without_a_fault() {
        for points in [vec![], vec![(1.0, 0.0)], vec![(1.0, 2.0)]] {
            for scale in [Scale::Linear, Scale::Logarithmic] {
                let svg = chart("t", ("x", "y"), scale, &[Series::new("a", points.clone())]).into_string();
                assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
            }
        }
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!([0.0, 0.00123, 0.5, 12.0, 123.4].map(short), ["0", "1.2e-3", "0.50", "12", "123"]);
    }
}
