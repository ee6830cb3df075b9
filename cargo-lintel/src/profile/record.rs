//! The file format: JSON lines, version 1. Whatever is not one is refused with its line number.

use super::histogram;
use crate::failure;
use anyhow::Result;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::Path;

/// The version of the format that is read.
const VERSION: u64 = 1;

/// The first line.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
pub struct Header {
    lintel_profile: u64,
    /// The version of the kernel.
    pub version: String,
    /// The frequency of the time-stamp counter, in kHz.
    pub tsc_khz: u64,
    /// The clock source.
    pub clock: String,
    /// The platform.
    pub platform: String,
    /// What measuring a call costs, in cycles.
    pub overhead_cycles: u64,
    /// What a call that does nothing measures: the part of that which is in every call's time.
    #[serde(default)]
    pub empty_cycles: u64,
    /// The number of a profile that was asked for while the program ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<u64>,
    /// The machine.
    #[serde(default)]
    pub machine: String,
    /// The accelerator.
    #[serde(default)]
    pub accel: String,
    /// The program.
    #[serde(default)]
    pub program: String,
    /// Its arguments.
    #[serde(default)]
    pub args: Vec<String>,
}

/// How calls came in.
#[derive(Debug, Clone, Copy, Default, Deserialize, Serialize)]
pub struct Doors {
    /// Through a call of the library.
    pub direct: u64,
    /// Through a rewritten `syscall` instruction.
    pub lowered: u64,
    /// Through a trap.
    pub trapped: u64,
}

/// One system call.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
pub struct Call {
    /// Its number.
    pub nr: u64,
    /// Its name, empty if the kernel has none for it.
    pub name: String,
    /// How often it was made.
    pub calls: u64,
    /// Time in all of them.
    pub total_ns: u64,
    /// The mean.
    pub avg_ns: u64,
    /// The shortest.
    pub min_ns: u64,
    /// The longest.
    pub max_ns: u64,
    /// Half took no longer.
    pub p50_ns: u64,
    /// Nine tenths took no longer.
    pub p90_ns: u64,
    /// 99 of 100 took no longer.
    pub p99_ns: u64,
    /// Time asleep, as part of the total.
    pub blocked_ns: u64,
    /// Bytes moved.
    pub bytes: u64,
    /// Errors by name.
    pub errors: BTreeMap<String, u64>,
    /// How they came in.
    pub doors: Doors,
    /// Counts by bucket of cycles, see [`histogram`].
    pub hist: Vec<(u64, u64)>,
}

/// What one cause of exits and interrupts cost.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
pub struct Cause {
    /// Its name.
    #[serde(rename = "cause")]
    pub name: String,
    /// How often.
    pub count: u64,
    /// Time in all.
    pub total_ns: u64,
    /// The longest.
    pub max_ns: u64,
}

/// The last line.
#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
pub struct End {
    end: bool,
    /// Calls made.
    pub calls: u64,
    /// Time from boot to the end of the program.
    pub run_ns: u64,
}

/// A whole file, or what there is of it.
#[derive(Debug, Clone, Default)]
pub struct Profile {
    /// The first line.
    pub header: Header,
    /// The calls, in the order of the file until [`Profile::sort`].
    pub calls: Vec<Call>,
    /// The causes.
    pub causes: Vec<Cause>,
    /// The last line.
    pub end: Option<End>,
    /// Why this is not the profile of the whole run, if the runner has noted it.
    pub incomplete: Option<String>,
}

impl Call {
    /// A name in any case: the kernel's, or that of Linux, or the number.
    pub fn title(&self) -> String {
        if !self.name.is_empty() {
            return self.name.clone();
        }
        let known = usize::try_from(self.nr).ok().and_then(syscalls::Sysno::new);
        known.map_or(format!("call {}", self.nr), |call| call.name().to_owned())
    }

    /// The errors as `ENOENT 3, EBADF 1`, most frequent first.
    pub fn error_text(&self) -> String {
        let mut errors: Vec<_> = self.errors.iter().collect();
        errors.sort_by_key(|&(name, count)| (Reverse(count), name));
        let texts: Vec<_> = errors
            .iter()
            .map(|(name, count)| format!("{name} {count}"))
            .collect();
        texts.join(", ")
    }
}

impl Profile {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self> {
        let name = path.display();
        let text = std::fs::read(path)
            .map_err(|error| failure::user(format!("cannot read {name}: {error}")))?;
        Self::parse(&String::from_utf8_lossy(&text))
            .map_err(|(line, what)| failure::user(format!("{name}: line {line}: {what}")))
    }

    /// Reads the text of a file; the error is a line number and what is wrong there.
    pub fn parse(text: &str) -> Result<Self, (usize, String)> {
        let mut profile = Self::default();
        let mut last = 0;
        for (at, line) in text.split_inclusive('\n').enumerate() {
            last = at + 1;
            let fail = |what| (at + 1, what);
            let value = object(line, at == 0).map_err(fail)?;
            // The end of the run may be missing behind a profile that was asked for.
            let noted = profile.header.snapshot.is_some() && value.get("incomplete").is_some();
            if profile.incomplete.is_some() || profile.end.is_some() && !noted {
                return Err(fail(
                    "there is something after the end of the profile".into(),
                ));
            }
            match at {
                0 => profile.header = header(value).map_err(fail)?,
                _ => profile.add(value).map_err(fail)?,
            }
        }
        match last {
            0 => Err((1, "the file is empty: no profile was written to it".into())),
            _ => Ok(profile),
        }
    }

    fn add(&mut self, value: Value) -> Result<(), String> {
        if value.get("nr").is_some() {
            let call: Call = typed(value)?;
            if call.hist.iter().any(|pair| pair.0 >= histogram::BUCKETS) {
                return Err("damaged: a histogram has a bucket that cannot be".into());
            }
            self.calls.push(call);
        } else if value.get("cause").is_some() {
            self.causes.push(typed(value)?);
        } else if value.get("end").is_some() {
            self.end = Some(typed(value)?);
        } else if let Some(why) = value.get("incomplete") {
            self.incomplete = Some(why.as_str().unwrap_or("for an unknown reason").to_owned());
        } else {
            return Err("this is no line of a profile".into());
        }
        Ok(())
    }

    /// Dearest first.
    pub fn sort(&mut self) {
        self.calls
            .sort_by_key(|call| (Reverse(call.total_ns), call.nr));
        self.causes
            .sort_by_key(|cause| (Reverse(cause.total_ns), cause.name.clone()));
    }

    /// Time in all calls.
    pub fn total_ns(&self) -> u64 {
        self.calls.iter().map(|call| call.total_ns).sum()
    }

    /// Why this is not the whole profile, if it is not.
    pub fn gap(&self) -> Option<&str> {
        match (self.end, &self.incomplete) {
            (_, Some(why)) => Some(why),
            (Some(_), None) => None,
            (None, None) => Some("the file has no last line"),
        }
    }

    /// Cycles in nanoseconds.
    pub fn ns(&self, cycles: u64) -> u64 {
        let ns = u128::from(cycles) * 1_000_000 / u128::from(self.header.tsc_khz.max(1));
        u64::try_from(ns).unwrap_or(u64::MAX)
    }
}

fn object(line: &str, first: bool) -> Result<Value, String> {
    match serde_json::from_str(line) {
        Ok(value @ Value::Object(_)) => Ok(value),
        _ if first => Err(FOREIGN.into()),
        _ if !line.ends_with('\n') => Err("the file is cut off in the middle of this line".into()),
        _ => Err("this is no line of a profile".into()),
    }
}

const FOREIGN: &str = "this is not a profile written by `cargo lintel run --profile`";

fn header(value: Value) -> Result<Header, String> {
    match value.get("lintel_profile").and_then(Value::as_u64) {
        Some(VERSION) => typed(value),
        Some(version) => Err(format!(
            "the profile has version {version}, this tool reads version {VERSION}"
        )),
        None => Err(match value.get("incomplete").and_then(Value::as_str) {
            Some(why) => format!("INCOMPLETE: there is no profile: {why}"),
            None => FOREIGN.into(),
        }),
    }
}

fn typed<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, String> {
    serde_json::from_value(value).map_err(|error| format!("damaged: {error}"))
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A small profile as the kernel and the runner write it.
    pub const SAMPLE: &str = concat!(
        r#"{"lintel_profile":1,"version":"0.1.0","tsc_khz":2000000,"clock":"pvclock","platform":"kvm","overhead_cycles":48,"empty_cycles":24,"machine":"microvm","accel":"kvm","program":"a<b","args":["-n"]}"#,
        "\n",
        r#"{"nr":0,"name":"read","calls":100,"total_ns":10000,"avg_ns":100,"min_ns":30,"max_ns":921,"p50_ns":90,"p90_ns":120,"p99_ns":876,"blocked_ns":0,"bytes":276924,"errors":{},"doors":{"direct":0,"lowered":99,"trapped":1},"hist":[[26,60],[27,39],[40,1]]}"#,
        "\n",
        r#"{"nr":1,"name":"write","calls":2,"total_ns":90000,"avg_ns":45000,"min_ns":1,"max_ns":89999,"p50_ns":1,"p90_ns":90000,"p99_ns":90000,"blocked_ns":5,"bytes":81,"errors":{"EBADF":2,"EIO":3},"doors":{"direct":0,"lowered":0,"trapped":2},"hist":[[2,1],[65,1]]}"#,
        "\n",
        r#"{"nr":334,"name":"","calls":1,"total_ns":10,"avg_ns":10,"min_ns":10,"max_ns":10,"p50_ns":9,"p90_ns":9,"p99_ns":9,"blocked_ns":0,"bytes":0,"errors":{"ENOSYS":1},"doors":{"direct":0,"lowered":0,"trapped":1},"hist":[[14,1]]}"#,
        "\n",
        r#"{"cause":"port serial","count":12,"total_ns":70000,"max_ns":9000}"#,
        "\n",
        r#"{"end":true,"calls":103,"run_ns":5000000}"#,
        "\n"
    );

    fn problem(text: &str) -> (usize, String) {
        Profile::parse(text).unwrap_err()
    }

    #[test]
    fn a_profile_is_read_and_sorted() {
        let mut profile = Profile::parse(SAMPLE).unwrap();
        profile.sort();
        let titles: Vec<_> = profile.calls.iter().map(Call::title).collect();
        assert_eq!(titles, ["write", "read", "rseq"]);
        assert_eq!(profile.calls[0].error_text(), "EIO 3, EBADF 2");
        assert_eq!((profile.total_ns(), profile.ns(100)), (100_010, 50));
        assert_eq!(profile.gap(), None);
    }

    #[test]
    fn incomplete_files_are_read_as_far_as_they_go() {
        let lines: Vec<_> = SAMPLE.split_inclusive('\n').collect();
        let cut = Profile::parse(&lines[..3].concat()).unwrap();
        assert_eq!(
            (cut.calls.len(), cut.gap()),
            (2, Some("the file has no last line"))
        );
        let noted = lines[..2].concat() + "{\"incomplete\":\"QEMU died\"}\n";
        assert_eq!(Profile::parse(&noted).unwrap().gap(), Some("QEMU died"));
        let asked = SAMPLE.replacen("\"machine\"", "\"snapshot\":2,\"machine\"", 1);
        let profile = Profile::parse(&asked).unwrap();
        assert_eq!((profile.header.snapshot, profile.gap()), (Some(2), None));
        let noted = asked + "{\"incomplete\":\"QEMU died\"}\n";
        assert_eq!(Profile::parse(&noted).unwrap().gap(), Some("QEMU died"));
    }

    #[test]
    fn what_is_no_profile_is_refused_with_its_line() {
        let lines: Vec<_> = SAMPLE.split_inclusive('\n').collect();
        assert_eq!(problem(&SAMPLE[..SAMPLE.len() / 2]).0, 3);
        assert!(problem(&SAMPLE[..SAMPLE.len() / 2]).1.contains("cut off"));
        assert_eq!(problem("").0, 1);
        for foreign in [
            "ELF",
            "[1]",
            "{\"event\":\"exit\"}",
            "{\"lintel_profile\":\"x\"}",
        ] {
            assert_eq!(problem(foreign), (1, FOREIGN.to_owned()));
        }
        let future = SAMPLE.replace("\"lintel_profile\":1", "\"lintel_profile\":2");
        assert!(problem(&future).1.contains("version 2"));
        let negative = SAMPLE.replace("\"calls\":2,", "\"calls\":-2,");
        assert_eq!(problem(&negative).0, 3);
        assert_eq!(problem(&(lines[0].to_owned() + "{\"x\":1}\n")).0, 2);
        assert_eq!(problem(&(SAMPLE.to_owned() + lines[1])).0, 7);
        assert!(
            problem(&SAMPLE.replace("[65,1]", "[256,1]"))
                .1
                .contains("bucket")
        );
        assert!(
            problem("{\"incomplete\":\"code 254\"}\n")
                .1
                .ends_with("code 254")
        );
    }
}
