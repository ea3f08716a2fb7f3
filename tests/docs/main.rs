//! The pages say what is true: facts about models come from the models' files, commands and links work, and the list of
//! files with unsafe code is complete. With `FACEMARK_DOCS=write` (`make docs`) stale facts are rewritten.

// The helpers are test code too; clippy only recognises functions marked as tests.
#![allow(clippy::unwrap_used)]

mod facts;
mod pages;
mod unsafe_code;

use std::fs;
use std::path::{Path, PathBuf};

/// The repository.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A file of the repository as text.
#[track_caller]
fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All files below a folder whose names end in `.{ending}`, as paths from the root. Links are not followed.
fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root().join(folder)).unwrap() {
        let entry = entry.unwrap();
        let path = Path::new(folder).join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(path.to_str().unwrap(), ending));
        } else if path.extension().is_some_and(|found| found == ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// What is before, in and after the block of a page that begins with `<!-- {name} -->`.
fn block<'a>(page: &'a str, name: &str) -> Option<[&'a str; 3]> {
    let begin = format!("<!-- {name} -->\n");
    let start = page.find(&begin)? + begin.len();
    let end = start + page[start..].find("<!-- end -->")?;
    Some([&page[..start], &page[start..end], &page[end..]])
}

/// The page with this text in its block, with an empty line before and after it.
fn with_block(page: &str, name: &str, text: &str) -> Option<String> {
    let [before, _, after] = block(page, name)?;
    Some(format!("{before}\n{}\n\n{after}", text.trim_end()))
}
