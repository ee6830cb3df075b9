//! `cargo lintel`: build, run, test and inspect programs with two lives, as a Linux process and
//! as a virtual machine.
//!
//! The map: [`cli`] and [`commands`] read the command line and act on it; [`project`] and
//! [`compile`] find and build programs; [`runner`] boots one under QEMU and carries its streams;
//! [`image`], [`boot`], [`profile`], [`bench`], [`twolives`] and [`check`] are the other commands. Every file but `sys.rs` is free of `unsafe`.

mod bench;
mod boot;
mod check;
mod cli;
mod cmdline;
mod commands;
mod compile;
mod elf;
mod failure;
mod image;
mod initrd;
mod profile;
mod program;
mod project;
mod runner;
mod strace;
mod sys;
mod twolives;

use std::process::ExitCode;

fn main() -> ExitCode {
    match commands::main() {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("lintel: error: {error:#}");
            ExitCode::from(failure::exit_code(&error))
        }
    }
}
