//! What is printed for a row.

use crate::errno::Stop;
use crate::meter::{Meter, Mode, Outcome, Sample};

/// How.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Fields separated by tabs.
    Text,
    /// A JSON object a line.
    Json,
}

/// The line for a row, with its newline.
pub fn line(name: &str, outcome: &Outcome, meter: &Meter, format: Format) -> String {
    match format {
        Format::Text => text(name, outcome, meter.mode()),
        Format::Json => json(name, outcome),
    }
}

fn text(name: &str, outcome: &Outcome, mode: Mode) -> String {
    let figures = match outcome {
        Ok(Sample::Time {
            median,
            least,
            greatest,
            iterations,
            pace,
        }) => format!("{median:.3}\t{least:.3}\t{greatest:.3}\t{iterations}\t{pace}\t"),
        Ok(Sample::Ticks { ticks, iterations }) => format!("{ticks}\t{iterations}\t"),
        Ok(Sample::Nothing) => String::new(),
        Err(_) => "-\t".repeat(figures(mode)),
    };
    match outcome {
        Ok(_) => format!("{name}\t{figures}ok\n"),
        Err(stop) => format!("{name}\t{figures}{stop}\n"),
    }
}

/// How many figures a row has.
fn figures(mode: Mode) -> usize {
    match mode {
        Mode::Time { .. } => 5,
        Mode::Count(_) => 2,
        Mode::Iterations(_) => 0,
    }
}

/// Names of rows, calls and errors are words of letters, digits, `_` and `=`: nothing to escape.
fn json(name: &str, outcome: &Outcome) -> String {
    let fields = match outcome {
        Ok(sample) => format!("\"status\":\"ok\"{}", json_figures(sample)),
        Err(stop) => json_stop(stop),
    };
    format!("{{\"row\":\"{name}\",{fields}}}\n")
}

fn json_figures(sample: &Sample) -> String {
    match sample {
        Sample::Time {
            median,
            least,
            greatest,
            iterations,
            pace,
        } => format!(
            ",\"median_ns\":{median:.3},\"min_ns\":{least:.3},\"max_ns\":{greatest:.3},\
             \"iterations\":{iterations},\"pace_ns\":{pace}"
        ),
        Sample::Ticks { ticks, iterations } => {
            format!(",\"ticks\":{ticks},\"iterations\":{iterations}")
        }
        Sample::Nothing => String::new(),
    }
}

fn json_stop(stop: &Stop) -> String {
    let status = if stop.is_missing() {
        "missing"
    } else {
        "failed"
    };
    let (call, error) = (stop.call(), stop.error());
    format!("\"status\":\"{status}\",\"call\":\"{call}\",\"error\":\"{error}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: Sample = Sample::Time {
        median: 101.25,
        least: 99.0,
        greatest: 140.96,
        iterations: 19000,
        pace: 5416,
    };
    const TICKS: Sample = Sample::Ticks {
        ticks: 5,
        iterations: 1,
    };
    const MISSING: Stop = Stop::new("SYS_pipe2", -38);

    fn printed(outcome: Outcome, mode: Mode, format: Format) -> String {
        line("row", &outcome, &Meter::new(mode), format)
    }

    #[test]
    fn text_has_the_same_number_of_fields_in_every_line() {
        let mode = Mode::Time {
            rounds: 1,
            round: std::time::Duration::ZERO,
        };
        let good = printed(Ok(TIME), mode, Format::Text);
        assert_eq!(good, "row\t101.250\t99.000\t140.960\t19000\t5416\tok\n");
        let bad = printed(Err(MISSING), mode, Format::Text);
        assert_eq!(bad, "row\t-\t-\t-\t-\t-\tmissing pipe2 ENOSYS\n");
        let count = Mode::Count(1);
        assert_eq!(printed(Ok(TICKS), count, Format::Text), "row\t5\t1\tok\n");
        let bad = printed(Err(MISSING), count, Format::Text);
        assert_eq!(bad, "row\t-\t-\tmissing pipe2 ENOSYS\n");
        let iterations = Mode::Iterations(1);
        let mark = printed(Ok(Sample::Nothing), iterations, Format::Text);
        assert_eq!(mark, "row\tok\n");
    }

    #[test]
    fn json_says_the_same() {
        let line = printed(Ok(TICKS), Mode::Count(1), Format::Json);
        let expected = r#"{"row":"row","status":"ok","ticks":5,"iterations":1}"#;
        assert_eq!(line.trim_end(), expected);
        let line = printed(Err(MISSING), Mode::Count(1), Format::Json);
        let expected = r#"{"row":"row","status":"missing","call":"pipe2","error":"ENOSYS"}"#;
        assert_eq!(line.trim_end(), expected);
    }
}
