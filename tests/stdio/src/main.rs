//! Standard input, output and error.
//!
//! The first argument says what to do:
//!
//! | argument | |
//! |---|---|
//! | `echo` | copies standard input to standard output, then tells its length and checksum |
//! | `lines` | reads lines, and answers each before it reads the next |
//! | `ttys` | tells which of the three are terminals |
//! | `poll` | waits for input with `poll` before every read |
//! | `shapes` | writes in every shape there is |
//! | `flood` | writes 1 MiB, every byte there is |
//! | `kilobytes` | writes 1 KiB a hundred times; tells the time on standard error |
//!
//! Without one it does `ttys`, `shapes` and `echo`.

mod input;
mod output;

use lintel as _;

use std::env;
use std::io::{self, IsTerminal};
use std::process::ExitCode;

const FAILURE: u8 = 1;
const USAGE_ERROR: u8 = 2;

fn main() -> ExitCode {
    let command = env::args().nth(1);
    let outcome = match command.as_deref() {
        Some("echo") => input::echo(),
        Some("lines") => input::lines(),
        Some("ttys") => ttys(),
        Some("poll") => input::poll(),
        Some("shapes") => output::shapes(),
        Some("flood") => output::flood(),
        Some("kilobytes") => output::kilobytes(),
        None => ttys()
            .and_then(|()| output::shapes())
            .and_then(|()| input::echo()),
        Some(other) => {
            eprintln!("stdio: nothing is called {other:?}");
            return ExitCode::from(USAGE_ERROR);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("stdio: {error}");
            ExitCode::from(FAILURE)
        }
    }
}

fn ttys() -> io::Result<()> {
    println!(
        "standard input is a terminal: {}",
        io::stdin().is_terminal()
    );
    println!(
        "standard output is a terminal: {}",
        io::stdout().is_terminal()
    );
    println!(
        "standard error is a terminal: {}",
        io::stderr().is_terminal()
    );
    Ok(())
}
