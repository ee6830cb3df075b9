//! Host tools we need: found, installed where that is welcome, or named in a clear message.

use crate::{failure, sys};
use anyhow::Result;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A program of the host and the Debian packages it comes from.
pub struct Tool {
    /// The program.
    pub program: &'static str,
    /// A file that must exist beside the program, such as a data directory.
    pub data: Option<&'static str>,
    /// Debian packages.
    pub packages: &'static [&'static str],
    /// What other distributions call them.
    pub elsewhere: &'static str,
}

/// What to do about a missing tool.
#[derive(Debug, PartialEq, Eq)]
enum Plan {
    /// Run this command; the message says so.
    Install(Vec<String>),
    /// Give up with this message.
    Tell(String),
}

/// What was observed on this computer.
struct Situation {
    debian: bool,
    root: bool,
    sudo: bool,
    forbidden: bool,
}

/// Returns the path of the tool, installing it first if that is possible.
pub fn ensure(tool: &Tool) -> Result<PathBuf> {
    if let Some(path) = find(tool) {
        return Ok(path);
    }
    match plan(tool, &situation()) {
        Plan::Tell(message) => Err(failure::environment(message)),
        Plan::Install(command) => {
            eprintln!(
                "lintel: {} is missing: running {}",
                tool.program,
                command.join(" ")
            );
            if !run(&command) {
                let update: Vec<String> = prefix(&command)
                    .chain(["apt-get", "update"])
                    .map(String::from)
                    .collect();
                run(&update);
                run(&command);
            }
            find(tool).ok_or_else(|| {
                let command = command.join(" ");
                failure::environment(format!("{} is still missing after {command}", tool.program))
            })
        }
    }
}

fn prefix(command: &[String]) -> impl Iterator<Item = &str> {
    command
        .iter()
        .map(String::as_str)
        .take_while(|word| *word != "apt-get")
}

fn run(command: &[String]) -> bool {
    let mut process = Command::new(&command[0]);
    process
        .args(&command[1..])
        .stdin(Stdio::null())
        .env("DEBIAN_FRONTEND", "noninteractive");
    // Standard output belongs to the program that is about to run.
    let Ok(stderr) = std::os::fd::AsFd::as_fd(&std::io::stderr()).try_clone_to_owned() else {
        return false;
    };
    process
        .stdout(stderr)
        .status()
        .is_ok_and(|status| status.success())
}

fn find(tool: &Tool) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let found = std::env::split_paths(&path)
        .map(|dir| dir.join(tool.program))
        .find(|p| p.is_file());
    found.filter(|_| tool.data.is_none_or(|data| Path::new(data).exists()))
}

fn situation() -> Situation {
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let root = sys::is_root();
    let sudo = || {
        let mut sudo = Command::new("sudo");
        sudo.args(["-n", "true"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        sudo.status().is_ok_and(|status| status.success())
    };
    Situation {
        debian: is_debian(&release),
        root,
        sudo: !root && sudo(),
        forbidden: std::env::var_os("LINTEL_NO_INSTALL").is_some_and(|value| value == "1"),
    }
}

fn is_debian(os_release: &str) -> bool {
    let mut ids = os_release
        .lines()
        .filter_map(|line| {
            line.strip_prefix("ID=")
                .or_else(|| line.strip_prefix("ID_LIKE="))
        })
        .flat_map(|value| value.trim_matches(['"', '\'']).split_whitespace());
    ids.any(|id| id == "debian" || id == "ubuntu")
}

fn plan(tool: &Tool, situation: &Situation) -> Plan {
    if !situation.debian {
        return Plan::Tell(format!(
            "{} is missing: install it with your package manager ({})",
            tool.program, tool.elsewhere
        ));
    }
    let mut words = vec!["apt-get", "install", "-y", "--no-install-recommends"];
    words.extend(tool.packages);
    if !situation.root {
        words.insert(0, "sudo");
    }
    if situation.forbidden || !(situation.root || situation.sudo) {
        return Plan::Tell(format!(
            "{} is missing: run `{}`",
            tool.program,
            words.join(" ")
        ));
    }
    if !situation.root {
        words.insert(1, "-n");
    }
    Plan::Install(words.into_iter().map(String::from).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOOL: Tool = Tool {
        program: "q",
        data: None,
        packages: &["q-x86", "q-data"],
        elsewhere: "package q",
    };

    fn planned(debian: bool, root: bool, sudo: bool, forbidden: bool) -> Plan {
        plan(
            &TOOL,
            &Situation {
                debian,
                root,
                sudo,
                forbidden,
            },
        )
    }

    fn install(words: &str) -> Plan {
        Plan::Install(words.split(' ').map(String::from).collect())
    }

    #[test]
    fn installs_only_where_welcome() {
        let command = "apt-get install -y --no-install-recommends q-x86 q-data";
        assert_eq!(planned(true, true, false, false), install(command));
        assert_eq!(
            planned(true, false, true, false),
            install(&format!("sudo -n {command}"))
        );
        let tell = |prefix: &str| Plan::Tell(format!("q is missing: run `{prefix}{command}`"));
        assert_eq!(planned(true, true, false, true), tell(""));
        assert_eq!(planned(true, false, false, false), tell("sudo "));
        assert!(
            matches!(planned(false, true, true, false), Plan::Tell(m) if m.contains("package q"))
        );
    }

    #[test]
    fn debian_and_its_children_are_recognised() {
        assert!(is_debian("NAME=x\nID=debian\n"));
        assert!(is_debian("ID=mint\nID_LIKE=\"ubuntu debian\"\n"));
        assert!(!is_debian("ID=fedora\nPRETTY_NAME=\"not debian\"\n"));
    }
}
