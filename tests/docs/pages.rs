//! Links lead somewhere, and commands are ones that the program accepts.

use std::path::{Path, PathBuf};

use clap::Parser;
use facemark_cli::cli::Cli;

use crate::{files, read, root};

/// All pages for readers.
fn pages() -> Vec<PathBuf> {
    let top = ["README.md", "SECURITY.md", "CHANGELOG.md", "tracker/README.md", "python/README.md"]
        .map(PathBuf::from);
    let folders = ["docs", "models", "media", "training"];
    top.into_iter().chain(folders.iter().flat_map(|folder| files(folder, "md"))).collect()
}

/// The targets of a page's links and pictures.
fn links(page: &str) -> impl Iterator<Item = &str> {
    page.split("](").skip(1).filter_map(|rest| rest.split(')').next())
}

/// The anchors of a page's headings, as GitHub makes them.
fn anchors(page: &str) -> Vec<String> {
    let headings = page.lines().filter(|line| line.starts_with('#'));
    let slug = |heading: &str| -> String {
        let text = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = text.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(slug).collect()
}

#[test]
fn links_lead_somewhere() {
    let mut broken = Vec::new();
    for file in pages() {
        let page = read(&file);
        for link in links(&page).filter(|link| !link.contains("://")) {
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = file.parent().unwrap_or(Path::new("")).join(path);
            let target = if path.is_empty() { file.clone() } else { target };
            let is_there = root().join(&target).exists();
            if !is_there || !anchor.is_empty() && !anchors(&read(&target)).contains(&anchor.to_owned()) {
                broken.push(format!("{}: {link}", file.display()));
            }
        }
    }
    assert!(broken.is_empty(), "these lead nowhere: {broken:#?}");
}

/// The command lines of a page's code that call the program, as words.
fn commands(page: &str) -> Vec<Vec<String>> {
    let blocks = page.split("\n```").skip(1).step_by(2);
    let lines = blocks.filter(|block| block.starts_with("sh\n")).flat_map(|block| block.lines().skip(1));
    let calls = lines.filter(|line| line.starts_with("facemark "));
    let ends = ["|", "#", "&&", ">"];
    calls
        .map(|line| {
            line.split_whitespace().take_while(|word| !ends.contains(word)).map(str::to_owned).collect()
        })
        .collect()
}

#[test]
fn commands_are_ones_that_the_program_takes() {
    let mut n_tried = 0;
    for file in pages() {
        for command in commands(&read(&file)) {
            n_tried += 1;
            if let Err(error) = Cli::try_parse_from(&command) {
                panic!("{}: {}\n{error}", file.display(), command.join(" "));
            }
        }
    }
    assert!(n_tried > 10, "only {n_tried} commands were found");
}

#[test]
fn commands_and_links_are_found() {
    let page = "[a](b.md#c-d)\n```sh\nmake\nfacemark live -q  # x\nfacemark bench a | b\n```\n## C: `d`!\n```\nfacemark no\n```\n";
    assert_eq!(commands(page), [vec!["facemark", "live", "-q"], vec!["facemark", "bench", "a"]]);
    assert_eq!(links(page).collect::<Vec<_>>(), ["b.md#c-d"]);
    assert_eq!(anchors(page), ["c-d"]);
}
