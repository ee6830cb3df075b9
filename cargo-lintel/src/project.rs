//! The cargo workspace we are called in, as `cargo metadata` describes it.

use crate::failure;
use anyhow::{Context, Result};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A cargo workspace.
#[derive(Debug, Clone, Deserialize)]
pub struct Project {
    /// Where the workspace manifest is.
    #[serde(rename = "workspace_root")]
    pub root: PathBuf,
    /// Where cargo puts what it builds.
    #[serde(rename = "target_directory")]
    target: PathBuf,
    /// The members.
    pub packages: Vec<Package>,
}

/// A member of the workspace.
#[derive(Debug, Clone, Deserialize)]
pub struct Package {
    /// Its name.
    pub name: String,
    manifest_path: PathBuf,
    targets: Vec<Target>,
    #[serde(default)]
    dependencies: Vec<Dependency>,
    #[serde(default)]
    default_run: Option<String>,
    /// `[package.metadata]`, `null` when there is none.
    #[serde(default)]
    metadata: serde_json::Value,
}

#[derive(Debug, Clone, Deserialize)]
struct Dependency {
    name: String,
    #[serde(default)]
    rename: Option<String>,
    /// `dev`, `build`, or nothing for an ordinary one.
    #[serde(default)]
    kind: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

impl Package {
    /// The directory of its `Cargo.toml`.
    pub fn directory(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(Path::new("/"))
    }

    /// The cargo profile its programs are built with: `[package.metadata.lintel] profile`, for
    /// programs without `std`, which cannot unwind; else `release`.
    pub fn profile(&self) -> &str {
        self.metadata["lintel"]["profile"]
            .as_str()
            .unwrap_or("release")
    }

    /// What the manifest calls the ordinary dependency `name`, if there is one.
    pub fn dependency(&self, name: &str) -> Option<&str> {
        let wanted = |entry: &&Dependency| entry.name == name && entry.kind.is_none();
        let found = self.dependencies.iter().find(wanted)?;
        Some(found.rename.as_deref().unwrap_or(&found.name))
    }

    /// The names of its programs.
    pub fn programs(&self) -> impl Iterator<Item = &str> {
        let is_program = |target: &&Target| target.kind.iter().any(|kind| kind == "bin");
        self.targets
            .iter()
            .filter(is_program)
            .map(|target| target.name.as_str())
    }

    /// The one program that the package's name stands for, if that is clear.
    pub fn main_program(&self) -> Option<&str> {
        let mut programs = self.programs();
        match (programs.next(), programs.next()) {
            (only, None) => only,
            _ => self
                .default_run
                .as_deref()
                .or_else(|| self.programs().find(|name| *name == self.name)),
        }
    }
}

impl Project {
    /// Reads the workspace that `directory` is in.
    pub fn load(directory: &Path) -> Result<Self> {
        let text = metadata(directory, &["--no-deps"])?;
        serde_json::from_slice(&text).context("cargo metadata printed something unexpected")
    }

    /// Reads the workspace of the current directory.
    pub fn current() -> Result<Self> {
        Self::load(&std::env::current_dir().context("the current directory is gone")?)
    }

    /// The workspace of the current directory, if there is one.
    pub fn current_if_any() -> Result<Option<Self>> {
        let here = std::env::current_dir().context("the current directory is gone")?;
        match here
            .ancestors()
            .any(|directory| directory.join("Cargo.toml").is_file())
        {
            true => Self::load(&here).map(Some),
            false => Ok(None),
        }
    }

    /// The member called `name`.
    pub fn package(&self, name: &str) -> Option<&Package> {
        self.packages.iter().find(|package| package.name == name)
    }

    /// The member whose directory `directory` is inside of, the workspace root itself excepted
    /// when it has other members.
    pub fn package_at(&self, directory: &Path) -> Option<&Package> {
        let inside = |package: &&Package| directory.starts_with(package.directory());
        self.packages
            .iter()
            .filter(inside)
            .max_by_key(|package| package.directory().components().count())
    }

    /// Where programs with two lives are built, apart from the workspace's other artefacts.
    pub fn target(&self) -> PathBuf {
        self.target.join("lintel")
    }

    /// Whether this is the workspace of Lintel itself.
    pub fn is_lintel(&self) -> bool {
        self.package("lintel").is_some() && self.package("lintel-kernel").is_some()
    }
}

/// The manifest directory of the package `name` in the whole dependency graph of `directory`.
pub fn dependency_directory(directory: &Path, name: &str) -> Result<Option<PathBuf>> {
    let text = metadata(directory, &[])?;
    let graph: Project =
        serde_json::from_slice(&text).context("cargo metadata printed something unexpected")?;
    Ok(graph
        .package(name)
        .map(|package| package.directory().to_path_buf()))
}

fn metadata(directory: &Path, extra: &[&str]) -> Result<Vec<u8>> {
    let output = Command::new(cargo())
        .args(["metadata", "--format-version", "1"])
        .args(extra)
        .current_dir(directory)
        .output()
        .context("cannot start cargo")?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let message = String::from_utf8_lossy(&output.stderr);
    Err(failure::user(format!(
        "cargo cannot read the project here\n{}",
        message.trim_end()
    )))
}

/// The cargo to call: the one that called us, if any.
pub fn cargo() -> std::ffi::OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Project {
        serde_json::from_str(
            r#"{"workspace_root":"/w","target_directory":"/w/target","packages":[
              {"name":"root","manifest_path":"/w/Cargo.toml","targets":[]},
              {"name":"a","manifest_path":"/w/a/Cargo.toml","targets":[
                {"name":"a","kind":["bin"]},{"name":"b","kind":["bin"]},{"name":"l","kind":["lib"]}]},
              {"name":"c","manifest_path":"/w/c/Cargo.toml","targets":[{"name":"z","kind":["bin"]}]},
              {"name":"d","manifest_path":"/w/d/Cargo.toml","targets":[
                {"name":"x","kind":["bin"]},{"name":"y","kind":["bin"]}]}]}"#,
        )
        .unwrap()
    }

    #[test]
    fn main_program_is_the_namesake_or_the_only_one() {
        let project = sample();
        let main = |name| project.package(name).unwrap().main_program();
        assert_eq!(main("a"), Some("a"));
        assert_eq!(main("c"), Some("z"));
        assert_eq!(main("d"), None);
        assert_eq!(main("root"), None);
    }

    #[test]
    fn dependencies_may_be_renamed() {
        let package: Package = serde_json::from_str(
            r#"{"name":"a","manifest_path":"/w/Cargo.toml","targets":[],"dependencies":[
              {"name":"libc","rename":null,"kind":null},{"name":"lintel","rename":"two","kind":null},
              {"name":"cc","rename":null,"kind":"build"}]}"#,
        )
        .unwrap();
        assert_eq!(package.dependency("libc"), Some("libc"));
        assert_eq!(package.dependency("lintel"), Some("two"));
        assert_eq!(package.dependency("cc"), None);
        assert_eq!(sample().package("a").unwrap().dependency("lintel"), None);
    }

    #[test]
    fn innermost_package_wins() {
        let project = sample();
        assert_eq!(project.package_at(Path::new("/w/a/src")).unwrap().name, "a");
        assert_eq!(
            project.package_at(Path::new("/w/docs")).unwrap().name,
            "root"
        );
        assert!(project.package_at(Path::new("/elsewhere")).is_none());
    }
}
