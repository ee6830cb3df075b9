//! The report as text and as a page of the documentation.

use super::figure::{Figure, Ratio};
use super::report::Report;
use super::rows::{Life, Row};
use crate::profile::units::{self, Align::Left, Align::Right, grouped};
use std::fmt::Write;

/// The columns.
const COLUMNS: [(&str, units::Align); 7] = [
    ("row", Left),
    ("native", Right),
    ("VM", Right),
    ("VM/native", Right),
    ("spread", Right),
    ("instructions", Right),
    ("seed", Right),
];

/// Shown where there is no figure.
const GAP: &str = "-";

/// The table for a terminal, the gaps explained below it.
pub fn text(report: &Report) -> String {
    let mut text = String::new();
    let host = &report.host;
    let _ = writeln!(
        text,
        "{}, {} CPUs, Linux {}, QEMU {}, {}; ns a call, from {} passes; other \
         programs took {:.0} % of the computer's time",
        host.cpu,
        host.cpus,
        host.linux,
        host.qemu,
        report.accel_kind,
        report.passes,
        report.others * 100.0
    );
    let rows: Vec<_> = report.rows.iter().map(cells).collect();
    text += &units::table(&COLUMNS, &rows);
    for gap in gaps(&report.rows) {
        let _ = writeln!(text, "{gap}");
    }
    for line in boot(report).into_iter().chain(disturbed(&report.rows)) {
        let _ = writeln!(text, "{line}");
    }
    text
}

fn cells(row: &Row) -> Vec<String> {
    let life = |life: &Life| life.figure().map_or(GAP.into(), |figure| ns(figure.value));
    let ratio = |show: fn(&Ratio) -> String| row.ratio.as_ref().map_or(GAP.into(), show);
    vec![
        row.name.clone(),
        life(&row.native),
        life(&row.vm),
        ratio(|ratio| factor(ratio.value)),
        ratio(|ratio| format!("{} to {}", factor(ratio.low), factor(ratio.high))),
        row.instructions
            .map_or(GAP.into(), |count| grouped(count.per_call)),
        row.seed_ns.map_or(String::new(), grouped),
    ]
}

/// Nanoseconds: three digits.
pub fn ns(value: f64) -> String {
    match value {
        ..9.995 => format!("{value:.2}"),
        ..99.95 => format!("{value:.1}"),
        _ => grouped(value.round() as u64),
    }
}

/// A ratio: two digits or three.
pub fn factor(value: f64) -> String {
    match value {
        ..0.0995 => format!("{value:.3}"),
        ..9.995 => format!("{value:.2}"),
        _ => format!("{value:.1}"),
    }
}

/// The rows whose figures something else has disturbed, if there are any.
fn disturbed(rows: &[Row]) -> Option<String> {
    let is_disturbed = |row: &&Row| {
        let mut figures = [&row.native, &row.vm].into_iter().filter_map(Life::figure);
        figures.any(Figure::is_disturbed)
    };
    let names: Vec<_> = rows
        .iter()
        .filter(is_disturbed)
        .map(|row| &*row.name)
        .collect();
    let list = names.join(", ");
    (!names.is_empty()).then(|| format!("disturbed by other programs, do not rely on: {list}"))
}

/// One line for each gap.
fn gaps(rows: &[Row]) -> Vec<String> {
    let mut lines = Vec::new();
    for row in rows {
        for (life, side) in [("native", &row.native), ("VM", &row.vm)] {
            lines.extend(side.gap().map(|why| format!("{}: {life}: {why}", row.name)));
        }
    }
    lines
}

fn boot(report: &Report) -> Vec<String> {
    let boot = &report.boot;
    let count = grouped(boot.instructions.main);
    let mut lines = vec![format!(
        "boot of {}: {count} instructions to main",
        boot.program
    )];
    for time in &boot.time {
        lines.push(format!(
            "boot of {}: {:.1} ms from the start of QEMU to main ({}, median of {})",
            boot.program,
            time.median_ms,
            time.accel,
            time.runs_ms.len()
        ));
    }
    lines
}

/// The page `docs/src/benchmarks.md`.
pub fn page(report: &Report) -> String {
    let host = &report.host;
    let mut page = format!(
        "# Benchmark figures\n\n\
         Written by `{} --write-docs`. [Benchmarking](benchmarking.md) explains the columns.\n\n\
         | | |\n|---|---|\n| date | {} |\n| processor | {}, {} CPUs |\n| Linux | {} |\n\
         | QEMU | {} |\n| accelerator | {} |\n| Lintel | {} |\n| passes | {}{} |\n\
         | other programs | {:.0} % of the computer's time during the passes |\n\n",
        report.command,
        report.date,
        host.cpu,
        host.cpus,
        host.linux,
        host.qemu,
        report.accel_kind,
        report.version,
        report.passes,
        if report.quick { ", quick" } else { "" },
        report.others * 100.0
    );
    page += "Nanoseconds a call; instructions are those of the guest.\n\n";
    page += &markdown(&report.rows);
    let gaps = gaps(&report.rows);
    if !gaps.is_empty() {
        page += "\nGaps:\n\n";
    }
    for gap in gaps {
        let _ = writeln!(page, "- {gap}");
    }
    if let Some(line) = disturbed(&report.rows) {
        let _ = writeln!(page, "\n{line}");
    }
    page += "\n## Boot\n\n";
    for line in boot(report) {
        let _ = writeln!(page, "- {line}");
    }
    page
}

fn markdown(rows: &[Row]) -> String {
    let names: Vec<_> = COLUMNS.iter().map(|column| column.0).collect();
    let rules: Vec<_> = COLUMNS
        .iter()
        .map(|column| if column.1 == Left { "---" } else { "--:" })
        .collect();
    let mut text = format!("| {} |\n|{}|\n", names.join(" | "), rules.join("|"));
    for row in rows {
        let _ = writeln!(text, "| {} |", cells(row).join(" | "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::sample;
    use super::*;

    #[test]
    fn the_table_has_gaps_and_explains_them() {
        let text = text(&sample());
        let lines: Vec<_> = text.lines().collect();
        let words: Vec<_> = lines[2].split_whitespace().collect();
        assert_eq!(
            words,
            [
                "getpid", "110", "40.0", "0.36", "0.25", "to", "0.50", "100", "200"
            ],
            "{text}"
        );
        assert!(
            lines[3].starts_with("fork_exit") && lines[3].contains("5.00     -"),
            "{text}"
        );
        assert!(text.contains("\nfork_exit: VM: missing fork\n"));
        assert!(text.contains("\npipe: VM: not reached: the program ended with code 139\n"));
        assert!(text.contains("200,000 instructions to main"));
        assert!(text.contains("101.5 ms from the start of QEMU to main (kvm, median of 1)"));
    }

    #[test]
    fn the_page_says_where_the_figures_come_from() {
        let page = page(&sample());
        for part in [
            "`cargo lintel bench --write-docs`",
            "| date | 2024-02-29 |",
            "| processor | A CPU, 2 CPUs |",
            "| accelerator | KVM (hardware virtualisation) |",
            "| getpid | 110 | 40.0 | 0.36 | 0.25 to 0.50 | 100 | 200 |",
            "| other programs | 25 % of the computer's time during the passes |",
            "- fork_exit: VM: missing fork",
        ] {
            assert!(page.contains(part), "{part} in {page}");
        }
    }
}
