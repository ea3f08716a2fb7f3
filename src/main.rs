//! The program: parse, run a command, report, exit.

use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Parser;
use facemark_cli::cli::{Cli, Command};
use facemark_cli::command::{self, Settings};
use facemark_cli::error::{Fault, tell};
use log::LevelFilter;
use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::flag;

fn main() -> ExitCode {
    let started = Instant::now();
    let cli = Cli::parse();
    init_log(&cli);
    // A panic becomes an error that names its stage; its location is of interest only to us.
    panic::set_hook(Box::new(|info| log::debug!("{info}")));
    let stop = Arc::new(AtomicBool::new(false));
    let signal = Arc::new(AtomicUsize::new(0));
    let settings = Settings { quiet: cli.quiet, started };
    let work = || catch_signals(&stop, &signal).and_then(|()| run(&cli, settings, &stop));
    let result = panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        bail!("failed inside; this is a defect of facemark, please report it with the output of -vv")
    });
    match (result, signal.load(Ordering::Relaxed)) {
        (Ok(()), 0) => ExitCode::SUCCESS,
        // What a shell reports for a process that was ended by a signal.
        (Ok(()), signal) => ExitCode::from(128 + signal as u8),
        (Err(error), _) => report(&error),
    }
}

fn run(cli: &Cli, settings: Settings, stop: &AtomicBool) -> Result<()> {
    match &cli.command {
        Command::Annotate(args) => command::annotate(args, settings, stop),
        Command::Bench(args) => command::bench(args, settings, stop),
        Command::Live(args) => command::live(args, settings, stop),
        Command::Openface(args) => command::openface(args, settings, stop),
        Command::Status(args) => command::status(args),
        Command::Merge(args) => command::merge(args, settings),
        Command::Devices(args) => command::devices(args, stop),
        Command::Models => command::models(),
        Command::Completions(args) => command::completions(args),
        Command::Man(args) => command::man(args),
    }
}

fn init_log(cli: &Cli) {
    let level = match (cli.quiet, cli.verbose) {
        (true, _) => LevelFilter::Error,
        (false, 0) => LevelFilter::Warn,
        (false, 1) => LevelFilter::Info,
        (false, 2) => LevelFilter::Debug,
        (false, _) => LevelFilter::Trace,
    };
    env_logger::Builder::new().filter_module("facemark", level).format_timestamp(None).init();
}

/// The first Ctrl-C or SIGTERM ends the run properly, the second one at once.
fn catch_signals(stop: &Arc<AtomicBool>, caught: &Arc<AtomicUsize>) -> Result<()> {
    for signal in [SIGINT, SIGTERM] {
        flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(stop))
            .and_then(|_| flag::register_usize(signal, Arc::clone(caught), signal as usize))
            .and_then(|_| flag::register(signal, Arc::clone(stop)))
            .context("cannot listen to Ctrl-C")?;
    }
    // A file that reaches the size limit is a failed write, which is reported; this signal would end us first.
    flag::register(SIGXFSZ, Arc::default()).context("cannot listen to the limit on file sizes")?;
    Ok(())
}

fn report(error: &anyhow::Error) -> ExitCode {
    let fault = Fault::of(error);
    if fault != Fault::ClosedPipe {
        tell(format_args!("facemark: {error:#}"));
    }
    ExitCode::from(fault as u8)
}
