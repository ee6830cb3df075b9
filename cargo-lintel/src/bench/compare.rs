//! A report beside an earlier one: instructions, which must not grow, and times, for information.

use super::report::Report;
use super::rows::Life;
use super::table::ns;
use crate::failure;
use crate::profile::units::{change, grouped};
use anyhow::Result;
use serde_json::Value;
use std::path::Path;

/// How much the instructions of a row may grow.
const TOLERANCE: f64 = 0.05;
/// How far the times of two runs of the same thing may lie apart.
const NOISE: f64 = 0.15;

/// An earlier report, as far as it is compared.
#[derive(Debug, PartialEq)]
pub struct Earlier {
    /// By name, the boot's included.
    instructions: Vec<(String, u64)>,
    /// By name and life, in nanoseconds.
    times: Vec<(String, &'static str, f64)>,
}

/// The lives as a report names them, and as people do.
const LIVES: [(&str, &str); 2] = [("native", "native"), ("vm", "VM")];

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
            Some(Report::VERSION) => {}
            Some(version) => {
                let ours = Report::VERSION;
                return Err(format!(
                    "the file has version {version}, this tool reads version {ours}"
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
            instructions.push(("boot".to_owned(), main));
        }
        let times = rows.iter().flat_map(times_of).collect();
        Ok(Self {
            instructions,
            times,
        })
    }

    /// The regressions of `now`, one line each. A row that is not among those `now` has at all was
    /// not asked for.
    pub fn regressions(&self, now: &Report) -> Vec<String> {
        let mut lines = Vec::new();
        for (name, before) in &self.instructions {
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

    /// Which times have changed by more than noise, the most changed first, and what is equal. No
    /// judgement: two runs are two days in the life of a computer.
    pub fn differences(&self, now: &Report) -> Vec<String> {
        let mut pairs: Vec<_> = now
            .rows
            .iter()
            .flat_map(|row| [(row, LIVES[0].1, &row.native), (row, LIVES[1].1, &row.vm)])
            .filter_map(|(row, life, after)| {
                let is_it = |entry: &&(String, &str, f64)| entry.0 == row.name && entry.1 == life;
                let before = self.times.iter().find(is_it)?.2;
                Some((row.name.as_str(), life, before, figure(after)?))
            })
            .collect();
        let apart =
            |before: f64, after: f64| before.max(after) / before.min(after).max(0.001) - 1.0;
        pairs.sort_by(|a, b| apart(b.2, b.3).total_cmp(&apart(a.2, a.3)));
        let changed = pairs
            .iter()
            .take_while(|pair| apart(pair.2, pair.3) > NOISE);
        let mut lines: Vec<_> = changed
            .map(|(name, life, before, after)| {
                let percent = (after / before.max(0.001) - 1.0) * 100.0;
                let (before, after) = (ns(*before), ns(*after));
                format!("time: {name}: {life}: {before} -> {after} ns ({percent:+.0} %)")
            })
            .collect();
        let equal = |entry: &&(String, u64)| {
            let mut after = now.instructions();
            after.any(|now| now == (&*entry.0, Some(entry.1)))
        };
        let within = pairs.len() - lines.len();
        lines.push(format!(
            "{within} of {} times within {:.0} %, {} of {} instruction counts equal",
            pairs.len(),
            NOISE * 100.0,
            self.instructions.iter().filter(equal).count(),
            self.instructions
                .iter()
                .filter(|entry| now.instructions().any(|now| now.0 == entry.0))
                .count()
        ));
        lines
    }
}

/// The times of a row of a file.
fn times_of(row: &Value) -> Vec<(String, &'static str, f64)> {
    let time = |(key, life): (&str, &'static str)| {
        let name = row["name"].as_str()?.to_owned();
        Some((name, life, row[key]["ns"]["value"].as_f64()?))
    };
    LIVES.into_iter().filter_map(time).collect()
}

fn figure(life: &Life) -> Option<f64> {
    life.figure().map(|figure| figure.value)
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::sample;
    use super::super::rows::Instructions;
    use super::*;

    fn earlier(instructions: &[(&str, u64)]) -> Earlier {
        let own = |entry: &(&str, u64)| (entry.0.to_owned(), entry.1);
        Earlier {
            instructions: instructions.iter().map(own).collect(),
            times: Vec::new(),
        }
    }

    #[test]
    fn what_is_written_can_be_compared() {
        let report = sample();
        let text = serde_json::to_string(&report).unwrap();
        let earlier = Earlier::parse(&text).unwrap();
        assert_eq!(
            earlier.instructions,
            [("getpid".into(), 100), ("boot".into(), 200_000)]
        );
        assert_eq!(earlier.times.len(), 4);
        assert!(earlier.regressions(&report).is_empty());
        assert_eq!(
            earlier.differences(&report),
            ["4 of 4 times within 15 %, 2 of 2 instruction counts equal"]
        );
    }

    #[test]
    fn changed_times_are_listed_and_no_regression() {
        let text = serde_json::to_string(&sample()).unwrap();
        let mut earlier = Earlier::parse(&text).unwrap();
        for entry in &mut earlier.times {
            match (&*entry.0, entry.1) {
                ("getpid", "VM") => entry.2 *= 2.0,
                ("getpid", "native") => entry.2 *= 1.1,
                _ => {}
            }
        }
        earlier.instructions[0].1 = 99;
        assert_eq!(
            earlier.differences(&sample()),
            [
                "time: getpid: VM: 80.0 -> 40.0 ns (-50 %)",
                "3 of 4 times within 15 %, 1 of 2 instruction counts equal"
            ]
        );
        assert!(earlier.regressions(&sample()).is_empty());
    }

    #[test]
    fn more_than_five_percent_is_a_regression() {
        let mut report = sample();
        let earlier = earlier(&[("getpid", 95), ("boot", 191_000), ("elsewhere", 1)]);
        assert_eq!(
            earlier.regressions(&report),
            ["getpid: 95 -> 100 instructions (+5.3 %)"]
        );
        report.rows[0].instructions = Some(Instructions::of(100, 5_000, 4_900));
        assert!(earlier.regressions(&report).is_empty());
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
            "{\"lintel_bench\":1,\"rows\":7}",
            "{\"lintel_profile\":1}",
        ] {
            assert!(
                Earlier::parse(text).unwrap_err().contains("not a file"),
                "{text}"
            );
        }
        for cut in ["", "{\"lintel_bench\":1,\"rows\":[", "\u{7f}ELF"] {
            let error = Earlier::parse(cut).unwrap_err();
            assert!(error.starts_with("line 1: this is not a file"), "{error}");
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
        let absent = Earlier::read(Path::new("/proc/nowhere.json")).unwrap_err();
        assert_eq!(failure::exit_code(&absent), failure::USER);
        assert!(
            absent
                .to_string()
                .contains("cannot read /proc/nowhere.json")
        );
    }
}
