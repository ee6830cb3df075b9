//! `cargo lintel test`: whatever a program does as a Linux process, it must do in a machine.

mod host;
mod life;
mod manifest;
mod verdict;

use crate::program::{self, Program};
use crate::project::Project;
use crate::runner::accel::{self, Accel, Choice};
use crate::runner::install;
use crate::{check, compile, failure, runner, strace};
use anyhow::Result;
use life::{Life, Outcome};
use manifest::Case;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

/// What to test.
pub struct Options {
    /// Only cases whose name contains this.
    pub filter: Option<String>,
    /// Run machines with this accelerator only.
    pub accel: Option<Choice>,
    /// How many cases at a time.
    pub jobs: usize,
    /// Run the tests of the host.
    pub host: bool,
    /// Run the two-lives cases.
    pub machines: bool,
    /// List the cases and stop.
    pub list: bool,
}

/// How many tests went which way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    passed: usize,
    failed: usize,
    skipped: usize,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }

    fn of(passed: bool) -> Self {
        Self {
            passed: usize::from(passed),
            failed: usize::from(!passed),
            skipped: 0,
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        match self.skipped {
            0 => Ok(()),
            skipped => write!(f, ", {skipped} skipped"),
        }
    }
}

/// Runs the tests; the exit code is 1 if any failed.
pub fn run(options: &Options) -> Result<u8> {
    let project = Project::current()?;
    let wanted = |case: &Case| {
        options
            .filter
            .as_ref()
            .is_none_or(|text| case.name.contains(text))
    };
    let mut cases = manifest::load(&project)?;
    cases.retain(wanted);
    if options.list {
        cases.iter().for_each(|case| println!("{}", case.name));
        return Ok(0);
    }
    let mut tally = Tally::default();
    if options.host && options.filter.is_none() {
        tally.add(host::unit_tests(&project)?);
        if project.is_lintel() {
            tally.add(check_object());
        }
    }
    if options.machines && !cases.is_empty() {
        tally.add(two_lives(&project, &cases, options)?);
    }
    println!("{tally}");
    Ok(u8::from(tally.failed > 0))
}

fn check_object() -> Tally {
    let result = check::run(None);
    if let Err(error) = &result {
        println!("lintel: error: {error:#}");
    }
    let passed = matches!(result, Ok(0));
    println!("{}  check-object", if passed { "ok  " } else { "FAIL" });
    Tally::of(passed)
}

/// The ELF of each program, without and with debug events.
type Elves = BTreeMap<(String, bool), PathBuf>;

/// What all cases have in common.
struct Stage {
    workspace: PathBuf,
    elves: Elves,
    /// The accelerators that can be used here.
    accels: Vec<Accel>,
}

fn two_lives(project: &Project, cases: &[Case], options: &Options) -> Result<Tally> {
    let accels = accelerators(options.accel)?;
    let elves = build(project, cases)?;
    let stage = Stage {
        workspace: project.root.clone(),
        elves,
        accels,
    };
    let (alone, together): (Vec<&Case>, Vec<&Case>) = cases.iter().partition(|case| case.alone);
    let mut tally = in_parallel(&together, options.jobs, &stage);
    tally.add(in_parallel(&alone, 1, &stage));
    Ok(tally)
}

/// The accelerators to test with. Without KVM its lives are skipped, unless it was asked for.
fn accelerators(asked: Option<Choice>) -> Result<Vec<Accel>> {
    let facts = accel::observe(&install::ensure(&runner::QEMU)?);
    let kvm = accel::decide(Choice::Kvm, &facts);
    match (asked, kvm) {
        (Some(Choice::Tcg), _) => Ok(vec![Accel::Tcg]),
        (Some(Choice::Kvm), Err(message)) => Err(failure::environment(message)),
        (Some(Choice::Kvm), Ok(_)) => Ok(vec![Accel::Kvm]),
        (Some(Choice::Auto) | None, Ok(_)) => Ok(vec![Accel::Tcg, Accel::Kvm]),
        (Some(Choice::Auto) | None, Err(message)) => {
            println!("lintel: lives under KVM are skipped: {message}");
            Ok(vec![Accel::Tcg])
        }
    }
}

/// Builds the programs of all cases at once; those that are to tell events once more, with them.
fn build(project: &Project, cases: &[Case]) -> Result<Elves> {
    let traced = |case: &&Case| strace::wanted(&case.debug);
    let (traced, plain): (Vec<&Case>, Vec<&Case>) = cases.iter().partition(traced);
    let mut elves = Elves::new();
    let copies = project.target().join("traced");
    let options = compile::Options {
        events: true,
        ..compile::Options::default()
    };
    for (name, elf) in build_all(project, &traced, &options)? {
        // The plain build of the program has the same name, and comes next.
        std::fs::create_dir_all(&copies)?;
        let copy = copies.join(elf.file_name().unwrap_or_default());
        std::fs::copy(&elf, &copy)?;
        elves.insert((name, true), copy);
    }
    let plain = build_all(project, &plain, &compile::Options::default())?;
    elves.extend(plain.into_iter().map(|(name, elf)| ((name, false), elf)));
    Ok(elves)
}

fn build_all(
    project: &Project,
    cases: &[&Case],
    options: &compile::Options,
) -> Result<Vec<(String, PathBuf)>> {
    let mut names: Vec<&String> = cases.iter().map(|case| &case.program).collect();
    names.sort();
    names.dedup();
    let find = |name: &&String| program::find(name, Some(project), None);
    let programs: Vec<Program> = names.iter().map(find).collect::<Result<_>>()?;
    let elves = compile::programs(Some(project), &programs, options)?;
    Ok(names.into_iter().cloned().zip(elves).collect())
}

/// Runs cases on `jobs` threads.
fn in_parallel(cases: &[&Case], jobs: usize, stage: &Stage) -> Tally {
    let queue = Mutex::new(cases.iter());
    let next = || queue.lock().ok().and_then(|mut queue| queue.next());
    let worker = || {
        let mut tally = Tally::default();
        while let Some(case) = next() {
            tally.add(run_case(case, stage));
        }
        tally
    };
    let mut tally = Tally::default();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(worker)).collect();
        for worker in workers {
            tally.add(worker.join().unwrap_or(Tally {
                passed: 0,
                failed: 1,
                skipped: 0,
            }));
        }
    });
    tally
}

/// Lives a case natively, then in every machine it asks for.
fn run_case(case: &Case, stage: &Stage) -> Tally {
    let mut tally = Tally::default();
    let powerless =
        (case.as_root && !has_root_powers()).then_some("the process would need root's powers");
    if let Some(reason) = case.skip.as_deref().or(powerless) {
        println!("skip  {:<40} {reason}", case.name);
        return Tally {
            skipped: 1,
            ..tally
        };
    }
    let key = (case.program.clone(), strace::wanted(&case.debug));
    let Some(elf) = stage.elves.get(&key) else {
        return Tally::of(false);
    };
    let mut native = None;
    if !case.vm_only {
        native = run_life(case, Life::Native, elf, stage, None, &mut tally);
        if native.is_none() {
            return tally;
        }
    }
    for &machine in &case.machines {
        for &accel in &case.accels {
            if stage.accels.contains(&accel) {
                run_life(
                    case,
                    Life::Machine(machine, accel),
                    elf,
                    stage,
                    native.as_ref(),
                    &mut tally,
                );
            } else {
                tally.skipped += 1;
            }
        }
    }
    tally
}

/// Whether a process started here is what the application of a machine is: root with all its
/// capabilities (a container's root often has not), as capabilities(7) counts them.
fn has_root_powers() -> bool {
    /// CAP_CHOWN to CAP_FSETID, the set-ID ones, and CAP_SYS_CHROOT, CAP_SYS_ADMIN, CAP_MKNOD.
    const NEEDED: u64 = 0xdf | 1 << 18 | 1 << 21 | 1 << 27;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let word = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let effective = word.and_then(|word| u64::from_str_radix(word.trim(), 16).ok());
    crate::sys::is_root() && effective.is_some_and(|effective| effective & NEEDED == NEEDED)
}

/// Runs and reports one life; returns what came out of it if nothing was wrong.
fn run_life(
    case: &Case,
    life: Life,
    elf: &Path,
    stage: &Stage,
    native: Option<&Outcome>,
    tally: &mut Tally,
) -> Option<Outcome> {
    let outcome = life::live(case, life, elf, &stage.workspace);
    let (wrong, time) = match &outcome {
        Ok(outcome) => (verdict::judge(case, life, outcome, native), outcome.time),
        Err(error) => (Some(format!("{error:#}")), Duration::ZERO),
    };
    tally.add(Tally::of(wrong.is_none()));
    let mark = if wrong.is_none() { "ok  " } else { "FAIL" };
    let head = format!(
        "{mark}  {:<40} {:<14} {:6.2} s",
        case.name,
        life.to_string(),
        time.as_secs_f64()
    );
    match &wrong {
        None => println!("{head}"),
        Some(wrong) => println!("{head}\n  {}", wrong.replace('\n', "\n  ")),
    }
    outcome.ok().filter(|_| wrong.is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closing_line_has_a_fixed_form() {
        let mut tally = Tally::of(true);
        tally.add(Tally::of(true));
        tally.add(Tally::of(false));
        assert_eq!(tally.to_string(), "2 passed, 1 failed");
        tally.skipped = 3;
        assert_eq!(tally.to_string(), "2 passed, 1 failed, 3 skipped");
    }
}
