//! The lines of the channel.

use serde::Deserialize;

/// A line.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Message {
    /// An event.
    Event(Record),
    /// The first line.
    Header(Header),
    /// The last line.
    End(End),
}

/// What an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A system call.
    Syscall,
    /// An interrupt.
    Irq,
    /// An exception.
    Fault,
    /// An attempt to rewrite a `syscall` instruction.
    Lower,
    /// A switch of threads.
    Sched,
    /// Of a later version.
    #[serde(other)]
    Other,
}

/// An event.
#[derive(Debug, Clone, Deserialize)]
pub struct Record {
    /// What it is about.
    pub kind: Kind,
    /// The number of the system call or the vector.
    pub nr: u32,
    /// Its arguments.
    pub args: Vec<u64>,
    /// Its result; `None` while a call has not returned.
    pub result: Option<i64>,
    /// How long it took, in ticks of the time-stamp counter.
    #[serde(default)]
    pub ticks: Option<u64>,
    /// The beginning of a path or a buffer, a character for each byte.
    #[serde(default)]
    pub text: Option<String>,
    /// Whether there was more of it.
    #[serde(default)]
    pub cut: bool,
}

/// The first line.
#[derive(Debug, Deserialize)]
pub struct Header {
    /// The version of the lines.
    pub lintel_events: u64,
    /// The frequency of the time-stamp counter in kHz.
    pub tsc_khz: u64,
}

/// The last line.
#[derive(Debug, Deserialize)]
pub struct End {
    /// Events that were overwritten before they could be sent.
    pub lost: u64,
    /// Always true; what makes the line the last one.
    #[serde(rename = "end")]
    _end: bool,
}

impl Record {
    /// The text as bytes.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        let text = self.text.as_ref()?;
        Some(text.chars().map(|c| c as u32 as u8).collect())
    }
}
