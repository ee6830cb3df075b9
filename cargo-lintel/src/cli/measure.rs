//! The commands that measure: `boot`, `profile`, `bench`.

use crate::runner::accel::Choice;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Measure how fast programs boot: instructions (TCG) and time (every accelerator)
#[derive(Args)]
pub struct Boot {
    /// Packages, C programs or paths of ELF files [default: hello]
    #[arg(value_name = "NAME|ELF")]
    pub programs: Vec<String>,
    /// Measure time with this accelerator only [default: every usable one]
    #[arg(long, value_enum)]
    pub accel: Option<Choice>,
    /// How many boots the median is taken of
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub runs: u32,
    /// RAM in MiB
    #[arg(long, value_name = "MIB", default_value_t = crate::boot::MEM, value_parser = clap::value_parser!(u32).range(1..))]
    pub mem: u32,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Show what system calls and exits cost, as recorded by `run --profile`
#[derive(Args)]
#[command(
    args_conflicts_with_subcommands = true,
    arg_required_else_help = true,
    after_help = "Examples:
  cargo lintel run wordfreq --profile p.jsonl --root texts -- prose.txt
  cargo lintel profile p.jsonl --top 10
  cargo lintel profile p.jsonl --html p.html
  cargo lintel profile diff before.jsonl after.jsonl --fail-over 10%

The columns are explained in docs/src/profiling.md."
)]
pub struct Profile {
    /// Compare instead of showing one.
    #[command(subcommand)]
    pub command: Option<ProfileCommand>,
    /// The profile
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Only the N calls that took the most time
    #[arg(long, value_name = "N")]
    pub top: Option<usize>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Write a page with table and histograms, which needs no network
    #[arg(long, value_name = "OUT")]
    pub html: Option<PathBuf>,
}

/// What else can be done with profiles.
#[derive(Subcommand)]
pub enum ProfileCommand {
    Diff(Diff),
}

/// Compare two profiles call by call, largest change of total time first
#[derive(Args)]
#[command(
    after_help = "The exit code is 1 if --fail-over is given and the average of a call that \
is in both profiles has grown by more."
)]
pub struct Diff {
    /// The profile before
    #[arg(value_name = "A")]
    pub before: PathBuf,
    /// The profile after
    #[arg(value_name = "B")]
    pub after: PathBuf,
    /// Fail if the average of a call has grown by more than this
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    pub fail_over: Option<f64>,
}

/// Measure system calls natively and in a machine, and count their instructions
#[derive(Args)]
#[command(after_help = "Examples:
  cargo lintel bench --quick
  cargo lintel bench --only getpid,pipe --json now.json
  cargo lintel bench --compare before.json

The columns are explained in docs/src/benchmarking.md. The exit code is 1 if --compare finds a row
whose instructions have grown by more than 5 %, or --check-docs one that takes a quarter more than the
page says.")]
pub struct Bench {
    /// Shorter rounds: times are less steady, instruction counts are the same
    #[arg(long)]
    pub quick: bool,
    /// Only these rows
    #[arg(long, value_name = "ROWS", value_delimiter = ',')]
    pub only: Vec<String>,
    /// What runs the machine that is timed
    #[arg(long, value_enum)]
    pub accel: Option<Choice>,
    /// Write all figures to this file
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Draw the ratios into this file
    #[arg(long, value_name = "FILE.svg")]
    pub chart: Option<PathBuf>,
    /// Fail if instructions have grown since this file was written with --json
    #[arg(long, value_name = "FILE")]
    pub compare: Option<PathBuf>,
    /// Write docs/src/benchmarks.md
    #[arg(long)]
    pub write_docs: bool,
    /// Only count instructions, and fail if docs/src/benchmarks.md says less
    #[arg(long, conflicts_with_all = ["quick", "accel", "json", "chart", "compare", "write_docs"])]
    pub check_docs: bool,
}

/// Reads `10%` or `10` as 0.1.
fn percent(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').unwrap_or(text).trim();
    match number.parse::<f64>() {
        Ok(value) if value.is_finite() && value >= 0.0 => Ok(value / 100.0),
        _ => Err("give a percentage of zero or more, such as 10%".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_are_read() {
        assert_eq!((percent("10%"), percent("5")), (Ok(0.1), Ok(0.05)));
        assert!(percent("-1%").is_err() && percent("x").is_err() && percent("inf").is_err());
    }
}
