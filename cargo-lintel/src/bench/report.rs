//! All that a run of the benchmark has found, as JSON.

use super::host::Host;
use super::rows::Row;
use crate::boot;
use serde::Serialize;

/// The name of the boot among the rows.
pub const BOOT: &str = "boot";

/// Everything.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The version of the format.
    pub lintel_bench: u64,
    /// The version of the tool.
    pub version: &'static str,
    /// The day, in UTC.
    pub date: String,
    /// How to do it again.
    pub command: String,
    /// Shorter rounds.
    pub quick: bool,
    /// How often both lives were lived.
    pub passes: usize,
    /// The share of the computer's time that other programs took during the passes, 0 to 1.
    pub others: f64,
    /// The computer.
    pub host: Host,
    /// The accelerator.
    pub accel: &'static str,
    /// What kind of it.
    pub accel_kind: String,
    /// The rows.
    pub rows: Vec<Row>,
    /// The boot of the smallest program.
    pub boot: boot::Report,
}

impl Report {
    /// The version of the format that is written.
    pub const VERSION: u64 = 1;

    /// Instructions by name, the boot's included.
    pub fn instructions(&self) -> impl Iterator<Item = (&str, Option<u64>)> {
        let rows = self.rows.iter().map(|row| {
            let count = row.instructions.map(|count| count.per_call);
            (row.name.as_str(), count)
        });
        rows.chain([(BOOT, Some(self.boot.instructions.main))])
    }
}

#[cfg(test)]
pub mod tests {
    use super::super::rows::{self, Instructions};
    use super::*;

    /// A report with one complete row and two gaps.
    pub fn sample() -> Report {
        let mut rows = rows::tests::sample();
        rows[0].instructions = Some(Instructions::of(100, 5_000, 15_000));
        Report {
            lintel_bench: Report::VERSION,
            version: "0.1.0",
            date: "2024-02-29".into(),
            command: "cargo lintel bench".into(),
            quick: false,
            passes: 2,
            others: 0.25,
            host: Host {
                cpu: "A CPU".into(),
                cpus: 2,
                linux: "6.1.0".into(),
                qemu: "7.2.22".into(),
            },
            accel: "kvm",
            accel_kind: "KVM (hardware virtualisation)".into(),
            rows,
            boot: boot::Report {
                program: "hello".into(),
                instructions: boot::Instructions {
                    main: 200_000,
                    first_write: None,
                },
                time: vec![boot::Time {
                    accel: "kvm",
                    median_ms: 101.5,
                    runs_ms: vec![101.5],
                }],
            },
        }
    }
}
