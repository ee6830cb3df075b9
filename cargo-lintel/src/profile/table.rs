//! A profile as text and as JSON.

use super::histogram;
use super::record::{Call, Profile};
use super::units::{self, Align::Left, Align::Right, time};
use serde_json::{Value, json};

/// Cells of the longest bar.
const BAR: usize = 12;
/// Characters of a histogram.
const SPARK: usize = 16;

/// The columns of the table of calls; `docs/src/profiling.md` explains them.
const CALLS: [(&str, units::Align); 15] = [
    ("call", Left),
    ("calls", Right),
    ("total", Right),
    ("share", Right),
    ("", Left),
    ("avg", Right),
    ("min", Right),
    ("p50", Right),
    ("p90", Right),
    ("p99", Right),
    ("max", Right),
    ("blocked", Right),
    ("bytes", Right),
    ("trapped", Right),
    ("distribution", Left),
];

/// The profile (sorted) as text: a heading, the calls, errors, the causes.
pub fn text(profile: &Profile, top: Option<usize>) -> String {
    let mut text = heading(profile);
    if let Some(number) = profile.header.snapshot {
        text += &format!("snapshot {number}: the program was running\n");
    }
    if let Some(why) = profile.gap() {
        text += &format!("INCOMPLETE: {why}\n");
    }
    let shown = shown(profile, top);
    let total = profile.total_ns();
    let rows: Vec<_> = shown.iter().map(|call| row(call, total)).collect();
    text += "\n";
    text += &units::table(&CALLS, &rows);
    if shown.len() < profile.calls.len() {
        text += &format!("({} more: --top)\n", profile.calls.len() - shown.len());
    }
    for call in shown.iter().filter(|call| !call.errors.is_empty()) {
        text += &format!("errors of {}: {}\n", call.title(), call.error_text());
    }
    text + &causes(profile)
}

/// Two lines about the run.
pub fn heading(profile: &Profile) -> String {
    let header = &profile.header;
    let words = [&header.program].into_iter().chain(&header.args);
    let words: Vec<_> = words.map(String::as_str).collect();
    let calls: u64 = profile.calls.iter().map(|call| call.calls).sum();
    let run = profile
        .end
        .map(|end| format!(" of a run of {}", time(end.run_ns)));
    format!(
        "{} ({}): {} calls, {}{}\n\
         Lintel {}, platform {}, clock {}, TSC {} MHz; measuring costs {} a call, {} of it \
         in its time\n",
        words.join(" ").trim(),
        [&*header.machine, &*header.accel].join(" ").trim(),
        units::grouped(calls),
        time(profile.total_ns()),
        run.unwrap_or_default(),
        header.version,
        header.platform,
        header.clock,
        header.tsc_khz / 1000,
        time(profile.ns(header.overhead_cycles)),
        time(profile.ns(header.empty_cycles)),
    )
}

/// The calls to show.
pub fn shown(profile: &Profile, top: Option<usize>) -> &[Call] {
    let count = top.unwrap_or(usize::MAX).min(profile.calls.len());
    &profile.calls[..count]
}

fn row(call: &Call, total: u64) -> Vec<String> {
    let share = share(call.total_ns, total);
    vec![
        call.title(),
        units::grouped(call.calls),
        time(call.total_ns),
        format!("{:.1} %", share * 100.0),
        units::bar(share, BAR),
        time(call.avg_ns),
        time(call.min_ns),
        time(call.p50_ns),
        time(call.p90_ns),
        time(call.p99_ns),
        time(call.max_ns),
        nonzero(call.blocked_ns, time),
        units::bytes(call.bytes),
        nonzero(call.doors.trapped, units::grouped),
        histogram::spark(&call.hist, SPARK),
    ]
}

/// The part of the whole; 0 of nothing.
pub fn share(part: u64, whole: u64) -> f64 {
    match whole {
        0 => 0.0,
        _ => part as f64 / whole as f64,
    }
}

fn nonzero(number: u64, show: impl Fn(u64) -> String) -> String {
    match number {
        0 => String::new(),
        _ => show(number),
    }
}

fn causes(profile: &Profile) -> String {
    if profile.causes.is_empty() {
        return String::new();
    }
    let columns = [
        ("cause", Left),
        ("count", Right),
        ("total", Right),
        ("", Left),
        ("avg", Right),
        ("max", Right),
    ];
    let whole: u64 = profile.causes.iter().map(|cause| cause.total_ns).sum();
    let row = |cause: &super::record::Cause| {
        vec![
            cause.name.clone(),
            units::grouped(cause.count),
            time(cause.total_ns),
            units::bar(share(cause.total_ns, whole), BAR),
            time(cause.total_ns / cause.count.max(1)),
            time(cause.max_ns),
        ]
    };
    let rows: Vec<_> = profile.causes.iter().map(row).collect();
    format!("\n{}", units::table(&columns, &rows))
}

/// The profile (sorted) as one JSON value.
pub fn json(profile: &Profile, top: Option<usize>) -> Value {
    json!({
        "header": profile.header,
        "complete": profile.gap().is_none(),
        "incomplete": profile.gap(),
        "total_ns": profile.total_ns(),
        "run_ns": profile.end.map(|end| end.run_ns),
        "calls": shown(profile, top),
        "causes": profile.causes,
    })
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::SAMPLE;
    use super::*;

    fn sample(text: &str) -> Profile {
        let mut profile = Profile::parse(text).unwrap();
        profile.sort();
        profile
    }

    #[test]
    fn the_table_is_sorted_by_time() {
        let text = text(&sample(SAMPLE), None);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(
            lines[0],
            "a<b -n (microvm kvm): 103 calls, 100 µs of a run of 5.00 ms"
        );
        assert!(
            lines[1]
                .ends_with("TSC 2000 MHz; measuring costs 24 ns a call, 12 ns of it in its time")
        );
        let words = |line: &str| {
            line.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            words(lines[4])[..7],
            ["write", "2", "90.0", "µs", "90.0", "%", "██████████▊"]
        );
        assert!(
            lines[5].starts_with("read ") && lines[5].ends_with("█▆            ▁"),
            "{text}"
        );
        assert!(text.contains("errors of write: EIO 3, EBADF 2\n"));
        assert!(text.contains("port serial     12  70.0 µs  ████████████  5.83 µs  9.00 µs"));
        assert!(!text.contains("INCOMPLETE"));
    }

    #[test]
    fn top_and_gaps_are_said() {
        let cut = SAMPLE.rsplit_once("{\"end\"").unwrap().0;
        let text = text(&sample(cut), Some(1));
        assert!(text.contains("\nINCOMPLETE: the file has no last line\n"));
        assert!(
            text.contains("(2 more: --top)") && !text.contains("rseq"),
            "{text}"
        );
        let json = json(&sample(cut), Some(1));
        assert_eq!(
            (
                json["complete"].clone(),
                json["calls"].as_array().unwrap().len()
            ),
            (false.into(), 1)
        );
        assert_eq!(json["calls"][0]["name"], "write");
    }
}
