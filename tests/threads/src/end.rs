//! How processes end while threads run or sleep.

use std::io;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use test_support::call;

/// A thread that never ends by itself, busy or asleep, and has begun.
fn forever(busy: bool) {
    let (started, wait) = mpsc::channel();
    thread::spawn(move || {
        let _ = started.send(());
        loop {
            if busy {
                std::hint::spin_loop();
            } else {
                thread::sleep(Duration::from_secs(1000));
            }
        }
    });
    let _ = wait.recv();
}

pub fn run(way: &str) -> io::Result<()> {
    if way == "last" {
        return last();
    }
    forever(true);
    forever(false);
    match way {
        // The end of main is exit_group.
        "main" => println!("main returns"),
        "group" => {
            let worker = thread::spawn(|| {
                println!("another thread ends all");
                std::process::exit(7);
            });
            let _ = worker.join();
        }
        // exit(2) of the first thread leaves the others, one of which ends the process.
        "first" => {
            thread::spawn(|| {
                thread::sleep(Duration::from_millis(20));
                let state = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
                println!("zombie: {}", state.contains("State:\tZ"));
                println!("the first has gone");
                std::process::exit(9);
            });
            let _ = call(libc::SYS_exit, &[3]);
        }
        "crash" => {
            let worker = thread::spawn(|| {
                // SAFETY: none; the process ends here.
                unsafe { std::ptr::null_mut::<u8>().write_volatile(1) };
            });
            let _ = worker.join();
        }
        _ => println!("unknown"),
    }
    Ok(())
}

/// The process ends when its last thread has: with that one's code.
fn last() -> io::Result<()> {
    thread::spawn(|| {
        thread::sleep(Duration::from_millis(30));
        println!("the last one ends");
        let _ = call(libc::SYS_exit, &[5]);
    });
    call(libc::SYS_exit, &[3]).map(|_| ())
}
