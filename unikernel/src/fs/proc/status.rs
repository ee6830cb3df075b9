//! What a process or a thread is doing: `status`, `stat`, `statm` (`fs/proc/array.c`).

use super::entry::At;
use super::machine::TICK;
use super::maps::{self, Usage};
use super::process::{name_of, thread_id};
use super::source::{Process, State, System, Thread};
use super::text::Text;
use crate::errno::Errno;
use crate::mm::{PAGE, page_down, page_up};
use linux_raw_sys::general::{RLIMIT_RSS, RLIMIT_SIGPENDING, SIGCHLD};

/// Threads of the process.
fn threads(system: &dyn System) -> u64 {
    let (mut count, mut from) = (0, 0);
    while let Some(tid) = system.next_thread(from) {
        (count, from) = (count + 1, tid.saturating_add(1));
    }
    count
}

/// Time on the CPU in ticks: the thread's in its own directory, else that of all.
fn ticks(at: &At, thread: &Thread) -> u64 {
    let system = at.source.system;
    if at.thread != 0 {
        return thread.time / TICK;
    }
    let (mut sum, mut from) = (0, 0);
    while let Some(tid) = system.next_thread(from) {
        sum += system.thread(tid).map_or(0, |thread| thread.time);
        from = tid.saturating_add(1);
    }
    sum / TICK
}

/// Pages of the program's code (`mm->end_code - start_code`, whole pages).
fn code_bytes(process: &Process) -> u64 {
    let end = page_up(process.code.end).unwrap_or(usize::MAX);
    (end - page_down(process.code.start)) as u64
}

/// `/proc/self/status`.
pub fn status(at: &At, text: &mut Text) -> Result<(), Errno> {
    let system = at.source.system;
    let (process, tid) = (system.process(), thread_id(at));
    let thread = system.thread(tid).ok_or(Errno::ESRCH)?;
    text.str("Name:\t");
    escape(name_of(&thread.name), text);
    text.line();
    text.str("Umask:\t").oct(process.umask.into(), 4).line();
    text.str(match thread.state {
        State::Running => "State:\tR (running)\n",
        State::Sleeping => "State:\tS (sleeping)\n",
        State::Zombie => "State:\tZ (zombie)\n",
    });
    text.field("Tgid:\t", process.pid.into());
    text.str("Ngid:\t0\n").field("Pid:\t", tid.into());
    text.field("PPid:\t", process.parent.into())
        .str("TracerPid:\t0\n");
    users(at, text);
    text.fields(&[
        ("NStgid:\t", process.pid.into()),
        ("NSpid:\t", tid.into()),
        ("NSpgid:\t", process.group.into()),
        ("NSsid:\t", process.session.into()),
    ]);
    memory(system, &process, text);
    text.str("CoreDumping:\t0\nTHP_enabled:\t1\n");
    text.field("Threads:\t", threads(system));
    signals(system, &process, &thread, text);
    privileges(system, text);
    text.str("Cpus_allowed:\t1\nCpus_allowed_list:\t0\n");
    text.str("Mems_allowed:\t1\nMems_allowed_list:\t0\n");
    text.field("voluntary_ctxt_switches:\t", thread.switches.0);
    text.field("nonvoluntary_ctxt_switches:\t", thread.switches.1);
    Ok(())
}

/// A name on one line: `\n` and `\\` for the two bytes that would be misread.
fn escape(name: &[u8], text: &mut Text) {
    for &byte in name {
        match byte {
            b'\n' => text.str("\\n"),
            b'\\' => text.str("\\\\"),
            byte => text.byte(byte),
        };
    }
}

fn users(at: &At, text: &mut Text) {
    let credentials = at.source.system.credentials();
    for (label, ids) in [("Uid:", credentials.users), ("Gid:", credentials.groups)] {
        text.str(label);
        for id in ids {
            text.byte(b'\t').dec(id.into());
        }
        text.line();
    }
    text.field("FDSize:\t", at.source.files.counts().table);
    text.str("Groups:\t");
    for (index, group) in (0..).map_while(|i| Some((i, at.source.system.group(i)?))) {
        text.str(if index > 0 { " " } else { "" }).dec(group.into());
    }
    text.str(" \n");
}

/// The lines on memory (`task_mem`), but for those about the past: nobody keeps maxima.
fn memory(system: &dyn System, process: &Process, text: &mut Text) {
    let usage = maps::usage(system);
    let code = code_bytes(process);
    text.sizes(&[
        ("VmSize:\t", usage.size),
        ("VmLck:\t", 0),
        ("VmPin:\t", 0),
        ("VmRSS:\t", usage.anonymous + usage.file),
        ("RssAnon:\t", usage.anonymous),
        ("RssFile:\t", usage.file),
        ("RssShmem:\t", 0),
        ("VmData:\t", usage.data),
        ("VmStk:\t", usage.stack),
        ("VmExe:\t", code),
        (
            "VmLib:\t",
            (usage.code + usage.library).saturating_sub(code),
        ),
        ("VmPTE:\t", system.memory().tables * PAGE as u64),
        ("VmSwap:\t", 0),
        ("HugetlbPages:\t", 0),
    ]);
}

fn signals(system: &dyn System, process: &Process, thread: &Thread, text: &mut Text) {
    text.str("SigQ:\t").dec(process.queued).byte(b'/');
    text.dec(system.limit(RLIMIT_SIGPENDING).0).line();
    sets(
        &[
            ("SigPnd:\t", thread.pending),
            ("ShdPnd:\t", process.pending),
            ("SigBlk:\t", thread.blocked),
            ("SigIgn:\t", process.ignored),
            ("SigCgt:\t", process.caught),
        ],
        text,
    );
}

/// Appends a line for each set.
#[inline(never)]
fn sets(rows: &[(&str, u64)], text: &mut Text) {
    for &(label, set) in rows {
        text.str(label).hex(set, 16).line();
    }
}

fn privileges(system: &dyn System, text: &mut Text) {
    let credentials = system.credentials();
    let [inheritable, permitted, effective, bounding, ambient] = credentials.capabilities;
    sets(
        &[
            ("CapInh:\t", inheritable),
            ("CapPrm:\t", permitted),
            ("CapEff:\t", effective),
            ("CapBnd:\t", bounding),
            ("CapAmb:\t", ambient),
        ],
        text,
    );
    text.field("NoNewPrivs:\t", credentials.no_new_privileges.into());
    text.str("Seccomp:\t0\nSeccomp_filters:\t0\n");
}

/// A device number as `stat` shows it (`new_encode_dev`).
fn encode((major, minor): (u32, u32)) -> u64 {
    ((minor & 0xff) | (major << 8) | ((minor & !0xff) << 12)).into()
}

/// `/proc/self/stat` (`do_task_stat`): 52 fields. Zero stands where Linux shows zero, too (`signal`,
/// `itrealvalue`, what moved to other files), where there can be nothing (children, swap, other CPUs,
/// real-time policies), and for `kstkesp`, `kstkeip` and `wchan`, which it hides.
pub fn stat(at: &At, text: &mut Text) -> Result<(), Errno> {
    let system = at.source.system;
    let (process, tid) = (system.process(), thread_id(at));
    let thread = system.thread(tid).ok_or(Errno::ESRCH)?;
    let usage = maps::usage(system);
    text.dec(tid.into()).str(" (").bytes(name_of(&thread.name));
    text.str(match thread.state {
        State::Running => ") R",
        State::Sleeping => ") S",
        State::Zombie => ") Z",
    });
    // ppid, pgrp, session, tty_nr, and tpgid, the one group there is: -1 without a terminal.
    let ids = [process.parent, process.group, process.session];
    let group = match process.terminal {
        (0, 0) => -1,
        _ => process.group.into(),
    };
    fields(text, &ids.map(u64::from));
    fields(text, &[encode(process.terminal)]);
    text.byte(b' ').int(group);
    // flags, minflt, cminflt, majflt, cmajflt, utime, stime, cutime, cstime, priority, nice,
    // num_threads, itrealvalue, starttime.
    fields(
        text,
        &[
            0,
            thread.faults,
            0,
            0,
            0,
            ticks(at, &thread),
            0,
            0,
            0,
            20,
            0,
        ],
    );
    fields(text, &[threads(system), 0, system.started() / TICK]);
    fields(
        text,
        &[usage.size, (usage.anonymous + usage.file) / PAGE as u64],
    );
    fields(text, &[system.limit(RLIMIT_RSS).0]);
    fields(
        text,
        &[process.code.start, process.code.end, process.stack, 0, 0].map(|a| a as u64),
    );
    let sets = [
        thread.pending,
        thread.blocked,
        process.ignored,
        process.caught,
    ];
    fields(text, &sets.map(|set| set & 0x7fff_ffff));
    // wchan, nswap, cnswap, exit_signal, processor, rt_priority, policy, delays, guest times.
    fields(text, &[0, 0, 0, SIGCHLD.into(), 0, 0, 0, 0, 0, 0]);
    fields(text, &addresses(&process));
    // exit_code.
    fields(text, &[0]);
    text.line();
    Ok(())
}

/// Appends numbers, each behind a space.
#[inline(never)]
fn fields(text: &mut Text, values: &[u64]) {
    for &value in values {
        text.byte(b' ').dec(value);
    }
}

/// Fields 45 to 51: data, break, arguments, environment.
fn addresses(process: &Process) -> [u64; 7] {
    [
        process.data.start,
        process.data.end,
        process.break_start,
        process.args.start,
        process.args.end,
        process.environment.start,
        process.environment.end,
    ]
    .map(|address| address as u64)
}

/// `/proc/self/statm`: size, resident, shared, text, 0, data and stack, 0; in pages.
pub fn statm(at: &At, text: &mut Text) -> Result<(), Errno> {
    let system = at.source.system;
    let Usage {
        size,
        anonymous,
        file,
        data,
        stack,
        ..
    } = maps::usage(system);
    let code = code_bytes(&system.process());
    let sizes = [size, anonymous + file, file, code, 0, data + stack, 0];
    for (index, bytes) in sizes.into_iter().enumerate() {
        text.str(if index > 0 { " " } else { "" })
            .dec(bytes / PAGE as u64);
    }
    text.line();
    Ok(())
}
