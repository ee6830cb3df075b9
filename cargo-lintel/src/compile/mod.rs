//! Building programs so that they have two lives, and the kernel object for C programs.

mod object;

use crate::failure;
use crate::program::Program;
use crate::project::{self, Package, Project};
use anyhow::{Context, Result};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub use object::object;

const TARGET: &str = "x86_64-unknown-linux-gnu";

/// A static, non-PIE executable: virtual addresses are physical addresses in the virtual machine.
const FLAGS: [&str; 2] = ["-Ctarget-feature=+crt-static", "-Crelocation-model=static"];

/// How to build.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Cargo features.
    pub features: Vec<String>,
    /// Build the profiler into the kernel.
    pub profiler: bool,
    /// Build the debug events into the kernel.
    pub events: bool,
    /// Say nothing unless something fails.
    pub quiet: bool,
}

impl Options {
    /// The features of `lintel` that this takes.
    fn kernel_features(&self) -> impl Iterator<Item = &'static str> {
        let all = [(self.profiler, "profile"), (self.events, "events")];
        all.into_iter().filter(|feature| feature.0).map(|f| f.1)
    }
}

/// Builds `programs` with one call of cargo (and gcc for the C programs) and returns the ELF files
/// in the same order.
pub fn programs(
    project: Option<&Project>,
    programs: &[Program],
    options: &Options,
) -> Result<Vec<PathBuf>> {
    let artifacts = packages(project, programs, options)?;
    let mut object = None;
    let mut elves = Vec::new();
    for program in programs {
        elves.push(match program {
            Program::Elf(path) => absolute(path)?,
            Program::Package { package, program } => artifact(&artifacts, package, program)?,
            Program::C { name, source } => {
                let project = project.context("a C program needs a project")?;
                if object.is_none() {
                    object = Some(self::object(Some(project), options)?);
                }
                let object = object.as_ref().context("the kernel object was not built")?;
                c_program(project, name, source, &object.linkable, options)?
            }
        });
    }
    Ok(elves)
}

/// The cargo call every program is built with.
fn cargo_build(
    target: &Path,
    profile: &str,
    packages: &[&str],
    features: &[String],
    quiet: bool,
) -> Command {
    let mut command = Command::new(project::cargo());
    command
        .args(["build", "--profile", profile, "--target", TARGET])
        .arg("--target-dir")
        .arg(target);
    command.arg("--message-format=json-render-diagnostics");
    for package in packages {
        command.args(["-p", package]);
    }
    if !features.is_empty() {
        command.args(["--features", &features.join(",")]);
    }
    if quiet {
        command.arg("--quiet");
    }
    let user = (
        std::env::var_os("CARGO_ENCODED_RUSTFLAGS"),
        std::env::var_os("RUSTFLAGS"),
    );
    command.env("CARGO_ENCODED_RUSTFLAGS", rust_flags(user.0, user.1));
    command
}

/// The user's compiler flags, as cargo would read them, and ours.
fn rust_flags(encoded: Option<OsString>, plain: Option<OsString>) -> OsString {
    let theirs = encoded.unwrap_or_else(|| {
        let plain = plain.unwrap_or_default();
        let words: Vec<_> = plain
            .to_str()
            .unwrap_or_default()
            .split_whitespace()
            .collect();
        words.join("\x1f").into()
    });
    let mut flags = theirs;
    for ours in FLAGS {
        if !flags.is_empty() {
            flags.push("\x1f");
        }
        flags.push(ours);
    }
    flags
}

/// The lines of cargo's report that matter here.
#[derive(Deserialize)]
#[serde(tag = "reason")]
enum Message {
    #[serde(rename = "compiler-artifact")]
    Artifact {
        manifest_path: PathBuf,
        target: ArtifactTarget,
        executable: Option<PathBuf>,
    },
    #[serde(rename = "build-script-executed")]
    BuildScript { out_dir: PathBuf },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct ArtifactTarget {
    name: String,
}

/// Runs cargo, its diagnostics going straight to the user, and feeds its report to `see`.
fn run_cargo(mut command: Command, mut see: impl FnMut(Message)) -> Result<()> {
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start cargo")?;
    let report = child.stdout.take().context("cargo has no output")?;
    for line in BufReader::new(report).lines() {
        if let Ok(message) = serde_json::from_str(&line?) {
            see(message);
        }
    }
    let status = child.wait()?;
    match status.code() {
        Some(0) => Ok(()),
        code => {
            let code = code.and_then(|code| u8::try_from(code).ok()).unwrap_or(101);
            Err(failure::with_code(
                code,
                "the build failed (cargo's messages are above)",
            ))
        }
    }
}

/// An executable that cargo has built: its package's manifest, its name, its file.
struct Artifact {
    package: String,
    program: String,
    path: PathBuf,
}

fn packages(
    project: Option<&Project>,
    programs: &[Program],
    options: &Options,
) -> Result<Vec<Artifact>> {
    let Some(project) = project else {
        return Ok(Vec::new());
    };
    let mut profiles: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for program in programs {
        if let Program::Package { package, .. } = program {
            let profile = project.package(package).map_or("release", Package::profile);
            profiles.entry(profile).or_default().insert(package);
        }
    }
    let mut artifacts = Vec::new();
    for (profile, names) in profiles {
        let names: Vec<_> = names.into_iter().collect();
        build(project, profile, &names, options, &mut artifacts)?;
    }
    Ok(artifacts)
}

/// One call of cargo for all packages with the same profile.
fn build(
    project: &Project,
    profile: &str,
    names: &[&str],
    options: &Options,
    artifacts: &mut Vec<Artifact>,
) -> Result<()> {
    let features = features(project, names, options)?;
    announce(&names.join(", "), options);
    let target = project.target();
    let mut command = cargo_build(&target, profile, names, &features, options.quiet);
    command.current_dir(&project.root);
    run_cargo(command, |message| {
        if let Message::Artifact {
            manifest_path,
            target,
            executable: Some(path),
        } = message
        {
            let owner = project
                .packages
                .iter()
                .find(|p| manifest_path.starts_with(p.directory()));
            let package = owner
                .map(|package| package.name.clone())
                .unwrap_or_default();
            artifacts.push(Artifact {
                package,
                program: target.name,
                path,
            });
        }
    })
}

/// The features to build the packages `names` with: those asked for, and the kernel's.
fn features(project: &Project, names: &[&str], options: &Options) -> Result<Vec<String>> {
    let mut features = options.features.clone();
    for (feature, name) in options
        .kernel_features()
        .flat_map(|f| names.iter().map(move |n| (f, n)))
    {
        let package = project.package(name);
        let lintel = package.and_then(|package| package.dependency("lintel"));
        let lintel = lintel.ok_or_else(|| {
            failure::user(format!(
                "package {name} does not depend on lintel, whose feature `{feature}` this needs: \
                 add the dependency, or run it without --profile and --debug events"
            ))
        })?;
        let feature = format!("{lintel}/{feature}");
        if !features.contains(&feature) {
            features.push(feature);
        }
    }
    Ok(features)
}

fn artifact(artifacts: &[Artifact], package: &str, program: &str) -> Result<PathBuf> {
    let wanted = |artifact: &&Artifact| artifact.program == program && artifact.package == package;
    let found = artifacts.iter().find(wanted);
    let found = found.or_else(|| {
        artifacts
            .iter()
            .find(|artifact| artifact.program == program)
    });
    Ok(found
        .with_context(|| format!("cargo did not build {program}"))?
        .path
        .clone())
}

fn c_program(
    project: &Project,
    name: &str,
    source: &Path,
    object: &Path,
    options: &Options,
) -> Result<PathBuf> {
    announce(name, options);
    let output = project.target().join(name);
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "gcc".into());
    let status = Command::new(&compiler)
        .args(["-static", "-no-pie", "-O2", "-pthread"])
        .args([source, object])
        .arg("-o")
        .arg(&output)
        .arg("-lm")
        .status()
        .map_err(|error| {
            let compiler = compiler.to_string_lossy();
            failure::environment(format!("cannot start the C compiler {compiler}: {error}"))
        })?;
    if !status.success() {
        return Err(failure::with_code(
            1,
            format!("{} does not compile", source.display()),
        ));
    }
    Ok(output)
}

fn announce(what: &str, options: &Options) {
    if !options.quiet {
        eprintln!("lintel: Building {what}");
    }
}

fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).with_context(|| format!("cannot resolve {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_appended_to_the_users() {
        let ours = "-Ctarget-feature=+crt-static\x1f-Crelocation-model=static";
        assert_eq!(rust_flags(None, None), ours);
        let plain = rust_flags(None, Some(" -g  -Cdebuginfo=2".into()));
        assert_eq!(plain, format!("-g\x1f-Cdebuginfo=2\x1f{ours}").as_str());
        let encoded = rust_flags(Some("-a b".into()), Some("-g".into()));
        assert_eq!(encoded, format!("-a b\x1f{ours}").as_str());
    }

    #[test]
    fn cargo_messages_are_recognised() {
        let artifact = r#"{"reason":"compiler-artifact","manifest_path":"/w/a/Cargo.toml",
            "target":{"name":"a","kind":["bin"]},"executable":"/t/a","fresh":true}"#;
        let parsed: Message = serde_json::from_str(artifact).unwrap();
        assert!(matches!(
            parsed,
            Message::Artifact {
                executable: Some(_),
                ..
            }
        ));
        let other = serde_json::from_str(r#"{"reason":"build-finished","success":true}"#);
        assert!(matches!(other, Ok(Message::Other)));
    }
}
