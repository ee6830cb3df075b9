//! Writing standard output and standard error.

use std::io::{self, Write};
use std::time::Instant;
use test_support::{call, checksum, report};

const OUT: u64 = 1;

/// Parts of lines, long lines, many pieces, nothing at all.
pub fn shapes() -> io::Result<()> {
    print!("a line ");
    io::stdout().flush()?;
    print!("in three ");
    io::stdout().flush()?;
    println!("parts");
    eprint!("standard error ");
    eprintln!("too");

    for _ in 0..3 {
        println!("{}", "0123456789".repeat(8));
    }
    print!("{}", "x".repeat(5000));
    println!("\ta tab, a bell \x07, a return \rover, ünïcödé ✓");
    report("write of nothing", call(libc::SYS_write, &[OUT, 0, 0]));
    pieces()?;
    eprintln!("{}", "e".repeat(300));
    Ok(())
}

/// Many buffers in one call.
fn pieces() -> io::Result<()> {
    let words: Vec<String> = (0..40).map(|number| "p".repeat(number % 7) + ",").collect();
    let mut vectors: Vec<[u64; 2]> = Vec::new();
    for word in &words {
        vectors.push([word.as_ptr() as u64, word.len() as u64]);
        vectors.push([0, 0]);
    }
    let expected: usize = words.iter().map(String::len).sum();
    let args = [OUT, vectors.as_ptr() as u64, vectors.len() as u64];
    let written = call(libc::SYS_writev, &args)?;
    println!();
    println!(
        "writev of {} pieces: all {}",
        vectors.len(),
        written as usize == expected
    );
    report("writev of none", call(libc::SYS_writev, &[OUT, 0, 0]));
    Ok(())
}

/// Every byte there is, in pieces of a length that shares no factor with anything.
pub fn flood() -> io::Result<()> {
    let bytes: Vec<u8> = (0..1_usize << 20)
        .map(|index| (index ^ (index >> 8)) as u8)
        .collect();
    let mut out = io::stdout().lock();
    for piece in bytes.chunks(9973) {
        out.write_all(piece)?;
    }
    writeln!(
        out,
        "\n{} bytes, checksum {:016x}",
        bytes.len(),
        checksum(&bytes)
    )?;
    out.flush()
}

/// A hundred writes of 1 KiB, and on standard error how long they took.
pub fn kilobytes() -> io::Result<()> {
    let block: Vec<u8> = (0..1024_usize)
        .map(|index| b'a' + (index % 26) as u8)
        .collect();
    let start = Instant::now();
    for _ in 0..100 {
        let args = [OUT, block.as_ptr() as u64, block.len() as u64];
        if call(libc::SYS_write, &args)? as usize != block.len() {
            return Err(io::ErrorKind::WriteZero.into());
        }
    }
    eprintln!("100 writes of 1 KiB: {} µs", start.elapsed().as_micros());
    Ok(())
}
