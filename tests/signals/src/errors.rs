use std::io;
use test_support::{call, report};

pub fn errors() -> io::Result<()> {
    // SAFETY: they have no arguments.
    let (pid, tid) = unsafe { (libc::getpid() as u64, libc::gettid() as u64) };
    let nobody = 0x3fff_fff0u64;
    let minus = |n: i64| n as u64;
    let rows: [(&str, i64, &[u64]); 24] = [
        ("kill 0", libc::SYS_kill, &[pid, 0]),
        ("kill nobody", libc::SYS_kill, &[nobody, 0]),
        (
            "kill nobody with a wrong signal",
            libc::SYS_kill,
            &[nobody, 65],
        ),
        ("kill with a wrong signal", libc::SYS_kill, &[pid, 65]),
        (
            "kill with a negative signal",
            libc::SYS_kill,
            &[pid, minus(-1)],
        ),
        ("kill no group", libc::SYS_kill, &[minus(-0x3fff_fff0), 0]),
        (
            "kill the least",
            libc::SYS_kill,
            &[minus(i32::MIN.into()), 0],
        ),
        ("kill one's group", libc::SYS_kill, &[0, 0]),
        ("tkill 0", libc::SYS_tkill, &[tid, 0]),
        ("tkill wrong", libc::SYS_tkill, &[tid, 65]),
        ("tkill nobody", libc::SYS_tkill, &[nobody, 65]),
        ("tkill zero", libc::SYS_tkill, &[0, 0]),
        ("tgkill 0", libc::SYS_tgkill, &[pid, tid, 0]),
        ("tgkill wrong", libc::SYS_tgkill, &[pid, tid, 65]),
        ("tgkill nobody", libc::SYS_tgkill, &[pid, nobody, 0]),
        ("tgkill of another", libc::SYS_tgkill, &[nobody, tid, 0]),
        ("tgkill zero", libc::SYS_tgkill, &[pid, 0, 0]),
        ("tgkill minus", libc::SYS_tgkill, &[minus(-1), tid, 0]),
        ("queue nowhere", libc::SYS_rt_sigqueueinfo, &[pid, 10, 8]),
        (
            "tgqueue nowhere",
            libc::SYS_rt_tgsigqueueinfo,
            &[pid, tid, 10, 8],
        ),
        ("pending nowhere", libc::SYS_rt_sigpending, &[8, 8]),
        ("pending size", libc::SYS_rt_sigpending, &[8, 9]),
        ("restart nothing", libc::SYS_restart_syscall, &[]),
        ("suspend size", libc::SYS_rt_sigsuspend, &[8, 7]),
    ];
    for (name, number, args) in rows {
        report(name, call(number, args));
    }
    Ok(())
}
