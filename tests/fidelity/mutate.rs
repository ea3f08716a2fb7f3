//! Mutations of inputs, the same ones in every run. The trainer's tests use them, too.

use std::env;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

/// No input may keep a parser busy for longer than this, even on a busy machine.
const HANG: Duration = Duration::from_secs(60);

/// How long each parser is fed: `FACEMARK_FUZZ` seconds, two by default.
fn duration() -> Duration {
    Duration::from_secs(env::var("FACEMARK_FUZZ").ok().and_then(|text| text.parse().ok()).unwrap_or(2))
}

/// Feeds mutations of `seeds` to `check` until the time is up; `check` says whether it accepted an input. Returns how
/// many it was fed and how many it accepted. A crash or panic ends the test; its message names the mutation.
pub fn feed(seeds: &[Vec<u8>], mut check: impl FnMut(&[u8]) -> bool) -> (u32, u32) {
    for seed in seeds {
        assert!(check(seed), "what is to be mutated is broken already");
    }
    let start = Instant::now();
    let (mut fed, mut taken) = (0, 0);
    while start.elapsed() < duration() {
        let mut random = Random::new(fed);
        let mut bytes = seeds[random.below(seeds.len())].clone();
        mutate(&mut bytes, &mut random);
        let begun = Instant::now();
        match catch_unwind(AssertUnwindSafe(|| check(&bytes))) {
            Ok(is_taken) => taken += u32::from(is_taken),
            Err(_) => panic!("mutation {fed}: {:?}", String::from_utf8_lossy(&bytes)),
        }
        assert!(begun.elapsed() < HANG, "mutation {fed} took {:?}", begun.elapsed());
        fed += 1;
    }
    (fed, taken)
}

/// Numbers that look random and are the same every time.
pub struct Random(u64);

impl Random {
    /// A different sequence for every seed.
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

/// Bytes that parsers trip over: the limits of number ranges.
const EDGES: [u8; 7] = [0x00, 0x01, 0x7f, 0x80, 0xff, 0xfe, 0x40];

/// What numbers, names and markup can be changed into.
const WORDS: [&str; 20] = [
    "nan",
    "inf",
    "-1",
    "1e39",
    "1e-46",
    "99999999999999999999",
    "0x9",
    "",
    " ",
    "\n",
    "\r",
    "{",
    "}",
    "<",
    "&#0;",
    "../..",
    "\0",
    "ü",
    "\"",
    "\u{feff}",
];

/// Writes an input for a parser that reads files. An old file is removed first: truncating and rewriting it
/// would, on ext4, wait for the disk each time.
pub fn put(path: &Path, bytes: &[u8]) {
    let _ = fs::remove_file(path);
    fs::write(path, bytes).unwrap();
}

/// Changes a few places: flips bits, overwrites, removes, repeats, moves, inserts words.
fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    let most = random.below(8);
    for _ in 0..=random.below(most + 1) {
        if bytes.len() < 2 {
            return;
        }
        let at = random.below(bytes.len());
        let length = 1 + random.below((bytes.len() - at).min(64));
        match random.below(7) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at..at + length].fill(EDGES[random.below(EDGES.len())]),
            2 => drop(bytes.drain(at..at + length)),
            3 => {
                let part = bytes[at..at + length].to_vec();
                let to = random.below(bytes.len());
                bytes.splice(to..to, part);
            }
            4 => bytes.truncate(bytes.len() - random.below(bytes.len() / 4 + 1)),
            5 => drop(bytes.splice(at..at + length.min(8), WORDS[random.below(WORDS.len())].bytes())),
            _ => bytes[at] = random.below(256) as u8,
        }
    }
}
