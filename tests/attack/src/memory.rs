//! Attacks on memory.

use crate::attempt::{attempt, execute, read, write};
use libc::{
    MAP_ANONYMOUS, MAP_PRIVATE, PROT_EXEC, PROT_NONE, PROT_READ, PROT_WRITE, SIGSEGV, c_int,
};
use std::hint::black_box;
use std::io::{self, Write};
use std::os::fd::AsRawFd;

const PAGE: usize = 4096;
const SEGV: &[c_int] = &[SIGSEGV];
/// `ret`, in memory of every kind: where it can be executed, nothing happens.
const CODE: u8 = 0xc3;

static CONSTANT: [u8; 64] = [CODE; 64];
static mut DATA: [u8; 64] = [CODE; 64];

/// Maps anonymous memory.
fn map(len: usize, protection: c_int) -> u64 {
    // SAFETY: new memory, where nothing was.
    let at = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            len,
            protection,
            MAP_PRIVATE | MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    assert_ne!(at, libc::MAP_FAILED);
    at as u64
}

/// Memory that begins with code.
fn code(len: usize) -> u64 {
    let at = map(len, PROT_READ | PROT_WRITE);
    // SAFETY: it has just been mapped writable.
    unsafe { (at as *mut u8).write(CODE) };
    at
}

/// The lowest address of this thread's stack, its guard page excluded.
fn stack_end() -> u64 {
    let (mut start, mut size) = (std::ptr::null_mut(), 0);
    // SAFETY: the attributes are initialised by the first call, and out parameters are ours.
    unsafe {
        let mut attributes = std::mem::zeroed();
        assert_eq!(
            libc::pthread_getattr_np(libc::pthread_self(), &mut attributes),
            0
        );
        libc::pthread_attr_getstack(&attributes, &mut start, &mut size);
        libc::pthread_attr_destroy(&mut attributes);
    }
    start as u64
}

/// All of them; how many were not stopped.
pub fn all() -> u32 {
    text() + data() + nowhere() + stacks()
}

fn text() -> u32 {
    let text = text as *const () as u64;
    let constant = CONSTANT.as_ptr() as u64;
    attempt("write the program's text", SEGV, write, text)
        + attempt("write a constant", SEGV, write, constant)
        + attempt("execute a constant", SEGV, execute, constant)
}

fn data() -> u32 {
    let on_stack = black_box([CODE; 64]);
    let on_heap = Box::new(black_box([CODE; 64]));
    let small = code(PAGE);
    let large = code(4 << 20);
    let readable = map(PAGE, PROT_READ);
    let changed = code(PAGE);
    // SAFETY: the page is ours; it may be executed, and then no more.
    unsafe {
        libc::mprotect(changed as *mut _, PAGE, PROT_READ | PROT_EXEC);
        libc::mprotect(changed as *mut _, PAGE, PROT_READ | PROT_WRITE);
    }
    attempt("execute data", SEGV, execute, &raw const DATA as u64)
        + attempt("execute the stack", SEGV, execute, on_stack.as_ptr() as u64)
        + attempt("execute the heap", SEGV, execute, on_heap.as_ptr() as u64)
        + attempt("execute a small mapping", SEGV, execute, small)
        + attempt("execute a large mapping", SEGV, execute, large)
        + attempt("write a mapping for reading", SEGV, write, readable)
        + attempt("execute what was executable", SEGV, execute, changed)
}

fn nowhere() -> u32 {
    let none = map(PAGE, PROT_NONE);
    let gone = map(8 << 20, PROT_READ | PROT_WRITE);
    write(gone);
    // SAFETY: ours, and not used any more but by the attack.
    unsafe { libc::munmap(gone as *mut _, 8 << 20) };
    let kernel = 0xffff_8000_0000_0000;
    let wild = 0x4141_4141_4141_4141;
    attempt("read address 0", SEGV, read, 0)
        + attempt("write address 0", SEGV, write, 0)
        + attempt("execute address 0", SEGV, execute, 0)
        + attempt("read the end of page 0", SEGV, read, 0xfff)
        + attempt("read what permits nothing", SEGV, read, none)
        + attempt("read a large mapping that is gone", SEGV, read, gone)
        + attempt("read the upper half", SEGV, read, kernel)
        + attempt("write the upper half", SEGV, write, kernel)
        + attempt("execute the upper half", SEGV, execute, kernel)
        + attempt("read a wild pointer", SEGV, read, wild)
        + attempt("execute a wild pointer", SEGV, execute, wild)
}

fn stacks() -> u32 {
    let main = attempt(
        "write below the main stack",
        SEGV,
        write,
        stack_end() - (1 << 20),
    );
    let thread = std::thread::spawn(|| {
        let guard = stack_end() - 8;
        attempt("write below a thread's stack", SEGV, write, guard)
            + attempt("read below a thread's stack", SEGV, read, guard)
    });
    main + thread.join().unwrap_or(1)
}

/// Touches a page behind the end of a file.
///
/// # Errors
/// When there can be no file.
pub fn bus() -> io::Result<()> {
    // SAFETY: a name that ends with NUL, and no flags; what is mapped is not referred to.
    let at = unsafe {
        let fd = libc::memfd_create(c"short".as_ptr(), 0);
        let mut file = <std::fs::File as std::os::fd::FromRawFd>::from_raw_fd(fd);
        file.write_all(b"one page at most")?;
        libc::mmap(
            std::ptr::null_mut(),
            2 * PAGE,
            PROT_READ,
            libc::MAP_SHARED,
            file.as_raw_fd(),
            0,
        )
    };
    println!("the first page");
    read(at as u64);
    crate::attempt::unguard();
    println!("the second");
    read(at as u64 + PAGE as u64);
    println!("still alive");
    Ok(())
}

/// Touches more memory than there is, page after page.
pub fn exhaust() {
    const LEN: u64 = 64 << 30;
    // SAFETY: new memory, where nothing was.
    let start = unsafe {
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | libc::MAP_NORESERVE;
        libc::mmap(
            std::ptr::null_mut(),
            LEN as usize,
            PROT_READ | PROT_WRITE,
            flags,
            -1,
            0,
        )
    };
    println!("reserved: {}", start != libc::MAP_FAILED);
    (0..LEN)
        .step_by(PAGE)
        .for_each(|at| write(start as u64 + at));
    println!("still alive");
}

/// Prints where things are. Not the same in two runs, unless that was asked for.
pub fn places() {
    let here = 0_u8;
    // SAFETY: AT_RANDOM is the address of 16 bytes (getauxval(3)).
    let random = unsafe { *(libc::getauxval(libc::AT_RANDOM) as *const [u8; 16]) };
    // SAFETY: asks where the break is.
    let end = unsafe { libc::sbrk(0) };
    println!("stack {:p}", &raw const here);
    println!("small {:#x}", map(PAGE, PROT_READ | PROT_WRITE));
    println!("large {:#x}", map(64 << 20, PROT_READ | PROT_WRITE));
    println!("break {end:p}");
    println!("random {:#x}", u128::from_ne_bytes(random));
}
