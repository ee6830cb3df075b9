//! What the NAME on the command line means: a package, a C program or an ELF file.

use crate::failure;
use crate::project::{Package, Project};
use anyhow::Result;
use std::path::{Path, PathBuf};

/// Something that can be built, or has been built, into an ELF with two lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Program {
    /// A program of a package of the workspace.
    Package {
        /// The package.
        package: String,
        /// The program in it.
        program: String,
    },
    /// One C file of a directory without a `Cargo.toml`.
    C {
        /// The name of the program.
        name: String,
        /// Its source file.
        source: PathBuf,
    },
    /// A file that exists already.
    Elf(PathBuf),
}

/// What `cargo lintel run` without a name means.
pub enum Default {
    /// The program of the package we are in.
    Program(Program),
    /// The demonstration: word frequencies of a text the repository carries.
    Demonstration {
        /// The program.
        program: Program,
        /// The directory with the text.
        root: PathBuf,
    },
}

/// The arguments of the demonstration.
pub const DEMONSTRATION_ARGS: [&str; 1] = ["prose.txt"];

/// Finds the program called `name`. A name with a slash is a path; any other name is first
/// looked for in the workspace and then as a file.
pub fn find(name: &str, project: Option<&Project>, which: Option<&str>) -> Result<Program> {
    let path = Path::new(name);
    if name.contains('/') {
        return elf_path(path);
    }
    if let Some(project) = project {
        if let Some(package) = project.package(name) {
            return of_package(package, which);
        }
        if let Some(found) = c_programs(project).into_iter().find(|c| c.is_called(name)) {
            return Ok(found);
        }
    }
    if path.is_file() {
        return Ok(Program::Elf(path.to_path_buf()));
    }
    Err(unknown(name, project))
}

/// What to run when no name is given.
pub fn default(project: &Project, directory: &Path, which: Option<&str>) -> Result<Default> {
    let here = project.package_at(directory);
    if project.is_lintel() && here.is_none_or(|package| package.directory() == project.root) {
        let program = find("wordfreq", Some(project), None)?;
        let root = project.root.join("examples/wordfreq/texts");
        return Ok(Default::Demonstration { program, root });
    }
    let with_programs = |package: &&Package| package.programs().next().is_some();
    let mut candidates = project.packages.iter().filter(with_programs);
    let package = match (here, candidates.next(), candidates.next()) {
        (Some(package), ..) => package,
        (None, Some(only), None) => only,
        _ => return Err(unknown("", Some(project))),
    };
    of_package(package, which).map(Default::Program)
}

/// Every program of the workspace: those of its packages, then the C programs.
pub fn all_names(project: &Project) -> Vec<String> {
    let runnable = |package: &&Package| {
        package.programs().next().is_some() && package.name != env!("CARGO_PKG_NAME")
    };
    let packages = project
        .packages
        .iter()
        .filter(runnable)
        .map(|package| package.name.clone());
    packages
        .chain(c_programs(project).into_iter().map(|c| c.name()))
        .collect()
}

/// The C programs of the workspace: directories of `examples/` and `tests/` that hold C files but
/// no `Cargo.toml`. With a `main.c` the directory is one program with the directory's name;
/// without, every C file is a program with the file's name.
pub fn c_programs(project: &Project) -> Vec<Program> {
    let mut found = Vec::new();
    for parent in ["examples", "tests"] {
        for directory in entries(&project.root.join(parent)) {
            if !directory.join("Cargo.toml").exists() {
                found.extend(c_programs_of(&directory));
            }
        }
    }
    found
}

fn c_programs_of(directory: &Path) -> Vec<Program> {
    let main = directory.join("main.c");
    let program = |name: &Path, source: &Path| Program::C {
        name: name
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
        source: source.to_path_buf(),
    };
    if main.is_file() {
        return vec![program(directory, &main)];
    }
    let is_c = |file: &PathBuf| file.extension().is_some_and(|extension| extension == "c");
    entries(directory)
        .into_iter()
        .filter(is_c)
        .map(|file| program(&file, &file))
        .collect()
}

/// The entries of a directory in order of their names; none if it cannot be read.
fn entries(directory: &Path) -> Vec<PathBuf> {
    let Ok(list) = directory.read_dir() else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = list.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

impl Program {
    /// The name people use for it.
    pub fn name(&self) -> String {
        match self {
            Self::Package { program, .. } => program.clone(),
            Self::C { name, .. } => name.clone(),
            Self::Elf(path) => path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
        }
    }

    fn is_called(&self, wanted: &str) -> bool {
        matches!(self, Self::C { name, .. } if name == wanted)
    }
}

fn of_package(package: &Package, which: Option<&str>) -> Result<Program> {
    let list = package.programs().collect::<Vec<_>>().join(", ");
    let name = &package.name;
    let program = match which {
        Some(wanted) if !package.programs().any(|program| program == wanted) => {
            return Err(failure::user(format!(
                "package {name} has no program {wanted} (it has: {list})"
            )));
        }
        Some(wanted) => wanted,
        None => package
            .main_program()
            .ok_or_else(|| match list.is_empty() {
                true => failure::user(format!(
                    "package {name} is a library: it has no program to run"
                )),
                false => failure::user(format!(
                    "package {name} has several programs: choose one with --bin ({list})"
                )),
            })?,
    };
    Ok(Program::Package {
        package: name.clone(),
        program: program.to_owned(),
    })
}

fn elf_path(path: &Path) -> Result<Program> {
    if path.is_file() {
        return Ok(Program::Elf(path.to_path_buf()));
    }
    Err(failure::user(match path.exists() {
        true => format!(
            "{} is not a file: give an ELF file or a package name",
            path.display()
        ),
        false => format!("there is no file {}", path.display()),
    }))
}

fn unknown(name: &str, project: Option<&Project>) -> anyhow::Error {
    let Some(project) = project else {
        return failure::user(format!(
            "there is no file {name}, and no cargo project here"
        ));
    };
    let names = all_names(project).join(", ");
    failure::user(match name {
        "" => format!("which program? The workspace has: {names}"),
        _ => format!("there is no program or file called {name}; the workspace has: {names}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c_programs_follow_their_directory_or_their_file() {
        let root = tempfile::tempdir().unwrap();
        let touch = |name: &str| {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        };
        touch("examples/hello-c/main.c");
        touch("examples/rust/main.c");
        touch("examples/rust/Cargo.toml");
        touch("tests/c/pipe.c");
        touch("tests/c/fork.c");
        touch("tests/c/README.md");
        touch("tests/list.toml");
        let project: Project = serde_json::from_value(serde_json::json!({
            "workspace_root": root.path(), "target_directory": "/t", "packages": []
        }))
        .unwrap();
        let names: Vec<_> = c_programs(&project).iter().map(Program::name).collect();
        assert_eq!(names, ["hello-c", "fork", "pipe"]);
        assert!(matches!(
            find("fork", Some(&project), None),
            Ok(Program::C { .. })
        ));
        assert!(find("absent", Some(&project), None).is_err());
    }
}
