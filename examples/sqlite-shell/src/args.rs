//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

/// Printed for `--help`, and named by every usage error.
pub const USAGE: &str = "\
Usage: sqlite-shell [OPTION]... [DATABASE [SQL]...]
       sqlite-shell --speedtest [--rows=N] [--journal=MODE] [DATABASE]

Runs the SQL of the arguments, or of standard input when there is none, on DATABASE, which is made
when it is not there (default: one in memory). Rows are printed with '|' between columns.

  --header        print the columns' names first
  --separator=S   print S between columns
  --speedtest     measure SQLite: what it found goes to standard output, times to standard
                  error. DATABASE (default: a file in /tmp) must not exist, and is removed.
  --rows=N        so many rows in the speed test's tables (default 10000)
  --journal=MODE  delete (default), truncate, persist, memory, wal or off
  --help          print this text

Exit code: 0 done, 1 SQLite reported an error, 2 wrong usage.
";

const DEFAULT_ROWS: u32 = 10_000;
const JOURNALS: [&str; 6] = ["delete", "truncate", "persist", "memory", "wal", "off"];

/// What the user asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Request {
    /// Print the usage and stop.
    Help,
    /// Run statements.
    Run {
        /// The database; `None`: one in memory.
        database: Option<PathBuf>,
        /// The statements; none: standard input has them.
        sql: Vec<String>,
        /// Print the columns' names.
        header: bool,
        /// What stands between columns.
        separator: String,
    },
    /// Measure.
    Speedtest {
        /// The database; `None`: a file in /tmp.
        database: Option<PathBuf>,
        /// Rows in its tables.
        rows: u32,
        /// The journal mode.
        journal: String,
    },
}

/// Parses the arguments behind the program's name.
///
/// # Errors
/// A message for the user.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Request, String> {
    let (mut header, mut speedtest) = (false, false);
    let (mut rows, mut separator, mut journal) = (None, None, None);
    let mut rest = Vec::new();
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        let option = arg.to_str().filter(|text| text.starts_with("--"));
        match option.map(|text| text.split_once('=').unwrap_or((text, ""))) {
            None => rest.push(arg),
            Some(("--", _)) => rest.extend(args.by_ref()),
            Some(("--help", _)) => return Ok(Request::Help),
            Some(("--header", _)) => header = true,
            Some(("--speedtest", _)) => speedtest = true,
            Some(("--separator", value)) => separator = Some(value.to_owned()),
            Some(("--rows", value)) => rows = Some(number(value)?),
            Some(("--journal", value)) => journal = Some(mode(value)?),
            Some((unknown, _)) => return Err(format!("unknown option {unknown}")),
        }
    }
    let mut rest = rest.into_iter();
    let database = rest.next().map(PathBuf::from);
    if speedtest {
        return match rest.next() {
            Some(more) => Err(format!("the speed test has no use for {more:?}")),
            None => Ok(Request::Speedtest {
                database,
                rows: rows.unwrap_or(DEFAULT_ROWS),
                journal: journal.unwrap_or_else(|| JOURNALS[0].to_owned()),
            }),
        };
    }
    if rows.is_some() || journal.is_some() {
        return Err("--rows and --journal go with --speedtest".to_owned());
    }
    let text = |word: OsString| {
        word.into_string()
            .map_err(|word| format!("{word:?} is no text"))
    };
    Ok(Request::Run {
        database,
        sql: rest.map(text).collect::<Result<_, _>>()?,
        header,
        separator: separator.unwrap_or_else(|| "|".to_owned()),
    })
}

fn number(value: &str) -> Result<u32, String> {
    let parsed = value.parse().ok().filter(|&rows| rows >= 100);
    parsed.ok_or_else(|| format!("--rows={value}: not a number of at least 100"))
}

fn mode(value: &str) -> Result<String, String> {
    match JOURNALS.contains(&value) {
        true => Ok(value.to_owned()),
        false => Err(format!(
            "--journal={value}: not one of {}",
            JOURNALS.join(", ")
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(args: &[&str]) -> Result<Request, String> {
        parse(args.iter().map(OsString::from))
    }

    #[test]
    fn statements_follow_the_database() {
        let wanted = Request::Run {
            database: Some("a.db".into()),
            sql: vec!["select 1".into(), "--x".into()],
            header: true,
            separator: "\t".into(),
        };
        let args = [
            "--header",
            "a.db",
            "--separator=\t",
            "select 1",
            "--",
            "--x",
        ];
        assert_eq!(parsed(&args), Ok(wanted));
    }

    #[test]
    fn the_speed_test_has_defaults() {
        let wanted = Request::Speedtest {
            database: None,
            rows: DEFAULT_ROWS,
            journal: "delete".into(),
        };
        assert_eq!(parsed(&["--speedtest"]), Ok(wanted));
    }

    #[test]
    fn mistakes_are_named() {
        for (args, part) in [
            (&["--rows=1", "--speedtest"][..], "at least 100"),
            (&["--journal=fast", "--speedtest"], "one of delete"),
            (&["--speedtest", "a", "b"], "no use for"),
            (&["--rows=100"], "go with"),
            (&["--what"], "--what"),
        ] {
            assert!(parsed(args).is_err_and(|message| message.contains(part)));
        }
    }
}
