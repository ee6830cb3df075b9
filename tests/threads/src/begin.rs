//! Ids, names, clone(2) itself, and a great many threads.

use std::arch::asm;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use test_support::{call, report};

fn gettid() -> i64 {
    call(libc::SYS_gettid, &[]).unwrap_or(-1)
}

fn getpid() -> i64 {
    call(libc::SYS_getpid, &[]).unwrap_or(-1)
}

/// The names in `/proc/self/task`, sorted.
fn tasks() -> io::Result<Vec<i64>> {
    let mut tasks = Vec::new();
    for entry in fs::read_dir("/proc/self/task")? {
        let name = entry?.file_name();
        tasks.extend(name.to_str().and_then(|name| name.parse::<i64>().ok()));
    }
    tasks.sort_unstable();
    Ok(tasks)
}

pub fn ids() -> io::Result<()> {
    const THREADS: usize = 5;
    let process = getpid();
    println!(
        "the first thread has the process's id: {}",
        gettid() == process
    );
    let barrier = Barrier::new(THREADS + 1);
    let ids = Mutex::new(BTreeSet::new());
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let id = gettid();
                let fresh = ids.lock().unwrap().insert(id);
                println!("new: {fresh}, same process: {}", getpid() == process);
                barrier.wait();
                barrier.wait();
            });
        }
        barrier.wait();
        let known: Vec<i64> = std::iter::once(process)
            .chain(ids.lock().unwrap().iter().copied())
            .collect();
        println!("listed: {}", tasks().is_ok_and(|tasks| tasks == known));
        for id in &known {
            println!(
                "alive: {}",
                fs::exists(format!("/proc/self/task/{id}")).unwrap_or(false)
            );
        }
        barrier.wait();
    });
    let gone = ids.lock().unwrap().iter().all(|&id| {
        // The library's thread ends a moment after it was joined.
        (0..1000).any(|_| {
            thread::sleep(std::time::Duration::from_millis(1));
            !fs::exists(format!("/proc/self/task/{id}")).unwrap_or(true)
        })
    });
    println!("gone: {gone}");
    println!("listed: {}", tasks()? == [process]);
    report("no such thread", call(libc::SYS_tkill, &[4_000_000, 0]));
    Ok(())
}

pub fn names() -> io::Result<()> {
    let name_of = |id: i64| fs::read_to_string(format!("/proc/self/task/{id}/comm"));
    let main = name_of(getpid())?;
    println!("first: {}", main.trim_end() == "test-threads");
    let builder = thread::Builder::new().name("a name that is cut".to_owned());
    let barrier = Arc::new(Barrier::new(2));
    let id = Arc::new(AtomicU64::new(0));
    let (theirs, tid) = (Arc::clone(&barrier), Arc::clone(&id));
    let worker = builder.spawn(move || {
        tid.store(gettid() as u64, SeqCst);
        theirs.wait();
        theirs.wait();
        let mut name = [0_u8; 16];
        // SAFETY: PR_GET_NAME writes 16 bytes.
        unsafe { libc::prctl(libc::PR_GET_NAME, name.as_mut_ptr()) };
        name
    })?;
    barrier.wait();
    let id = id.load(SeqCst) as i64;
    print!("second: {}", name_of(id)?);
    fs::write(format!("/proc/self/task/{id}/comm"), "other")?;
    barrier.wait();
    let name = worker.join().unwrap_or_default();
    println!("renamed: {:?}", String::from_utf8_lossy(&name[..6]));
    println!("the first is the same: {}", name_of(getpid())? == main);
    Ok(())
}

/// Flags that contradict each other, and structures that are wrong.
pub fn flags() -> io::Result<()> {
    const THREAD: u64 = 0x10000;
    const VM: u64 = 0x100;
    const SIGHAND: u64 = 0x800;
    const FS: u64 = 0x200;
    const FILES: u64 = 0x400;
    const ALL: u64 = THREAD | VM | SIGHAND | FS | FILES;
    let clone = |name: &str, flags: u64| report(name, call(libc::SYS_clone, &[flags, 0, 0, 0, 0]));
    clone("thread alone", THREAD);
    clone("thread and memory", THREAD | VM);
    clone("handlers alone", SIGHAND);
    clone("mounts and directories", FS | 0x2_0000);
    clone("a thread's own ids", ALL | 0x2000_0000);
    clone("a thread's own users", ALL | 0x1000_0000);
    clone("two uses of a pointer", 0x1000 | 0x10_0000);
    let clone3 = |name: &str, words: &[u64], size: u64| {
        let at = words.as_ptr() as u64;
        report(name, call(libc::SYS_clone3, &[at, size]));
    };
    let mut words = [0_u64; 16];
    words[0] = ALL;
    clone3("too small", &words, 56);
    clone3("too large", &words, 5000);
    words[5] = 4096;
    clone3("a stack without a size", &words, 88);
    (words[5], words[6]) = (0, 4096);
    clone3("a size without a stack", &words, 88);
    words[6] = 0;
    words[4] = 17;
    clone3("a thread with a signal", &words, 88);
    words[4] = 0;
    words[0] = ALL | 0xff;
    clone3("a signal among the flags", &words, 88);
    words[0] = 1 << 40;
    clone3("an unknown flag", &words, 88);
    words[0] = ALL;
    words[15] = 1;
    clone3("something unknown", &words, 128);
    report("a bad pointer", call(libc::SYS_clone3, &[8, 88]));
    Ok(())
}

static STARTED: AtomicU32 = AtomicU32::new(0);
static REGISTERS: [AtomicU64; 12] = [const { AtomicU64::new(0) }; 12];
static CLEARED: AtomicU32 = AtomicU32::new(0);

/// A thread made by hand, that finds its creator's registers.
pub fn raw() -> io::Result<()> {
    let mut stack = vec![0_u128; 4096];
    let top = stack.as_mut_ptr_range().end as u64;
    CLEARED.store(1, SeqCst);
    // Memory, directories, files, handlers, a thread, its id to us and cleared at the end.
    let flags = 0x100_u64 | 0x200 | 0x400 | 0x800 | 0x10000 | 0x4_0000 | 0x10_0000 | 0x20_0000;
    let mut parent = 0_u32;
    let child: u64;
    // SAFETY: the new thread stores its registers and ends; it uses its own stack for nothing else.
    unsafe {
        asm!(
            "push rbx",
            "push rbp",
            "mov rbx, 0x1111",
            "mov rbp, 0x2222",
            "mov r12, 0x3333",
            "mov r13, 0x4444",
            "mov r14, 0x5555",
            "mov r15, 0x6666",
            "movq xmm9, r15",
            "syscall",
            "test eax, eax",
            "jnz 3f",
            "mov [r9], rbx",
            "mov [r9 + 8], rbp",
            "mov [r9 + 16], r12",
            "mov [r9 + 24], r13",
            "mov [r9 + 32], r14",
            "mov [r9 + 40], r15",
            "movq [r9 + 48], xmm9",
            "mov [r9 + 56], rdi",
            "mov [r9 + 64], rsp",
            "mov [r9 + 72], rdx",
            "mov eax, 60",
            "xor edi, edi",
            "syscall",
            "ud2",
            "3:",
            "pop rbp",
            "pop rbx",
            inlateout("rax") 56_u64 => child,
            in("rdi") flags,
            in("rsi") top,
            in("rdx") &raw mut parent,
            in("r10") CLEARED.as_ptr(),
            in("r8") 0,
            in("r9") REGISTERS.as_ptr(),
            out("rcx") _, out("r11") _, out("r12") _, out("r13") _, out("r14") _, out("r15") _,
            out("xmm9") _,
        );
    }
    println!("created: {}", child > 0 && u64::from(parent) == child);
    // The kernel clears the word and wakes who waits for it, at the very end.
    while CLEARED.load(SeqCst) != 0 {
        let _ = call(libc::SYS_futex, &[CLEARED.as_ptr() as u64, 0, 1, 0]);
    }
    let seen = REGISTERS.each_ref().map(|register| register.load(SeqCst));
    println!("kept: {:x?}", &seen[..7]);
    println!(
        "arguments: {}",
        seen[7] == flags && seen[9] == &raw mut parent as u64
    );
    println!("stack: {}", seen[8] == top);
    drop(stack);
    Ok(())
}

/// `KernelStack` of /proc/meminfo, in KiB.
fn kernel_stacks() -> io::Result<u64> {
    let text = fs::read_to_string("/proc/meminfo")?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("KernelStack:"));
    let size = line.and_then(|line| line.trim().strip_suffix(" kB"));
    size.and_then(|size| size.parse().ok())
        .ok_or_else(|| io::Error::other("no KernelStack in /proc/meminfo"))
}

/// A thousand threads at a time leave little behind, and another thousand find their place again.
pub fn returned() -> io::Result<()> {
    const THREADS: usize = 1000;
    for round in 1..=3 {
        let barrier = Barrier::new(THREADS + 1);
        let most = thread::scope(|scope| {
            for _ in 0..THREADS {
                let builder = thread::Builder::new().stack_size(64 << 10);
                builder
                    .spawn_scoped(scope, || barrier.wait())
                    .expect("there is memory");
            }
            let most = kernel_stacks();
            barrier.wait();
            most
        })?;
        println!(
            "round {round}: each has its stack {}, they are returned {}",
            most >= THREADS as u64 * 32,
            // A page of each stays, and some whole ones.
            kernel_stacks()? < THREADS as u64 * 4 + 3000
        );
    }
    Ok(())
}

pub fn many() -> io::Result<()> {
    const THREADS: usize = 1000;
    let (turn, order) = (AtomicU32::new(0), Mutex::new(Vec::new()));
    let failed = AtomicU32::new(0);
    thread::scope(|scope| {
        for index in 0..THREADS {
            let (turn, order) = (&turn, &order);
            let wait = move || {
                STARTED.fetch_add(1, SeqCst);
                while turn.load(SeqCst) == 0 {
                    let word = turn.as_ptr() as u64;
                    let _ = call(libc::SYS_futex, &[word, 128, 0, 0]);
                }
                order.lock().unwrap().push(index);
            };
            let builder = thread::Builder::new().stack_size(64 << 10);
            if builder.spawn_scoped(scope, wait).is_err() {
                failed.fetch_add(1, SeqCst);
            }
        }
        while STARTED.load(SeqCst) as usize + (failed.load(SeqCst) as usize) < THREADS {
            thread::yield_now();
        }
        thread::sleep(std::time::Duration::from_millis(50));
        turn.store(1, SeqCst);
        let mut woken = 0;
        while woken < THREADS as i64 {
            woken += call(libc::SYS_futex, &[turn.as_ptr() as u64, 129, 100, 0]).unwrap_or(0);
            if order.lock().unwrap().len() + failed.load(SeqCst) as usize == THREADS {
                break;
            }
            thread::yield_now();
        }
    });
    println!("failed: {}", failed.load(SeqCst));
    let mut order = order.into_inner().unwrap();
    order.sort_unstable();
    println!("all went on: {}", order.into_iter().eq(0..THREADS));
    Ok(())
}

fn free_kib() -> io::Result<u64> {
    let text = fs::read_to_string("/proc/meminfo")?;
    let line = text.lines().find(|line| line.starts_with("MemFree:"));
    let word = line.and_then(|line| line.split_whitespace().nth(1));
    Ok(word.and_then(|word| word.parse().ok()).unwrap_or(0))
}

/// Threads come and go and leave no memory behind.
pub fn cycles() -> io::Result<()> {
    let sum = AtomicU64::new(0);
    let cycle = |count: u64| {
        for index in 0..count {
            thread::scope(|scope| {
                scope.spawn(|| sum.fetch_add(index, SeqCst));
            });
        }
    };
    cycle(1000);
    let before = free_kib()?;
    cycle(9000);
    let after = free_kib()?;
    println!("sum: {}", sum.load(SeqCst));
    // A process shares its machine with others, whose memory is theirs.
    let lost = before.saturating_sub(after);
    println!("kept nothing: {}", getpid() != 1 || lost < 256);
    Ok(())
}
