//! Arguments, environment, and every way a program ends.
//!
//! Without arguments, or with ones that are not a command, it echoes what it was given. The
//! commands:
//!
//! | command | it ends with |
//! |---|---|
//! | `exit N` | exit code N |
//! | `return N` | N returned from `main` |
//! | `panic` | a panic: 101 |
//! | `abort` | SIGABRT: 134 |
//! | `segv` | a write to address 0: 139 |
//! | `ill` | `ud2`: 132 |
//! | `fpe` | a division by zero: 136 |
//! | `trap` | `int3`: 133 |
//! | `gpf` | an access at an address that is not canonical: 139 |
//! | `nx` | a jump into data: 139 |
//! | `text` | a write to its own code: 139 |
//! | `stack` | an endless recursion: 134, with the message of `std` |
//!
//! A shell reports a fatal signal n as 128 + n; those are the numbers above.

mod faults;

use lintel as _;

use std::env;
use std::process::{self, ExitCode};

const USAGE_ERROR: u8 = 2;

fn main() -> ExitCode {
    let args: Vec<String> = env::args_os()
        .skip(1)
        .map(|arg| arg.to_string_lossy().into_owned())
        .collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words[..] {
        ["exit", code] => match code.parse::<i32>() {
            Ok(code) => {
                println!("exit {code}");
                process::exit(code)
            }
            Err(_) => usage(code),
        },
        ["return", code] => match code.parse::<u8>() {
            Ok(code) => {
                println!("return {code}");
                ExitCode::from(code)
            }
            Err(_) => usage(code),
        },
        [command] => match faults::find(command) {
            Some(fault) => {
                println!("{command}");
                fault();
                println!("still alive");
                ExitCode::SUCCESS
            }
            None => echo(&args),
        },
        _ => echo(&args),
    }
}

fn usage(code: &str) -> ExitCode {
    eprintln!("exit: {code:?} is not an exit code");
    ExitCode::from(USAGE_ERROR)
}

/// Prints the arguments and those variables whose names begin with `T_` (the rest of the
/// environment is the host's, and not the same in both lives).
fn echo(args: &[String]) -> ExitCode {
    println!("{} arguments", args.len());
    for (index, arg) in args.iter().enumerate() {
        println!("{index}: {} bytes {arg:?}", arg.len());
    }
    let mut variables: Vec<(String, String)> = env::vars_os()
        .map(|(name, value)| {
            (
                name.to_string_lossy().into_owned(),
                value.to_string_lossy().into_owned(),
            )
        })
        .filter(|(name, _)| name.starts_with("T_"))
        .collect();
    variables.sort();
    for (name, value) in &variables {
        println!("{name}={value:?}");
    }
    println!(
        "argv[0] is given: {}",
        env::args_os().next().is_some_and(|name| !name.is_empty())
    );
    println!("a process id: {}", process::id() > 0);
    ExitCode::SUCCESS
}
