use crate::handler::{bit, blocking, install, note, notes, queue as send};
use libc::{SIGUSR1, c_int, c_void, siginfo_t};
use std::io;
use test_support::{call, checked, report};

extern "C" fn telling(_: c_int, info: *mut siginfo_t, _: *mut c_void) {
    // SAFETY: the kernel filled it, and signals with these codes have a sender.
    let (signal, code, pid, uid) = unsafe {
        let info = &*info;
        (info.si_signo, info.si_code, info.si_pid(), info.si_uid())
    };
    // SAFETY: they have no arguments.
    let (own_pid, own_uid) = unsafe { (libc::getpid(), libc::getuid()) };
    note(signal);
    note(code);
    note((pid == own_pid) as i32);
    note((uid == own_uid) as i32);
}

extern "C" fn valued(signal: c_int, info: *mut siginfo_t, _: *mut c_void) {
    note(signal);
    // SAFETY: the kernel filled it, and the signal has a value.
    note(unsafe { (*info).si_value().sival_ptr } as usize as i32);
}

/// A siginfo with a code, and something in its last word.
fn made_up_with(code: u64, pid: u64) -> [u64; 16] {
    let mut info = [0; 16];
    (info[1], info[2], info[15]) = (code, pid, 1);
    std::hint::black_box(info)
}

pub fn info() -> io::Result<()> {
    install(SIGUSR1, telling, 0, &[]);
    // SAFETY: they have no arguments.
    let (pid, tid) = unsafe { (libc::getpid() as u64, libc::gettid() as u64) };
    let signal = SIGUSR1 as u64;
    call(libc::SYS_kill, &[pid, signal])?;
    println!("kill: {:?}", notes());
    call(libc::SYS_tkill, &[tid, signal])?;
    println!("tkill: {:?}", notes());
    call(libc::SYS_tgkill, &[pid, tid, signal])?;
    println!("tgkill: {:?}", notes());
    checked(send(SIGUSR1, 0x1234))?;
    println!("sigqueue: {:?}", notes());
    let mut made_up = made_up_with(5, pid);
    made_up[15] = 0;
    let args = [pid, signal, made_up.as_ptr() as u64];
    report("a positive code", call(libc::SYS_rt_sigqueueinfo, &args));
    println!("rt_sigqueueinfo: {:?}", notes());
    let unknown = made_up_with(77, pid);
    let args = [pid, signal, unknown.as_ptr() as u64];
    report("what is not known", call(libc::SYS_rt_sigqueueinfo, &args));
    let known = made_up_with(0xffff_ffff, pid);
    let args = [pid, tid, signal, known.as_ptr() as u64];
    report("what is known", call(libc::SYS_rt_tgsigqueueinfo, &args));
    println!("rt_tgsigqueueinfo: {:?}", notes());
    Ok(())
}

pub fn queue() -> io::Result<()> {
    for signal in [SIGUSR1, 34, 35, 36] {
        install(signal, valued, 0, &[34, 35, 36]);
    }
    blocking(!0, || {
        for (signal, value) in [
            (36, 1),
            (34, 2),
            (36, 3),
            (SIGUSR1, 4),
            (35, 5),
            (SIGUSR1, 6),
        ] {
            report(format_args!("queue {signal}"), checked(send(signal, value)));
        }
    });
    println!("numbers, then order: {:?}", notes());
    blocking(bit(40), || {
        let mut limit = libc::rlimit {
            rlim_cur: 0,
            rlim_max: 0,
        };
        // SAFETY: it is a whole rlimit.
        let of =
            |limit: &mut libc::rlimit| unsafe { libc::getrlimit(libc::RLIMIT_SIGPENDING, limit) };
        of(&mut limit);
        let old = limit;
        limit.rlim_cur = 100;
        // SAFETY: as above.
        let set = |limit| checked(unsafe { libc::setrlimit(libc::RLIMIT_SIGPENDING, limit) });
        report("limit", set(&limit));
        let queued = (0..1000).take_while(|&value| send(40, value) == 0).count();
        // Other processes of the user count natively.
        println!("queued some: {}", (1..=100).contains(&queued));
        report("one more", checked(send(40, 1)));
        // SAFETY: to oneself.
        report(
            "kill all the same",
            checked(unsafe { libc::kill(libc::getpid(), 40) }),
        );
        report("limit back", set(&old));
        let taken = std::iter::from_fn(|| crate::waits::take(bit(40))).count();
        println!("taken: {}", taken == queued || taken == queued + 1);
    });
    Ok(())
}
