//! Line charts as SVG.

use maud::{Markup, PreEscaped, html};

/// Width and height in SVG's units, and the room left of and below the plot.
const SIZE: (f64, f64) = (560.0, 300.0);
const LEFT: f64 = 64.0;
const BELOW: f64 = 42.0;
const ABOVE: f64 = 12.0;
/// About how many grid lines there are along each axis.
const N_TICKS: f64 = 5.0;
/// Told apart also by those who do not see colours well (Okabe and Ito, "Color Universal Design", 2008).
const COLOURS: [&str; 5] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00"];

/// A line of a chart.
pub struct Series {
    /// What the legend calls it.
    pub name: String,
    /// Points from left to right. Points that are not finite are left out.
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
                @for y in ticks(y_low, y_high, scale) {
                    line.grid x1=(LEFT) x2=(SIZE.0 - 12.0) y1=(y_at(raw(y))) y2=(y_at(raw(y))) {}
                    text x=(LEFT - 6.0) y=(y_at(raw(y)) + 4.0) text-anchor="end" { (short(y)) }
                }
                @for x in ticks(x_low, x_high, Scale::Linear) {
                    line.grid x1=(x_at(x)) x2=(x_at(x)) y1=(ABOVE) y2=(SIZE.1 - BELOW) {}
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
                    span.entry { span style=(PreEscaped(format!("color:{colour}"))) { "■ " } (line.name) } " "
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

/// Round numbers from `low` to `high`; on a logarithmic scale those two are logarithms.
fn ticks(low: f64, high: f64, scale: Scale) -> Vec<f64> {
    let rounded = |step: f64| {
        let decade = 10.0_f64.powf(step.log10().floor());
        [1.0, 2.0, 5.0, 10.0]
            .map(|digit| digit * decade)
            .into_iter()
            .find(|&s| s >= step * 0.999)
            .unwrap_or(step)
    };
    let even = |low: f64, high: f64| -> Vec<f64> {
        let step = rounded((high - low) / N_TICKS);
        let (first, last) = ((low / step - 1e-9).ceil() as i64, (high / step + 1e-9).floor() as i64);
        (first..=last).map(|i| i as f64 * step).collect()
    };
    if scale == Scale::Linear {
        return even(low, high);
    }
    let digits: &[f64] = if high - low > 2.5 { &[1.0] } else { &[1.0, 2.0, 5.0] };
    let decades = (low.floor() as i32..=high.floor() as i32).map(|decade| 10.0_f64.powi(decade));
    let inside = |y: &f64| (low - 1e-9..=high + 1e-9).contains(&y.log10());
    let ticks: Vec<f64> =
        decades.flat_map(|decade| digits.iter().map(move |digit| digit * decade)).filter(inside).collect();
    // Less than a decade has too few of these.
    if ticks.len() < 3 { even(10.0_f64.powf(low), 10.0_f64.powf(high)) } else { ticks }
}

/// A round number in few characters.
fn short(value: f64) -> String {
    match value.abs() {
        size if size > 0.0 && size < 0.005 => format!("{value:.1e}"),
        _ => format!("{value:.6}").trim_end_matches('0').trim_end_matches('.').to_owned(),
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
    fn ticks_are_round_numbers() {
        let close =
            |a: &[f64], b: &[f64]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-9);
        let epochs = ticks(1.0, 100.0, Scale::Linear);
        assert!(close(&epochs, &[20.0, 40.0, 60.0, 80.0, 100.0]), "{epochs:?}");
        let losses = ticks(-3.2, -1.9, Scale::Logarithmic);
        assert!(close(&losses, &[0.001, 0.002, 0.005, 0.01]), "{losses:?}");
        let decades = ticks(-6.7, -0.7, Scale::Logarithmic);
        assert!(close(&decades, &[1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1]), "{decades:?}");
        let narrow = ticks(1.01_f64.log10(), 1.3_f64.log10(), Scale::Logarithmic);
        assert!(close(&narrow, &[1.1, 1.2, 1.3]), "{narrow:?}");
    }

    #[test]
    fn numbers_are_short() {
        let numbers = [0.0, 0.00123, 0.0265, 3.0 * 0.1, 20.0, 1000.0];
        assert_eq!(numbers.map(short), ["0", "1.2e-3", "0.0265", "0.3", "20", "1000"]);
    }
}
