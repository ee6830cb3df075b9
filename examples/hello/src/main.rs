//! The smallest `std` program with two lives.
//!
//! As a Linux process and as a virtual machine it prints the same single line: its arguments and,
//! when the environment has it, the variable `GREETING`.

use lintel as _;

use std::env;

fn main() {
    let args: Vec<String> = env::args_os()
        .skip(1)
        .map(|arg| arg.to_string_lossy().into_owned())
        .collect();
    match env::var_os("GREETING") {
        Some(greeting) => println!(
            "Hello from Rust's std! args: {args:?} GREETING: {:?}",
            greeting.to_string_lossy()
        ),
        None => println!("Hello from Rust's std! args: {args:?}"),
    }
}
