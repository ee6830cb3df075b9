//! Restartable sequences. The C library must not have registered one: `glibc.pthread.rseq=0`.

use std::io;
use std::mem::zeroed;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};
use test_support::{call, report};

/// `struct rseq`.
#[repr(C, align(32))]
struct Area {
    cpu_id_start: u32,
    cpu_id: u32,
    section: u64,
    flags: u32,
    node_id: u32,
    mm_cid: u32,
    _rest: u32,
}

/// What stands before the abort handler.
const SIGNATURE: u32 = 0x5305_3053;
const SIZE: u64 = 32;

impl Area {
    const fn new() -> Self {
        Self {
            cpu_id_start: 7,
            cpu_id: 7,
            section: 0,
            flags: 0,
            node_id: 7,
            mm_cid: 7,
            _rest: 0,
        }
    }

    fn rseq(&mut self, len: u64, flags: u64, signature: u32) -> io::Result<i64> {
        let args = [&raw mut *self as u64, len, flags, signature.into()];
        call(libc::SYS_rseq, &args)
    }
}

/// What each CPU has counted.
static COUNTS: [AtomicU64; 8192] = [const { AtomicU64::new(0) }; 8192];
/// The descriptor of the critical section.
static SECTION: AtomicUsize = AtomicUsize::new(0);
/// A handler ran while the thread was to go on inside of it.
static INSIDE: AtomicBool = AtomicBool::new(false);

/// Adds one to the count of this CPU, slowly and without an atomic instruction. Returns how often that
/// had to begin again.
fn count(area: &mut Area, delay: u32) -> u64 {
    let (mut aborts, section): (u64, usize);
    // SAFETY: the area is registered; between the labels 3 and 5 nothing is written but the count of
    // the CPU, at the end; what else is changed is listed.
    unsafe {
        std::arch::asm!(
            "xor {aborts:e}, {aborts:e}",
            "2:",
            "lea {section}, [rip + 90f]",
            "mov [{area} + 8], {section}",
            "3:",
            "mov {cpu:e}, [{area} + 4]",
            "mov {value}, [{counts} + {cpu}*8]",
            "mov {left:e}, {delay:e}",
            "4:",
            "dec {left:e}",
            "jnz 4b",
            "inc {value}",
            "mov [{counts} + {cpu}*8], {value}",
            "5:",
            "jmp 7f",
            ".long {signature}",
            "6:",
            "inc {aborts}",
            "jmp 2b",
            "7:",
            "mov qword ptr [{area} + 8], 0",
            ".pushsection .data.rel.ro.rseq, \"aw\"",
            ".balign 32",
            "90:",
            ".long 0, 0",
            ".quad 3b, 5b - 3b, 6b",
            ".popsection",
            area = in(reg) &raw mut *area,
            counts = in(reg) COUNTS.as_ptr(),
            delay = in(reg) delay,
            aborts = out(reg) aborts,
            section = out(reg) section,
            cpu = out(reg) _,
            value = out(reg) _,
            left = out(reg) _,
            signature = const SIGNATURE,
        );
    }
    SECTION.store(section, Relaxed);
    aborts
}

extern "C" fn look(_: i32, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let section = SECTION.load(Relaxed) as *const [u64; 4];
    if section.is_null() {
        return;
    }
    // SAFETY: the kernel hands over a ucontext_t; the descriptor is a constant.
    let (rip, [_, start, length, _]) = unsafe {
        let context = context.cast::<libc::ucontext_t>();
        let registers = (*context).uc_mcontext.gregs;
        (registers[libc::REG_RIP as usize] as u64, *section)
    };
    if (start..start + length).contains(&rip) {
        INSIDE.store(true, Relaxed);
    }
}

/// A signal of real time each millisecond.
fn alarms() {
    // SAFETY: integers; the handler touches atomics and what the kernel hands over.
    unsafe {
        let mut action: libc::sigaction = zeroed();
        action.sa_sigaction = look as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
        libc::sigaction(libc::SIGALRM, &raw const action, null_mut());
        let each = libc::timeval {
            tv_sec: 0,
            tv_usec: 1000,
        };
        let value = libc::itimerval {
            it_interval: each,
            it_value: each,
        };
        libc::setitimer(libc::ITIMER_REAL, &raw const value, null_mut());
    }
}

/// Registering and its refusals; counting by CPU while threads and signals interrupt it.
pub fn run() -> io::Result<()> {
    let (mut area, mut other) = (Area::new(), Area::new());
    for (name, len, flags) in [
        ("short", 31, 0),
        ("flags", SIZE, 2),
        ("nothing to give up", SIZE, 1),
    ] {
        report(name, area.rseq(len, flags, SIGNATURE));
    }
    let at = &raw mut area as u64;
    report("not aligned", call(libc::SYS_rseq, &[at + 8, SIZE, 0, 1]));
    report("nowhere", call(libc::SYS_rseq, &[32, SIZE, 0, 1]));
    report("register", area.rseq(SIZE, 0, SIGNATURE));
    let ids = (area.cpu_id_start == area.cpu_id, area.cpu_id < 8192);
    println!("{ids:?} node {} flags {}", area.node_id, area.flags);
    report("again", area.rseq(SIZE, 0, SIGNATURE));
    report("again, another signature", area.rseq(SIZE, 0, 5));
    report("another", other.rseq(SIZE, 0, SIGNATURE));
    report("give up another", other.rseq(SIZE, 1, SIGNATURE));
    report("give up with another signature", area.rseq(SIZE, 1, 5));
    report("give up", area.rseq(SIZE, 1, SIGNATURE));
    println!("{} {:#x}", area.cpu_id_start, area.cpu_id);

    alarms();
    let start = Instant::now();
    let threads: Vec<_> = (0..3)
        .map(|_| {
            std::thread::spawn(move || {
                let mut area = Area::new();
                let (mut counted, mut aborts) = (0, 0);
                area.rseq(SIZE, 0, SIGNATURE)?;
                while start.elapsed() < Duration::from_millis(500) {
                    aborts += count(&mut area, 20_000);
                    counted += 1;
                }
                area.rseq(SIZE, 1, SIGNATURE)?;
                Ok::<_, io::Error>((counted, aborts))
            })
        })
        .collect();
    let (mut counted, mut aborts) = (0_u64, 0);
    for thread in threads {
        let (some, times) = thread.join().expect("no panic")?;
        counted += some;
        aborts += times;
    }
    let sum: u64 = COUNTS.iter().map(|count| count.load(Relaxed)).sum();
    println!("every count is there {}", sum == counted);
    println!("aborted {}", aborts > 10);
    println!("a handler inside {}", INSIDE.load(Relaxed));
    Ok(())
}

/// A section without the signature before its abort handler: interrupted, that is the end.
pub fn unsigned() -> io::Result<()> {
    let mut area = Area::new();
    area.rseq(SIZE, 0, SIGNATURE + 1)?;
    alarms();
    count(&mut area, u32::MAX);
    println!("survived");
    Ok(())
}
