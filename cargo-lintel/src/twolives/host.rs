//! The part of the tests that needs no virtual machine: unit tests, and the kernel object.

use crate::project::{self, Project};
use crate::twolives::Tally;
use anyhow::{Context, Result};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

/// Packages of Lintel, beside the platforms, whose tests run on the host. Those of `library-bench` are
/// its benches, each run once.
const HOST_TESTABLE: [&str; 5] = [
    "unikernel",
    "cargo-lintel",
    "lintel",
    "syscall-bench",
    "library-bench",
];

/// Whether a package of Lintel has tests that run on the host.
fn is_host_testable(name: &str) -> bool {
    HOST_TESTABLE.contains(&name) || name.starts_with("platform-")
}

/// Runs the unit tests: in Lintel's own workspace those of every host-testable crate, each on its
/// own, elsewhere all there are.
pub fn unit_tests(project: &Project) -> Result<Tally> {
    if !project.is_lintel() {
        return cargo_test(project, None);
    }
    let mut tally = Tally::default();
    for package in project
        .packages
        .iter()
        .filter(|package| is_host_testable(&package.name))
    {
        tally.add(cargo_test(project, Some(&package.name))?);
    }
    Ok(tally)
}

/// Runs `cargo test` and counts what it reports.
fn cargo_test(project: &Project, package: Option<&str>) -> Result<Tally> {
    let mut command = Command::new(project::cargo());
    command
        .args(["test", "--no-fail-fast"])
        .current_dir(&project.root)
        .stdout(Stdio::piped());
    if let Some(package) = package {
        command.args(["-p", package]);
    }
    let mut child = command.spawn().context("cannot start cargo")?;
    let output = child.stdout.take().context("cargo has no output")?;
    let mut tally = Tally::default();
    for line in BufReader::new(output).lines() {
        let line = line?;
        println!("{line}");
        tally.add(count(&line).unwrap_or_default());
    }
    if !child.wait()?.success() && tally.failed == 0 {
        let package = package.unwrap_or_default();
        println!("FAIL  cargo test {package} (it does not build, or a test program died)");
        tally.failed += 1;
    }
    Ok(tally)
}

/// Reads `test result: ok. 3 passed; 0 failed; 1 ignored; …`, or the `Success` of a bench that
/// Criterion has run once.
fn count(line: &str) -> Option<Tally> {
    if line == "Success" {
        return Some(Tally {
            passed: 1,
            ..Tally::default()
        });
    }
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let number = |word: &str| {
        let part = counts.split("; ").find(|part| part.ends_with(word))?;
        part.split(' ').next()?.parse().ok()
    };
    Some(Tally {
        passed: number(" passed")?,
        failed: number(" failed")?,
        skipped: number(" ignored")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_counted() {
        let line =
            "test result: FAILED. 42 passed; 1 failed; 2 ignored; 0 measured; 0 filtered out";
        assert_eq!(
            count(line),
            Some(Tally {
                passed: 42,
                failed: 1,
                skipped: 2
            })
        );
        assert_eq!(count("test x ... ok"), None);
        assert_eq!(count("Success").map(|tally| tally.passed), Some(1));
    }
}
