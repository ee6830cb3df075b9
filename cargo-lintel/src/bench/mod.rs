//! `cargo lintel bench`: what system calls cost in either life, and how many instructions.
//!
//! Times are measured in both lives alternately, so that whatever the computer does besides falls
//! on both. Instructions are counted by QEMU's emulator as for `cargo lintel boot`: they depend on
//! the code alone.

mod chart;
mod compare;
mod documented;
mod figure;
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
use compare::Earlier;
use host::Work;
use lives::Program;
use report::Report;
use rows::Row;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

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
    /// Count instructions, and fail if that page says less. Measures nothing.
    pub check_docs: bool,
}

/// The package that is the benchmark.
const PACKAGE: &str = "syscall-bench";
/// The program whose boot is measured.
const SMALLEST: &str = "hello";
/// The page of the documentation.
const PAGE: &str = "docs/src/benchmarks.md";
/// How often both lives are lived.
const PASSES: usize = 15;
/// Rows are measured again until so many passes of them were undisturbed, …
const UNDISTURBED: usize = 9;
/// … but no more than so often in all, and not after this time.
const MOST_PASSES: usize = 45;
const MOST_TIME: Duration = Duration::from_secs(120);
/// How many boots the time of the boot is the median of.
const BOOTS: u32 = 5;

/// Measures, prints, writes; 1 if there is a regression.
pub fn run(options: &Options) -> Result<u8> {
    let project = Project::current()?;
    if options.check_docs {
        return documented::check(&project, &options.only);
    }
    let earlier = options.compare.as_deref().map(Earlier::read).transpose()?;
    let page = project.root.join(PAGE);
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
    Ok(earlier.map_or(0, |earlier| compare(&earlier, &report)))
}

/// Says what has changed; 1 if that is a regression.
fn compare(earlier: &Earlier, report: &Report) -> u8 {
    for line in earlier.differences(report) {
        profile::print(&format!("{line}\n"));
    }
    let regressions = earlier.regressions(report);
    for regression in &regressions {
        profile::print(&format!("regression: {regression}\n"));
    }
    u8::from(!regressions.is_empty())
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
    let (program, smallest) = programs(project, &qemu)?;
    known(&options.only, &program.rows()?)?;
    let before = Work::now();
    let (mut rows, passes) = passes(&program, &decision, options)?;
    let others = Work::now().others_since(before);
    count(&program, &mut rows)?;
    eprintln!("lintel: booting {SMALLEST}");
    let boot = boot::measure(
        SMALLEST,
        &smallest,
        &qemu,
        &[decision.accel],
        BOOTS,
        boot::MEM,
    )?;
    Ok(Report {
        lintel_bench: Report::VERSION,
        version: env!("CARGO_PKG_VERSION"),
        date: host::today(),
        command: command(options),
        quick: options.quick,
        passes,
        others,
        host: host::Host::observe(&qemu),
        accel: decision.accel.name(),
        accel_kind: decision.why,
        rows,
        boot,
    })
}

/// Refuses names of rows that there are not.
fn known(only: &[String], rows: &[String]) -> Result<()> {
    match only.iter().find(|name| !rows.contains(name)) {
        None => Ok(()),
        Some(name) => {
            let rows = rows.join(", ");
            let what = format!("--only: there is no row {name:?}; the rows are {rows}");
            Err(failure::user(what))
        }
    }
}

/// Lives both lives alternately, the rows that were disturbed more often; the rows, and how many
/// passes there were.
fn passes(
    program: &Program,
    decision: &accel::Decision,
    options: &Options,
) -> Result<(Vec<Row>, usize)> {
    let (mut native, mut vm, mut rows) = (Vec::new(), Vec::new(), Vec::new());
    let (mut only, start) = (options.only.clone(), Instant::now());
    for pass in 1..=MOST_PASSES {
        let partial = pass > PASSES;
        if partial {
            only = rows::wanting(&rows, UNDISTURBED);
        }
        if partial && (only.is_empty() || start.elapsed() > MOST_TIME) {
            return Ok((rows, pass - 1));
        }
        let what = match partial {
            true => format!("pass {pass}, for {} disturbed rows", only.len()),
            false => format!("pass {pass} of {PASSES}"),
        };
        eprintln!("lintel: {what}: natively, then {}", decision.why);
        let args = arguments(options.quick, &only);
        for (passes, mut new) in [
            (&mut native, program.native(&args)?),
            (&mut vm, program.machine(decision.accel, &args)?),
        ] {
            new.partial = partial;
            passes.push(new);
        }
        rows = rows::merge(&native, &vm);
    }
    Ok((rows, MOST_PASSES))
}

/// The benchmark, and the ELF file of the smallest program.
fn programs(project: &Project, qemu: &Path) -> Result<(Program, PathBuf)> {
    let (benchmark, smallest) = build(project)?;
    let program = Program::new(benchmark, benchmark_root(project)?, qemu.to_path_buf())?;
    Ok((program, smallest))
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
fn arguments(quick: bool, only: &[String]) -> Vec<OsString> {
    let mut args: Vec<OsString> = Vec::new();
    args.extend(quick.then(|| "--quick".into()));
    if !only.is_empty() {
        args.extend(["--only".into(), only.join(",").into()]);
    }
    args
}

/// The call that repeats this, without the files it writes.
fn command(options: &Options) -> String {
    let mut text = "cargo lintel bench".to_owned();
    for argument in arguments(options.quick, &options.only) {
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
            Some(Ok(count)) => row.instructions = count,
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
    fn rows_that_are_not_there_are_refused() {
        let names = |list: &[&str]| {
            list.iter()
                .map(|name| (*name).to_owned())
                .collect::<Vec<_>>()
        };
        let rows = names(&["getpid", "stat_1"]);
        assert!(known(&names(&["stat_1", "getpid"]), &rows).is_ok());
        assert!(known(&[], &rows).is_ok());
        for (only, bad) in [("getpit", "\"getpit\""), ("", "\"\"")] {
            let error = known(&names(&["getpid", only]), &rows).unwrap_err();
            assert_eq!(failure::exit_code(&error), failure::USER);
            let text = error.to_string();
            assert!(
                text.contains(bad) && text.ends_with("getpid, stat_1"),
                "{text}"
            );
        }
    }

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
            check_docs: false,
        };
        assert_eq!(
            command(&options),
            "cargo lintel bench --quick --only a,b --accel tcg"
        );
        assert_eq!(outputs(&options, Some(Path::new("/y"))).count(), 2);
        assert!(writable(Path::new("/proc/nowhere/x")).is_err());
    }
}
