//! The rows that `make matrix` prints.

use std::env;
use std::fs::OpenOptions;
use std::io::Write;
use std::thread;

/// A row under way. It is written when dropped, as passed or as failed.
pub struct Row {
    case: &'static str,
    runs: u32,
    skipped: bool,
    outcome: String,
}

impl Row {
    /// Begins a row of the table.
    pub fn new(case: &'static str) -> Self {
        Self { case, runs: 0, skipped: false, outcome: String::new() }
    }

    /// Counts a run.
    pub fn count(&mut self) {
        self.runs += 1;
    }

    /// Counts many runs.
    pub fn runs(&mut self, count: u32) {
        self.runs += count;
    }

    /// Records the outcome.
    pub fn outcome(&mut self, text: impl Into<String>) {
        self.outcome = text.into();
    }

    /// Records, and prints, why the row cannot be tested here.
    pub fn skip(&mut self, why: &str) {
        println!("skipped: {}: {why}", self.case);
        (self.skipped, self.outcome) = (true, why.to_owned());
    }
}

impl Drop for Row {
    fn drop(&mut self) {
        let Some(path) = env::var_os("FACEMARK_MATRIX") else { return };
        let verdict = match (thread::panicking(), self.skipped) {
            (true, _) => "**failed**",
            (false, true) => "**not tested**",
            (false, false) => "passed",
        };
        let line = format!("| {} | {} | {verdict}: {} |\n", self.case, self.runs, self.outcome);
        let file = OpenOptions::new().append(true).create(true).open(path);
        file.and_then(|mut file| file.write_all(line.as_bytes())).expect("the table can be written");
    }
}

/// How often to do something: `usual` times, and `thorough` times for the table.
pub fn times(usual: u32, thorough: u32) -> u32 {
    if env::var_os("FACEMARK_MATRIX").is_some() { thorough } else { usual }
}

/// A time limit, as the table promises it; elsewhere it is five times as long, since tests run on busy machines.
pub fn limit(seconds: f64) -> f64 {
    if env::var_os("FACEMARK_MATRIX").is_some() { seconds } else { 5.0 * seconds }
}
