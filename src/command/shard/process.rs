//! Which process is at work on a video, and whether it still is.

use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::OnceLock;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A process on another machine that has given no sign for this many seconds is taken for dead.
const SILENCE: i64 = 60;

/// A process on one of many machines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Process {
    /// The machine's name.
    pub(super) host: String,
    /// The number of the process there.
    pub(super) pid: u32,
    /// What tells apart machines, boots and containers that have the same name; empty where the system does not say.
    space: String,
    /// When the process began, in the kernel's ticks; numbers of processes are used again.
    start: u64,
    /// No other process has this word, which is also part of the names of its unfinished files.
    pub(super) word: String,
}

impl Process {
    /// This process.
    pub(super) fn this() -> &'static Self {
        static THIS: OnceLock<Process> = OnceLock::new();
        THIS.get_or_init(|| {
            let read = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
            let (host, pid) = (read("/proc/sys/kernel/hostname"), std::process::id());
            let host = if host.is_empty() { "unknown".to_owned() } else { host };
            let random = RandomState::new().build_hasher().finish() as u32;
            Self {
                word: format!("{host}-{pid}-{random:08x}"),
                host,
                pid,
                space: space(),
                start: start(pid).unwrap_or(0),
            }
        })
    }

    /// Whether the process, which gave its last sign at `seen`, is still at work: what the kernel says if it is on this
    /// machine, and otherwise how long it has been silent.
    pub(super) fn is_alive(&self, seen: Timestamp) -> bool {
        if !self.space.is_empty() && self.space == Self::this().space {
            return start(self.pid) == Some(self.start);
        }
        Timestamp::now().as_second() - seen.as_second() <= SILENCE
    }
}

/// The machine's boot and the space in which processes have their numbers.
fn space() -> String {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok();
    let numbers = fs::read_link("/proc/self/ns/pid").ok();
    boot.zip(numbers)
        .map_or_else(String::new, |(boot, numbers)| format!("{} {}", boot.trim(), numbers.display()))
}

/// When a process began, in ticks since boot; `None` if there is none, or only its exit status is left.
fn start(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold anything.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    if ["Z", "X"].contains(&fields.next()?) {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn processes_here_are_known_to_the_kernel_and_others_must_give_signs() {
        let this = Process::this();
        let (long_ago, now) = (Timestamp::default(), Timestamp::now());
        assert!(this.is_alive(long_ago) && this.word.starts_with(&this.host));
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let other = Process { pid: child.id(), start: start(child.id()).unwrap(), ..this.clone() };
        assert!(other.is_alive(long_ago));
        child.kill().unwrap();
        while start(other.pid).is_some() {
            std::thread::yield_now();
        }
        assert!(!other.is_alive(now), "only its exit status is left");
        child.wait().unwrap();
        assert!(!Process { start: 1, ..this.clone() }.is_alive(now), "its number was used again");
        let elsewhere = Process { space: "other".to_owned(), ..this.clone() };
        assert!(elsewhere.is_alive(now) && !elsewhere.is_alive(long_ago));
    }
}
