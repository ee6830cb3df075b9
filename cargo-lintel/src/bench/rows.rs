//! What the benchmark program prints, and what several runs of it say together.

use super::figure::{Figure, Ratio, Sample};
use serde::Serialize;
use std::collections::BTreeMap;

/// The final figures of the library this one succeeds, in nanoseconds a call in the machine.
const SEED: [(&str, u64); 6] = [
    ("getpid", 200),
    ("read_null", 514),
    ("write_null", 517),
    ("pipe", 82_252),
    ("stat_1", 23_234),
    ("open_close", 20_607),
];

/// The predecessor's figure for a row, in nanoseconds.
pub fn seed(row: &str) -> Option<u64> {
    let found = SEED.iter().find(|entry| entry.0 == row);
    found.map(|entry| entry.1)
}

/// One row of one run.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The median time of a call.
    Measured(Sample),
    /// Why there is no figure.
    Gap(String),
}

/// The rows of one run, and how it ended if that was not well.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Pass {
    /// Names in the order of the output.
    pub order: Vec<String>,
    /// By name.
    pub rows: BTreeMap<String, Outcome>,
    /// Why rows may be absent.
    pub ended: Option<String>,
    /// Only some of the rows were asked for.
    pub partial: bool,
}

impl Pass {
    /// Reads the output of the benchmark program; the error names the line that is not a row.
    pub fn parse(output: &str, ended: Option<String>) -> Result<Self, String> {
        let mut pass = Self {
            ended,
            ..Self::default()
        };
        // A machine that dies may leave half a line.
        let end = output.rfind('\n').map_or(0, |at| at + 1);
        for line in output[..end].lines() {
            let line = line.trim_end_matches('\r');
            let is_row = |line: &&str| !line.is_empty() && !line.starts_with('#');
            if let Some(line) = Some(line).filter(is_row) {
                let (name, outcome) = row(line).ok_or_else(|| format!("not a row: {line:?}"))?;
                pass.order.push(name.clone());
                pass.rows.insert(name, outcome);
            }
        }
        Ok(pass)
    }
}

/// `name median min max iterations pace status`, separated by tabs.
fn row(line: &str) -> Option<(String, Outcome)> {
    let fields: Vec<_> = line.split('\t').collect();
    let [name, median, _, _, _, pace, status] = fields[..] else {
        return None;
    };
    let outcome = match status.split_once(' ').unwrap_or((status, "")) {
        ("ok", _) => Outcome::Measured(Sample {
            ns: median.parse().ok().filter(|ns| *ns >= 0.0)?,
            pace: pace.parse().ok().filter(|ns| *ns >= 0.0)?,
        }),
        ("failed" | "missing", _) => Outcome::Gap(status.to_owned()),
        _ => return None,
    };
    Some((name.to_owned(), outcome))
}

/// A row in one life: figures or a gap, never both.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Life {
    /// Nanoseconds a call: the medians of the passes.
    Ns(Figure),
    /// Why there is no figure.
    Gap(String),
}

impl Life {
    fn of(name: &str, passes: &[Pass], pace: f64) -> Self {
        let mut samples = Vec::new();
        for pass in passes {
            match pass.rows.get(name) {
                Some(Outcome::Measured(sample)) => samples.push(*sample),
                Some(Outcome::Gap(why)) => return Self::Gap(why.clone()),
                None if pass.partial => {}
                None => {
                    let why = pass.ended.as_deref().unwrap_or("the program left it out");
                    return Self::Gap(format!("not reached: {why}"));
                }
            }
        }
        Figure::of(&samples, pace).map_or_else(|| Self::Gap("not run".into()), Self::Ns)
    }

    /// The figures, if there are any.
    pub fn figure(&self) -> Option<&Figure> {
        match self {
            Self::Ns(figure) => Some(figure),
            Self::Gap(_) => None,
        }
    }

    /// The gap, if there is one.
    pub fn gap(&self) -> Option<&str> {
        match self {
            Self::Ns(_) => None,
            Self::Gap(why) => Some(why),
        }
    }
}

/// Guest instructions a call, as counted by the emulator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Instructions {
    /// How many calls the difference of the two runs is.
    pub calls: u64,
    /// Instructions in a run of so many calls.
    pub once: u64,
    /// And in one of twice as many.
    pub twice: u64,
    /// The difference for one call, rounded.
    pub per_call: u64,
}

impl Instructions {
    /// From the two counts.
    pub fn of(calls: u64, once: u64, twice: u64) -> Self {
        let per_call = (twice.saturating_sub(once) + calls / 2) / calls.max(1);
        Self {
            calls,
            once,
            twice,
            per_call,
        }
    }
}

/// A row of the table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// As a Linux process.
    pub native: Life,
    /// In the machine.
    pub vm: Life,
    /// Machine by process, pass by pass.
    pub ratio: Option<Ratio>,
    /// Guest instructions a call.
    pub instructions: Option<Instructions>,
    /// The predecessor's figure in its machine.
    pub seed_ns: Option<u64>,
}

/// Puts the passes of both lives together, in the order of the program.
pub fn merge(native: &[Pass], vm: &[Pass]) -> Vec<Row> {
    let mut names: Vec<&String> = Vec::new();
    for name in native.iter().chain(vm).flat_map(|pass| &pass.order) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let paces = (pace(native), pace(vm));
    names
        .into_iter()
        .map(|name| {
            let native = Life::of(name, native, paces.0);
            merged(name, native, Life::of(name, vm, paces.1))
        })
        .collect()
}

/// How fast the loop is when nothing disturbs it.
fn pace(passes: &[Pass]) -> f64 {
    let outcomes = passes.iter().flat_map(|pass| pass.rows.values());
    let paces = outcomes.filter_map(|outcome| match outcome {
        Outcome::Measured(sample) => Some(sample.pace),
        Outcome::Gap(_) => None,
    });
    paces.fold(f64::INFINITY, f64::min)
}

/// The names of the rows with fewer than `enough` undisturbed passes in one of the lives.
pub fn wanting(rows: &[Row], enough: usize) -> Vec<String> {
    let few = |life: &Life| {
        life.figure()
            .is_some_and(|figure| figure.undisturbed < enough)
    };
    let rows = rows.iter().filter(|row| few(&row.native) || few(&row.vm));
    rows.map(|row| row.name.clone()).collect()
}

fn merged(name: &str, native: Life, vm: Life) -> Row {
    let figures = native.figure().zip(vm.figure());
    let ratio = figures.map(|(native, vm)| Ratio::of(native, vm));
    Row {
        name: name.to_owned(),
        native,
        vm,
        ratio,
        instructions: None,
        seed_ns: seed(name),
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A pass from text with blanks for tabs between the first six fields.
    pub fn pass(lines: &[&str], ended: Option<&str>) -> Pass {
        let lines: Vec<_> = lines
            .iter()
            .map(|line| line.replacen(' ', "\t", 6) + "\n")
            .collect();
        Pass::parse(&lines.concat(), ended.map(str::to_owned)).unwrap()
    }

    /// Two passes in each life: one row everywhere, one that fails, one that is not reached.
    pub fn sample() -> Vec<Row> {
        let native = |ns: &str| {
            pass(
                &[
                    &format!("getpid {ns} 1 2 9 100 ok"),
                    "fork_exit 5 5 5 9 200 ok",
                    "pipe 10 1 2 9 100 ok",
                ],
                None,
            )
        };
        let vm = |ns: &str| {
            let lines = [
                &*format!("getpid {ns} 1 2 9 100 ok"),
                "fork_exit 0 0 0 0 0 missing fork",
            ];
            pass(&lines, Some("the program ended with code 139"))
        };
        merge(&[native("100"), native("120")], &[vm("50"), vm("30.0")])
    }

    #[test]
    fn rows_are_read() {
        let pass = pass(
            &[
                "getpid 49.5 48 60 1000 5416 ok",
                "pipe 0 0 0 0 0 failed wrote 3: x",
                "# note",
            ],
            None,
        );
        assert_eq!(pass.order, ["getpid", "pipe"]);
        assert_eq!(
            pass.rows["getpid"],
            Outcome::Measured(Sample {
                ns: 49.5,
                pace: 5416.0
            })
        );
        assert_eq!(pass.rows["pipe"], Outcome::Gap("failed wrote 3: x".into()));
        let half = Pass::parse("a\t1\t1\t1\t1\t1\tok\nb\t1", None).unwrap();
        assert_eq!(half.order, ["a"]);
        for bad in [
            "a 1 1 1 1 ok\n",
            "a\t1\t1\t1\t1\tok\n",
            "a\tx\t1\t1\t1\t1\tok\n",
            "a\t1\t1\t1\t1\tx\tok\n",
            "a\t1\t1\t1\t1\t1\tfine\n",
        ] {
            assert!(Pass::parse(bad, None).is_err(), "{bad}");
        }
    }

    #[test]
    fn passes_are_merged() {
        let rows = sample();
        let getpid = &rows[0];
        assert_eq!(getpid.native.figure().unwrap().passes, [100.0, 120.0]);
        let ratio = getpid.ratio.as_ref().unwrap();
        assert_eq!((ratio.low, ratio.high), (0.25, 0.5));
        assert_eq!(getpid.seed_ns, Some(200));
        assert_eq!(rows[1].vm.gap(), Some("missing fork"));
        assert_eq!(rows[1].ratio, None);
        assert_eq!(
            rows[2].vm.gap(),
            Some("not reached: the program ended with code 139")
        );
    }

    #[test]
    fn disturbed_rows_are_measured_again_and_others_left_out() {
        assert_eq!(wanting(&sample(), 2), ["fork_exit"]);
        let mut again = pass(&["fork_exit 4 4 4 9 100 ok"], None);
        again.partial = true;
        let whole = pass(&["fork_exit 5 5 5 9 200 ok", "getpid 9 9 9 9 100 ok"], None);
        let rows = merge(&[whole.clone(), again.clone()], &[whole, again]);
        assert_eq!(rows[0].vm.figure().unwrap().passes, [5.0, 4.0]);
        assert_eq!(rows[1].vm.figure().unwrap().passes, [9.0]);
        assert!(wanting(&rows, 1).is_empty());
    }

    #[test]
    fn instructions_are_rounded() {
        assert_eq!(Instructions::of(100, 1_000, 4_049).per_call, 30);
        assert_eq!(Instructions::of(100, 1_000, 4_050).per_call, 31);
    }
}
