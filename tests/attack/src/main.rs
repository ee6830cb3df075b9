//! Attacks, each with the signal that must stop it.
//!
//! | command | what it does |
//! |---|---|
//! | `all` | every attack that Linux stops, too; a handler goes on behind each |
//! | `poke read\|write\|execute ADDRESS` | one access, without a handler: 139 |
//! | `bus` | touches a page behind the end of a file, without a handler: 135 |
//! | `exhaust` | touches memory without end: 137 |
//! | `where` | prints addresses of stack, mappings and break, and the random bytes at the start |

mod attempt;
mod machine;
mod memory;

use lintel as _;

use std::io;
use std::process::ExitCode;

fn main() -> io::Result<ExitCode> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words[..] {
        [] | ["all"] => Ok(all()),
        ["poke", how, address] => Ok(poke(how, address)),
        ["bus"] => memory::bus().map(|()| ExitCode::SUCCESS),
        ["exhaust"] => {
            memory::exhaust();
            Ok(ExitCode::SUCCESS)
        }
        ["where"] => {
            memory::places();
            Ok(ExitCode::SUCCESS)
        }
        _ => {
            eprintln!("attack: {words:?} is no command; there are all, poke, bus, exhaust, where");
            Ok(ExitCode::from(2))
        }
    }
}

fn all() -> ExitCode {
    attempt::prepare();
    let failed = memory::all() + machine::all();
    println!("{failed} attacks went on");
    ExitCode::from(u8::from(failed > 0))
}

fn poke(how: &str, address: &str) -> ExitCode {
    let digits = address.strip_prefix("0x").unwrap_or(address);
    let (Ok(address), Some(attack)) = (u64::from_str_radix(digits, 16), attempt::access(how))
    else {
        eprintln!("attack: poke read|write|execute ADDRESS");
        return ExitCode::from(2);
    };
    println!("{how}");
    attempt::unguard();
    attack(address);
    println!("still alive");
    ExitCode::SUCCESS
}
