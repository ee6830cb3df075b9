//! All that a run of the benchmark has found, as JSON, and the comparison with an earlier one.

use super::host::Host;
use super::rows::Row;
use crate::boot;
use crate::failure;
use crate::profile::units::{change, grouped};
use anyhow::Result;
use serde::Serialize;
use serde_json::Value;
use std::path::Path;

/// The version of the format.
const VERSION: u64 = 1;
/// How much the instructions of a row may grow.
const TOLERANCE: f64 = 0.05;

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
    pub const VERSION: u64 = VERSION;

    /// Instructions by name, the boot's included.
    fn instructions(&self) -> impl Iterator<Item = (&str, Option<u64>)> {
        let rows = self.rows.iter().map(|row| {
            let count = row.instructions.map(|count| count.per_call);
            (row.name.as_str(), count)
        });
        rows.chain([(BOOT, Some(self.boot.instructions.main))])
    }
}

/// The name of the boot among the rows.
const BOOT: &str = "boot";

/// An earlier report, as far as it is compared: instructions by name.
#[derive(Debug, PartialEq, Eq)]
pub struct Earlier(Vec<(String, u64)>);

impl Earlier {
    /// Reads a file written with `--json`.
    pub fn read(path: &Path) -> Result<Self> {
        let name = path.display();
        let text = std::fs::read_to_string(path)
            .map_err(|error| failure::user(format!("cannot read {name}: {error}")))?;
        Self::parse(&text).map_err(|what| failure::user(format!("{name}: {what}")))
    }

    fn parse(text: &str) -> Result<Self, String> {
        const FOREIGN: &str = "this is not a file written by `cargo lintel bench --json`";
        let value: Value = serde_json::from_str(text)
            .map_err(|error| format!("line {}: {FOREIGN}", error.line().max(1)))?;
        match value["lintel_bench"].as_u64() {
            Some(VERSION) => {}
            Some(version) => {
                return Err(format!(
                    "the file has version {version}, this tool reads version {VERSION}"
                ));
            }
            None => return Err(FOREIGN.into()),
        }
        let rows = value["rows"].as_array().ok_or(FOREIGN)?;
        let row = |row: &Value| {
            let name = row["name"].as_str()?.to_owned();
            Some((name, row["instructions"]["per_call"].as_u64()?))
        };
        let mut instructions: Vec<_> = rows.iter().filter_map(row).collect();
        if let Some(main) = value["boot"]["instructions"]["main"].as_u64() {
            instructions.push((BOOT.to_owned(), main));
        }
        Ok(Self(instructions))
    }

    /// The regressions of `now`, one line each. A row that is not among those `now` has at all was
    /// not asked for.
    pub fn regressions(&self, now: &Report) -> Vec<String> {
        let mut lines = Vec::new();
        for (name, before) in &self.0 {
            let found = now.instructions().find(|entry| entry.0 == name);
            match found {
                Some((_, Some(after))) if after as f64 > *before as f64 * (1.0 + TOLERANCE) => {
                    lines.push(format!(
                        "{name}: {} -> {} instructions ({})",
                        grouped(*before),
                        grouped(after),
                        change(*before, after)
                    ));
                }
                Some((_, None)) => lines.push(format!("{name}: can no longer be counted")),
                _ => {}
            }
        }
        lines
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
            lintel_bench: VERSION,
            version: "0.1.0",
            date: "2024-02-29".into(),
            command: "cargo lintel bench".into(),
            quick: false,
            passes: 2,
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

    #[test]
    fn what_is_written_can_be_compared() {
        let report = sample();
        let text = serde_json::to_string(&report).unwrap();
        let earlier = Earlier::parse(&text).unwrap();
        assert_eq!(
            earlier,
            Earlier(vec![("getpid".into(), 100), ("boot".into(), 200_000)])
        );
        assert!(earlier.regressions(&report).is_empty());
    }

    #[test]
    fn more_than_five_percent_is_a_regression() {
        let mut report = sample();
        let earlier = Earlier(vec![
            ("getpid".into(), 95),
            ("boot".into(), 191_000),
            ("elsewhere".into(), 1),
        ]);
        assert_eq!(
            earlier.regressions(&report),
            ["getpid: 95 -> 100 instructions (+5.3 %)"]
        );
        report.rows[0].instructions = None;
        assert_eq!(
            earlier.regressions(&report),
            ["getpid: can no longer be counted"]
        );
    }

    #[test]
    fn foreign_files_are_refused() {
        for text in [
            "{}",
            "[]",
            "1",
            "{\"lintel_bench\":\"x\"}",
            "{\"lintel_bench\":1}",
        ] {
            assert!(
                Earlier::parse(text).unwrap_err().contains("not a file"),
                "{text}"
            );
        }
        assert!(
            Earlier::parse("{\"a\":\n1,")
                .unwrap_err()
                .starts_with("line 2")
        );
        assert!(
            Earlier::parse("{\"lintel_bench\":2}")
                .unwrap_err()
                .contains("version 2")
        );
    }
}
