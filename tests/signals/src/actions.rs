use crate::handler::{Handler, bit, blocking, dispose, install, note, notes, noting, raise};
use libc::{SIG_DFL, SIG_IGN, SIGCHLD, SIGUSR1, SIGUSR2, c_int, c_void, siginfo_t};
use std::io;
use test_support::{call, report};

/// The kernel's sigaction.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
struct Action {
    handler: usize,
    flags: u64,
    restorer: usize,
    mask: u64,
}

fn kept(new: Action) -> Action {
    let mut old = Action::default();
    let set = |new: u64, old: u64| call(libc::SYS_rt_sigaction, &[SIGUSR2 as u64, new, old, 8]);
    set(&raw const new as u64, 0).expect("set");
    set(0, &raw mut old as u64).expect("get");
    old
}

extern "C" fn mask_in_handler(_: c_int, _: *mut siginfo_t, _: *mut c_void) {
    note(crate::handler::mask(libc::SIG_BLOCK, 0) as i32);
}

pub fn actions() -> io::Result<()> {
    for flags in [
        0,
        1,
        4,
        0x400,
        0x800,
        0x1000,
        0x0200_0000,
        0xffff_ffff,
        1 << 40,
    ] {
        let kept = kept(Action {
            handler: 1,
            flags,
            restorer: 7,
            mask: !0,
        });
        println!(
            "flags {flags:#x} -> {:#x} mask {:#x}",
            kept.flags, kept.mask
        );
    }
    dispose(SIGUSR2, SIG_DFL);
    install(SIGUSR1, noting, libc::SA_RESETHAND, &[]);
    raise(SIGUSR1);
    dispose(SIGCHLD, SIG_DFL);
    raise(SIGCHLD);
    println!("once: {:?}", notes());
    let mut now = Action::default();
    call(
        libc::SYS_rt_sigaction,
        &[SIGUSR1 as u64, 0, &raw mut now as u64, 8],
    )?;
    println!(
        "then the default: {}, flags {:#x}",
        now.handler == 0,
        now.flags
    );
    dispose(SIGUSR1, SIG_IGN);
    raise(SIGUSR1);
    let rows: [(&str, c_int, &[c_int]); 4] = [
        ("plain", 0, &[]),
        ("NODEFER", libc::SA_NODEFER, &[]),
        ("mask", 0, &[SIGUSR2, libc::SIGINT]),
        ("NODEFER and mask", libc::SA_NODEFER, &[SIGUSR1, SIGUSR2]),
    ];
    for (name, flags, mask) in rows {
        install(SIGUSR1, mask_in_handler as Handler, flags, mask);
        raise(SIGUSR1);
        println!("{name}: mask in the handler {:x?}", notes());
    }
    println!(
        "mask afterwards: {:#x}",
        crate::handler::mask(libc::SIG_BLOCK, 0)
    );
    blocking(bit(SIGUSR1), || {
        raise(SIGUSR1);
        dispose(SIGUSR1, SIG_IGN);
        install(SIGUSR1, noting, 0, &[]);
    });
    println!("ignored while pending: {:?}", notes());
    for signal in [libc::SIGKILL, libc::SIGSTOP, 0, 65, -1] {
        let new = Action::default();
        let args = [signal as u64, &raw const new as u64, 0, 8];
        report(
            format_args!("sigaction {signal}"),
            call(libc::SYS_rt_sigaction, &args),
        );
        let mut old = Action::default();
        let args = [signal as u64, 0, &raw mut old as u64, 8];
        report(
            format_args!("sigaction {signal}, asked"),
            call(libc::SYS_rt_sigaction, &args),
        );
    }
    Ok(())
}
