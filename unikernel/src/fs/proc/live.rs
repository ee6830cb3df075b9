//! [`System`] of the running library. [`Files`](super::Files) is the file layer's own.
//!
//! Without a machine, as in the unit tests, there is no image, no clock and no CPUID; what would come
//! from there is then empty.

use super::source::{
    Clock, Credentials, Memory, Name, Process, Region, State, System, Thread, Uts,
};
use super::text::Text;
use crate::console;
use crate::cred;
use crate::elf::Elf;
use crate::errno::Errno;
use crate::mm::frames::{self, FRAMES};
use crate::mm::{heap, regions, space};
use crate::platform::{platform, registered};
use crate::process::{PID, record};
use crate::sync::SpinLock;
use crate::sys::identity::{self, names};
use crate::sys::{file, prctl};
use crate::uaccess::UserSlice;
use crate::{rng, sched, signal, time};
use core::arch::asm;

/// The process and the machine as they are.
pub struct Live;

/// A leaf and a subleaf of CPUID, and the four words they give.
type Leaf = ((u32, u32), [u32; 4]);

/// CPUID leaves that were asked for: each costs a call of the monitor, and under some hypervisors an
/// exit.
static LEAVES: SpinLock<heapless::Vec<Leaf, 40>> = SpinLock::new(heapless::Vec::new());

/// File mode creation mask. System calls are not preempted, so nobody sees it changed.
fn umask() -> u32 {
    let mask = file::umask(0).unwrap_or(0);
    let _ = file::umask(mask as u32);
    mask as u32
}

/// `/dev/console` if any standard stream is a terminal.
fn terminal() -> (u32, u32) {
    if (0..=2).any(console::is_tty) {
        (5, 1)
    } else {
        (0, 0)
    }
}

/// The thread with the id `tid`.
fn find(tid: u32) -> Option<&'static sched::Thread> {
    // In tests the main thread is whoever runs them.
    if cfg!(test) && tid == PID as u32 {
        return Some(sched::current());
    }
    sched::find(i32::try_from(tid).ok()?)
}

impl System for Live {
    fn process(&self) -> Process {
        let parts = space::parts();
        let (code, data) = if parts.image.is_empty() {
            (0..0, 0..0)
        } else {
            // SAFETY: the image begins with its ELF header.
            record::code_and_data(unsafe { Elf::at(parts.image.start) })
        };
        let ([pending, ignored, caught], queued) = signal::sets();
        let pid = PID as u32;
        record::read(|record| Process {
            pid,
            group: pid,
            session: pid,
            terminal: terminal(),
            umask: umask(),
            code,
            data,
            break_start: parts.heap.start,
            stack: record.stack,
            args: record.args.clone(),
            environment: record.environment.clone(),
            pending,
            ignored,
            caught,
            queued: queued.into(),
            ..Process::default()
        })
    }

    fn started(&self) -> u64 {
        if registered() {
            record::read(record::Record::started)
        } else {
            0
        }
    }

    fn auxiliary(&self, index: usize) -> Option<(usize, usize)> {
        record::read(|record| record.auxiliary.get(index).copied())
    }

    fn thread(&self, tid: u32) -> Option<Thread> {
        let thread = find(tid)?;
        let [blocked, pending] = signal::sets_of(thread);
        // As CLOCK_PROCESS_CPUTIME_ID has it, if there are no others.
        let time = match sched::others() {
            0 if registered() => time::cpu_ns(),
            0 => 0,
            _ => thread.cpu_ns(),
        };
        let counts = thread.counts();
        Some(Thread {
            name: thread.name(),
            state: match thread.state() {
                sched::State::Running | sched::State::Ready => State::Running,
                sched::State::Blocked => State::Sleeping,
                sched::State::Dead => State::Zombie,
            },
            pending,
            blocked,
            time,
            faults: counts.faults,
            switches: (counts.waits, counts.losses),
        })
    }

    fn next_thread(&self, from: u32) -> Option<u32> {
        let mut next = None;
        sched::each(|thread| {
            let tid = thread.tid as u32;
            if tid >= from && next.is_none_or(|next| tid < next) {
                next = Some(tid);
            }
        });
        next
    }

    fn current(&self) -> u32 {
        sched::current().tid as u32
    }

    fn set_name(&self, tid: u32, name: Name) -> Result<(), Errno> {
        let thread = find(tid).ok_or(Errno::ESRCH)?;
        thread.set_name(super::process::name_of(&name));
        Ok(())
    }

    fn credentials(&self) -> Credentials {
        let cred = cred::current();
        let ids = |ids: cred::ids::Ids| [ids.real, ids.effective, ids.saved, ids.fs];
        let caps = cred.caps();
        Credentials {
            users: ids(cred.user()),
            groups: ids(cred.group()),
            capabilities: [
                caps.inheritable,
                caps.permitted,
                caps.effective,
                caps.bounding,
                caps.ambient,
            ],
            no_new_privileges: prctl::no_new_privileges(),
        }
    }

    fn group(&self, index: usize) -> Option<u32> {
        cred::current().groups()?.get(index).copied()
    }

    fn limit(&self, resource: u32) -> (u64, u64) {
        identity::limits(resource)
    }

    fn region(&self, from: usize) -> Option<Region> {
        regions::region(from)
    }

    /// The program is in no file system, as if its file had been removed after the start.
    fn program(&self, into: &mut Text) {
        record::read(|record| {
            if !record.program.starts_with(b"/") {
                let base = record.program.rsplit(|&byte| byte == b'/').next();
                into.byte(b'/').bytes(base.unwrap_or_default());
            } else {
                into.bytes(&record.program);
            }
        });
        into.str(" (deleted)");
    }

    fn peek(&self, address: usize, into: &mut [u8]) -> usize {
        UserSlice::new(address, into.len()).read(into).unwrap_or(0)
    }

    fn memory(&self) -> Memory {
        let (total, free) = FRAMES.lock().counts();
        Memory {
            total: total as u64,
            free: free as u64,
            heap: heap::frames() as u64,
            tables: frames::tables() as u64,
            stacks: (sched::stacks() / crate::mm::PAGE) as u64,
        }
    }

    fn clock(&self) -> Clock {
        if !registered() {
            return Clock::default();
        }
        Clock {
            uptime: time::monotonic_ns(),
            idle: time::slept_ns(),
            realtime: time::realtime_ns(),
            switches: {
                let counts = sched::counts();
                counts.waits + counts.losses
            },
        }
    }

    fn cpuid(&self, leaf: u32, subleaf: u32) -> [u32; 4] {
        if !registered() {
            return [0; 4];
        }
        let known = |known: &&Leaf| known.0 == (leaf, subleaf);
        if let Some(&(_, words)) = LEAVES.lock_no_irq().iter().find(known) {
            return words;
        }
        let words = platform().cpuid(leaf, subleaf);
        // When the table is full the rest is asked for each time.
        let _ = LEAVES.lock_no_irq().push(((leaf, subleaf), words));
        words
    }

    fn xcr0(&self) -> u64 {
        // Boot turns XSAVE on where the CPU has it (SDM vol. 2, CPUID.01H:ECX.26), after CPUID was
        // asked whether it is on.
        if self.cpuid(1, 0)[2] & 1 << 26 == 0 {
            return 0;
        }
        let (low, high): (u32, u32);
        // SAFETY: the instruction exists, is unprivileged, and changes these two registers only.
        unsafe {
            asm!(
                "xgetbv",
                in("ecx") 0,
                out("eax") low,
                out("edx") high,
                options(nomem, nostack, preserves_flags)
            );
        }
        u64::from(high) << 32 | u64::from(low)
    }

    fn tsc_khz(&self) -> u64 {
        if registered() { time::tsc_khz() } else { 0 }
    }

    fn name(&self, which: Uts, into: &mut Text) {
        into.bytes(names::get(which).as_bytes());
    }

    fn set_uts(&self, which: Uts, name: &[u8]) -> Result<(), Errno> {
        names::set(which, name)
    }

    fn command_line(&self, into: &mut Text) {
        record::read(|record| {
            into.bytes(record.command_line);
        });
    }

    fn random(&self, into: &mut [u8]) {
        if registered() {
            rng::bytes(into);
        }
    }
}
