//! Clocks.

use std::fs;
use std::path::{Path, PathBuf};

use crate::table::Row;

/// nokhwa gives the drivers' monotonic time stamps on the wall clock. Here they are taken back at once, and one that a
/// jump in between has spoilt is not used.
const EXCEPT: &str = "camera/driver.rs";

#[test]
fn only_the_monotonic_clock_is_read() {
    let mut row = Row::new("wall-clock jump");
    let mut files = 0;
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            if path.ends_with(EXCEPT) {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            for clock in ["SystemTime", "UNIX_EPOCH", "CLOCK_REALTIME", "gettimeofday", "chrono"] {
                assert!(!text.contains(clock), "{} reads the wall clock: {clock}", path.display());
            }
            files += 1;
        }
    }
    assert!(files > 20);
    row.count();
    row.outcome(format!("none of {files} source files reads the wall clock"));
}
