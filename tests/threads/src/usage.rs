//! What is counted of a process and of its threads: getrusage(2), `/proc/self/status`, `/proc/stat`.

use std::io;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

/// Minor faults, voluntary and involuntary switches.
fn usage(who: i32) -> [i64; 3] {
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: there is room for the structure, of which all bytes are initialised.
    let usage = unsafe {
        assert_eq!(libc::getrusage(who, usage.as_mut_ptr()), 0);
        usage.assume_init()
    };
    [usage.ru_minflt, usage.ru_nvcsw, usage.ru_nivcsw]
}

fn field(path: &str, name: &str) -> io::Result<i64> {
    let text = std::fs::read_to_string(path)?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    Ok(line.and_then(|rest| rest.trim().parse().ok()).unwrap_or(-1))
}

const STATUS: &str = "/proc/thread-self/status";

/// Sleeps are waits, and belong to the thread that sleeps.
fn sleeps() -> io::Result<()> {
    let [_, all, _] = usage(libc::RUSAGE_SELF);
    let sleeping = || -> io::Result<(i64, i64, i64)> {
        let [_, before, _] = usage(libc::RUSAGE_THREAD);
        let shown = field(STATUS, "voluntary_ctxt_switches:")?;
        for _ in 0..20 {
            thread::sleep(Duration::from_micros(100));
        }
        let own = usage(libc::RUSAGE_THREAD)[1] - before;
        Ok((
            before,
            own,
            field(STATUS, "voluntary_ctxt_switches:")? - shown,
        ))
    };
    let (before, own, shown) = thread::spawn(sleeping).join().expect("it ends")?;
    println!("a new thread has waited seldom: {}", before < 10);
    println!("20 sleeps are as many waits: {}", (20..30).contains(&own));
    println!("status says so: {}", (20..30).contains(&shown));
    // The thread has ended: its waits are still the process's.
    let grown = usage(libc::RUSAGE_SELF)[1] - all;
    println!("the process keeps them: {}", (20..60).contains(&grown));
    Ok(())
}

/// Threads that yield to each other lose the CPU, and do not wait.
fn yields() {
    static STOP: AtomicBool = AtomicBool::new(false);
    // Both on one CPU, as in the machine.
    // SAFETY: the set is plain data, and 0 a value of it; the call reads it.
    unsafe {
        let mut set = MaybeUninit::<libc::cpu_set_t>::zeroed().assume_init();
        libc::CPU_SET(0, &mut set);
        libc::sched_setaffinity(0, size_of_val(&set), &set);
    }
    let other = thread::spawn(|| {
        while !STOP.load(Relaxed) {
            thread::yield_now();
        }
    });
    let before = usage(libc::RUSAGE_THREAD);
    for _ in 0..1000 {
        thread::yield_now();
    }
    let after = usage(libc::RUSAGE_THREAD);
    STOP.store(true, Relaxed);
    other.join().expect("it ends");
    println!("yielding loses the CPU: {}", after[2] - before[2] > 100);
    println!("and is no wait: {}", after[1] - before[1] < 10);
}

/// Memory that is touched for the first time is a fault, though not necessarily one a page.
fn faults() {
    const LEN: usize = 64 << 20;
    let before = usage(libc::RUSAGE_SELF);
    // SAFETY: a fresh mapping of our own, written to within its bounds.
    unsafe {
        let (access, kind) = (
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
        );
        let start = libc::mmap(std::ptr::null_mut(), LEN, access, kind, -1, 0);
        assert_ne!(start, libc::MAP_FAILED);
        for at in (0..LEN).step_by(16 << 20) {
            start.cast::<u8>().add(at).write_volatile(1);
        }
        libc::munmap(start, LEN);
    }
    let after = usage(libc::RUSAGE_SELF);
    println!("touching memory faults: {}", after[0] > before[0]);
}

/// All of it.
pub fn counts() -> io::Result<()> {
    let switches = field("/proc/stat", "ctxt ")?;
    sleeps()?;
    yields();
    faults();
    println!(
        "the machine counts: {}",
        field("/proc/stat", "ctxt ")? > switches + 100
    );
    Ok(())
}
