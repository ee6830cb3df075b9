//! eventfd(2).

use crate::sys::{Answer, counter, read, write};
use std::io;
use std::os::fd::AsRawFd;
use std::thread;

/// Values, limits, waiting.
pub fn run() -> io::Result<()> {
    let nonblocking = libc::EFD_NONBLOCK;
    let plain = counter(3, nonblocking);
    let mut word = [0; 8];
    println!(
        "read {} = {}",
        read(&plain, &mut word),
        u64::from_ne_bytes(word)
    );
    println!("again {}", read(&plain, &mut word));
    println!(
        "short {} {}",
        read(&plain, &mut word[..7]),
        write(&plain, &[1; 7])
    );
    println!("all ones {}", write(&plain, &[0xff; 8]));
    println!("most {}", write(&plain, &(u64::MAX - 1).to_ne_bytes()));
    println!("more {}", write(&plain, &1_u64.to_ne_bytes()));
    println!("nothing {}", write(&plain, &0_u64.to_ne_bytes()));
    println!(
        "read {} = {:#x}",
        read(&plain, &mut word),
        u64::from_ne_bytes(word)
    );

    let semaphore = counter(2, nonblocking | libc::EFD_SEMAPHORE);
    for _ in 0..3 {
        println!(
            "semaphore {} = {}",
            read(&semaphore, &mut word),
            u64::from_ne_bytes(word)
        );
    }
    // SAFETY: no pointers.
    println!("flags {}", Answer(unsafe { libc::eventfd(0, 4) }.into()));
    let fd = plain.as_raw_fd();
    // SAFETY: one byte of room.
    let pread = unsafe { libc::pread(fd, word.as_mut_ptr().cast(), 8, 0) };
    println!("pread {}", Answer(pread as i64));
    // SAFETY: bad pointers are the kernel's to refuse.
    let bad = unsafe { libc::write(fd, 8 as *const _, 8) };
    println!("bad pointer {}", Answer(bad as i64));
    println!(
        "{}",
        std::fs::read_link(format!("/proc/self/fd/{fd}"))?.display()
    );

    let waits = counter(0, 0);
    let sum: u64 = thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let (mut sum, mut word) = (0, [0; 8]);
            while sum < 1000 {
                read(&waits, &mut word);
                sum += u64::from_ne_bytes(word);
            }
            sum
        });
        for _ in 0..1000 {
            write(&waits, &1_u64.to_ne_bytes());
        }
        reader.join().expect("the reader")
    });
    println!("from a thread {sum}");
    Ok(())
}
