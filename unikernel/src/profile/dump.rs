//! The profile as JSONL: integers only, a line at a time, whatever state the program is in.

use super::causes::{CAUSE_NAMES, COSTS, Cost};
use super::{CALLS, ENABLED, Entry};
use crate::errno::Errno;
use crate::platform::{Port, platform};
use crate::shim::dispatch;
use crate::time::{self, tsc};
use core::fmt::{self, Write};
use core::sync::atomic::{AtomicU16, AtomicU32, Ordering::Relaxed};

/// The debugcon port that the profile goes to; 0: none.
static PORT: AtomicU16 = AtomicU16::new(0);

/// Where to write the profile at exit (`lintel.profile=`).
pub fn set_port(port: u16) {
    if ENABLED {
        PORT.store(port, Relaxed);
    }
}

/// Collects a line's fragments, so that a line is one write.
struct Line {
    port: Port,
    text: heapless::String<512>,
}

impl Line {
    fn flush(&mut self) {
        platform().write(self.port, self.text.as_ptr() as usize, self.text.len());
        self.text.clear();
    }
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.text.push_str(text).is_err() {
            self.flush();
            self.text.push_str(text).map_err(|_| fmt::Error)?;
        }
        Ok(())
    }
}

/// Profiles written so far.
static WRITTEN: AtomicU32 = AtomicU32::new(0);

/// Writes the profile at the end of the program, if there is one and somewhere to write it.
pub fn dump() {
    write(None);
}

/// The same while the program goes on.
pub fn snapshot() {
    write(Some(WRITTEN.fetch_add(1, Relaxed) + 1));
}

/// `snapshot` is its number, from 1, when the program has not ended. What writing costs is not a
/// part of any profile.
fn write(snapshot: Option<u32>) {
    let port = PORT.load(Relaxed);
    if !ENABLED || port == 0 {
        return;
    }
    let mut line = Line {
        port: Port::Debugcon(port),
        text: heapless::String::new(),
    };
    super::unmeasured(|| {
        // The only error is a fragment longer than a line, and there is none.
        let _ = write_all(&mut line, snapshot);
        line.flush();
    });
}

fn write_all(out: &mut Line, snapshot: Option<u32>) -> fmt::Result {
    let run = time::monotonic_ns();
    let (clock, khz) = time::source();
    let (overhead, empty) = overhead();
    write!(
        out,
        r#"{{"lintel_profile":1,"version":"{}","tsc_khz":{khz},"clock":"{clock}","platform":"{}","overhead_cycles":{},"empty_cycles":{}"#,
        env!("CARGO_PKG_VERSION"),
        platform().name(),
        overhead,
        empty
    )?;
    if let Some(number) = snapshot {
        write!(out, r#","snapshot":{number}"#)?;
    }
    out.write_str("}\n")?;
    let mut calls = 0;
    for (number, entry) in CALLS.iter().enumerate() {
        let count = entry.histogram.count();
        if count != 0 {
            calls += count;
            write_call(out, number, entry)?;
            out.flush();
        }
    }
    for (name, cost) in CAUSE_NAMES.iter().zip(&COSTS) {
        write_cost(out, name, cost)?;
    }
    writeln!(out, r#"{{"end":true,"calls":{calls},"run_ns":{run}}}"#)
}

/// The cost of the two TSC reads of a call and how much of it is within the measured time, in
/// ticks. Each is the mean of many, because the counter may move in steps longer than that, and the
/// best of a few, because the host may come in between.
fn overhead() -> (u64, u64) {
    const PAIRS: u64 = 1024;
    const ROUNDS: usize = 8;
    let round = |_| {
        let (start, mut within) = (tsc(), 0);
        for _ in 0..PAIRS {
            let before = tsc();
            within += tsc().wrapping_sub(before);
        }
        ((tsc() - start) / PAIRS, within / PAIRS)
    };
    (0..ROUNDS).map(round).min().unwrap_or_default()
}

fn write_call(out: &mut Line, number: usize, entry: &Entry) -> fmt::Result {
    let (calls, total) = (entry.histogram.count(), entry.total.load(Relaxed));
    let (min, max) = entry.extremes();
    let name = dispatch::name_of(number).unwrap_or("");
    let ns = time::ticks_to_ns;
    write!(
        out,
        r#"{{"nr":{number},"name":"{name}","calls":{calls},"total_ns":{},"avg_ns":{},"min_ns":{},"max_ns":{},"#,
        ns(total),
        ns(total / calls),
        ns(min),
        ns(max)
    )?;
    let p = |percent| ns(entry.histogram.percentile(percent));
    write!(
        out,
        r#""p50_ns":{},"p90_ns":{},"p99_ns":{},"blocked_ns":{},"bytes":{},"errors":{{"#,
        p(50),
        p(90),
        p(99),
        ns(entry.blocked.load(Relaxed)),
        entry.bytes.load(Relaxed)
    )?;
    write_errors(out, entry)?;
    let [direct, lowered, trapped] = entry.doors();
    write!(
        out,
        r#"}},"doors":{{"direct":{direct},"lowered":{lowered},"trapped":{trapped}}},"hist":["#
    )?;
    let mut comma = "";
    for (bucket, count) in entry.histogram.filled() {
        write!(out, "{comma}[{bucket},{count}]")?;
        comma = ",";
    }
    writeln!(out, "]}}")
}

fn write_errors(out: &mut Line, entry: &Entry) -> fmt::Result {
    let mut comma = "";
    for (errno, count) in &entry.errors {
        let (errno, count) = (errno.load(Relaxed), count.load(Relaxed));
        if count == 0 {
            continue;
        }
        match Errno::from_number(errno).and_then(Errno::name) {
            Some(name) => write!(out, r#"{comma}"{name}":{count}"#)?,
            None => write!(out, r#"{comma}"E{errno}":{count}"#)?,
        }
        comma = ",";
    }
    match entry.other_errors.load(Relaxed) {
        0 => Ok(()),
        other => write!(out, r#"{comma}"other":{other}"#),
    }
}

fn write_cost(out: &mut Line, name: &str, cost: &Cost) -> fmt::Result {
    let count = cost.count.load(Relaxed);
    if count == 0 {
        return Ok(());
    }
    let (total, max) = (cost.total.load(Relaxed), cost.max.load(Relaxed));
    let ns = time::ticks_to_ns;
    writeln!(
        out,
        r#"{{"cause":"{name}","count":{count},"total_ns":{},"max_ns":{}}}"#,
        ns(total),
        ns(max)
    )
}
