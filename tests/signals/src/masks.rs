use crate::handler::{bit, blocking, install, note, notes, noting, raise};
use libc::{SIGHUP, SIGTERM, SIGUSR1, SIGUSR2, c_int, c_void, siginfo_t};
use std::io;

extern "C" fn raising(signal: c_int, _: *mut siginfo_t, _: *mut c_void) {
    note(signal);
    raise(SIGUSR2);
    raise(SIGTERM);
    note(-signal);
}

pub fn nesting() -> io::Result<()> {
    for signal in [SIGHUP, SIGUSR1, SIGUSR2, SIGTERM, 40, 41] {
        install(signal, noting, 0, &[]);
    }
    blocking(!0, || {
        [41, SIGTERM, SIGUSR1, 40, SIGHUP, 41]
            .into_iter()
            .for_each(raise)
    });
    println!("all at once: {:?}", notes());
    for signal in [SIGHUP, SIGUSR1, SIGTERM] {
        install(signal, noting, 0, &[SIGHUP, SIGUSR1, SIGTERM]);
    }
    blocking(!0, || {
        [SIGTERM, SIGUSR1, SIGHUP].into_iter().for_each(raise)
    });
    println!("one after the other: {:?}", notes());
    install(SIGUSR1, raising, 0, &[SIGUSR2]);
    raise(SIGUSR1);
    println!("raised in a handler that blocks one: {:?}", notes());
    install(SIGUSR1, again, libc::SA_NODEFER, &[]);
    raise(SIGUSR1);
    println!("into itself: {:?}", notes());
    install(SIGUSR1, again, 0, &[]);
    raise(SIGUSR1);
    println!("behind itself: {:?}", notes());
    Ok(())
}

extern "C" fn again(signal: c_int, _: *mut siginfo_t, _: *mut c_void) {
    static DEPTH: std::sync::atomic::AtomicI32 = std::sync::atomic::AtomicI32::new(0);
    let depth = DEPTH.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    note(depth);
    if depth % 4 != 3 {
        raise(signal);
    }
    note(-depth);
}

pub fn masks() -> io::Result<()> {
    let now = || crate::handler::mask(libc::SIG_BLOCK, 0);
    crate::handler::mask(libc::SIG_SETMASK, !0);
    println!("all: {:#x}", now());
    crate::handler::mask(libc::SIG_UNBLOCK, 0xff);
    println!("less: {:#x}", now());
    crate::handler::mask(libc::SIG_SETMASK, 0);
    println!("none: {:#x}", now());
    Ok(())
}

fn pending_now() -> u64 {
    let mut set = 0u64;
    // SAFETY: the kernel's set is eight bytes.
    unsafe { libc::syscall(libc::SYS_rt_sigpending, &raw mut set, 8usize) };
    set
}

pub fn pending() -> io::Result<()> {
    install(SIGUSR1, noting, 0, &[]);
    install(50, noting, 0, &[]);
    blocking(bit(SIGUSR1) | bit(50) | bit(17), || {
        [SIGUSR1, 50, 17].into_iter().for_each(raise);
        println!("pending: {:#x}", pending_now());
        // SAFETY: to oneself, blocked.
        unsafe { libc::kill(libc::getpid(), libc::SIGCHLD) };
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let told = ["SigPnd", "ShdPnd", "SigBlk"];
        let is_told = |line: &&str| told.iter().any(|name| line.starts_with(name));
        status
            .lines()
            .filter(is_told)
            .for_each(|line| println!("{line}"));
        crate::handler::mask(libc::SIG_UNBLOCK, bit(50));
        println!("less: {:#x}, {:?}", pending_now(), notes());
    });
    println!("none: {:#x}, {:?}", pending_now(), notes());
    blocking(!0, || {
        raise(libc::SIGTSTP);
        raise(libc::SIGCONT);
        println!("continue takes stop away: {:#x}", pending_now());
        raise(libc::SIGTTIN);
        println!("stop takes continue away: {:#x}", pending_now());
        raise(libc::SIGCONT);
    });
    Ok(())
}
