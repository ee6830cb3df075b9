//! Two profiles side by side: what a call cost before and after.

use super::record::{Call, Profile};
use super::units::{self, Align::Left, Align::Right, change, time};
use super::usual::Usual;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// One call in both profiles; all zero where it was not made.
#[derive(Debug, Default)]
struct Row {
    name: String,
    before: Cost,
    after: Cost,
}

/// What a call cost.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    calls: u64,
    total: u64,
    avg: u64,
    p50: u64,
    usual: Option<Usual>,
}

impl Cost {
    fn of(call: &Call, profile: &Profile) -> Self {
        Self {
            calls: call.calls,
            total: call.total_ns,
            avg: call.avg_ns,
            p50: call.p50_ns,
            usual: Usual::of(call, profile),
        }
    }
}

/// The difference of two profiles, the largest change of total time first.
pub struct Diff(Vec<Row>);

impl Diff {
    /// Compares call by call.
    pub fn of(before: &Profile, after: &Profile) -> Self {
        let mut rows: BTreeMap<u64, Row> = BTreeMap::new();
        for call in &before.calls {
            let row = rows.entry(call.nr).or_default();
            (row.name, row.before) = (call.title(), Cost::of(call, before));
        }
        for call in &after.calls {
            let row = rows.entry(call.nr).or_default();
            (row.name, row.after) = (call.title(), Cost::of(call, after));
        }
        let mut rows: Vec<_> = rows.into_values().collect();
        rows.sort_by_key(|row| Reverse(row.before.total.abs_diff(row.after.total)));
        Self(rows)
    }

    /// The table, under a line for each profile.
    pub fn text(&self, before: &Profile, after: &Profile) -> String {
        let mut text = String::new();
        for (which, profile) in [("A", before), ("B", after)] {
            let heading = super::table::heading(profile);
            text += &format!("{which}: {}\n", heading.lines().next().unwrap_or_default());
            if let Some(why) = profile.gap() {
                text += &format!("{which}: INCOMPLETE: {why}\n");
            }
        }
        let columns = [
            ("call", Left),
            ("calls A", Right),
            ("calls B", Right),
            ("avg A", Right),
            ("avg B", Right),
            ("change", Right),
            ("p50 A", Right),
            ("p50 B", Right),
            ("change", Right),
            ("total change", Right),
        ];
        let rows: Vec<_> = self.0.iter().map(Row::cells).collect();
        text + "\n" + &units::table(&columns, &rows)
    }

    /// The calls in both profiles whose usual cost has certainly grown by more than `limit`, a
    /// fraction.
    pub fn beyond(&self, limit: f64) -> Vec<String> {
        let grown = |row: &Row| {
            let (before, after) = (row.before.usual?, row.after.usual?);
            let growth = after.growth(before);
            let described = || {
                let (from, to) = (time(before.high as u64), time(after.low as u64));
                let percent = growth * 100.0;
                format!(
                    "{} {from} -> {to} a call without the slowest 5 % (at least {percent:+.1} %)",
                    row.name
                )
            };
            (growth > limit).then(described)
        };
        self.0.iter().filter_map(grown).collect()
    }

    /// The calls in both profiles that were made too few times to be judged.
    pub fn unjudged(&self) -> Vec<&str> {
        let few = |row: &&Row| {
            let (before, after) = (row.before, row.after);
            let judged = before.usual.is_some() && after.usual.is_some();
            before.calls > 0 && after.calls > 0 && !judged
        };
        self.0.iter().filter(few).map(|row| &*row.name).collect()
    }
}

impl Row {
    fn cells(&self) -> Vec<String> {
        let (a, b) = (self.before, self.after);
        let cell = |cost: Cost, ns| match cost.calls {
            0 => "-".to_owned(),
            _ => time(ns),
        };
        let change = |before, after| match (a.calls, b.calls) {
            (0, _) => "new".to_owned(),
            (_, 0) => "gone".to_owned(),
            _ => change(before, after),
        };
        vec![
            self.name.clone(),
            units::grouped(a.calls),
            units::grouped(b.calls),
            cell(a, a.avg),
            cell(b, b.avg),
            change(a.avg, b.avg),
            cell(a, a.p50),
            cell(b, b.p50),
            change(a.p50, b.p50),
            signed(a.total, b.total),
        ]
    }
}

fn signed(before: u64, after: u64) -> String {
    let sign = match after.cmp(&before) {
        std::cmp::Ordering::Less => "-",
        std::cmp::Ordering::Equal => "",
        std::cmp::Ordering::Greater => "+",
    };
    format!("{sign}{}", time(before.abs_diff(after)))
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::SAMPLE;
    use super::*;

    fn pair() -> (Profile, Profile) {
        let before = Profile::parse(SAMPLE).unwrap();
        let after = SAMPLE.replace("\"nr\":334", "\"nr\":39").replace(
            "\"total_ns\":10000,\"avg_ns\":100",
            "\"total_ns\":11500,\"avg_ns\":115",
        );
        (before, Profile::parse(&after).unwrap())
    }

    #[test]
    fn the_largest_change_is_first() {
        let (before, after) = pair();
        let text = Diff::of(&before, &after).text(&before, &after);
        let rows: Vec<_> = text.lines().skip(4).collect();
        assert!(text.starts_with("A: a<b -n"), "{text}");
        assert!(
            rows[0].starts_with("read ") && rows[0].contains("+15.0 %"),
            "{text}"
        );
        assert!(rows[0].ends_with("+1.50 µs"), "{text}");
        assert!(
            rows.iter()
                .any(|row| row.starts_with("getpid") && row.contains("new"))
        );
        assert!(
            rows.iter()
                .any(|row| row.starts_with("rseq") && row.contains("gone"))
        );
    }

    #[test]
    fn growth_beyond_the_limit_is_named() {
        let (before, after) = pair();
        let diff = Diff::of(&before, &after);
        assert_eq!(
            diff.beyond(0.10),
            ["read 90 ns -> 105 ns a call without the slowest 5 % (at least +16.6 %)"]
        );
        assert!(diff.beyond(0.20).is_empty());
        assert!(Diff::of(&after, &before).beyond(0.10).is_empty());
        assert_eq!(diff.unjudged(), ["write"]);
    }

    #[test]
    fn one_slow_call_is_not_growth() {
        let before = Profile::parse(SAMPLE).unwrap();
        let after = SAMPLE.replace(
            "\"total_ns\":10000,\"avg_ns\":100,\"min_ns\":30,\"max_ns\":921",
            "\"total_ns\":59079,\"avg_ns\":591,\"min_ns\":30,\"max_ns\":50000",
        );
        let after = after.replace("[40,1]", "[63,1]");
        let after = Profile::parse(&after).unwrap();
        assert!(after.calls[0].avg_ns > 5 * before.calls[0].avg_ns);
        assert!(Diff::of(&before, &after).beyond(0.05).is_empty());
    }
}
