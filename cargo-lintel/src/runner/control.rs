//! The control channel: lines of text for people and JSON events for us.

use serde::Deserialize;

/// What the kernel reports about itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The kernel is up.
    Boot {
        /// The platform's name.
        platform: String,
        /// The clock source's name.
        clock: String,
        /// The frequency of the time-stamp counter, in kHz.
        tsc_khz: u64,
        /// The time-stamp counter at the kernel's first instruction.
        entry_tsc: u64,
        /// The RAM found, in KiB.
        ram_kib: u64,
    },
    /// The program's `main` is about to run.
    Main(Mark),
    /// The program is about to write to its standard output for the first time.
    FirstWrite(Mark),
    /// How system calls reached the kernel.
    Lower {
        /// `syscall` instructions rewritten to calls.
        lowered_sites: u64,
        /// `syscall` instructions left to trap.
        trapped_sites: u64,
        /// Of those, the ones that could not be proven safe to rewrite.
        unsafe_sites: u64,
        /// Of the rewritten ones, those whose call is answered without looking at its number.
        #[serde(default)]
        known_sites: u64,
        /// `syscall` instructions executed at least once.
        executed_sites: u64,
        /// System calls made through rewritten instructions, if they were counted.
        #[serde(default)]
        lowered_calls: Option<u64>,
        /// System calls made through traps.
        trapped_calls: u64,
    },
    /// A system call that is not implemented was asked for.
    Enosys {
        /// Its number.
        nr: u64,
        /// Its name.
        #[serde(default)]
        name: String,
        /// How often.
        count: u64,
    },
    /// What a clock source says.
    Clock {
        /// Its name.
        source: String,
        /// The frequency of the time-stamp counter by it, in kHz.
        tsc_khz: u64,
    },
    /// How far the clock sources are apart.
    Clocks {
        /// How many there are.
        sources: u64,
        /// The difference of the highest and the lowest, in parts per million.
        spread_ppm: u64,
    },
    /// Interrupts taken.
    Irq {
        /// Of the timer.
        timer: u64,
    },
    /// What the console cost.
    Console {
        /// Calls of the monitor.
        monitor_calls: u64,
        /// Reads of the line status register.
        lsr_reads: u64,
        /// Bytes written.
        bytes: u64,
    },
    /// The program has ended with this exit code.
    Exit {
        /// The exit code.
        code: u8,
    },
    /// A crash report follows.
    Crash,
    /// An event this version of the tool does not know.
    #[serde(other)]
    Unknown,
}

/// A moment of the boot, on the guest's time-stamp counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Mark {
    /// The counter at that moment.
    pub tsc: u64,
    /// The counter at the kernel's first instruction.
    pub entry_tsc: u64,
}

impl Mark {
    /// Counter ticks from the kernel's first instruction to this moment.
    pub fn ticks(self) -> u64 {
        self.tsc.saturating_sub(self.entry_tsc)
    }
}

/// One line of the control channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// An event, and the line it was read from.
    Event(Event, String),
    /// Text for a human.
    Text(String),
}

/// Reads one line (without its newline). What looks like an event but is not one is text.
pub fn parse(line: &[u8]) -> Line {
    let text = String::from_utf8_lossy(line)
        .trim_end_matches('\r')
        .to_owned();
    if text.starts_with('{')
        && let Ok(event) = serde_json::from_str(&text)
    {
        return Line::Event(event, text);
    }
    Line::Text(text)
}

/// The event as a line for people, if it is one of those that `--debug` asks for.
pub fn describe(event: &Event) -> Option<String> {
    let text = match event {
        Event::Boot {
            platform,
            clock,
            tsc_khz,
            ram_kib,
            ..
        } => format!(
            "booted on {platform}, clock {clock}, TSC {} MHz, RAM {} MiB",
            tsc_khz / 1000,
            ram_kib / 1024
        ),
        Event::Lower {
            lowered_sites,
            unsafe_sites,
            known_sites,
            executed_sites,
            lowered_calls,
            trapped_calls,
            ..
        } => {
            let known = match known_sites {
                0 => String::new(),
                _ => format!(", {known_sites} of known number"),
            };
            let lowered = lowered_calls.map(|calls| format!("{calls} lowered calls, "));
            format!(
                "lowered {lowered_sites} of {executed_sites} executed sites ({unsafe_sites} \
                 unsafe{known}), {}{trapped_calls} trapped",
                lowered.unwrap_or_default()
            )
        }
        Event::Clock { source, tsc_khz } => format!("clock {source}: TSC {tsc_khz} kHz"),
        Event::Clocks {
            sources,
            spread_ppm,
        } => {
            format!("{sources} clock sources, {spread_ppm} ppm apart")
        }
        Event::Irq { timer } => format!("{timer} timer interrupts"),
        Event::Enosys { nr, name, count } => {
            let known = || Some(syscalls::Sysno::new(usize::try_from(*nr).ok()?)?.name());
            let name = Some(name.as_str()).filter(|name| !name.is_empty());
            let name = name.or_else(known).unwrap_or("no such call");
            format!("system call {nr} ({name}) is not implemented: called {count} times")
        }
        Event::Console {
            monitor_calls,
            lsr_reads,
            bytes,
        } => format!(
            "console: {bytes} bytes in {monitor_calls} monitor calls, {lsr_reads} status reads"
        ),
        Event::Main(_)
        | Event::FirstWrite(_)
        | Event::Exit { .. }
        | Event::Crash
        | Event::Unknown => return None,
    };
    Some(format!("lintel: {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(text: &str) -> Event {
        match parse(text.as_bytes()) {
            Line::Event(event, line) => {
                assert_eq!(line, text);
                event
            }
            Line::Text(text) => panic!("{text} was taken for text"),
        }
    }

    #[test]
    fn events_are_read() {
        assert_eq!(
            event(r#"{"event":"exit","code":139}"#),
            Event::Exit { code: 139 }
        );
        assert_eq!(event(r#"{"event":"crash"}"#), Event::Crash);
        assert_eq!(
            event(r#"{"event":"of-the-future","x":[1]}"#),
            Event::Unknown
        );
        let mark = event(r#"{"event":"first-write","tsc":900,"entry_tsc":500}"#);
        assert!(matches!(mark, Event::FirstWrite(mark) if mark.ticks() == 400));
    }

    #[test]
    fn everything_else_is_text() {
        assert_eq!(
            parse(b"lintel: no RAM\r"),
            Line::Text("lintel: no RAM".into())
        );
        assert_eq!(parse(b"{not json"), Line::Text("{not json".into()));
        assert!(matches!(
            parse(br#"{"event":"exit","code":256}"#),
            Line::Text(_)
        ));
        assert_eq!(parse(b"a\xffb"), Line::Text("a\u{fffd}b".into()));
    }

    #[test]
    fn reports_read_well() {
        let lower = event(
            r#"{"event":"lower","lowered_sites":14,"trapped_sites":1,"unsafe_sites":0,"executed_sites":15,"lowered_calls":812,"trapped_calls":15}"#,
        );
        assert_eq!(
            describe(&lower).unwrap(),
            "lintel: lowered 14 of 15 executed sites (0 unsafe), 812 lowered calls, 15 trapped"
        );
        let enosys = event(r#"{"event":"enosys","nr":425,"name":"io_uring_setup","count":3}"#);
        assert_eq!(
            describe(&enosys).unwrap(),
            "lintel: system call 425 (io_uring_setup) is not implemented: called 3 times"
        );
        assert_eq!(describe(&Event::Exit { code: 0 }), None);
    }
}
