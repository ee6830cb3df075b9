//! `cargo lintel boot`: how much work it is until `main` runs, and how long that takes.
//!
//! *Work* is the number of guest instructions from the kernel's first one, counted by QEMU's
//! emulator: with `-icount shift=0` the time-stamp counter advances by one per instruction, and
//! the figure repeats to the digit. *Time* runs from the start of QEMU to the arrival of the
//! kernel's report that `main` was reached, on the clock of the host.

use crate::cmdline::CommandLine;
use crate::profile::units::grouped;
use crate::runner::accel::{self, Accel, Choice};
use crate::runner::control::{Event, Line};
use crate::runner::qemu::{Boot, Config, Machine};
use crate::runner::session::{self, Output, Plumbing};
use crate::runner::stdio::Input;
use crate::runner::{self, install};
use crate::{elf, failure};
use anyhow::{Context, Result};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What to measure.
pub struct Options {
    /// The accelerator to measure time with; every usable one if absent.
    pub accel: Option<Choice>,
    /// How many boots the median is taken of.
    pub runs: u32,
    /// Print JSON.
    pub json: bool,
    /// RAM of the machines, in MiB.
    pub mem: u32,
}

/// RAM of the machines that are measured unless it is said, in MiB.
pub const MEM: u32 = 256;
/// A boot that takes longer than this is an error.
const LIMIT: Duration = Duration::from_secs(60);

/// The figures of one program.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The program's name.
    pub program: String,
    /// How much work it is.
    pub instructions: Instructions,
    /// How long it takes, by accelerator.
    pub time: Vec<Time>,
}

/// Guest instructions from the kernel's first one.
#[derive(Debug, Serialize)]
pub struct Instructions {
    /// To `main`.
    pub main: u64,
    /// To the first write; absent if the program writes nothing.
    pub first_write: Option<u64>,
}

/// Time from the start of QEMU to `main`.
#[derive(Debug, Serialize)]
pub struct Time {
    /// The accelerator.
    pub accel: &'static str,
    /// The median, in milliseconds.
    pub median_ms: f64,
    /// All of them.
    pub runs_ms: Vec<f64>,
}

/// Measures every program (name and ELF) and prints the figures.
pub fn run(programs: &[(String, PathBuf)], options: &Options) -> Result<u8> {
    let qemu = install::ensure(&runner::QEMU)?;
    let accels = accelerators(&qemu, options.accel)?;
    let mut reports = Vec::new();
    for (name, elf) in programs {
        reports.push(measure(
            name,
            elf,
            &qemu,
            &accels,
            options.runs,
            options.mem,
        )?);
        if !options.json {
            print(&reports[reports.len() - 1]);
        }
    }
    if options.json {
        println!("{}", serde_json::to_string_pretty(&reports)?);
    }
    Ok(0)
}

fn accelerators(qemu: &Path, asked: Option<Choice>) -> Result<Vec<Accel>> {
    let facts = accel::observe(qemu);
    if let Some(choice) = asked {
        let decision = accel::decide(choice, &facts).map_err(failure::environment)?;
        return Ok(vec![decision.accel]);
    }
    let kvm = accel::decide(Choice::Kvm, &facts).map(|decision| decision.accel);
    Ok(kvm.into_iter().chain([Accel::Tcg]).collect())
}

/// Measures one program, its time with each of `accels` as the median of `runs` boots.
pub fn measure(
    name: &str,
    elf: &Path,
    qemu: &Path,
    accels: &[Accel],
    runs: u32,
    mem: u32,
) -> Result<Report> {
    elf::check(elf)?;
    let main = elf::main_address(elf)?.ok_or_else(|| {
        failure::user(format!(
            "{} has no symbol `main`: do not strip it",
            elf.display()
        ))
    })?;
    let boot = |accel, count| boot_once(elf, main, qemu, (accel, mem), count);
    let counted = boot(Accel::Tcg, true)?;
    let instructions = Instructions {
        main: counted.main,
        first_write: counted.first_write,
    };
    let mut time = Vec::new();
    for &accel in accels {
        let mut runs_ms = Vec::new();
        for _ in 0..runs {
            runs_ms.push(boot(accel, false)?.time.as_secs_f64() * 1e3);
        }
        time.push(Time {
            accel: accel.name(),
            median_ms: median(&runs_ms),
            runs_ms,
        });
    }
    Ok(Report {
        program: name.to_owned(),
        instructions,
        time,
    })
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() % 2 {
        1 => sorted[middle],
        _ => (sorted[middle - 1] + sorted[middle]) / 2.0,
    }
}

/// What one boot has shown.
struct Booted {
    /// Ticks of the time-stamp counter from the kernel's first instruction to `main`.
    main: u64,
    /// The same to the first write.
    first_write: Option<u64>,
    /// Time to the arrival of the report about `main`.
    time: Duration,
}

/// One boot with an accelerator and so many MiB of RAM.
fn boot_once(
    elf: &Path,
    main: u64,
    qemu: &Path,
    (accel, mem): (Accel, u32),
    count: bool,
) -> Result<Booted> {
    let config = Config {
        machine: Machine::Microvm,
        accel,
        mem,
        boot: Boot::Kernel {
            elf: elf.to_path_buf(),
            initrd: None,
            append: command_line(elf, main).render(),
        },
        count_instructions: count,
        streams: (-1, -1),
        profile: None,
        events: None,
        extra: Vec::new(),
    };
    let (mut reached, mut first_write) = (None, None);
    let start = Instant::now();
    let mut see = |line: Line, at: Instant| match line {
        Line::Event(Event::Main(mark), _) => reached = Some((mark.ticks(), at - start)),
        Line::Event(Event::FirstWrite(mark), _) => first_write = Some(mark.ticks()),
        Line::Event(..) => {}
        Line::Text(text) => eprintln!("{text}"),
    };
    let plumbing = Plumbing {
        input: Input::Null,
        output: Output::Discard,
        timeout: Some(LIMIT),
        profile: None,
        events: None,
    };
    let end = session::run(qemu, config, plumbing, &mut see)?;
    runner::conclude(end, Some(LIMIT))?;
    let (main, time) =
        reached.with_context(|| format!("{} ended without reaching `main`", elf.display()))?;
    Ok(Booted {
        main,
        first_write,
        time,
    })
}

fn command_line(elf: &Path, main: u64) -> CommandLine {
    let mut line = runner::unattended(elf);
    line.set("mark", format!("{main:#x}"));
    line
}

fn print(report: &Report) {
    println!("{}", report.program);
    println!(
        "  instructions to main         {:>14}",
        grouped(report.instructions.main)
    );
    if let Some(count) = report.instructions.first_write {
        println!("  instructions to first write  {:>14}", grouped(count));
    }
    for time in &report.time {
        println!(
            "  QEMU start to main, {:<8} {:>11.1} ms  (median of {})",
            time.accel,
            time.median_ms,
            time.runs_ms.len()
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
    }
}
