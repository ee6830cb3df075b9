//! Errors that know which exit code they deserve.

use std::fmt;

/// The user asked for something that cannot be: wrong name, wrong file, wrong option.
pub const USER: u8 = 2;
/// This computer, not the program, is at fault: QEMU missing or failing, KVM unusable.
pub const ENVIRONMENT: u8 = 125;
/// The time limit given with `--timeout` ran out (the code `timeout(1)` uses).
pub const TIMEOUT: u8 = 124;

/// An error message and the exit code of the process that reports it.
#[derive(Debug)]
pub struct Failure {
    code: u8,
    message: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// A mistake of the user: exit code 2.
pub fn user(message: impl Into<String>) -> anyhow::Error {
    with_code(USER, message)
}

/// A fault of this computer: exit code 125.
pub fn environment(message: impl Into<String>) -> anyhow::Error {
    with_code(ENVIRONMENT, message)
}

/// An error with the exit code of a tool that has failed, as when cargo reports compile errors.
pub fn with_code(code: u8, message: impl Into<String>) -> anyhow::Error {
    Failure {
        code,
        message: message.into(),
    }
    .into()
}

/// The exit code for an error: its own if it carries one, otherwise [`ENVIRONMENT`].
pub fn exit_code(error: &anyhow::Error) -> u8 {
    error
        .downcast_ref::<Failure>()
        .map_or(ENVIRONMENT, |failure| failure.code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn code_survives_context() {
        assert_eq!(exit_code(&user("x")), USER);
        let wrapped = Err::<(), _>(environment("x"))
            .context("while y")
            .unwrap_err();
        assert_eq!(exit_code(&wrapped), ENVIRONMENT);
        assert_eq!(exit_code(&anyhow::anyhow!("plain")), ENVIRONMENT);
    }
}
