//! Lets the programs that a test starts hear signals, even if the test run was started with them ignored, as by `nohup`.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Once};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag::register_conditional_shutdown;

/// Handles the signals in this process, by ending it: what a process handles is back at its default in the programs that
/// it starts, while what it ignores is ignored there, too.
pub fn signals() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        for signal in [SIGINT, SIGTERM] {
            let always = Arc::new(AtomicBool::new(true));
            register_conditional_shutdown(signal, 128 + signal, always).expect("these can be handled");
        }
    });
}
