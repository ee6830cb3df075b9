//! Many operations in a random but fixed order, on two pipes and two files: now and then, a checksum
//! of everything that has been seen so far.
//!
//! One file is only read: Linux would show in a pipe what is written to the file afterwards, which
//! is not promised.

use crate::pipe::{Pipe, events, pattern};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use test_support::{call, checksum, errno_name};

const STEPS: usize = 20_000;

/// Xorshift64*: the same numbers everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % end
    }

    fn length(&mut self) -> u64 {
        match self.below(5) {
            0 => self.below(3),
            1 => self.below(200),
            2 => 4090 + self.below(12),
            3 => self.below(12_000),
            _ => self.below(80_000),
        }
    }
}

/// What has been seen, folded into a number.
struct Seen(u64);

impl Seen {
    fn add(&mut self, bytes: &[u8]) {
        self.0 = self.0.rotate_left(5) ^ checksum(bytes);
    }

    fn text(&mut self, text: &str) {
        self.add(text.as_bytes());
    }
}

struct World {
    random: Random,
    seen: Seen,
    pipes: [Pipe; 2],
    source: File,
    target: File,
    bytes: Vec<u8>,
    room: Vec<u8>,
}

impl World {
    fn outcome(&mut self, outcome: io::Result<i64>) -> u64 {
        match outcome {
            Ok(count) => {
                self.seen.add(&count.to_le_bytes());
                count as u64
            }
            Err(error) => {
                self.seen.text(&errno_name(&error));
                0
            }
        }
    }

    /// One operation on pipe `a`, and perhaps on the other.
    fn step(&mut self, a: usize) {
        let len = self.random.length();
        let (input, output) = (self.pipes[a].input, self.pipes[a].output);
        let other = self.pipes[1 - a].output;
        let source = self.source.as_raw_fd() as u64;
        let target = self.target.as_raw_fd() as u64;
        let flags = libc::SPLICE_F_NONBLOCK as u64;
        let mut offset = self.random.below(40_000) as i64;
        let at = &raw mut offset as u64;
        match self.random.below(12) {
            0..=3 => {
                let from = self.bytes.as_ptr() as u64 + self.random.below(1000);
                let outcome = call(libc::SYS_write, &[output, from, len]);
                self.outcome(outcome);
            }
            4..=6 => {
                let to = self.room.as_mut_ptr() as u64;
                let outcome = call(libc::SYS_read, &[input, to, len]);
                let count = self.outcome(outcome) as usize;
                self.seen.add(&self.room[..count]);
            }
            7 => {
                let outcome = call(libc::SYS_splice, &[input, 0, other, 0, len, flags]);
                self.outcome(outcome);
            }
            8 => {
                let outcome = call(libc::SYS_tee, &[input, other, len, flags]);
                self.outcome(outcome);
            }
            9 => {
                let outcome = call(libc::SYS_splice, &[source, at, output, 0, len, flags]);
                self.outcome(outcome);
            }
            10 => {
                let outcome = call(libc::SYS_splice, &[input, 0, target, at, len, flags]);
                self.outcome(outcome);
            }
            _ => {
                let size = self.random.below(100_000);
                let args = [input, libc::F_SETPIPE_SZ as u64, size];
                self.outcome(call(libc::SYS_fcntl, &args));
            }
        }
        self.seen.add(&offset.to_le_bytes());
    }

    fn look(&mut self) -> io::Result<()> {
        for pipe in &self.pipes {
            self.seen.add(&pipe.unread()?.to_le_bytes());
            for fd in [pipe.input, pipe.output] {
                self.seen.text(&events(fd)?);
            }
        }
        Ok(())
    }
}

/// Runs the operations, and tells the checksum now and then, so that a difference has a place.
pub fn run() -> io::Result<()> {
    std::fs::write("source", pattern(70_000))?;
    let mut world = World {
        random: Random(0x9e37_79b9_7f4a_7c15),
        seen: Seen(0),
        pipes: [Pipe::new(0)?, Pipe::new(0)?],
        source: File::open("source")?,
        target: File::create("target")?,
        bytes: pattern(90_000),
        room: vec![0; 90_000],
    };
    for number in 1..=STEPS {
        world.step(number % 2);
        world.look()?;
        if number % (STEPS / 20) == 0 {
            println!("after {number}: {:016x}", world.seen.0);
        }
    }
    println!("the file: {:016x}", checksum(&std::fs::read("target")?));
    Ok(())
}
