//! Reading standard input.

use std::io::{self, BufRead, Read, Write};
use test_support::{call, checksum};

/// Copies everything, whatever bytes it is made of.
pub fn echo() -> io::Result<()> {
    let mut text = Vec::new();
    io::stdin().lock().read_to_end(&mut text)?;
    let mut out = io::stdout().lock();
    out.write_all(&text)?;
    writeln!(
        out,
        "\n{} bytes, checksum {:016x}",
        text.len(),
        checksum(&text)
    )?;
    let again = io::stdin().lock().read(&mut [0; 16])?;
    writeln!(out, "behind the end {again}")?;
    let mut counts = [0_usize; 256];
    text.iter().for_each(|&byte| counts[usize::from(byte)] += 1);
    for byte in [
        0x00, 0x03, 0x04, 0x0a, 0x0d, 0x11, 0x13, 0x16, 0x1a, 0x1c, 0x7f, 0xff,
    ] {
        writeln!(out, "byte {byte:#04x} {} times", counts[byte])?;
    }
    out.flush()?;
    eprintln!("echo: done");
    Ok(())
}

/// A conversation.
pub fn lines() -> io::Result<()> {
    for line in io::stdin().lock().lines() {
        let line = line?;
        println!("{:?} has {} characters", line, line.chars().count());
        if line == "quit" {
            println!("bye");
            return Ok(());
        }
    }
    println!("end of input");
    Ok(())
}

/// Waits, reads, and waits once more behind the end.
pub fn poll() -> io::Result<()> {
    const FOR_EVER: u64 = u64::MAX;
    let mut length = 0;
    loop {
        let mut entry = libc::pollfd {
            fd: 0,
            events: libc::POLLIN,
            revents: 0,
        };
        let ready = call(libc::SYS_poll, &[&raw mut entry as u64, 1, FOR_EVER])?;
        if ready != 1 || entry.revents & (libc::POLLIN | libc::POLLHUP) == 0 {
            println!("not ready: {ready}, events {:#x}", entry.revents);
        }
        let mut piece = [0_u8; 100];
        // Not through the library, whose buffer `poll` does not know of.
        let read = call(
            libc::SYS_read,
            &[0, piece.as_mut_ptr() as u64, piece.len() as u64],
        )?;
        length += read;
        if read == 0 {
            break;
        }
    }
    println!("{length} bytes");
    if std::env::args().any(|word| word == "hangup") {
        for events in [libc::POLLIN, libc::POLLPRI, 0] {
            let mut entry = libc::pollfd {
                fd: 0,
                events,
                revents: 0,
            };
            let ready = call(libc::SYS_poll, &[&raw mut entry as u64, 1, 0])?;
            println!("at the end: {ready}, events {:#x}", entry.revents);
        }
    }
    let mut entries = [
        libc::pollfd {
            fd: -1,
            events: libc::POLLIN,
            revents: 0x55,
        },
        libc::pollfd {
            fd: 987,
            events: libc::POLLIN,
            revents: 0,
        },
        libc::pollfd {
            fd: 1,
            events: libc::POLLOUT,
            revents: 0,
        },
    ];
    let ready = call(libc::SYS_poll, &[entries.as_mut_ptr() as u64, 3, 0])?;
    let events = entries.map(|entry| entry.revents);
    println!(
        "ready {ready}: ignored {}, closed {:#x}, output {:#x}",
        events[0], events[1], events[2]
    );
    Ok(())
}
