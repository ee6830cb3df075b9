//! What a process learns about itself and its machine. What differs from machine to machine is
//! printed as a sound `true`.

mod capabilities;
mod credentials;
mod limits;
mod machine;
mod relatives;

use lintel as _;

use std::env;
use std::io;
use std::process;
use std::thread;
use test_support::{call, report, run_sections};

fn main() -> io::Result<()> {
    run_sections(&[
        ("process", process_ids),
        ("users", users),
        ("machine", machine::run),
        ("limits", limits::run),
        ("random", machine::random),
        ("odd", odd_calls),
        ("relatives", relatives::run),
        ("name", capabilities::name),
        ("ids", credentials::ids),
        ("groups", credentials::groups),
        ("capabilities", capabilities::run),
        ("drop", credentials::give_up),
    ])
}

fn process_ids() -> io::Result<()> {
    let pid = call(libc::SYS_getpid, &[])?;
    println!("getpid {}", pid > 0 && pid == i64::from(process::id()));
    println!(
        "gettid of the first thread {}",
        call(libc::SYS_gettid, &[])? == pid
    );
    println!("getppid {}", call(libc::SYS_getppid, &[])? >= 0);
    println!(
        "a process may look at itself {}",
        call(libc::SYS_kill, &[pid as u64, 0]).is_ok()
    );
    println!("processors {}", thread::available_parallelism()?.get() >= 1);
    println!("working directory {}", env::current_dir()?.is_absolute());
    println!(
        "a name {}",
        env::args_os().next().is_some_and(|name| !name.is_empty())
    );
    Ok(())
}

/// Who runs this is the host's affair, but the answers must fit together.
fn users() -> io::Result<()> {
    let mut user = [u32::MAX; 3];
    let mut group = [u32::MAX; 3];
    let all = |ids: &mut [u32; 3]| [0, 1, 2].map(|index| &raw mut ids[index] as u64);
    report("getresuid", call(libc::SYS_getresuid, &all(&mut user)));
    report("getresgid", call(libc::SYS_getresgid, &all(&mut group)));
    println!(
        "getuid {}",
        call(libc::SYS_getuid, &[])? == i64::from(user[0])
    );
    println!(
        "geteuid {}",
        call(libc::SYS_geteuid, &[])? == i64::from(user[1])
    );
    println!(
        "getgid {}",
        call(libc::SYS_getgid, &[])? == i64::from(group[0])
    );
    println!(
        "getegid {}",
        call(libc::SYS_getegid, &[])? == i64::from(group[1])
    );
    let count = call(libc::SYS_getgroups, &[0, 0])?;
    println!("getgroups {}", (0..=65536).contains(&count));
    Ok(())
}

fn odd_calls() -> io::Result<()> {
    const NO_SUCH_CODE: u64 = 0x7777;
    report("unknown call 511", call(511, &[1, 2, 3, 4, 5, 6]));
    report("unknown call 9999", call(9999, &[]));
    report("unknown call -1", call(-1, &[]));
    report("arch_prctl", call(libc::SYS_arch_prctl, &[NO_SUCH_CODE, 0]));
    let mut base = 0_u64;
    call(libc::SYS_arch_prctl, &[0x1003, &raw mut base as u64])?;
    println!("fs leads to itself {}", base == thread_pointer());
    report("sched_yield", call(libc::SYS_sched_yield, &[]));
    Ok(())
}

/// The word at `fs:0`, which by the ABI holds the address of itself.
fn thread_pointer() -> u64 {
    let pointer: u64;
    // SAFETY: the ABI for thread-local storage puts the word there.
    unsafe { std::arch::asm!("mov {}, fs:0", out(reg) pointer, options(nostack, readonly)) };
    pointer
}
