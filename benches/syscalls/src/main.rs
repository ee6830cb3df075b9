//! # What system calls cost, in either life
//!
//! One ordinary Linux program with a row for each system call: set up, warm up, measure, check the
//! results, clean up. The same ELF runs as a Linux process and as a virtual machine, so the two
//! figures of a row are figures of the same instructions.
//!
//! ```text
//! cargo lintel run syscall-bench --native --root benches/syscalls/root
//! cargo lintel run syscall-bench --root benches/syscalls/root
//! cargo lintel run syscall-bench --root benches/syscalls/root -- --quick --only getpid,stat_1
//! ```
//!
//! ## Files
//!
//! The rows use files of the working directory; `benches/syscalls/root` has them all. What is not
//! there is made, where that is possible, and removed after the row:
//!
//! | name | what it is |
//! |---|---|
//! | `f` | 4096 bytes |
//! | `a/b/c` | an empty file behind two directories |
//! | `link` | a symbolic link to `f` |
//! | `d` | a directory with 16 empty files |
//! | `exit` | a program of 129 bytes, which does `exit_group(0)` |
//!
//! The rows `stat_10` and `stat_100k` make a directory of their own in `/dev/shm`, `/tmp` or the
//! working directory, and remove it. Where none can be written to they fail with the error of mkdir.
//!
//! ## Output
//!
//! One line a row, fields separated by tabs, `-` where there is nothing to say; `--json` prints the
//! same as one object a line.
//!
//! | invocation | fields |
//! |---|---|
//! | (default) | name, median ns, least ns, greatest ns, iterations a round, pace, status |
//! | `--count ROWS N` | name, TSC ticks of all iterations, iterations, status |
//! | `--iterations N` | name, status: marks where the row ends, and nothing else is printed |
//! | `--list` | name, what is measured |
//!
//! The status is one of
//!
//! - `ok`: every single call of every round gave the result it must give;
//! - `missing CALL ENOSYS`: the kernel does not have this call, be it the measured one or one that
//!   the row needs to set up;
//! - `failed ERROR CALL`: the call failed with this error, or, as `RESULT=N`, gave a wrong result.
//!
//! A row that is not `ok` has no figures: a call that fails is never fast. The exit code is 0, or 1
//! if a row failed (a missing call is no failure), or 2 for a mistake on the command line.
//!
//! ## How a row is measured
//!
//! A round is as many iterations as take about 2 ms (`--quick`: 0.5 ms), found by trying; then two
//! rounds to warm up and 15 that count. Before and after each a loop of known speed is timed; if it
//! is slow, something else slows the CPU down, and the round is repeated, up to 45 rounds in all, of
//! which the 15 least disturbed count. The slowest such sample beside a round that counts is the
//! *pace* of the row: whoever runs the program several times sees by it which runs were disturbed
//! throughout. A figure is the time of a round by `CLOCK_MONOTONIC`
//! divided by its iterations. An iteration is one pass of a loop of the form
//!
//! ```text
//! again: mov   edi, …          the arguments
//!        mov   eax, number
//!        syscall               a site of the row's own, as in any static program
//!        cmp   rax, …          the check of the result
//!        jne   failed
//!        dec   rbx
//!        jne   again
//! ```
//!
//! so a figure includes four instructions of loop and check, at most one more for each argument, and
//! for a call with two halves (`dup_close`) the check between them. The row `empty_loop` is the
//! loop's two instructions alone. The system calls are `asm!` with side effects and memory operands unknown to the
//! compiler, so none can be left out or moved; results of functions go through `black_box`.
//!
//! `--count ROWS N` runs exactly N iterations, with the TSC read before and after and nothing in
//! between. Under QEMU with `-icount shift=0,sleep=off` a tick is an instruction, and
//! (ticks(2N) - ticks(N)) / N is the number of instructions an iteration, without the first
//! execution of each site. The third field is the number of iterations to divide by: a row that
//! works in batches (`mmap_fault`: 4096 pages) rounds N up to whole batches. A row that sleeps has only
//! a name and a status there: the counter goes on while nothing runs. `--iterations N` runs N
//! iterations of every row and never looks at a clock; it is for counting from outside.
//!
//! The process binds itself to the CPU it starts on, if the kernel lets it: the machine of the
//! second life has one CPU, and rows with two threads or processes compare only like this.

mod args;
mod calm;
mod errno;
mod fixture;
mod meter;
mod report;
mod rows;
mod sys;

// Unit tests are ordinary programs of the host.
#[cfg(not(test))]
use lintel as _;

use args::Request;
use meter::Meter;
use report::Format;
use rows::Row;
use std::env;
use std::io::{self, Write};
use std::process::ExitCode;

const ROW_FAILED: u8 = 1;
const USAGE_ERROR: u8 = 2;

fn main() -> ExitCode {
    let request = match args::parse(env::args().skip(1)) {
        Ok(request) => request,
        Err(message) => {
            eprintln!("syscalls: {message}; try --help");
            return ExitCode::from(USAGE_ERROR);
        }
    };
    let outcome = match request {
        Request::Help => print(args::USAGE),
        Request::List => rows::all().try_for_each(list),
        Request::Run { rows, mode, format } => {
            stay_on_one_cpu();
            return run(&rows, Meter::new(mode), format);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => output_failed(&error),
    }
}

/// Measures the rows one after the other; a line is printed as soon as its row is done.
fn run(rows: &[&Row], mut meter: Meter, format: Format) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    for row in rows {
        let outcome = meter.row(row);
        if outcome.as_ref().is_err_and(|stop| !stop.is_missing()) {
            code = ExitCode::from(ROW_FAILED);
        }
        if let Err(error) = print(&report::line(row.name, &outcome, &meter, format)) {
            return output_failed(&error);
        }
    }
    code
}

fn list(row: &Row) -> io::Result<()> {
    print(&format!("{}\t{}\n", row.name, row.about))
}

fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

fn output_failed(error: &io::Error) -> ExitCode {
    eprintln!("syscalls: standard output: {error}");
    ExitCode::from(ROW_FAILED)
}

/// Binds the process, and so all its threads and children, to the CPU it is on. Where the kernel
/// cannot do that there is nothing to bind to.
fn stay_on_one_cpu() {
    // SAFETY: `sched_getcpu` has no arguments; a `cpu_set_t` is an array of integers, for which 0
    // is a value.
    let (cpu, mut set) = unsafe { (libc::sched_getcpu(), std::mem::zeroed::<libc::cpu_set_t>()) };
    let Ok(cpu) = usize::try_from(cpu) else {
        return;
    };
    // SAFETY: `CPU_SET` checks the number against the set's size, and the set outlives the call,
    // which reads as many bytes of it as it is told.
    unsafe {
        libc::CPU_SET(cpu, &mut set);
        libc::sched_setaffinity(0, size_of_val(&set), &raw const set);
    }
}
