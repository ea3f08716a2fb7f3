//! The README's table of models and the facts in the models' cards, from the models' files.

use std::collections::BTreeMap;
use std::env;
use std::fs;

use facemark::crop::{Framing, Normalisation};
use facemark::detect::grid;
use facemark::face::Scheme;
use facemark::onnx::spec::{DETECTOR_UNIT, ModelSpec, Spec};
use facemark_cli::catalog::{self, Entry};

use crate::{read, root, with_block};

/// A built-in model.
struct Model {
    name: String,
    size: u64,
    spec: Spec,
}

fn models() -> Vec<Model> {
    let built_in = catalog::list().into_iter().filter(|entry| matches!(entry, Entry::BuiltIn(..)));
    built_in
        .map(|entry| Model { name: entry.name(), size: entry.size(), spec: entry.spec().unwrap() })
        .collect()
}

/// The pages with facts in them: the file, its block's name, and what it must contain.
fn pages() -> Vec<(String, &'static str, String)> {
    let models = models();
    let cards = models.iter().map(|model| (format!("models/{}.md", model.name), "facts", model.facts()));
    let table = ("README.md".to_owned(), "models", table(&models));
    [table].into_iter().chain(cards).collect()
}

fn table(models: &[Model]) -> String {
    let head = "| model | finds | input | file | error |\n|---|---|---|---|---|\n";
    let row = |model: &Model| {
        let (width, height) = model.input();
        let (name, mark) = (&model.name, model.mark());
        format!(
            "| `{name}`{mark} | {} | {width}×{height} | {} | {} |\n",
            model.finds(),
            model.size(),
            model.error()
        )
    };
    head.to_owned() + &models.iter().map(row).collect::<String>()
}

impl Model {
    /// Which of the defaults it is.
    fn mark(&self) -> &'static str {
        match self.name.as_str() {
            catalog::DEFAULT => " (default)",
            catalog::DETECTOR => " (default detector)",
            _ => "",
        }
    }

    fn finds(&self) -> &'static str {
        match &self.spec {
            Spec::FaceDetector(_) => "all faces, with size and roll",
            Spec::Landmarks(spec) => match spec.scheme {
                Scheme::Ibug68 => "the 68 points of 300-W",
                Scheme::Mesh478 => {
                    "the 478 points of MediaPipe's face mesh, their depths, and 52 blendshapes"
                }
                Scheme::Imm58 => "the 58 points of IMM",
                Scheme::Nose => "the middle of the nose's lower edge",
            },
        }
    }

    fn size(&self) -> String {
        let bytes = self.size as f64;
        if bytes < 1e5 { format!("{:.0} kB", bytes / 1e3) } else { format!("{:.1} MB", bytes / 1e6) }
    }

    fn input(&self) -> (usize, usize) {
        match &self.spec {
            Spec::FaceDetector(spec) => (spec.width, spec.height),
            Spec::Landmarks(spec) => (spec.width, spec.height),
        }
    }

    fn training(&self) -> &BTreeMap<String, String> {
        match &self.spec {
            Spec::FaceDetector(spec) => &spec.training,
            Spec::Landmarks(spec) => &spec.training,
        }
    }

    /// Its error on photos that it was not trained on, if its file states it.
    fn error(&self) -> String {
        let training = self.training();
        match (training.get("test"), training.get("validation_nme"), &self.spec) {
            (Some(test), ..) => test.clone(),
            (None, Some(error), Spec::Landmarks(_)) => format!("{error} (held-out photos)"),
            _ => "see its card".to_owned(),
        }
    }

    /// The block in its card.
    fn facts(&self) -> String {
        let mut rows = vec![("finds", self.finds().to_owned())];
        rows.extend(self.contract());
        rows.push(("file", self.size()));
        // What is written in the files' words, in this order, then everything else.
        let training = self.training();
        let is_detector = matches!(self.spec, Spec::FaceDetector(_));
        rows.extend(KEYS.iter().filter_map(|&(key, of_landmarks, of_detector)| {
            let label = if is_detector { of_detector } else { of_landmarks };
            Some((label, training.get(key)?.clone()))
        }));
        let known = |key: &str| ELSEWHERE.contains(&key) || KEYS.iter().any(|&(known, ..)| known == key);
        rows.extend(
            training.iter().filter(|(key, _)| !known(key)).map(|(key, text)| (key.as_str(), text.clone())),
        );
        let rows: String = rows.iter().map(|(label, text)| format!("| {label} | {text} |\n")).collect();
        let recipe = training.get("recipe").map_or(String::new(), |recipe| {
            format!(
                "\n<details><summary>The recipe in the file</summary>\n\n```toml\n{}\n```\n\n</details>\n",
                recipe.trim_end()
            )
        });
        format!("| | |\n|---|---|\n{rows}{recipe}")
    }

    /// What goes in and comes out.
    fn contract(&self) -> Vec<(&'static str, String)> {
        let (width, height) = self.input();
        let shape = format!("`[1, 1, {height}, {width}]`");
        match &self.spec {
            Spec::FaceDetector(spec) => {
                let pixels = pixels(spec.normalisation, "picture");
                let n_values = grid::n_values(width, height);
                vec![
                    (
                        "input",
                        format!(
                            "{shape}, or any other size with sides that are multiples of {DETECTOR_UNIT}: {pixels}"
                        ),
                    ),
                    ("output", format!("`[1, {n_values}]` for this size: see below")),
                ]
            }
            Spec::Landmarks(spec) => {
                let mut rows = vec![
                    ("input", format!("{shape}: {}", pixels(spec.normalisation, "crop"))),
                    ("output", output(spec)),
                    ("crop", crop(spec.framing)),
                ];
                let looks = "two at each crop, as it is and mirrored; the answer is their mean";
                rows.extend(spec.mirrored.then(|| ("looks", looks.to_owned())));
                rows
            }
        }
    }
}

/// Keys of the training facts, and what they are called for landmark models and for detectors.
const KEYS: [(&str, &str, &str); 13] = [
    ("terms", "may be used for", "may be used for"),
    ("test", "error on the test photos", "on the test photos"),
    ("test_boxes", "the same, faces found by the detector", "on the test photos"),
    (
        "validation_nme",
        "error on the held-out faces, one look",
        "1 − IoU with the held-out faces, mean; 1 if missed",
    ),
    ("validation_pixels", "the same in pixels", "distance of the centres in pixels, mean"),
    ("data", "data", "data"),
    ("faces", "faces", "photos"),
    ("epochs", "epoch", "epoch"),
    ("init", "started from", "started from"),
    ("mean_of", "mean of the weights of the runs", "mean of the weights of the runs"),
    ("loss", "training loss", "training loss"),
    ("seed", "seed", "seed"),
    ("commit", "commit", "commit"),
];
/// Keys that are not in the table: the recipe is below it, and a mean shape is of no interest to readers.
const ELSEWHERE: [&str; 2] = ["recipe", "mean_shape"];

fn pixels(normalisation: Normalisation, what: &str) -> String {
    match normalisation {
        Normalisation::PerCrop => format!("luma, each {what} brought to mean 0 and deviation 1"),
        Normalisation::Local => {
            "luma, its logarithm less the mean around each pixel, divided by the deviation there".to_owned()
        }
        Normalisation::Fixed { mean, std } => format!("luma from 0 to 1, less {mean}, divided by {std}"),
    }
}

fn output(spec: &ModelSpec) -> String {
    let points = if spec.scheme.n_points() == 1 { "x, y" } else { "x0, y0, x1, y1 …" };
    let more = [
        (spec.depth, "then each point's depth in crop widths"),
        (spec.sigma, "the logarithm of how far off each point is expected to be, in crop widths"),
        (spec.presence && !spec.blendshapes, "last the logit of there being a face"),
        (spec.presence && spec.blendshapes, "the logit of there being a face"),
        (spec.blendshapes, "last the shares of 52 blendshapes"),
    ];
    let more: String = more.iter().filter(|(given, _)| *given).map(|(_, what)| format!("; {what}")).collect();
    let n_values = spec.n_values();
    format!("`[1, {n_values}]`: {points} in crop sides, (0, 0) the upper left corner{more}")
}

fn crop(Framing { width, height, shift_x, shift_y }: Framing) -> String {
    let shift = match (shift_x, shift_y) {
        (0.0, 0.0) => String::new(),
        _ => format!(", its centre shifted by ({shift_x}, {shift_y}) of it"),
    };
    format!("{width} × {height} times the face region, the bounding square of the face's landmarks{shift}")
}

#[test]
fn facts_about_models_are_those_in_their_files() {
    let write = env::var_os("FACEMARK_DOCS").is_some_and(|what| what == "write");
    let mut stale = Vec::new();
    for (file, name, text) in pages() {
        let page = read(&file);
        let fresh =
            with_block(&page, name, &text).unwrap_or_else(|| panic!("{file} has no block <!-- {name} -->"));
        if fresh == page {
            continue;
        }
        if write {
            fs::write(root().join(&file), fresh).unwrap();
        } else {
            stale.push(file);
        }
    }
    assert!(
        stale.is_empty(),
        "these pages say something else than the models' files; run `make docs`: {stale:?}"
    );
}

#[test]
fn a_wrong_fact_in_a_card_is_noticed() {
    let model = models().into_iter().find(|model| model.name == "large").unwrap();
    let (width, height) = model.input();
    let page = read("models/large.md");
    let wrong = page.replace(&format!("`[1, 1, {height}, {width}]`"), "`[1, 1, 160, 161]`");
    // Not assert_ne, which would print both pages.
    assert!(wrong != page, "the card does not tell the input's size");
    let mended = with_block(&wrong, "facts", &model.facts()).unwrap();
    assert!(mended != wrong, "the wrong size went unnoticed");
    assert!(mended == page, "models/large.md says something else than its model's file; run `make docs`");
}

/// Whether the row of a card's own table for the file's `test` has a different figure.
fn contradicts(card: &str, test: &str) -> bool {
    let row = card.lines().find_map(|line| line.strip_prefix("| the box of the true points | "));
    let figure = test.split(" (").next();
    row.is_some_and(|row| row.split(" | ").next() != figure)
}

#[test]
fn the_cards_tables_agree_with_the_files() {
    for model in models() {
        let card = read(format!("models/{}.md", model.name));
        let has_68 = matches!(&model.spec, Spec::Landmarks(spec) if spec.scheme == Scheme::Ibug68);
        if let Some(test) = model.training().get("test").filter(|_| has_68) {
            assert!(
                !contradicts(&card, test),
                "models/{}.md has another error than its file: {test}",
                model.name
            );
        }
    }
    let card = "a\n| the box of the true points | 3.26 % | 3.04 % |\n";
    assert!(!contradicts(card, "3.26 % (lfpw/testset, 224 faces, given boxes)"));
    assert!(contradicts(card, "3.27 % (lfpw/testset, 224 faces, given boxes)"));
}
