//! The kernel object by itself, for C programs and for inspection.

use super::{Message, Options, announce, cargo_build, run_cargo};
use crate::failure;
use crate::project::{self, Project};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// The object that carries the kernel, as the build script of `lintel` leaves it.
const OBJECT: &str = "lintel-kernel.o";
/// The same before its symbols were made local, for `check-object`.
const FULL_OBJECT: &str = "lintel-kernel-full.o";

/// Where the kernel object was put.
pub struct Object {
    /// For the linker: every symbol local but the interface.
    pub linkable: PathBuf,
    /// For inspection: the same code with all its symbols, if the build script kept it.
    pub full: Option<PathBuf>,
}

/// Builds the kernel object and returns where it is kept.
///
/// The source of `lintel` is, in this order: `LINTEL_SRC`, the current project's member or
/// dependency of that name, the workspace this tool was built in.
pub fn object(project: Option<&Project>, options: &Options) -> Result<Object> {
    let source = lintel_source(project)?;
    let target = match project {
        Some(project) => project.target(),
        None => Project::load(&source)?.target(),
    };
    announce("lintel", options);
    let mut features = options.features.clone();
    features.extend(options.kernel_features().map(str::to_owned));
    let mut command = cargo_build(&target, "release", &[], &features, options.quiet);
    command
        .arg("--manifest-path")
        .arg(source.join("Cargo.toml"))
        .args(["-p", "lintel"]);
    let mut directory = None;
    run_cargo(command, |message| {
        if let Message::BuildScript { out_dir } = message
            && out_dir.join(OBJECT).is_file()
        {
            directory = Some(out_dir);
        }
    })?;
    let directory = directory.with_context(|| {
        format!(
            "the build script of {} did not make {OBJECT}",
            source.display()
        )
    })?;
    keep(&directory, &target)
}

/// Copies the object out of cargo's directory, whose name changes, to a stable place.
fn keep(directory: &Path, target: &Path) -> Result<Object> {
    let copy = |name: &str| -> Result<PathBuf> {
        let to = target.join(name);
        std::fs::copy(directory.join(name), &to)
            .with_context(|| format!("cannot write {}", to.display()))?;
        Ok(to)
    };
    let full = directory
        .join(FULL_OBJECT)
        .is_file()
        .then(|| copy(FULL_OBJECT))
        .transpose()?;
    Ok(Object {
        linkable: copy(OBJECT)?,
        full,
    })
}

fn lintel_source(project: Option<&Project>) -> Result<PathBuf> {
    if let Some(given) = std::env::var_os("LINTEL_SRC") {
        let given = PathBuf::from(given);
        let candidates = [given.join("lintel"), given.clone()];
        let found = candidates
            .into_iter()
            .find(|path| path.join("Cargo.toml").is_file());
        return found.ok_or_else(|| {
            failure::user(format!(
                "LINTEL_SRC={} holds no Cargo.toml",
                given.display()
            ))
        });
    }
    if let Some(project) = project {
        let member = project
            .package("lintel")
            .map(|package| package.directory().to_path_buf());
        if let Some(directory) = member.map_or_else(
            || project::dependency_directory(&project.root, "lintel"),
            |d| Ok(Some(d)),
        )? {
            return Ok(directory);
        }
    }
    let built_in = Path::new(env!("CARGO_MANIFEST_DIR")).join("../lintel");
    built_in.canonicalize().map_err(|_| {
        failure::user(
            "cannot find the source of lintel: add the dependency `lintel` to this project, or set \
             LINTEL_SRC to a checkout of Lintel",
        )
    })
}
