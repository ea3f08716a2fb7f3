//! The course's comparison for the nose: four or three convolutions, at two learning rates.

use std::path::Path;

use anyhow::Result;
use burn::tensor::backend::AutodiffBackend;
use facemark::face::Scheme;
use facemark::geometry::Point;
use maud::{Markup, html};

use crate::dataset::{self, Sample, Source};
use crate::files::write_atomically;
use crate::metrics::mean;
use crate::recipe::{NetKind, Recipe};
use crate::report::chart::{Scale, Series, chart};
use crate::report::frame::frame;
use crate::run_dir::{Epoch, RunDir};
use crate::train;

const NETS: [(NetKind, &str); 2] = [(NetKind::Nose, "4 convolutions"), (NetKind::Nose3, "3 convolutions")];
const RATES: [f64; 2] = [1e-3, 1e-2];

/// A training of the study.
struct Run {
    title: String,
    epochs: Vec<Epoch>,
}

/// Trains all four by the course's recipe, each in a folder of its own below `out`, and writes `study.html` there. What an
/// earlier call has finished is not trained again.
///
/// # Errors
/// If a training fails or the page cannot be written.
pub fn nose<B: AutodiffBackend>(
    data: &Source,
    out: &Path,
    epochs: Option<usize>,
    device: &B::Device,
) -> Result<()> {
    let mut runs = Vec::new();
    for (net, title) in NETS {
        for lr in RATES {
            let course = Recipe::course(net);
            let recipe = Recipe { lr, epochs: epochs.unwrap_or(course.epochs), ..course };
            let folder = out.join(format!("{}-{lr:.0e}", net.name()));
            eprintln!("{title}, learning rate {lr}");
            if folder.join("last.mpk").exists() {
                train::resume::<B>(data, &folder, None, device)?;
            } else {
                train::start::<B>(data, &folder, &recipe, None, None, device)?;
            }
            runs.push(Run { title: format!("{title}, {lr}"), epochs: RunDir::open(&folder)?.0.metrics()? });
        }
    }
    let file = out.join("study.html");
    write_atomically(&file, html(&runs, mean_point(data)?).into_string().as_bytes())?;
    eprintln!("{}", file.display());
    Ok(())
}

/// The held-out error of whoever always answers the mean of the training photos' points.
fn mean_point(data: &Source) -> Result<f64> {
    let (training, held_out) = dataset::split(dataset::load_for_training(data, Scheme::Nose)?)?;
    let relative = |sample: &Sample| {
        let Point { x, y } = sample.points[0];
        [x / sample.photo.width() as f32, y / sample.photo.height() as f32].map(f64::from)
    };
    let training: Vec<[f64; 2]> = training.iter().map(relative).collect();
    let center = [0, 1].map(|axis| mean(training.iter().map(|point| point[axis])));
    let squares = held_out
        .iter()
        .map(relative)
        .flat_map(|point| [0, 1].map(|axis| (point[axis] - center[axis]).powi(2)));
    Ok(mean(squares))
}

fn html(runs: &[Run], mean_point: f64) -> Markup {
    let series = |pick: fn(&Epoch) -> Option<f64>| -> Vec<Series> {
        let line = |run: &Run| {
            let points = run.epochs.iter().filter_map(|e| Some((e.epoch as f64, pick(e)?)));
            Series::new(run.title.clone(), points.collect::<Vec<_>>())
        };
        runs.iter().map(line).collect()
    };
    frame(
        "The nose: four or three convolutions, two learning rates",
        html! {
            p { "The course's recipe: Adam at a constant rate, mean squared error, batches of 64, whole photos, no augmentation." }
            div.charts {
                (chart("Loss on training photos", ("epoch", "MSE"), Scale::Logarithmic, &series(|e| Some(e.loss))))
                (chart("Loss on held-out people", ("epoch", "MSE"), Scale::Logarithmic, &series(|e| e.validation_loss)))
            }
            (table(runs, mean_point))
        },
    )
}

fn table(runs: &[Run], mean_point: f64) -> Markup {
    let row = |run: &Run| -> Option<Markup> {
        let best = run.epochs.iter().filter_map(|e| Some((e.validation_loss?, e.epoch)));
        let best = best.min_by(|a, b| a.0.total_cmp(&b.0))?;
        let last = run.epochs.last()?;
        Some(html! {
            tr {
                td { (run.title) } td { (format!("{:.1e}", last.loss)) } td { (format!("{:.6}", last.validation_loss?)) }
                td { (format!("{:.6}", best.0)) } td { (best.1) }
            }
        })
    };
    html! {
        table {
            tr { th { "net, learning rate" } th { "training MSE" } th { "held-out MSE" } th { "the best of them" } th { "in epoch" } }
            @for run in runs { (row(run).unwrap_or_default()) }
            tr { td { "the mean of the training photos' points" } td {} td { (format!("{mean_point:.6}")) } td {} td {} }
        }
        p {
            "Mean squared error of the nose's coordinates in shares of the photo's width and height. The best value published "
            "in the course is 0.00123."
        }
    }
}

/// The net that a study is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Subject {
    /// The nose's net, with 4 or 3 convolutions, at two learning rates.
    Nose,
}
