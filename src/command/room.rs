//! How many videos this machine can annotate at once.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

/// Memory for a video of 1080p while it is annotated and encoded, in bytes. Larger pictures need more: `--jobs` says so.
const PER_VIDEO: u64 = 700 << 20;
/// The same without an annotated video.
const PER_DATA: u64 = 200 << 20;

/// The number of videos to annotate at once if the user names none: one for each core, as far as memory allows.
/// `encodes` says whether annotated videos are written.
pub(super) fn jobs(encodes: bool) -> usize {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let need = if encodes { PER_VIDEO } else { PER_DATA };
    let fit = free_memory().map_or(usize::MAX, |free| usize::try_from(free / need).unwrap_or(usize::MAX));
    cores.min(fit).max(1)
}

/// Memory that can still be used, in bytes: the machine's, or less where a control group, such as a container's or a
/// batch system's, has a limit. `None` where the system does not say.
fn free_memory() -> Option<u64> {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| available(&text));
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let group = groups.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default();
    let free = |folder: &Path| {
        let number = |name: &str| fs::read_to_string(folder.join(name)).ok()?.trim().parse::<u64>().ok();
        Some(number("memory.max")?.saturating_sub(number("memory.current")?))
    };
    let root = PathBuf::from("/sys/fs/cgroup");
    let limits = root.join(group).ancestors().filter(|at| at.starts_with(&root)).filter_map(free).min();
    machine.into_iter().chain(limits).min()
}

/// `MemAvailable` of `/proc/meminfo`, in bytes.
fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kilobytes| kilobytes << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_as_the_kernel_writes_it() {
        let text = "MemTotal:       24555484 kB\nMemAvailable:   22996712 kB\n";
        assert_eq!(available(text), Some(22_996_712 * 1024));
        assert_eq!(available("MemTotal: 5 kB\n"), None);
    }

    #[test]
    fn there_is_room_for_one_video_at_least() {
        assert!((1..=4096).contains(&jobs(true)));
        assert!(jobs(false) >= jobs(true));
    }
}
