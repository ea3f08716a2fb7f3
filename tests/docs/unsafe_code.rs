//! SECURITY.md names every file with unsafe code.

use std::collections::BTreeSet;

use crate::{block, files, read};

/// The folders with our code.
const FOLDERS: [&str; 8] = ["src", "tracker", "training", "python", "features", "fuzz", "examples", "tests"];

/// Whether a line of Rust starts something unsafe. Comments and attributes do not.
fn is_unsafe(line: &str) -> bool {
    let openings = ["{", "fn ", "impl ", "extern ", "trait "].map(|what| format!("unsafe {what}"));
    let code = line.split("//").next().unwrap_or_default();
    openings.iter().any(|opening| code.contains(opening))
}

#[test]
fn security_names_the_files_with_unsafe_code() {
    let security = read("SECURITY.md");
    let [_, listed, _] = block(&security, "unsafe").unwrap();
    let listed: BTreeSet<String> = listed
        .lines()
        .filter_map(|line| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned()))
        .collect();
    let own = file!().replace('\\', "/");
    let with_unsafe: BTreeSet<String> = FOLDERS
        .iter()
        .flat_map(|folder| files(folder, "rs"))
        .filter(|file| !own.ends_with(&*file.to_string_lossy()))
        .filter(|file| read(file).lines().any(is_unsafe))
        .map(|file| file.to_string_lossy().into_owned())
        .collect();
    let missing: Vec<_> = with_unsafe.difference(&listed).collect();
    let wrong: Vec<_> = listed.difference(&with_unsafe).collect();
    assert!(
        missing.is_empty() && wrong.is_empty(),
        "SECURITY.md lacks {missing:?}; {wrong:?} have no unsafe code"
    );
}

#[test]
fn unsafe_code_is_told_from_words() {
    for line in [
        "    unsafe { f() }",
        "unsafe impl Send for A {}",
        "unsafe fn f() {",
        "pub unsafe extern \"C\" fn f()",
    ] {
        assert!(is_unsafe(line), "{line}");
    }
    for line in ["// unsafe { f() }", "script-src 'unsafe-inline'", "unsafe_op_in_unsafe_fn = \"deny\""] {
        assert!(!is_unsafe(line), "{line}");
    }
}
