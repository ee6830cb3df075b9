//! Resource limits.

use std::io;
use test_support::{call, report};

const LIMITS: [(&str, u32); 6] = [
    ("stack", libc::RLIMIT_STACK),
    ("files", libc::RLIMIT_NOFILE),
    ("data", libc::RLIMIT_DATA),
    ("address space", libc::RLIMIT_AS),
    ("core", libc::RLIMIT_CORE),
    ("processor time", libc::RLIMIT_CPU),
];

/// Reports on everything here.
pub fn run() -> io::Result<()> {
    for (name, resource) in LIMITS {
        let [soft, hard] = get(resource)?;
        println!("{name} soft within hard {}", soft <= hard);
        let mut other = [0_u64; 2];
        call(
            libc::SYS_getrlimit,
            &[u64::from(resource), other.as_mut_ptr() as u64],
        )?;
        println!("{name} the same by getrlimit {}", other == [soft, hard]);
    }
    println!(
        "at least 1 MiB of stack {}",
        get(libc::RLIMIT_STACK)?[0] >= 1 << 20
    );
    println!("at least 256 files {}", get(libc::RLIMIT_NOFILE)?[0] >= 256);
    set()
}

fn get(resource: u32) -> io::Result<[u64; 2]> {
    let mut limit = [0_u64; 2];
    let args = [0, u64::from(resource), 0, limit.as_mut_ptr() as u64];
    call(libc::SYS_prlimit64, &args)?;
    Ok(limit)
}

fn set() -> io::Result<()> {
    let resource = u64::from(libc::RLIMIT_NOFILE);
    let change = |new: [u64; 2]| {
        let mut old = [0_u64; 2];
        let args = [0, resource, new.as_ptr() as u64, old.as_mut_ptr() as u64];
        call(libc::SYS_prlimit64, &args)
    };
    let [_, hard] = get(libc::RLIMIT_NOFILE)?;
    report("lower the files", change([100, hard]));
    println!("lowered to {}", get(libc::RLIMIT_NOFILE)?[0]);
    report("soft above hard", change([200, 100]));
    println!("still {}", get(libc::RLIMIT_NOFILE)?[0]);
    let files: Vec<_> = (0..200)
        .map_while(|_| std::fs::File::open("/dev/null").ok())
        .collect();
    println!("the limit holds {}", (50..100).contains(&files.len()));
    report(
        "one more",
        std::fs::File::open("/dev/null").map(|_| "opened"),
    );
    Ok(())
}
