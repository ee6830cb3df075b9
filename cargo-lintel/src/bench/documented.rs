//! Whether the instructions that the documentation tells are still true.

use super::report::BOOT;
use super::{PAGE, SMALLEST, known, programs};
use crate::profile::units::{change, grouped};
use crate::project::Project;
use crate::runner::{self, install};
use crate::{boot, failure, profile};
use anyhow::Result;
use std::collections::BTreeMap;

/// How much more a row may take than the page says: another compiler counts for some per cent, a call
/// that has become a trap for a multiple.
const TOLERANCE: f64 = 0.25;

/// Counts the instructions of the rows of the documentation, or of `only` these, and of the boot; 1 if
/// some are not as it says.
pub fn check(project: &Project, only: &[String]) -> Result<u8> {
    let path = project.root.join(PAGE);
    let page = std::fs::read_to_string(&path).map_err(|error| {
        let path = path.display();
        failure::user(format!("cannot read {path}: {error}"))
    })?;
    let mut told = figures(&page);
    known(only, &told.keys().cloned().collect::<Vec<_>>())?;
    told.retain(|name, _| only.is_empty() || only.contains(name));
    if told.is_empty() {
        let path = path.display();
        return Err(failure::user(format!(
            "{path} tells no counts: --write-docs"
        )));
    }
    let qemu = install::ensure(&runner::QEMU)?;
    let (program, smallest) = programs(project, &qemu)?;
    let names: Vec<_> = told.keys().filter(|name| *name != BOOT).cloned().collect();
    eprintln!("lintel: counting the instructions of {} rows", names.len());
    let mut counted = BTreeMap::new();
    for (name, count) in program.count(&names) {
        if let Some(count) = count? {
            counted.insert(name, count.per_call);
        }
    }
    if told.contains_key(BOOT) {
        let boot = boot::measure(SMALLEST, &smallest, &qemu, &[], 0, boot::MEM)?;
        counted.insert(BOOT.to_owned(), boot.instructions.main);
    }
    let lines = contradictions(&told, &counted);
    for line in &lines {
        profile::print(&format!("{line}\n"));
    }
    let (right, all) = (told.len() - lines.len(), told.len());
    profile::print(&format!("{right} of {all} counts are as {PAGE} says\n"));
    Ok(u8::from(!lines.is_empty()))
}

/// The rows of the page `docs/src/benchmarks.md` that have a count, and the boot.
fn figures(page: &str) -> BTreeMap<String, u64> {
    let number = |text: &str| text.trim().replace(',', "").parse::<u64>().ok();
    let row = |line: &str| {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        match cells[..] {
            ["", name, _, _, _, _, instructions, _, ""] => {
                Some((name.to_owned(), number(instructions)?))
            }
            _ => None,
        }
    };
    let boot = |line: &str| {
        let rest = line.strip_prefix("- boot of hello: ")?;
        let count = number(rest.strip_suffix(" instructions to main")?)?;
        Some((BOOT.to_owned(), count))
    };
    let of = |line| row(line).or_else(|| boot(line));
    page.lines().filter_map(of).collect()
}

/// What is not as documented, a line each: rows that take more, or that were not counted.
fn contradictions(
    documented: &BTreeMap<String, u64>,
    counted: &BTreeMap<String, u64>,
) -> Vec<String> {
    let contradiction = |(name, before): (&String, &u64)| {
        let Some(after) = counted.get(name) else {
            return Some(format!("{name}: can no longer be counted"));
        };
        let most = *before as f64 * (1.0 + TOLERANCE);
        (*after as f64 > most).then(|| {
            let change = change(*before, *after);
            let (before, after) = (grouped(*before), grouped(*after));
            format!("{name}: {after} instructions, the page says {before} ({change})")
        })
    };
    documented.iter().filter_map(contradiction).collect()
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::sample;
    use super::super::table;
    use super::*;

    #[test]
    fn a_page_tells_the_counts_of_its_report() {
        let report = sample();
        let told = figures(&table::page(&report));
        let counts: BTreeMap<_, _> = report
            .instructions()
            .filter_map(|(name, count)| Some((name.to_owned(), count?)))
            .collect();
        assert!(told.len() >= 2, "{told:?}");
        assert_eq!(told, counts);
    }

    #[test]
    fn more_by_a_quarter_and_nothing_contradict_the_page() {
        let map = |entries: &[(&str, u64)]| {
            let owned = entries.iter().map(|(name, count)| ((*name).into(), *count));
            owned.collect::<BTreeMap<String, u64>>()
        };
        let page = map(&[("a", 100), ("b", 1000), ("c", 8), ("boot", 400)]);
        let lines = contradictions(&page, &map(&[("a", 125), ("b", 1251), ("boot", 1)]));
        assert_eq!(
            lines,
            [
                "b: 1,251 instructions, the page says 1,000 (+25.1 %)",
                "c: can no longer be counted"
            ]
        );
    }
}
