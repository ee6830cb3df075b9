//! The command line.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// Printed for `--help`, and named by every usage error.
pub const USAGE: &str = "\
Usage: wordfreq [-n N] [FILE]...

Counts the words of the files, or of standard input when there is no FILE or
FILE is '-', and prints the most frequent ones with their share of all words.

  -n N        print the N most frequent words (default 20)
  -h, --help  print this text
  --          everything that follows is a FILE

Exit code: 0 done, 1 a file could not be read, 2 wrong usage.
";

const DEFAULT_TOP: usize = 20;

/// Where a text comes from.
#[derive(Debug, PartialEq, Eq)]
pub enum Source {
    /// Standard input.
    Stdin,
    /// A file.
    File(PathBuf),
}

/// What the user asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Request {
    /// Print the usage and stop.
    Help,
    /// Count the words of `sources` and print the first `top` of them.
    Count {
        /// How many words to print.
        top: usize,
        /// The texts, in the order given; never empty.
        sources: Vec<Source>,
    },
}

/// Parses the arguments behind the program's name.
///
/// # Errors
/// A message for the user: an unknown option, or `-n` without a number.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Request, String> {
    let mut args = args.into_iter();
    let mut top = DEFAULT_TOP;
    let mut sources = Vec::new();
    while let Some(arg) = args.next() {
        match arg.to_str() {
            Some("-h" | "--help") => return Ok(Request::Help),
            Some("-n") => {
                let value = args.next().ok_or("option -n needs a number")?;
                top = number(&value)?;
            }
            Some("-") => sources.push(Source::Stdin),
            Some("--") => sources.extend(args.by_ref().map(file)),
            Some(option) if option.starts_with('-') => match option.strip_prefix("-n") {
                Some(value) => top = number(OsStr::new(value))?,
                None => return Err(format!("unknown option {option}")),
            },
            _ => sources.push(file(arg)),
        }
    }
    if sources.is_empty() {
        sources.push(Source::Stdin);
    }
    Ok(Request::Count { top, sources })
}

fn file(name: OsString) -> Source {
    Source::File(PathBuf::from(name))
}

fn number(value: &OsStr) -> Result<usize, String> {
    value
        .to_str()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| format!("-n: {value:?} is not a number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(args: &[&str]) -> Result<Request, String> {
        parse(args.iter().map(OsString::from))
    }

    fn count(top: usize, sources: Vec<Source>) -> Result<Request, String> {
        Ok(Request::Count { top, sources })
    }

    #[test]
    fn without_arguments_it_reads_stdin() {
        assert_eq!(parsed(&[]), count(20, vec![Source::Stdin]));
    }

    #[test]
    fn options_and_files_mix() {
        let sources = vec![
            Source::File("a".into()),
            Source::Stdin,
            Source::File("-n".into()),
        ];
        assert_eq!(
            parsed(&["a", "-n", "3", "-", "--", "-n"]),
            count(3, sources)
        );
        assert_eq!(parsed(&["-n7"]), count(7, vec![Source::Stdin]));
    }

    #[test]
    fn mistakes_are_named() {
        assert_eq!(parsed(&["-n"]), Err("option -n needs a number".into()));
        assert_eq!(
            parsed(&["-n", "few"]),
            Err("-n: \"few\" is not a number".into())
        );
        assert_eq!(parsed(&["-x"]), Err("unknown option -x".into()));
    }
}
