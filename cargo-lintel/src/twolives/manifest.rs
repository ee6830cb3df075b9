//! `tests/two-lives.toml`: the cases, and what must be true of each.
//!
//! Every case runs a program as a Linux process and in virtual machines; exit code and standard
//! output must be the same. Packages and C programs of `tests/` that no case names are cases of
//! their own, with all the defaults.
//!
//! ```toml
//! [[case]]
//! program = "wordfreq"          # a package or C program of the workspace, or the path of an ELF
//! name = "wordfreq-pipe"        # default: the program's name
//! args = ["-n", "3"]
//! env = ["KEY=value"]           # the whole environment, in both lives
//! stdin = "text\n"              # through a pipe; default: /dev/null
//! # stdin_file = "a/file"       # instead: redirected from a file, relative to the workspace
//! # stdin_pipe = "a/file"       # or: the file's bytes through a pipe
//! root = "a/directory"          # / in the machine; natively a copy is the working directory
//! cwd = "/sub"                  # the working directory inside the root
//! mem = 64                      # MiB
//! machines = ["microvm", "q35", "pc"]   # default: microvm
//! accels = ["tcg", "kvm"]       # default: both; KVM where it is usable (with iso: tcg)
//! iso = false                   # true: boot from a CD image with GRUB, on the machine pc
//! tick = true                   # this and the next two are options of `cargo lintel run`
//! clock = "pit"
//! lower = false
//! qemu_args = ["-cpu", "qemu64"]        # added to QEMU's command line; run in the workspace
//! console = "serial"            # an option of `cargo lintel run`; default: auto
//! timeout = 60                  # seconds that one life may take
//! alone = true                  # nothing else runs meanwhile
//! skip = "a reason"             # do not run it; it counts as skipped
//! as_root = false               # true: skip it where the process would not have root's powers
//! expect_code = 0               # the exit code in both lives; default: 0
//! expect_stdout_contains = ["text"]     # in both lives
//! expect_stderr_contains = ["text"]     # in the machine
//! same_stderr = true            # standard error must be the same too, but for reports wanted
//! vm_only = false               # true: there is no native life to compare with
//! debug = ["lower", "console"]  # reports wanted
//! expect_event = { event = "lower", min_share = 0.9, unsafe_sites = 0 }
//! ```
//!
//! In `expect_event` a number must be equal to the event's field; `min_FIELD` and `max_FIELD` are
//! bounds; `min_share` bounds lowered sites divided by executed sites.

use crate::failure;
use crate::program::{self, Program};
use crate::project::Project;
use crate::runner::accel::Accel;
use crate::runner::qemu::Machine;
use anyhow::{Context, Result};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Where the manifest is, relative to the workspace.
pub const PATH: &str = "tests/two-lives.toml";

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Manifest {
    #[serde(default)]
    case: Vec<Case>,
}

/// One program in one situation. The fields are explained at the top of this file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Case {
    pub program: String,
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub args: Vec<String>,
    #[serde(default)]
    pub env: Vec<String>,
    pub stdin: Option<String>,
    pub stdin_file: Option<PathBuf>,
    pub stdin_pipe: Option<PathBuf>,
    pub root: Option<PathBuf>,
    pub cwd: Option<PathBuf>,
    pub mem: Option<u32>,
    #[serde(default = "default_machines")]
    pub machines: Vec<Machine>,
    #[serde(default)]
    pub accels: Vec<Accel>,
    #[serde(default)]
    pub iso: bool,
    #[serde(default)]
    pub tick: bool,
    pub clock: Option<String>,
    pub lower: Option<bool>,
    #[serde(default)]
    pub qemu_args: Vec<String>,
    pub console: Option<String>,
    #[serde(default = "default_timeout")]
    pub timeout: f64,
    #[serde(default)]
    pub alone: bool,
    pub skip: Option<String>,
    #[serde(default)]
    pub as_root: bool,
    #[serde(default)]
    pub expect_code: u8,
    #[serde(default)]
    pub expect_stdout_contains: Vec<String>,
    #[serde(default)]
    pub expect_stderr_contains: Vec<String>,
    #[serde(default)]
    pub same_stderr: bool,
    #[serde(default)]
    pub vm_only: bool,
    #[serde(default)]
    pub debug: Vec<String>,
    pub expect_event: Option<Expectation>,
}

/// What an event must say.
#[derive(Debug, Clone, Deserialize)]
pub struct Expectation {
    /// The event's name.
    pub event: String,
    /// Its fields: equal, or bounded if the name begins with `min_` or `max_`.
    #[serde(flatten)]
    pub fields: BTreeMap<String, f64>,
}

fn default_machines() -> Vec<Machine> {
    vec![Machine::Microvm]
}

fn default_timeout() -> f64 {
    60.0
}

/// The cases of the manifest, then those of the programs in `tests/` that it does not name.
pub fn load(project: &Project) -> Result<Vec<Case>> {
    let path = project.root.join(PATH);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error).context(format!("cannot read {}", path.display())),
    };
    let mut cases = parse(&text).map_err(|what| failure::user(format!("{PATH}: {what}")))?;
    for program in unnamed_programs(project) {
        if !cases.iter().any(|case| case.program == program) {
            cases.extend(parse(&format!("[[case]]\nprogram = {program:?}")).unwrap_or_default());
        }
    }
    Ok(cases)
}

fn parse(text: &str) -> Result<Vec<Case>, String> {
    let manifest: Manifest = toml::from_str(text).map_err(|error| error.to_string())?;
    let mut cases = manifest.case;
    for case in &mut cases {
        if case.name.is_empty() {
            case.name.clone_from(&case.program);
        }
        if case.accels.is_empty() {
            // Firmware and GRUB take minutes on a KVM without hardware virtualisation.
            let all = [Accel::Tcg, Accel::Kvm];
            case.accels = all[..if case.iso { 1 } else { 2 }].to_vec();
        }
        if case.iso {
            case.machines = vec![Machine::Pc];
        }
        if case.stdin.is_some() && case.stdin_file.is_some() {
            return Err(format!(
                "case {}: give stdin or stdin_file, not both",
                case.name
            ));
        }
    }
    let mut names: Vec<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(format!("two cases are called {}: give them names", pair[0])),
        None => Ok(cases),
    }
}

fn unnamed_programs(project: &Project) -> Vec<String> {
    let tests = project.root.join("tests");
    let packages = project.packages.iter().filter(|package| {
        package.directory().starts_with(&tests) && package.main_program().is_some()
    });
    let c_programs = program::c_programs(project).into_iter().filter(
        |program| matches!(program, Program::C { source, .. } if source.starts_with(&tests)),
    );
    let packages = packages.map(|package| package.name.clone());
    packages
        .chain(c_programs.map(|program| program.name()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_filled_in() {
        let cases = parse("[[case]]\nprogram = \"p\"\n").unwrap();
        let case = &cases[0];
        assert_eq!(
            (case.name.as_str(), case.machines.len(), case.accels.len()),
            ("p", 1, 2)
        );
        assert_eq!((case.expect_code, case.timeout), (0, 60.0));
    }

    #[test]
    fn a_full_case_is_read() {
        let text = r#"
            [[case]]
            program = "p"
            name = "n"
            machines = ["q35", "pc"]
            accels = ["tcg"]
            lower = false
            expect_event = { event = "lower", min_share = 0.9, unsafe_sites = 0 }
            [[case]]
            program = "p"
            iso = true
        "#;
        let cases = parse(text).unwrap();
        let expectation = cases[0].expect_event.as_ref().unwrap();
        assert_eq!(expectation.event, "lower");
        assert_eq!(expectation.fields["min_share"], 0.9);
        assert_eq!(expectation.fields["unsafe_sites"], 0.0);
        assert_eq!(cases[0].machines, [Machine::Q35, Machine::Pc]);
        assert_eq!(
            (&*cases[1].machines, &*cases[1].accels),
            (&[Machine::Pc][..], &[Accel::Tcg][..])
        );
    }

    #[test]
    fn the_example_at_the_top_of_this_file_is_valid() {
        let comments = include_str!("manifest.rs")
            .lines()
            .map_while(|line| line.strip_prefix("//!"));
        let example = comments.skip_while(|line| *line != " ```toml").skip(1);
        let example: Vec<&str> = example.take_while(|line| *line != " ```").collect();
        let cases = parse(&example.join("\n")).unwrap();
        assert_eq!(cases[0].name, "wordfreq-pipe");
        assert!(cases[0].expect_event.is_some());
    }

    #[test]
    fn mistakes_are_named() {
        let error = |text: &str| parse(text).unwrap_err();
        assert!(error("[[case]]\nprogram = \"p\"\nbogus = 1").contains("bogus"));
        assert!(
            error("[[case]]\nprogram = \"p\"\n[[case]]\nprogram = \"p\"").contains("two cases")
        );
        let both = "[[case]]\nprogram = \"p\"\nstdin = \"a\"\nstdin_file = \"b\"";
        assert!(error(both).contains("not both"));
    }
}
