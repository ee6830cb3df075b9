//! Judging a life: what the case expects, and whether it is the same as the first life.

use crate::failure;
use crate::twolives::life::{Life, Outcome};
use crate::twolives::manifest::{Case, Expectation};
use serde_json::Value;
use std::fmt::Write;

/// Everything that is wrong with a life; nothing if it is as expected. `native` is the life to
/// compare with.
pub fn judge(
    case: &Case,
    life: Life,
    outcome: &Outcome,
    native: Option<&Outcome>,
) -> Option<String> {
    let mut wrong = Vec::new();
    let expected = native.map_or(case.expect_code, |native| native.code);
    if outcome.code != expected {
        wrong.push(format!(
            "exit code {}, expected {expected}{}",
            outcome.code,
            hint(outcome.code)
        ));
    }
    if let Some(native) = native {
        wrong.extend(difference(
            "standard output",
            &native.stdout,
            &outcome.stdout,
        ));
        if case.same_stderr {
            let own = program_errors(case, &outcome.stderr);
            wrong.extend(difference("standard error", &native.stderr, &own));
        }
    }
    for text in &case.expect_stdout_contains {
        wrong.extend(missing("standard output", &outcome.stdout, text));
    }
    if life != Life::Native {
        for text in &case.expect_stderr_contains {
            wrong.extend(missing("standard error", &outcome.stderr, text));
        }
        if let Some(expectation) = &case.expect_event {
            wrong.extend(check_event(expectation, &outcome.events));
        }
    }
    if wrong.is_empty() {
        return None;
    }
    if !outcome.stderr.is_empty() {
        wrong.push(format!("standard error:\n{}", tail(&outcome.stderr)));
    }
    Some(wrong.join("\n"))
}

/// What the program itself wrote to its standard error: without the reports the case asked for.
fn program_errors(case: &Case, stderr: &[u8]) -> Vec<u8> {
    let reports = !case.debug.is_empty();
    let kept = lines(stderr)
        .into_iter()
        .filter(|line| !(reports && line.starts_with(b"lintel: ")));
    kept.collect::<Vec<_>>().concat()
}

fn hint(code: u8) -> &'static str {
    match code {
        failure::TIMEOUT => " (the time ran out)",
        failure::ENVIRONMENT => " (QEMU or the host failed)",
        _ => "",
    }
}

/// The first difference between two texts, with both sides and the line before it.
fn difference(what: &str, native: &[u8], machine: &[u8]) -> Option<String> {
    if native == machine {
        return None;
    }
    let (left, right) = (lines(native), lines(machine));
    let at = left.iter().zip(&right).take_while(|(l, r)| l == r).count();
    let mut text = format!("{what} differs at line {}:", at + 1);
    if let Some(before) = at.checked_sub(1) {
        let _ = write!(text, "\n      {}", show(left[before]));
    }
    for (sign, side) in [("native ", &left), ("machine", &right)] {
        match side.get(at) {
            Some(line) => _ = write!(text, "\n    {sign} {}", show(line)),
            None => _ = write!(text, "\n    {sign} (ends here)"),
        }
    }
    Some(text)
}

fn lines(text: &[u8]) -> Vec<&[u8]> {
    text.split_inclusive(|&byte| byte == b'\n').collect()
}

/// A line in printable form, shortened.
fn show(line: &[u8]) -> String {
    const LONGEST: usize = 200;
    let shown = line[..line.len().min(LONGEST)].escape_ascii().to_string();
    if line.len() > LONGEST {
        shown + " …"
    } else {
        shown
    }
}

fn missing(what: &str, text: &[u8], wanted: &str) -> Option<String> {
    let text = String::from_utf8_lossy(text);
    (!text.contains(wanted)).then(|| format!("{what} does not contain {wanted:?}"))
}

/// The last lines of a text, indented.
fn tail(text: &[u8]) -> String {
    const LINES: usize = 20;
    let text = String::from_utf8_lossy(text);
    let lines: Vec<&str> = text.lines().collect();
    let last = &lines[lines.len().saturating_sub(LINES)..];
    last.iter()
        .map(|line| format!("    {line}"))
        .collect::<Vec<_>>()
        .join("\n")
}

fn check_event(expectation: &Expectation, events: &str) -> Option<String> {
    let name = expectation.event.as_str();
    let mut parsed = events
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let Some(event) = parsed.find(|event| event["event"] == name) else {
        return Some(format!("there was no event {name:?}"));
    };
    let bad = |(field, wanted): (&String, &f64)| {
        let (value, good) = compare(&event, field, *wanted);
        (!good).then(|| format!("event {name}: {field} = {wanted} expected, it is {value:?}"))
    };
    let wrong: Vec<String> = expectation.fields.iter().filter_map(bad).collect();
    (!wrong.is_empty()).then(|| wrong.join("\n"))
}

/// The value that an expectation is about, and whether it is met.
fn compare(event: &Value, field: &str, wanted: f64) -> (Option<f64>, bool) {
    let value = |name: &str| match name {
        "share" => share(event),
        _ => event[name].as_f64(),
    };
    if let Some(name) = field.strip_prefix("min_") {
        return (
            value(name),
            value(name).is_some_and(|value| value >= wanted),
        );
    }
    if let Some(name) = field.strip_prefix("max_") {
        return (
            value(name),
            value(name).is_some_and(|value| value <= wanted),
        );
    }
    (value(field), value(field) == Some(wanted))
}

/// Lowered sites divided by executed sites.
fn share(event: &Value) -> Option<f64> {
    Some(event["lowered_sites"].as_f64()? / event["executed_sites"].as_f64()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_shown() {
        assert_eq!(difference("x", b"a\nb\n", b"a\nb\n"), None);
        assert_eq!(
            difference("out", b"a\nb\nc\n", b"a\nB\nc\n").unwrap(),
            "out differs at line 2:\n      a\\n\n    native  b\\n\n    machine B\\n"
        );
        assert!(
            difference("out", b"a\nb", b"a\n")
                .unwrap()
                .ends_with("machine (ends here)")
        );
        assert!(difference("out", b"a", b"a\r").unwrap().ends_with("a\\r"));
    }

    #[test]
    fn events_are_compared() {
        let events = "{\"event\":\"boot\"}\n\
            {\"event\":\"lower\",\"lowered_sites\":9,\"executed_sites\":10,\"unsafe_sites\":0}\n";
        let check = |event: &str, fields: &[(&str, f64)]| {
            let fields = fields
                .iter()
                .map(|&(name, value)| (name.to_owned(), value))
                .collect();
            check_event(
                &Expectation {
                    event: event.to_owned(),
                    fields,
                },
                events,
            )
        };
        assert_eq!(
            check("lower", &[("min_share", 0.9), ("unsafe_sites", 0.0)]),
            None
        );
        assert_eq!(check("lower", &[("max_lowered_sites", 9.0)]), None);
        assert!(check("lower", &[("min_share", 0.95)]).is_some());
        assert!(check("lower", &[("absent", 0.0)]).is_some());
        assert!(check("console", &[]).unwrap().contains("no event"));
    }

    fn case(text: &str) -> Case {
        toml::from_str(&format!("program = \"p\"\n{text}")).unwrap()
    }

    #[test]
    fn reports_are_not_the_programs_errors() {
        let stderr = b"a\nlintel: lowered 1 of 1\nb";
        assert_eq!(
            program_errors(&case("debug = [\"lower\"]"), stderr),
            b"a\nb"
        );
        assert_eq!(program_errors(&case(""), stderr), stderr);
    }

    #[test]
    fn codes_and_texts_are_judged() {
        let native = Outcome {
            code: 3,
            stdout: b"same".into(),
            ..Outcome::default()
        };
        let machine = Life::Machine(
            crate::runner::qemu::Machine::Pc,
            crate::runner::accel::Accel::Tcg,
        );
        assert!(
            judge(&case(""), Life::Native, &native, None)
                .unwrap()
                .contains("expected 0")
        );
        assert_eq!(
            judge(&case("expect_code = 3"), Life::Native, &native, None),
            None
        );
        assert_eq!(
            judge(&case(""), machine, &native.clone(), Some(&native)),
            None
        );
        let late = Outcome {
            code: 124,
            ..native.clone()
        };
        assert!(
            judge(&case(""), machine, &late, Some(&native))
                .unwrap()
                .contains("time ran out")
        );
        let wants = case("expect_code = 3\nexpect_stderr_contains = [\"crash\"]");
        assert_eq!(judge(&wants, Life::Native, &native, None), None);
        assert!(judge(&wants, machine, &native.clone(), Some(&native)).is_some());
    }
}
