//! The command line.

use crate::meter::Mode;
use crate::report::Format;
use crate::rows::{self, Row};
use std::str::FromStr;
use std::time::Duration;

/// What `--help` prints.
pub const USAGE: &str = "\
Measures what system calls cost.

Usage: syscalls [OPTIONS]

Options:
      --only ROWS       These rows only; names separated by commas
      --quick           Rounds of 0.5 ms instead of 2 ms
      --rounds N        Rounds that count [default: 15]
      --count ROWS N    Do N iterations of each of these rows between two reads of the TSC; ROWS
                        may be 'all'
      --iterations N    Do N iterations of every row and read no clock
      --json            Print a JSON object for each row
      --list            Print the names of the rows and what they measure
  -h, --help            Print this

Output, one line a row, fields separated by tabs, '-' for a figure that there is not:
  (default)             NAME  MEDIAN_NS  MIN_NS  MAX_NS  ITERATIONS  PACE_NS  STATUS
  --count               NAME  TICKS  ITERATIONS  STATUS
  --iterations          NAME  STATUS
STATUS is 'ok', 'missing CALL ENOSYS' or 'failed ERROR CALL'; ERROR is an error's name, or RESULT=N
for a wrong result. Nanoseconds are those of one iteration in the median, fastest and slowest round;
PACE_NS is what a loop of 20,000 idle iterations took beside them: more if the CPU was shared.

Files used, and made where they are missing: f, a/b/c, link, d and exit in the working directory;
for stat_10 and stat_100k a directory in /dev/shm, /tmp or the working directory.

Exit codes: 0; 1 if a row failed (a missing call is no failure); 2 for a mistake on the command
line.
";

const ROUNDS: usize = 15;
const MOST_ROUNDS: usize = 10_000;
const ROUND: Duration = Duration::from_millis(2);
const QUICK_ROUND: Duration = Duration::from_micros(500);

/// What the user wants.
#[derive(Debug)]
pub enum Request {
    /// The manual.
    Help,
    /// The names of the rows.
    List,
    /// A measurement.
    Run {
        /// Of what.
        rows: Vec<&'static Row>,
        /// In which way.
        mode: Mode,
        /// How to print it.
        format: Format,
    },
}

#[derive(Default)]
struct Options {
    only: Option<String>,
    quick: bool,
    rounds: Option<usize>,
    count: Option<u64>,
    iterations: Option<u64>,
    json: bool,
}

/// Understands the arguments after the program's name.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn parse(mut words: impl Iterator<Item = String>) -> Result<Request, String> {
    let mut options = Options::default();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        match word.as_str() {
            "-h" | "--help" => return Ok(Request::Help),
            "--list" => return Ok(Request::List),
            "--quick" => options.quick = true,
            "--json" => options.json = true,
            "--only" => set(&mut options.only, value()?, &word)?,
            "--rounds" => set(&mut options.rounds, number(&word, &value()?)?, &word)?,
            "--iterations" => set(&mut options.iterations, number(&word, &value()?)?, &word)?,
            "--count" => {
                set(&mut options.only, value()?, "--only or --count")?;
                set(&mut options.count, number(&word, &value()?)?, &word)?;
            }
            _ => return Err(format!("{word} is not an option")),
        }
    }
    Ok(Request::Run {
        rows: select(options.only.as_deref())?,
        mode: mode(&options)?,
        format: if options.json {
            Format::Json
        } else {
            Format::Text
        },
    })
}

fn set<T>(slot: &mut Option<T>, value: T, option: &str) -> Result<(), String> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(format!("{option} can be given once")),
    }
}

fn number<T: FromStr>(option: &str, word: &str) -> Result<T, String> {
    let parsed = word.parse();
    parsed.map_err(|_| format!("{option} needs a number, not {word:?}"))
}

fn mode(options: &Options) -> Result<Mode, String> {
    let timed = options.quick || options.rounds.is_some();
    match (options.count, options.iterations) {
        (None, None) => Ok(Mode::Time {
            rounds: rounds(options.rounds)?,
            round: if options.quick { QUICK_ROUND } else { ROUND },
        }),
        (Some(count), None) if !timed => Ok(Mode::Count(count)),
        (None, Some(iterations)) if !timed => Ok(Mode::Iterations(iterations)),
        (Some(_), Some(_)) => Err("--count and --iterations exclude each other".into()),
        _ => Err("--quick and --rounds go with neither --count nor --iterations".into()),
    }
}

fn rounds(wanted: Option<usize>) -> Result<usize, String> {
    let rounds = wanted.unwrap_or(ROUNDS);
    if !(1..=MOST_ROUNDS).contains(&rounds) {
        return Err(format!("--rounds is from 1 to {MOST_ROUNDS}"));
    }
    Ok(rounds)
}

/// The rows with these names, in the order given; all of them without names or for `all`.
fn select(names: Option<&str>) -> Result<Vec<&'static Row>, String> {
    let Some(names) = names.filter(|names| *names != "all") else {
        return Ok(rows::all().collect());
    };
    let find = |name: &str| {
        let row = rows::all().find(|row| row.name == name);
        row.ok_or_else(|| format!("there is no row {name:?}; --list prints the names"))
    };
    names.split(',').map(find).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<(Vec<&'static str>, Mode, Format), String> {
        match parse(line.split_whitespace().map(str::to_owned))? {
            Request::Run { rows, mode, format } => {
                Ok((rows.iter().map(|row| row.name).collect(), mode, format))
            }
            other => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn without_arguments_everything_is_timed() {
        let (rows, mode, format) = parsed("").unwrap();
        assert_eq!(rows.len(), rows::all().count());
        let (rounds, round) = (ROUNDS, ROUND);
        assert_eq!(mode, Mode::Time { rounds, round });
        assert_eq!(format, Format::Text);
    }

    #[test]
    fn options_are_understood() {
        let (rows, mode, format) = parsed("--count getpid,uname 7 --json").unwrap();
        assert_eq!(rows, ["getpid", "uname"]);
        assert_eq!(mode, Mode::Count(7));
        assert_eq!(format, Format::Json);
        let (rows, mode, _) = parsed("--quick --rounds 3 --only uname").unwrap();
        assert_eq!(rows, ["uname"]);
        let (rounds, round) = (3, QUICK_ROUND);
        assert_eq!(mode, Mode::Time { rounds, round });
        assert_eq!(parsed("--iterations 9").unwrap().1, Mode::Iterations(9));
        assert!(matches!(
            parse(["-h".into()].into_iter()),
            Ok(Request::Help)
        ));
    }

    #[test]
    fn mistakes_are_named() {
        let mistakes = [
            ("--fast", "not an option"),
            ("--only", "needs a value"),
            ("--only nothing", "no row \"nothing\""),
            ("--only getpid,", "no row \"\""),
            ("--count getpid", "needs a value"),
            ("--count getpid x", "needs a number"),
            ("--rounds 0", "from 1"),
            ("--rounds 99999999999", "from 1"),
            ("--rounds -1", "needs a number"),
            ("--json --only uname --only uname", "once"),
            ("--count uname 1 --only uname", "once"),
            ("--count uname 1 --quick", "neither"),
            ("--count uname 1 --iterations 1", "exclude"),
        ];
        for (line, part) in mistakes {
            let message = parsed(line).unwrap_err();
            assert!(message.contains(part), "{line}: {message}");
        }
    }
}
