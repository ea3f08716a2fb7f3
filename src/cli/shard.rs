//! Arguments for jobs that many machines share.

use std::path::PathBuf;

use clap::Args;

use super::parse_time;

/// Which part of a list of videos to annotate.
#[derive(Debug, Args)]
pub struct Sharding {
    /// Annotate the videos that this file names, one per line, or with a null byte after each (find -print0); - is
    /// standard input. Outputs are folders. Videos whose outputs are complete are skipped, and each one's state is
    /// kept in a file beside its output, for `facemark status`.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["live", "trace", "video_format"])]
    pub list: Option<PathBuf>,
    /// Take the Ith of N parts of the list, counted from 0. auto reads I and N from Slurm's or AWS Batch's array job;
    /// auto/N reads I alone, for Kubernetes's indexed jobs and to run some tasks of an array again.
    #[arg(long, value_name = "I/N|auto|auto/N", requires = "list", value_parser = parse_shard)]
    pub shard: Option<Shard>,
    /// Cut videos into ranges of about this length, in seconds or as `[HH:]MM:SS` or with s, m or h (10m), which can be
    /// annotated on different machines. `facemark merge` joins their data. Without annotated videos only.
    #[arg(long, value_name = "LENGTH", requires = "list", value_parser = parse_length,
        conflicts_with_all = ["output", "start", "end", "every"])]
    pub split: Option<f64>,
    /// Try a video that failed again, up to N times.
    #[arg(long, value_name = "N", requires = "list", default_value_t = 0)]
    pub retries: u32,
    /// Print which shard takes what, as JSON lines, and annotate nothing. The list is noted for `facemark status`.
    #[arg(long, requires = "list")]
    pub plan: bool,
}

/// Values of `--shard`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shard {
    /// This one of so many.
    Given(u32, u32),
    /// The one that the environment names, of so many if a number is given.
    Auto(Option<u32>),
}

/// Arguments of `status`.
#[derive(Debug, Args)]
pub struct Status {
    /// The folder with the outputs of `annotate --list`.
    pub folder: PathBuf,
    /// Print JSON instead of text.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `merge`.
#[derive(Debug, Args)]
pub struct Merge {
    /// The ranges of a film, or a folder, whose films are all merged.
    #[arg(required = true, value_name = "FOLDER|FILE")]
    pub input: Vec<PathBuf>,
    /// The merged file, or a folder for it. [default: beside the ranges]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replace files that exist.
    #[arg(long)]
    pub overwrite: bool,
}

fn parse_shard(text: &str) -> Result<Shard, String> {
    let hint = || "write it like 0/8, auto or auto/8".to_owned();
    let number = |text: &str| text.parse::<u32>().map_err(|_| hint());
    match text.split_once('/') {
        None if text == "auto" => Ok(Shard::Auto(None)),
        None => Err(hint()),
        Some(("auto", count)) => Ok(Shard::Auto(Some(number(count)?))),
        Some((index, count)) => Ok(Shard::Given(number(index)?, number(count)?)),
    }
}

/// At least a second: shorter ranges would be little more than their run-up.
fn parse_length(text: &str) -> Result<f64, String> {
    let units = [('s', 1.0), ('m', 60.0), ('h', 3600.0)];
    let unit = units.into_iter().find_map(|(name, unit)| Some((text.strip_suffix(name)?, unit)));
    let length = match unit {
        Some((number, unit)) => number.parse::<f64>().ok().map(|number| number * unit),
        None => parse_time(text).ok(),
    };
    length.filter(|length| (1.0..1e9).contains(length)).ok_or("write it like 10m, 90 or 1:30".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_two_numbers_or_come_from_outside() {
        assert_eq!(parse_shard("2/8"), Ok(Shard::Given(2, 8)));
        assert_eq!(parse_shard("auto"), Ok(Shard::Auto(None)));
        assert_eq!(parse_shard("auto/8"), Ok(Shard::Auto(Some(8))));
        for bad in ["", "2", "2/", "/8", "-1/8", "a/b", "auto/", "Auto"] {
            assert!(parse_shard(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn lengths_may_have_a_unit() {
        for (text, length) in [("10m", 600.0), ("90", 90.0), ("1.5h", 5400.0), ("1:30", 90.0), ("30s", 30.0)]
        {
            assert_eq!(parse_length(text), Ok(length));
        }
        for bad in ["", "m", "0", "0.5", "-5m", "nanm", "infs", "10 m", "5d"] {
            assert!(parse_length(bad).is_err(), "{bad}");
        }
    }
}
