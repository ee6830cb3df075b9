//! Events as text: JSON lines on the channel, and lines for people in a crash report.

use super::ring::{Event, Kind};
use super::{CALL, ENABLED, RING};
use crate::control;
use crate::platform::{Port, platform};
use crate::shim::{ROWS, dispatch};
use crate::sync::SpinLock;
use crate::time;
use core::fmt::{self, Write};
use core::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering::Relaxed};

/// Events that a crash report shows.
const LAST: u64 = 64;

/// The debugcon port that the events go to; 0: none.
static PORT: AtomicU16 = AtomicU16::new(0);

/// Whether the header has been written.
static BEGUN: AtomicBool = AtomicBool::new(false);

/// When the call began that was last written out before it had returned.
static TOLD: AtomicU64 = AtomicU64::new(0);

/// Held while events are written out. A crash in the middle of that finds it held, and leaves it.
static BUFFER: SpinLock<Buffer> = SpinLock::new(Buffer(heapless::String::new()));

/// Collects lines, so that a write of the port carries many.
struct Buffer(heapless::String<4096>);

impl Buffer {
    fn flush(&mut self) {
        let port = Port::Debugcon(PORT.load(Relaxed));
        platform().write(port, self.0.as_ptr() as usize, self.0.len());
        self.0.clear();
    }
}

impl Write for Buffer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.push_str(text).is_err() {
            self.flush();
            self.0.push_str(text).map_err(|_| fmt::Error)?;
        }
        Ok(())
    }
}

/// Where to write the events (`lintel.events=`).
pub fn set_port(port: u16) {
    PORT.store(port, Relaxed);
}

/// Whether there is somewhere to write them.
#[inline(always)]
pub fn has_port() -> bool {
    PORT.load(Relaxed) != 0
}

/// Writes out what is in the ring.
pub extern "C" fn write_out() {
    write(|_| Ok(()));
}

/// The same and then the call that is being made, once.
pub fn write_with_call() {
    write(unfinished);
}

/// The last events and the end, at exit.
pub fn finish() {
    if !ENABLED || !has_port() {
        return;
    }
    write(|out| {
        unfinished(out)?;
        let (events, lost) = (RING.pushed(), RING.lost());
        writeln!(out, r#"{{"end":true,"events":{events},"lost":{lost}}}"#)
    });
}

fn write(then: impl FnOnce(&mut Buffer) -> fmt::Result) {
    let Some(mut out) = BUFFER.try_lock() else {
        return;
    };
    // The only error is a fragment longer than the buffer, and there is none.
    let _ = write_ring(&mut out).and_then(|()| then(&mut out));
    out.flush();
}

fn write_ring(out: &mut Buffer) -> fmt::Result {
    if !BEGUN.swap(true, Relaxed) {
        let (clock, khz) = time::source();
        let version = env!("CARGO_PKG_VERSION");
        writeln!(
            out,
            r#"{{"lintel_events":1,"version":"{version}","tsc_khz":{khz},"clock":"{clock}"}}"#
        )?;
    }
    while let Some((index, event)) = RING.take() {
        json(out, Some(index), &event)?;
    }
    Ok(())
}

fn unfinished(out: &mut Buffer) -> fmt::Result {
    match CALL.read() {
        Some(call) if TOLD.swap(call.tsc, Relaxed) != call.tsc => json(out, None, &call),
        _ => Ok(()),
    }
}

/// One line; without an index the call has not returned.
fn json(out: &mut impl Write, index: Option<u64>, event: &Event) -> fmt::Result {
    out.write_char('{')?;
    if let Some(index) = index {
        write!(out, r#""seq":{index},"#)?;
    }
    let (kind, number) = (event.kind.name(), event.number);
    write!(out, r#""kind":"{kind}","tsc":{},"nr":{number},"#, event.tsc)?;
    if let (Kind::Syscall, Some(name)) = (event.kind, dispatch::name_of(number as usize)) {
        write!(out, r#""name":"{name}","#)?;
    }
    out.write_str(r#""args":["#)?;
    for (at, arg) in event.args[..arity(event)].iter().enumerate() {
        write!(out, "{}{arg}", if at == 0 { "" } else { "," })?;
    }
    match index {
        Some(_) => write!(
            out,
            r#"],"result":{},"ticks":{}"#,
            event.result, event.ticks
        )?,
        None => out.write_str(r#"],"result":null"#)?,
    }
    if event.text_len != 0 {
        write!(out, r#","text":"{}""#, Escaped(text(event)))?;
        if event.cut {
            out.write_str(r#","cut":true"#)?;
        }
    }
    out.write_str("}\n")
}

fn text(event: &Event) -> &[u8] {
    &event.text[..event.text_len]
}

/// How many of the arguments mean something.
fn arity(event: &Event) -> usize {
    let row = || ROWS.iter().find(|row| row.nr == event.number);
    match event.kind {
        Kind::Syscall => row().map_or(6, |row| usize::from(row.arity)),
        Kind::Fault => 4,
        Kind::Lower | Kind::Sched => 1,
        Kind::None | Kind::Irq => 0,
    }
}

/// Bytes as the inside of a JSON string, each as the character with its number.
struct Escaped<'a>(&'a [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|&byte| match byte {
            b'"' | b'\\' => write!(f, "\\{}", byte as char),
            b' '..=b'~' => f.write_char(byte as char),
            _ => write!(f, "\\u{byte:04x}"),
        })
    }
}

/// The last events, for a crash report: oldest first, and the call that was being made.
pub fn report_last() {
    if !ENABLED || RING.pushed() == 0 && CALL.read().is_none() {
        return;
    }
    let shown = RING.last(LAST).count();
    control!("lintel:   the last {shown} of {} events:", RING.pushed());
    for (index, event) in RING.last(LAST) {
        control!("lintel:   event {index}: {}", Line(&event, true));
    }
    if let Some(call) = CALL.read() {
        control!("lintel:   event: {}", Line(&call, false));
    }
}

/// An event for people, and whether it is complete.
struct Line<'a>(&'a Event, bool);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(event, complete) = *self;
        match event.kind {
            Kind::Syscall => {
                f.write_str(dispatch::name_of(event.number as usize).unwrap_or("?"))?
            }
            kind => write!(f, "{} {}", kind.name(), event.number)?,
        }
        f.write_char('(')?;
        for (at, arg) in event.args[..arity(event)].iter().enumerate() {
            write!(f, "{}{arg:#x}", if at == 0 { "" } else { ", " })?;
        }
        f.write_char(')')?;
        if event.text_len != 0 {
            write!(f, " \"{}\"", Escaped(text(event)))?;
        }
        match complete {
            true => write!(f, " = {} <{} ticks>", event.result, event.ticks),
            false => f.write_str(" did not return"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::ring::{Record, TEXT};
    use super::*;

    fn write_of(text: &[u8]) -> Event {
        let record = Record::new();
        record.set(Kind::Syscall, 1, 100);
        let args = [1, 0xff00, text.len() as u64, 9, 9, 9];
        for (to, from) in record.args.iter().zip(args) {
            to.store(from, Relaxed);
        }
        let mut room = [0; TEXT];
        room[..text.len()].copy_from_slice(text);
        record.attach(&room, text.len(), false);
        record.complete(-9, 130);
        record.read().unwrap()
    }

    fn line(index: Option<u64>, event: &Event) -> String {
        let mut out = String::new();
        json(&mut out, index, event).unwrap();
        out
    }

    #[test]
    fn a_call_is_a_line_of_json() {
        let event = write_of(b"a\"\n\xff");
        assert_eq!(
            line(Some(7), &event),
            "{\"seq\":7,\"kind\":\"syscall\",\"tsc\":100,\"nr\":1,\"name\":\"write\",\
             \"args\":[1,65280,4],\"result\":-9,\"ticks\":30,\"text\":\"a\\\"\\u000a\\u00ff\"}\n"
        );
        assert!(line(None, &event).contains("\"result\":null,\"text\""));
        let irq = Record::of(Kind::Irq, 32, 5, [0; 4], 0).read().unwrap();
        assert!(line(Some(0), &irq).contains("\"nr\":32,\"args\":[],\"result\":0"));
    }

    #[test]
    fn a_call_is_a_line_for_people() {
        let event = write_of(b"ab");
        assert_eq!(
            Line(&event, true).to_string(),
            "write(0x1, 0xff00, 0x2) \"ab\" = -9 <30 ticks>"
        );
        assert!(
            Line(&event, false)
                .to_string()
                .ends_with("\"ab\" did not return")
        );
    }
}
