//! Ends by signals.

use crate::handler::{dispose, install, note, raise};
use libc::{SIG_DFL, SIG_IGN, SIGSEGV, SIGUSR1, c_int, c_void, siginfo_t};
use std::io;

extern "C" fn faulting(_: c_int, _: *mut siginfo_t, _: *mut c_void) {
    println!("in the handler");
    fault();
}

extern "C" fn raising(_: c_int, _: *mut siginfo_t, _: *mut c_void) {
    note(1);
}

fn fault() {
    // SAFETY: that it faults is the point.
    unsafe { std::ptr::dangling::<u8>().wrapping_add(7).read_volatile() };
}

/// Where nothing is mapped.
const NOWHERE: u64 = 0x6000_0000_0000;

/// A stack pointer that leads nowhere, then a signal with a handler.
fn without_stack() {
    install(SIGUSR1, raising, 0, &[]);
    // SAFETY: nothing comes back.
    unsafe {
        std::arch::asm!(
            "mov rsp, {stack}",
            "syscall",
            "ud2",
            stack = in(reg) NOWHERE,
            in("rax") libc::SYS_tgkill,
            in("rdi") libc::getpid(),
            in("rsi") libc::gettid(),
            in("rdx") SIGUSR1,
            options(noreturn)
        );
    }
}

/// rt_sigreturn without a frame.
fn without_frame() {
    // SAFETY: nothing comes back.
    unsafe {
        std::arch::asm!("mov rsp, {stack}", "syscall", "ud2", stack = in(reg) NOWHERE, in("rax") libc::SYS_rt_sigreturn, options(noreturn));
    }
}

/// Unmaps the stack on which it runs, by a call site that was used `before`: it may have been rewritten.
fn unmap_stack(before: bool) {
    let (mut start, mut size) = (std::ptr::null_mut(), 0);
    // SAFETY: the first call initialises the attributes.
    unsafe {
        let mut attributes = std::mem::zeroed();
        libc::pthread_getattr_np(libc::pthread_self(), &mut attributes);
        libc::pthread_attr_getstack(&attributes, &mut start, &mut size);
    }
    // SAFETY: nothing comes back: there is no stack. The first call fails, since its length is 0.
    unsafe {
        std::arch::asm!(
            "2:",
            "mov eax, {unmap}",
            "syscall",
            "mov rsi, {size}",
            "sub {rounds:e}, 1",
            "jns 2b",
            "push rax",
            "ud2",
            unmap = const libc::SYS_munmap,
            size = in(reg) size,
            rounds = inout(reg) u32::from(before) => _,
            in("rdi") start,
            inlateout("rsi") if before { 0 } else { size } => _,
            out("rax") _, out("rcx") _, out("r11") _,
        );
    }
}

/// A thread that sleeps in a call, on a stack that it does not have any more when a signal ends that.
fn unmap_under_call(signal: i32, handled: bool) {
    if handled {
        install(signal, faulting, 0, &[]);
    } else {
        dispose(signal, SIG_DFL);
    }
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let (mut start, mut size) = (std::ptr::null_mut(), 0);
        // SAFETY: the first call initialises the attributes; the pause has no preconditions.
        unsafe {
            let mut attributes = std::mem::zeroed();
            libc::pthread_getattr_np(libc::pthread_self(), &mut attributes);
            libc::pthread_attr_getstack(&attributes, &mut start, &mut size);
            let _ = tell.send((start as usize, size, libc::gettid()));
            libc::pause();
        }
    });
    let Ok((start, size, tid)) = told.recv() else {
        return;
    };
    std::thread::sleep(std::time::Duration::from_millis(50));
    // SAFETY: nothing good, which is the point: the thread will end the program.
    unsafe {
        libc::munmap(start as *mut _, size);
        libc::syscall(libc::SYS_tgkill, libc::getpid(), tid, signal);
    }
    std::thread::sleep(std::time::Duration::from_secs(5));
}

/// Recurses until the stack is used up.
fn deeper(n: u64) -> u64 {
    let room = std::hint::black_box([n; 64]);
    if n == u64::MAX {
        0
    } else {
        deeper(n + 1) + room[0]
    }
}

pub fn die(how: &str) -> io::Result<()> {
    println!("{how}");
    if how == "thread-stack" {
        let thread = std::thread::Builder::new().name("deep".to_owned());
        let _ = thread.spawn(|| deeper(0))?.join();
    }
    // Not the standard library's handler.
    dispose(SIGSEGV, SIG_DFL);
    if let Some(how) = how.strip_prefix("unmapped-stack") {
        if how.contains("-handled") {
            install(SIGSEGV, faulting, 0, &[]);
        }
        let again = how.contains("-again");
        let _ = std::thread::spawn(move || unmap_stack(again)).join();
    }
    match how {
        "pausing" => unmap_under_call(SIGUSR1, true),
        "pausing-killed" => unmap_under_call(libc::SIGTERM, false),
        "blocked" => {
            install(SIGSEGV, faulting, 0, &[]);
            crate::handler::mask(libc::SIG_BLOCK, crate::handler::bit(SIGSEGV));
            fault();
        }
        "ignored" => {
            dispose(SIGSEGV, SIG_IGN);
            fault();
        }
        "in-handler" => {
            install(SIGSEGV, faulting, 0, &[]);
            fault();
        }
        "no-stack" => without_stack(),
        "no-frame" => without_frame(),
        number => {
            let number = number.parse().unwrap_or(SIGUSR1);
            dispose(number, SIG_DFL);
            raise(number);
        }
    }
    println!("alive");
    Ok(())
}
