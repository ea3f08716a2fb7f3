//! `facemark completions` and `facemark man`: the arguments, for shells and `man`.

use anyhow::Result;
use clap::CommandFactory;

use super::common::print;
use crate::cli::{Cli, Completions, Man};
use crate::error::Fault;

/// Prints the completion script of a shell.
///
/// # Errors
/// If standard output has no reader.
pub fn completions(args: &Completions) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "facemark", &mut script);
    print(script)
}

/// Prints a manual page.
///
/// # Errors
/// [`Fault::Usage`] if there is no such command.
pub fn man(args: &Man) -> Result<()> {
    let mut cli = Cli::command().disable_help_subcommand(true);
    cli.build();
    let command = match &args.command {
        None => &cli,
        Some(name) => cli.find_subcommand(name).ok_or_else(|| {
            Fault::Usage.error(format!("there is no command {name}; 'facemark --help' lists them"))
        })?,
    };
    let source = format!("facemark {}", cli.get_version().unwrap_or_default());
    let page = clap_mangen::Man::new(command.clone()).source(source).manual("User Commands");
    let mut text = Vec::new();
    page.render(&mut text)?;
    print(text)
}
