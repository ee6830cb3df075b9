//! Attacks, each with the signal that must stop it.
//!
//! | command | what it does |
//! |---|---|
//! | `all` | every attack that Linux stops, too; a handler goes on behind each |
//! | `poke read\|write\|execute ADDRESS` | one access, without a handler: 139 |
//! | `thread read\|write WORD SIZE` | the same from a thread, below its kernel stack, whose top is in the library's `WORD`: 139 |
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
        ["thread", how, word, size] => Ok(thread(how, word, size)),
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
            eprintln!(
                "attack: {words:?} is no command; there are all, poke, thread, bus, exhaust, where"
            );
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

fn number(text: &str) -> Option<u64> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    u64::from_str_radix(digits, 16).ok()
}

/// Attacks the guard page below the kernel stack of a thread: the running one's is what the library notes
/// at address `word`, and `size` bytes large, less what lies at its end.
fn thread(how: &str, word: &str, size: &str) -> ExitCode {
    let (Some(word), Some(size), Some(attack)) = (number(word), number(size), attempt::access(how))
    else {
        eprintln!("attack: thread read|write WORD SIZE");
        return ExitCode::from(2);
    };
    let thread = std::thread::spawn(move || {
        // SAFETY: the caller says that a word of the library's is there, which anybody may read.
        let top = unsafe { (word as *const u64).read_volatile() };
        let start = (top - size + 2048) & !0xfff;
        // SAFETY: that is the lowest page of the stack, by the layout of the library's slabs.
        unsafe { (start as *const u64).read_volatile() };
        println!("the stack is there");
        attempt::unguard();
        attack(start - 8);
    });
    let _ = thread.join();
    println!("still alive");
    ExitCode::SUCCESS
}

fn poke(how: &str, address: &str) -> ExitCode {
    let (Some(address), Some(attack)) = (number(address), attempt::access(how)) else {
        eprintln!("attack: poke read|write|execute ADDRESS");
        return ExitCode::from(2);
    };
    println!("{how}");
    attempt::unguard();
    attack(address);
    println!("still alive");
    ExitCode::SUCCESS
}
