//! The first life: the same ELF as a Linux process, in the same circumstances.

use crate::failure;
use crate::runner::Request;
use anyhow::{Context, Result};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

/// Runs the program as a process and returns its exit code. Without a time limit this process
/// becomes the program.
pub fn run(request: &Request) -> Result<u8> {
    let mut command = command(request);
    let Some(timeout) = request.timeout else {
        let error = command.exec();
        return Err(failure::user(format!(
            "cannot run {}: {error}",
            request.elf.display()
        )));
    };
    crate::sys::tie_to_parent(&mut command, &[]);
    let mut child = command
        .spawn()
        .with_context(|| format!("cannot run {}", request.elf.display()))?;
    let deadline = Instant::now() + timeout;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait()? {
            return Ok(code(status));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill()?;
    child.wait()?;
    let seconds = timeout.as_secs_f64();
    Err(failure::with_code(
        failure::TIMEOUT,
        format!("the program was stopped after {seconds} s (--timeout)"),
    ))
}

/// The process: the same `argv`, environment and working directory as in the virtual machine, with
/// the root directory standing for `/`.
pub fn command(request: &Request) -> Command {
    let mut command = Command::new(&request.elf);
    command.args(&request.args).env_clear();
    for variable in &request.env {
        let (key, value) = split_variable(variable);
        command.env(key, value);
    }
    let inside = request
        .cwd
        .as_ref()
        .map(|cwd| cwd.strip_prefix("/").unwrap_or(cwd));
    let directory = match (&request.root, inside) {
        (Some(root), Some(inside)) => Some(root.join(inside)),
        (Some(root), None) => Some(root.clone()),
        (None, _) => request.cwd.clone(),
    };
    command.current_dir(directory.unwrap_or_else(|| PathBuf::from(".")));
    if request.no_aslr {
        crate::sys::fix_addresses(&mut command);
    }
    command
}

fn split_variable(variable: &OsStr) -> (&OsStr, &OsStr) {
    let bytes = variable.as_bytes();
    let at = bytes
        .iter()
        .position(|&byte| byte == b'=')
        .unwrap_or(bytes.len());
    let value = bytes.get(at + 1..).unwrap_or_default();
    (OsStr::from_bytes(&bytes[..at]), OsStr::from_bytes(value))
}

/// The exit code a shell would show: 128 + n after signal n.
pub fn code(status: ExitStatus) -> u8 {
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(255)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_working_directory_is_inside_the_root() {
        let request = |root: Option<&str>, cwd: Option<&str>| Request {
            elf: "/app".into(),
            root: root.map(PathBuf::from),
            cwd: cwd.map(PathBuf::from),
            ..Request::default()
        };
        let directory = |root, cwd| {
            command(&request(root, cwd))
                .get_current_dir()
                .unwrap()
                .to_owned()
        };
        assert_eq!(directory(Some("/r"), Some("/etc")), PathBuf::from("/r/etc"));
        assert_eq!(directory(Some("/r"), None), PathBuf::from("/r"));
        assert_eq!(directory(None, Some("/etc")), PathBuf::from("/etc"));
        assert_eq!(directory(None, None), PathBuf::from("."));
    }

    #[test]
    fn variables_are_split_at_the_first_equals_sign() {
        assert_eq!(
            split_variable(OsStr::new("A=b=c")),
            (OsStr::new("A"), OsStr::new("b=c"))
        );
        assert_eq!(
            split_variable(OsStr::new("A")),
            (OsStr::new("A"), OsStr::new(""))
        );
    }
}
