//! Tells the code how libav's frames say that they are interlaced: since FFmpeg 8 only by their flags.

use std::process::Command;

/// The libavutil version of FFmpeg 8.
const ONLY_FLAGS: u32 = 60;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(only_flags)");
    let version = Command::new("pkg-config").args(["--modversion", "libavutil"]).output();
    let version = version.map(|said| String::from_utf8_lossy(&said.stdout).into_owned()).unwrap_or_default();
    let major = version.split('.').next().and_then(|major| major.trim().parse::<u32>().ok());
    if major.is_some_and(|major| major >= ONLY_FLAGS) {
        println!("cargo::rustc-cfg=only_flags");
    }
}
