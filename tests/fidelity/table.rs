//! The rows that `make matrix` prints.

use std::env;
use std::fs::OpenOptions;
use std::io::Write;
use std::thread;

/// A row under way. It is written when dropped, as passed or as failed.
pub struct Row {
    case: &'static str,
    runs: u32,
    outcome: String,
}

impl Row {
    /// Begins a row of the table.
    pub fn new(case: &'static str) -> Self {
        Self { case, runs: 0, outcome: String::new() }
    }

    /// Counts a run.
    pub fn count(&mut self) {
        self.runs += 1;
    }

    /// Says what came out.
    pub fn outcome(&mut self, text: impl Into<String>) {
        self.outcome = text.into();
    }
}

impl Drop for Row {
    fn drop(&mut self) {
        let Some(path) = env::var_os("FACEMARK_MATRIX") else { return };
        let verdict = if thread::panicking() { "**failed**" } else { "passed" };
        let line = format!("| {} | {} | {verdict}: {} |\n", self.case, self.runs, self.outcome);
        let file = OpenOptions::new().append(true).create(true).open(path);
        file.and_then(|mut file| file.write_all(line.as_bytes())).expect("the table can be written");
    }
}

/// How often to do something: `usual` times, and `thorough` times for the table.
pub fn times(usual: u32, thorough: u32) -> u32 {
    if env::var_os("FACEMARK_MATRIX").is_some() { thorough } else { usual }
}

/// Numbers that look random and are the same every time.
pub struct Random(u64);

impl Random {
    /// A sequence of its own for every seed.
    pub fn new(seed: u32) -> Self {
        Self(u64::from(seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x2545_f491_4f6c_dd1d)
    }

    /// The next number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        // xorshift64, Marsaglia 2003.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}
