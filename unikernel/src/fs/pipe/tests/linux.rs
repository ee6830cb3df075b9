//! The same random operations on a pipe of ours and on one of the host's: every result must be
//! equal, and every byte. Linux is the reference for how writes share pages, what a full pipe
//! takes, and which error comes when.

use super::super::splice::{splice, tee};
use super::model::{Random, Shown, seeds};
use super::*;
use linux_raw_sys::general as abi;

/// A system call of the host.
fn host(number: u32, args: &[usize]) -> SysResult {
    let mut six = [0; 6];
    six[..args.len()].copy_from_slice(args);
    // SAFETY: the callers pass live buffers of the lengths they pass.
    let result = unsafe { crate::sys::syscall(number, six) };
    match u16::try_from(-result).ok().and_then(Errno::from_number) {
        Some(error) => Err(error),
        None => Ok(result as usize),
    }
}

/// A pipe of ours beside one of the host's.
struct Twins {
    reader: End,
    writer: End,
    theirs: [i32; 2],
    /// `O_DIRECT` or 0, the flags of both writers.
    packets: u32,
}

impl Twins {
    fn new(packets: u32) -> Self {
        let (reader, writer) = End::pair().unwrap();
        let mut theirs = [0i32; 2];
        let flags = (O_NONBLOCK | packets) as usize;
        host(abi::__NR_pipe2, &[theirs.as_mut_ptr() as usize, flags]).unwrap();
        Self {
            reader,
            writer,
            theirs,
            packets,
        }
    }

    fn write(&self, bytes: &[u8], parts: usize) {
        let slices = cut(bytes, parts);
        let flags = O_NONBLOCK | self.packets;
        let short = (parts == 1).then(|| self.writer.write_short(from(bytes), flags));
        let ours = short.flatten().map_or_else(
            || {
                let parts = slices.iter().map(|part| from(part));
                self.writer.write(parts, bytes.len(), flags)
            },
            Ok,
        );
        let vector = vector(&slices);
        let args = [self.theirs[1] as usize, vector.as_ptr() as usize, parts];
        assert_eq!(ours, host(abi::__NR_writev, &args));
    }

    fn read(&self, most: usize) {
        let (mut ours, mut theirs) = (vec![0u8; most], vec![0u8; most]);
        let room = into(&mut ours);
        let short = self.reader.read_short(room);
        let got = short.map_or_else(|| self.reader.read(once(room), most, O_NONBLOCK), Ok);
        let args = [self.theirs[0] as usize, theirs.as_mut_ptr() as usize, most];
        assert_eq!(got, host(abi::__NR_read, &args));
        assert!(ours == theirs);
    }

    fn vmsplice(&self, bytes: &[u8], parts: usize) {
        let slices = cut(bytes, parts);
        let ours = slices.iter().map(|part| from(part));
        let ours = self.writer.pipe().vmsplice_from(ours, true);
        // Linux takes the pages themselves: they must stay as they are, so they are leaked.
        let slices: Vec<&[u8]> = slices.iter().map(|&part| in_place(part)).collect();
        let vector = vector(&slices);
        let flags = abi::SPLICE_F_NONBLOCK as usize;
        let args = [
            self.theirs[1] as usize,
            vector.as_ptr() as usize,
            parts,
            flags,
        ];
        assert_eq!(ours, host(abi::__NR_vmsplice, &args));
    }

    fn resize(&self, bytes: usize) {
        let args = [self.theirs[0] as usize, abi::F_SETPIPE_SZ as usize, bytes];
        let ours = self.reader.pipe().set_size(bytes as u32, true);
        assert_eq!(ours, host(abi::__NR_fcntl, &args));
    }

    /// FIONREAD, F_GETPIPE_SZ and poll(2) at both ends.
    fn check(&self) {
        let mut unread = 0i32;
        let request = linux_raw_sys::ioctl::FIONREAD as usize;
        let args = [self.theirs[0] as usize, request, &raw mut unread as usize];
        host(abi::__NR_ioctl, &args).unwrap();
        assert_eq!(self.reader.pipe().unread(), unread as usize);
        let args = [self.theirs[0] as usize, abi::F_GETPIPE_SZ as usize];
        assert_eq!(Ok(self.reader.pipe().size()), host(abi::__NR_fcntl, &args));
        for (end, fd) in [&self.reader, &self.writer].into_iter().zip(self.theirs) {
            let mut poll = abi::pollfd {
                fd,
                events: -1,
                revents: 0,
            };
            host(abi::__NR_poll, &[&raw mut poll as usize, 1, 0]).unwrap();
            assert_eq!(end.events(), u32::from(poll.revents as u16));
        }
    }
}

impl Drop for Twins {
    fn drop(&mut self) {
        for fd in self.theirs {
            let _ = host(abi::__NR_close, &[fd as usize]);
        }
    }
}

/// `bytes` as `parts` slices, of which some may be empty.
fn cut(bytes: &[u8], parts: usize) -> Vec<&[u8]> {
    let mut rest = bytes;
    let cuts = (1..parts).map(|n| {
        let (part, behind) = rest.split_at(rest.len() / n.max(2));
        rest = behind;
        part
    });
    let mut slices: Vec<&[u8]> = cuts.collect();
    slices.push(rest);
    slices
}

fn vector(slices: &[&[u8]]) -> Vec<[usize; 2]> {
    let element = |part: &&[u8]| [part.as_ptr() as usize, part.len()];
    slices.iter().map(element).collect()
}

/// A copy at the same place in its page, for good.
fn in_place(bytes: &[u8]) -> &'static [u8] {
    let room = vec![0u8; bytes.len() + 2 * PAGE].leak();
    let start = room.as_ptr().align_offset(PAGE) + bytes.as_ptr() as usize % PAGE;
    room[start..start + bytes.len()].copy_from_slice(bytes);
    &room[start..start + bytes.len()]
}

/// splice(2) or tee(2) from `a` to `b`.
fn between(a: &Twins, b: &Twins, len: usize, copies: bool) {
    let (near, far) = (a.reader.pipe(), b.writer.pipe());
    let flags = abi::SPLICE_F_NONBLOCK as usize;
    let (from, to) = (a.theirs[0] as usize, b.theirs[1] as usize);
    if copies {
        let theirs = host(abi::__NR_tee, &[from, to, len, flags]);
        assert_eq!(tee(near, far, len, true), theirs);
    } else {
        let theirs = host(abi::__NR_splice, &[from, 0, to, 0, len, flags]);
        assert_eq!(splice(near, far, len, true), theirs);
    }
}

/// One operation, chosen at random.
fn step(random: &mut Random, a: &Twins, b: &Twins) {
    let len = random.length();
    let parts = 1 + random.below(4);
    match random.below(12) {
        0..=4 => a.write(&random.bytes(len), parts),
        5..=7 => a.read(len),
        8 => between(a, b, len.max(1), false),
        9 => between(a, b, len.max(1), true),
        10 => {
            let len = random.below(9000);
            a.vmsplice(&random.bytes(len), parts);
        }
        _ => a.resize(random.below(150_000)),
    }
}

#[test]
#[cfg_attr(miri, ignore = "needs the host's pipes")]
fn random_operations_agree_with_the_hosts_pipes() {
    for packets in [0, O_DIRECT] {
        for seed in seeds(20) {
            let mut random = Random::new(seed);
            let (mut a, mut b) = (Twins::new(packets), Twins::new(0));
            for number in 0..2500 {
                let shown = Shown(seed, number);
                std::mem::swap(&mut a, &mut b);
                step(&mut random, &a, &b);
                a.check();
                b.check();
                std::mem::forget(shown);
            }
        }
    }
}
