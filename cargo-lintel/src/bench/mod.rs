//! `cargo lintel bench`: what system calls cost in either life, and how many instructions.
//!
//! Times are measured in both lives alternately, so that whatever the computer does besides falls
//! on both. Instructions are counted by QEMU's emulator as for `cargo lintel boot`: they depend on
//! the code alone.

mod chart;
mod host;
mod lives;
mod report;
mod rows;
mod table;

use crate::project::Project;
use crate::runner::accel::{self, Choice};
use crate::runner::{self, install};
use crate::{boot, compile, failure, profile, program};
use anyhow::Result;
use lives::Program;
use report::{Earlier, Report};
use rows::Row;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// What to measure, and where to put it.
pub struct Options {
    /// Shorter rounds.
    pub quick: bool,
    /// Only these rows.
    pub only: Vec<String>,
    /// The accelerator.
    pub accel: Option<Choice>,
    /// Write everything to this file.
    pub json: Option<PathBuf>,
    /// Draw the ratios into this file.
    pub chart: Option<PathBuf>,
    /// Fail if instructions have grown since this file was written.
    pub compare: Option<PathBuf>,
    /// Write the page of the documentation.
    pub write_docs: bool,
}

/// The package that is the benchmark.
const PACKAGE: &str = "syscall-bench";
/// The program whose boot is measured.
const SMALLEST: &str = "hello";
/// How often both lives are lived; more often where rounds are short.
const PASSES: usize = 5;
const QUICK_PASSES: usize = 9;
/// How many boots the time of the boot is the median of.
const BOOTS: u32 = 5;

/// Measures, prints, writes; 1 if there is a regression.
pub fn run(options: &Options) -> Result<u8> {
    let project = Project::current()?;
    let earlier = options.compare.as_deref().map(Earlier::read).transpose()?;
    let page = project.root.join("docs/src/benchmarks.md");
    let page = options.write_docs.then_some(page.as_path());
    for path in outputs(options, page) {
        writable(path)?;
    }
    let report = measure(&project, options)?;
    profile::print(&table::text(&report));
    if let Some(path) = &options.json {
        let text = serde_json::to_string_pretty(&report)?;
        profile::write(path, &(text + "\n"))?;
    }
    if let Some(path) = &options.chart {
        profile::write(path, &chart::svg(&report))?;
    }
    if let Some(path) = page {
        profile::write(path, &table::page(&report))?;
    }
    let regressions = earlier.map(|earlier| earlier.regressions(&report));
    for regression in regressions.iter().flatten() {
        println!("regression: {regression}");
    }
    Ok(u8::from(regressions.is_some_and(|list| !list.is_empty())))
}

fn outputs<'a>(options: &'a Options, page: Option<&'a Path>) -> impl Iterator<Item = &'a Path> {
    let files = [options.json.as_deref(), options.chart.as_deref(), page];
    files.into_iter().flatten()
}

/// Minutes of measuring must not be lost to a misspelt directory.
fn writable(path: &Path) -> Result<()> {
    let mut file = std::fs::OpenOptions::new();
    let opened = file.write(true).create(true).truncate(false).open(path);
    opened
        .map(drop)
        .map_err(|error| failure::user(format!("cannot write {}: {error}", path.display())))
}

fn measure(project: &Project, options: &Options) -> Result<Report> {
    let qemu = install::ensure(&runner::QEMU)?;
    let facts = accel::observe(&qemu);
    let choice = options.accel.unwrap_or_default();
    let decision = accel::decide(choice, &facts).map_err(failure::environment)?;
    let (benchmark, smallest) = build(project)?;
    let root = benchmark_root(project)?;
    let program = Program::new(benchmark, root, qemu.clone())?;
    let args = arguments(options);
    let (mut native, mut vm) = (Vec::new(), Vec::new());
    let passes = if options.quick { QUICK_PASSES } else { PASSES };
    for pass in 1..=passes {
        eprintln!(
            "lintel: pass {pass} of {passes}: natively, then {}",
            decision.why
        );
        native.push(program.native(&args)?);
        vm.push(program.machine(decision.accel, &args)?);
    }
    let mut rows = rows::merge(&native, &vm);
    count(&program, &mut rows)?;
    eprintln!("lintel: booting {SMALLEST}");
    let boot = boot::measure(SMALLEST, &smallest, &qemu, &[decision.accel], BOOTS)?;
    Ok(Report {
        lintel_bench: Report::VERSION,
        version: env!("CARGO_PKG_VERSION"),
        date: host::today(),
        command: command(options),
        quick: options.quick,
        passes,
        host: host::Host::observe(&qemu),
        accel: decision.accel.name(),
        accel_kind: decision.why,
        rows,
        boot,
    })
}

/// The ELF files of the benchmark and of the smallest program.
fn build(project: &Project) -> Result<(PathBuf, PathBuf)> {
    let find = |name| program::find(name, Some(project), None);
    let programs = [find(PACKAGE)?, find(SMALLEST)?];
    let elves = compile::programs(Some(project), &programs, &compile::Options::default())?;
    match <[PathBuf; 2]>::try_from(elves) {
        Ok([benchmark, smallest]) => Ok((benchmark, smallest)),
        Err(_) => Err(failure::environment("cargo did not build the benchmark")),
    }
}

fn benchmark_root(project: &Project) -> Result<PathBuf> {
    let package = project
        .package(PACKAGE)
        .map(|package| package.directory().join("root"));
    package
        .filter(|root| root.is_dir())
        .ok_or_else(|| failure::user(format!("the package {PACKAGE} has no directory root")))
}

/// The arguments of the benchmark program.
fn arguments(options: &Options) -> Vec<OsString> {
    let mut args: Vec<OsString> = Vec::new();
    args.extend(options.quick.then(|| "--quick".into()));
    if !options.only.is_empty() {
        args.extend(["--only".into(), options.only.join(",").into()]);
    }
    args
}

/// The call that repeats this, without the files it writes.
fn command(options: &Options) -> String {
    let mut text = "cargo lintel bench".to_owned();
    for argument in arguments(options) {
        text += &format!(" {}", argument.to_string_lossy());
    }
    match options.accel {
        Some(Choice::Kvm) => text + " --accel kvm",
        Some(Choice::Tcg) => text + " --accel tcg",
        Some(Choice::Auto) | None => text,
    }
}

/// Counts the instructions of the rows that work in the machine.
fn count(program: &Program, rows: &mut [Row]) -> Result<()> {
    let working = rows.iter().filter(|row| row.vm.figure().is_some());
    let names: Vec<_> = working.map(|row| row.name.clone()).collect();
    eprintln!("lintel: counting the instructions of {} rows", names.len());
    let mut counted = program.count(&names);
    for row in rows {
        match counted.remove(&row.name) {
            Some(Ok(count)) => row.instructions = Some(count),
            Some(Err(error)) if lives::is_stop(&error) => return Err(error),
            Some(Err(error)) => {
                eprintln!(
                    "lintel: the instructions of {} were not counted: {error:#}",
                    row.name
                );
            }
            None => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_can_be_repeated() {
        let options = Options {
            quick: true,
            only: vec!["a".into(), "b".into()],
            accel: Some(Choice::Tcg),
            json: Some("/x".into()),
            chart: None,
            compare: None,
            write_docs: true,
        };
        assert_eq!(
            command(&options),
            "cargo lintel bench --quick --only a,b --accel tcg"
        );
        assert_eq!(outputs(&options, Some(Path::new("/y"))).count(), 2);
        assert!(writable(Path::new("/proc/nowhere/x")).is_err());
    }
}
