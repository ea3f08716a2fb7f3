//! The page itself.

use maud::{Markup, html};

use super::chart::{Scale, Series, chart};
use super::contents::Contents;
use super::frame::frame;
use super::held_out::HeldOut;
use super::picture::{Overlay, filters, picture};
use super::rivals::Rival;
use crate::metrics::Summary;
use crate::nets::Step;
use crate::run_dir::{Epoch, UNKNOWN_COMMIT};

/// Faces shown of the best and of the worst.
const N_EXTREMES: usize = 12;
/// The cumulative error curve ends here, in per cent.
const CURVE_END: f64 = 20.0;

/// The whole page.
pub fn page(contents: &Contents) -> Markup {
    let name = contents.recipe.net.name();
    frame(
        &format!("facemark-train: {name}"),
        html! {
            (head(contents))
            h2 { "Loss and error" } (curves(contents))
            h2 { "Error on held-out faces" } (errors(contents))
            h2 { "Where it fails" } (failures(contents))
            h2 { "Worst predictions" } (legend()) (faces(contents, contents.held_out.iter().take(N_EXTREMES)))
            h2 { "Best predictions" } (legend()) (faces(contents, contents.held_out.iter().rev().take(N_EXTREMES)))
            @if !contents.own.is_empty() { h2 { "Other photos" } (own(contents)) }
            h2 { "Samples with ground truth" } (samples(contents))
            h2 { "First-layer filters" }
            p { "Black is the most negative weight of a filter, white the most positive, middle grey none." }
            (filters(&contents.filters.0, contents.filters.1))
            h2 { "Architecture" } (architecture(&contents.layers))
            h2 { "Recipe" } pre { (contents.recipe.to_toml().unwrap_or_default()) }
        },
    )
}

fn head(contents: &Contents) -> Markup {
    let record = &contents.record;
    let best = contents.epochs.iter().min_by(|a, b| a.validation_nme.total_cmp(&b.validation_nme));
    let seconds: f64 = contents.epochs.iter().map(|epoch| epoch.seconds).sum();
    html! {
        table {
            tr { th { "Data" } td { (record.data) ": " (record.n_training) " faces to train on, " (record.n_validation) " held out" } }
            tr { th { "Begun with" } td { (record.init.as_deref().unwrap_or("random weights")) } }
            tr { th { "Epochs" } td { (contents.epochs.len()) " of " (contents.recipe.epochs)
                @if let Some(best) = best { ", the best was " (best.epoch) } } }
            tr { th { "Time" } td { (format!("{:.1} minutes", seconds / 60.0)) ", " (speed(&contents.epochs)) } }
            @if record.commit != UNKNOWN_COMMIT { tr { th { "Program" } td { (record.commit) } } }
        }
        @if contents.without_photos {
            p { "The data set's terms do not allow its photos to be published here: its faces are shown by their landmarks alone." }
        }
    }
}

/// Photos per second in the median epoch, and how long the net waited for them.
fn speed(epochs: &[Epoch]) -> String {
    let mut rates: Vec<f64> = epochs.iter().map(|epoch| epoch.photos_per_second).collect();
    rates.sort_by(f64::total_cmp);
    let rate = rates.get(rates.len() / 2).copied().unwrap_or(f64::NAN);
    let waited: Option<f64> = epochs.iter().map(|epoch| epoch.waited).sum();
    let waited =
        waited.map(|sum| format!(", {:.1} % of it waiting for them", 100.0 * sum / epochs.len() as f64));
    format!("{rate:.0} photos a second{}", waited.unwrap_or_default())
}

fn curves(contents: &Contents) -> Markup {
    let line = |pick: fn(&Epoch) -> Option<f64>| {
        contents.epochs.iter().filter_map(move |e| Some((e.epoch as f64, pick(e)?)))
    };
    let losses = [
        Series::new("training", line(|e| Some(e.loss))),
        Series::new("held out", line(|e| e.validation_loss)),
    ];
    let has_validation = !losses[1].points.is_empty();
    let losses = if has_validation { &losses[..] } else { &losses[..1] };
    let error_of = |name: &str, epochs: &[Epoch]| {
        let points: Vec<_> = epochs.iter().map(|e| (e.epoch as f64, e.validation_nme)).collect();
        Series::new(name, points)
    };
    let mut error = vec![error_of("held out", &contents.epochs)];
    let runs = contents.rivals.iter().filter(|rival| !rival.epochs.is_empty());
    error.extend(runs.map(|rival| error_of(&format!("held out, {}", rival.name), &rival.epochs)));
    html! {
        div.charts {
            (chart("Loss", ("epoch", "loss"), Scale::Logarithmic, losses))
            (chart("Mean error of the held-out faces", ("epoch", "NME, %"), Scale::Linear, &error))
        }
        p { "The training loss is that of augmented crops, through a net that still changes; held-out faces are not augmented." }
    }
}

fn errors(contents: &Contents) -> Markup {
    let shares = |errors: Vec<f64>| {
        let n = errors.len() as f64;
        (0..=80).map(move |i| {
            let limit = CURVE_END * f64::from(i) / 80.0;
            (limit, 100.0 * errors.iter().filter(|&&e| e <= limit).count() as f64 / n)
        })
    };
    let mut series =
        vec![Series::new("the net", shares(contents.held_out.iter().map(|face| face.nme).collect()))];
    let baseline: Option<Vec<f64>> = contents.held_out.iter().map(|face| face.baseline).collect();
    series.extend(baseline.map(|errors| Series::new("mean shape", shares(errors))));
    html! {
        table {
            tr { th { "given" } th { "faces" } th { "NME" } th { "median" } th { "P90" } th { "above 8 %" } th { "AUC@8 %" } th { "px" } th { "relative MSE" } }
            @for (given, summary, baseline) in &contents.results {
                (row(given, summary))
                @if let Some(baseline) = baseline { (row(&format!("mean shape, {given}"), baseline)) }
            }
            @for rival in &contents.rivals { (row(&format!("{}, one look", rival.name), &rival.summary)) }
        }
        @match contents.recipe.net.scheme().eye_corners() {
            Some(_) => p { "NME is the mean point error over the distance of the outer eye corners." },
            None => p { "NME is the point's error over the face's size." },
        }
        div.charts { (chart("Share of faces below an error", ("NME, %", "faces, %"), Scale::Linear, &series)) }
    }
}

/// What was written of it, and the parts and groups with the greatest errors first.
fn failures(contents: &Contents) -> Markup {
    let regions = contents.results.iter().take(1).flat_map(|(_, summary, _)| &summary.regions);
    let mut parts: Vec<(&String, f64)> =
        regions.map(|(part, nme)| (part, nme.as_f64().unwrap_or(f64::NAN))).collect();
    parts.sort_by(|a, b| b.1.total_cmp(&a.1));
    let Contents { notes, groups, results, rivals, .. } = contents;
    let percent = |nme: Option<f64>| nme.map_or_else(String::new, |nme| format!("{nme:.2} %"));
    let part_of = |rival: &Rival, part: &str| rival.summary.regions.get(part).and_then(|nme| nme.as_f64());
    let group_of = |rival: &Rival, name: &str| {
        rival.groups.iter().find(|group| group.name == name).map(|group| group.nme)
    };
    html! {
        @for paragraph in notes { p { (paragraph) } }
        @if let Some((title, summary, _)) = results.first() {
            p { "Mean errors given " (title) "; that of all " (summary.n) " faces is " (format!("{:.2} %.", summary.nme_mean)) }
        }
        div.tables {
            @if !parts.is_empty() {
                table {
                    tr { th { "part" } th { "NME" } @for rival in rivals { th { (rival.name) } } }
                    @for (part, nme) in parts {
                        tr { td { (part) } td { (percent(Some(nme))) } @for rival in rivals { td { (percent(part_of(rival, part))) } } }
                    }
                }
            }
            table {
                tr { th { "faces" } th { "how many" } th { "NME" } @for rival in rivals { th { (rival.name) } } }
                @for group in groups {
                    tr {
                        td { (group.name) } td { (group.n) } td { (percent(Some(group.nme))) }
                        @for rival in rivals { td { (percent(group_of(rival, &group.name))) } }
                    }
                }
            }
        }
    }
}

fn row(name: &str, s: &Summary) -> Markup {
    html! {
        tr {
            td { (name) } td { (s.n) } td { (format!("{:.2} %", s.nme_mean)) } td { (format!("{:.2} %", s.nme_median)) }
            td { (format!("{:.2} %", s.nme_p90)) } td { (format!("{:.1} %", s.failure_8)) } td { (format!("{:.1}", s.auc_8)) }
            td { (format!("{:.2}", s.pixels)) } td { (format!("{:.6}", s.relative_mse)) }
        }
    }
}

fn samples(contents: &Contents) -> Markup {
    let (width, _) = contents.recipe.net.input_size();
    let scheme = contents.recipe.net.scheme();
    let hide = contents.without_photos;
    let show = |example: &crate::batch::Example| {
        let overlays = [Overlay { points: &example.points, class: "truth" }];
        picture((&example.pixels, width), scheme, &overlays, "", hide)
    };
    html! {
        h3 { "As they are" } div.pictures { @for (plain, _) in &contents.samples { (show(plain)) } }
        h3 { "Augmented" } div.pictures { @for (_, augmented) in &contents.samples { (show(augmented)) } }
    }
}

fn legend() -> Markup {
    html! { p { span.truth { "■" } " truth " span.found { "■" } " found" } }
}

fn faces<'a>(contents: &Contents, faces: impl Iterator<Item = &'a HeldOut>) -> Markup {
    let (width, _) = contents.recipe.net.input_size();
    html! {
        div.pictures {
            @for face in faces {
                @let overlays = [
                    Overlay { points: &face.truth.points, class: "truth" },
                    Overlay { points: &face.found, class: "found" },
                ];
                @let caption = [vec![format!("{} {:.1} %", face.name, face.nme)], names(&face.traits)].concat();
                (picture((&face.truth.pixels, width), contents.recipe.net.scheme(), &overlays,
                    &caption.join(", "), contents.without_photos))
            }
        }
    }
}

fn names(traits: &[&str]) -> Vec<String> {
    traits.iter().map(|&name| name.to_owned()).collect()
}

fn own(contents: &Contents) -> Markup {
    html! {
        div.pictures.large {
            @for photo in &contents.own {
                @let overlays: Vec<Overlay<'_>> =
                    photo.faces.iter().map(|points| Overlay { points, class: "found" }).collect();
                @let n = photo.faces.len();
                (picture((&photo.pixels, photo.width), contents.recipe.net.scheme(), &overlays,
                    &format!("{}: {n} {}, {}", photo.name, if n == 1 { "face" } else { "faces" }, photo.how), false))
            }
        }
    }
}

fn architecture(steps: &[Step]) -> Markup {
    let million = |n: usize| format!("{:.2}", n as f64 / 1e6);
    html! {
        table {
            tr { th { "layer" } th { "window" } th { "gives" } th { "parameters" } th { "million multiplications" } }
            @for step in steps {
                @let size: Vec<String> = step.size.iter().map(usize::to_string).collect();
                tr {
                    td { (step.operator) } td { (step.window) } td { (size.join("×")) } td { (step.n_parameters) }
                    td { (million(step.n_multiplications)) }
                }
            }
            tr {
                th { "sum" } td {} td {} th { (steps.iter().map(|step| step.n_parameters).sum::<usize>()) }
                th { (million(steps.iter().map(|step| step.n_multiplications).sum())) }
            }
        }
        p { "As exported: batch normalisation is folded into the convolutions." }
    }
}
