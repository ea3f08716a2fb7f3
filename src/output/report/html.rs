//! The report as a single-file HTML page: no scripts, charts as SVG.

use std::fmt::Write as _;

use hdrhistogram::Histogram;

use super::latency::{LatencyReport, Subject, WARM_UP, milliseconds, peak_memory};
use crate::frame::Stage;

/// Size of a drawing in its own units.
const SIZE: (f64, f64) = (600.0, 140.0);
/// Number of bars in a histogram.
const BARS: u64 = 60;

const HEAD: &str = r#"<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>facemark bench</title>
<style>
:root { color-scheme: light dark }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 64rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: .15rem .8rem; text-align: right; border-bottom: 1px solid #8884 }
th:first-child, td:first-child { text-align: left }
figure { display: inline-block; width: min(100%, 31rem); margin: 1rem .5rem 0 0 }
figure.wide { width: 100% }
figcaption { color: gray; font-size: .85em }
svg { width: 100%; background: #8881; fill: #2a78d6; stroke: none }
polyline { fill: none; stroke: #2a78d6; stroke-width: 1.2 }
line { stroke: #e34948; stroke-dasharray: 4 3 }
</style>
"#;

/// The whole page, with histograms and a timeline.
pub fn to_html(report: &LatencyReport, subject: &Subject) -> String {
    let mut page = HEAD.to_owned();
    let _ = writeln!(
        page,
        "<h1>{}</h1>\n<p>Model {}, threads {}. {} frames, {} with a face, {} dropped. {:.1} frames/s. The first \
         {WARM_UP} frames are left out.{}{}",
        escaped(&subject.input),
        escaped(&subject.model),
        subject.threads,
        report.frames,
        report.frames_with_face,
        subject.dropped,
        report.fps(),
        peak_memory().map_or(String::new(), |memory| format!(" Peak memory {memory:.0} MB.")),
        report.deadline.map_or(String::new(), |deadline| format!(
            " {} frames came later than the next one was due, {:.1} ms.",
            report.late,
            milliseconds(deadline)
        )),
    );
    page += &table(report);
    page += &time_line(report);
    for stage in report.shown() {
        let times = &report.stages[stage as usize];
        if !times.is_empty() {
            page += &histogram(stage, times);
        }
    }
    page
}

fn table(report: &LatencyReport) -> String {
    let mut table = "<table><tr><th>ms<th>p50<th>p95<th>p99<th>max<th>mean\n".to_owned();
    for stage in report.shown() {
        let _ = write!(table, "<tr><td>{}", stage.name());
        match report.row(stage) {
            Some(row) => row.iter().for_each(|ms| {
                let _ = write!(table, "<td>{ms:.3}");
            }),
            None => table += "<td>–<td><td><td><td>",
        }
        table.push('\n');
    }
    table + "</table>\n"
}

/// A chart over time of the largest latency in each group of frames.
fn time_line(report: &LatencyReport) -> String {
    let (points, (width, height)) = (report.timeline.points(), SIZE);
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return String::new() };
    let top = points.iter().fold(1e-9_f64, |top, point| top.max(point.1)) * 1.05;
    let length = (last.0 - first.0).max(1e-9);
    let mut line = String::new();
    for (seconds, ms) in points {
        let _ =
            write!(line, "{:.1},{:.1} ", (seconds - first.0) / length * width, height - ms / top * height);
    }
    let deadline = report.deadline.map(milliseconds).filter(|&ms| ms < top).map_or(String::new(), |ms| {
        let y = height - ms / top * height;
        format!("<line x1=\"0\" x2=\"{width}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>")
    });
    let what = if report.stages[Stage::Data as usize].is_empty() { "track" } else { "capture to data" };
    let each = match report.timeline.stride() {
        1 => "each frame".to_owned(),
        frames => format!("the largest of every {frames} frames"),
    };
    figure(
        " class=\"wide\"",
        &format!("<polyline points=\"{line}\"/>{deadline}"),
        &format!("{what}, {each}: 0 to {top:.1} ms over {length:.1} s"),
    )
    .replace("<svg ", "<svg preserveAspectRatio=\"none\" ")
}

/// Bars over equal steps up to nearly the largest value.
fn histogram(stage: Stage, times: &Histogram<u64>) -> String {
    let (width, height) = SIZE;
    let step = (times.value_at_quantile(0.999) / BARS).max(1) + 1;
    let mut counts = [0; BARS as usize];
    for value in times.iter_recorded() {
        if let Some(bar) = counts.get_mut((value.value_iterated_to() / step) as usize) {
            *bar += value.count_at_value();
        }
    }
    let most = counts.iter().copied().max().unwrap_or(0).max(1);
    let bar_width = width / BARS as f64;
    let mut bars = String::new();
    for (bar, &count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let tall = (count as f64 / most as f64 * height).max(1.0);
        let _ = write!(
            bars,
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{tall:.1}\"/>",
            bar as f64 * bar_width,
            height - tall,
            bar_width - 1.0
        );
    }
    let (end, p50, p99) = (
        (BARS * step) as f64 / 1e6,
        times.value_at_quantile(0.5) as f64 / 1e6,
        times.value_at_quantile(0.99) as f64 / 1e6,
    );
    let caption =
        format!("{}: 0 to {end:.3} ms, p50 {p50:.3}, p99 {p99:.3}, {} frames", stage.name(), times.len());
    figure("", &bars, &caption)
}

fn figure(attributes: &str, drawing: &str, caption: &str) -> String {
    let (width, height) = SIZE;
    format!(
        "<figure{attributes}><svg viewBox=\"0 0 {width} {height}\">{drawing}</svg><figcaption>{caption}</figcaption></figure>\n"
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
