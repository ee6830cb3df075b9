use crate::handler::{install, note, notes, raise};
use libc::{SA_ONSTACK, SIGUSR1, SIGUSR2, SS_DISABLE, c_int, c_void, siginfo_t, stack_t};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use test_support::{call, report};

const AUTODISARM: c_int = c_int::MIN;
const SIZE: usize = 64 << 10;

fn set(sp: usize, flags: c_int, size: usize) -> io::Result<i64> {
    let new = stack_t {
        ss_sp: sp as *mut c_void,
        ss_flags: flags,
        ss_size: size,
    };
    call(libc::SYS_sigaltstack, &[&raw const new as u64, 0])
}

fn now() -> (usize, c_int, usize) {
    let mut old = stack_t {
        ss_sp: std::ptr::null_mut(),
        ss_flags: 0,
        ss_size: 0,
    };
    call(libc::SYS_sigaltstack, &[0, &raw mut old as u64]).expect("asked");
    (old.ss_sp as usize, old.ss_flags, old.ss_size)
}

static BASE: AtomicUsize = AtomicUsize::new(0);

fn inside() -> bool {
    let here = 0u8;
    let base = BASE.load(SeqCst);
    (base..base + SIZE).contains(&(&raw const here as usize))
}

/// Notes whether it is on the alternate stack, what that is said to be, and whether it can be
/// changed.
extern "C" fn looking(signal: c_int, _: *mut siginfo_t, _: *mut c_void) {
    note(signal);
    note(inside() as c_int);
    note(now().1);
    let changed = set(BASE.load(SeqCst), 0, SIZE - 4096);
    note(changed.map_or_else(|error| error.raw_os_error().unwrap_or(0), |_| 0));
    if signal == SIGUSR1 {
        raise(SIGUSR2);
        note(inside() as c_int);
    }
}

pub fn altstack() -> io::Result<()> {
    let before = now();
    let memory = vec![0u8; SIZE];
    let base = memory.as_ptr() as usize;
    BASE.store(base, SeqCst);
    report("disabled", set(0, SS_DISABLE, 0));
    println!("now: {:?}", now());
    report("too small", set(base, 0, 2047));
    report("unknown mode", set(base, 4, SIZE));
    report("mode 1", set(base, 1, SIZE));
    println!("flags: {}", now().1);
    report("small", set(base, 0, 2048));
    report("set", set(base, 0, SIZE));
    println!("now: {:?}", (now().0 == base, now().1, now().2 == SIZE));
    for (name, first, second) in [
        ("none", 0, 0),
        ("both", SA_ONSTACK, SA_ONSTACK),
        ("one", SA_ONSTACK, 0),
    ] {
        install(SIGUSR1, looking, first, &[]);
        install(SIGUSR2, looking, second, &[]);
        report("set", set(base, 0, SIZE));
        raise(SIGUSR1);
        println!("{name}: {:?}, size afterwards {}", notes(), now().2);
    }
    report("autodisarm", set(base, AUTODISARM, SIZE));
    println!("now: {:?}", (now().0 == base, now().1, now().2 == SIZE));
    install(SIGUSR1, looking, SA_ONSTACK, &[]);
    install(SIGUSR2, looking, SA_ONSTACK, &[]);
    raise(SIGUSR1);
    println!("disarmed in the handler: {:?}", notes());
    println!("and back: {:?}", (now().0 == base, now().1, now().2));
    report("disabled", set(0, SS_DISABLE, 0));
    report("bad pointer", call(libc::SYS_sigaltstack, &[8, 0]));
    report("bad result", call(libc::SYS_sigaltstack, &[0, 8]));
    report("back", set(before.0, before.1, before.2));
    Ok(())
}
