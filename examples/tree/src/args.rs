//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

/// Printed for `--help`, and named by every usage error.
pub const USAGE: &str = "\
Usage: tree [OPTION]... [DIRECTORY]...

Lists each DIRECTORY (default: the working directory) and everything below it.

  -a             hidden entries too, those whose name begins with a dot
  -d             directories only
  -L DEPTH       not deeper than DEPTH levels
  -p             with type and permissions
  -s             with sizes in bytes; a directory's is the sum of what is in it
  -h             with sizes for people: 1.5K, 20M
  --sort=ORDER   name (default), size (the largest first), or kind (directories first)
  -r             the other way round
  --help         print this text
  --             everything that follows is a DIRECTORY

Symbolic links are shown and not followed. Sizes count everything, shown or not.
Exit code: 0 done, 1 something could not be read, 2 wrong usage.
";

/// How sizes are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sizes {
    /// Not at all.
    #[default]
    Hidden,
    /// In bytes.
    Bytes,
    /// With a unit.
    Human,
}

/// In which order the entries of a directory are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// By the bytes of the name.
    #[default]
    Name,
    /// The largest first, then by name.
    Size,
    /// Directories first, then by name.
    Kind,
}

/// What is to be listed, and how.
#[derive(Debug, PartialEq, Eq, Default)]
pub struct Options {
    /// Show hidden entries.
    pub all: bool,
    /// Show directories only.
    pub directories: bool,
    /// How many levels below a root are shown; `None`: all.
    pub depth: Option<usize>,
    /// Show type and permissions.
    pub permissions: bool,
    /// Show sizes.
    pub sizes: Sizes,
    /// The order of entries.
    pub order: Order,
    /// Turn the order round.
    pub reverse: bool,
    /// Where to start; never empty.
    pub roots: Vec<PathBuf>,
}

/// What the user asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Request {
    /// Print the usage and stop.
    Help,
    /// List something.
    List(Options),
}

/// Parses the arguments behind the program's name.
///
/// # Errors
/// A message for the user.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Request, String> {
    let mut args = args.into_iter();
    let mut options = Options::default();
    while let Some(arg) = args.next() {
        match arg.to_str() {
            Some("--help") => return Ok(Request::Help),
            Some("--") => options.roots.extend(args.by_ref().map(PathBuf::from)),
            Some(long) if long.starts_with("--") => options.long(long)?,
            Some(short) if short.len() > 1 && short.starts_with('-') => {
                options.short(&short[1..], &mut args)?;
            }
            _ => options.roots.push(arg.into()),
        }
    }
    if options.roots.is_empty() {
        options.roots.push(".".into());
    }
    Ok(Request::List(options))
}

impl Options {
    fn long(&mut self, option: &str) -> Result<(), String> {
        self.order = match option.strip_prefix("--sort=") {
            Some("name") => Order::Name,
            Some("size") => Order::Size,
            Some("kind") => Order::Kind,
            Some(other) => return Err(format!("--sort={other}: not one of name, size, kind")),
            None => return Err(format!("unknown option {option}")),
        };
        Ok(())
    }

    /// Letters behind one dash. `-L` takes what follows it, or the next argument.
    fn short(
        &mut self,
        letters: &str,
        rest: &mut impl Iterator<Item = OsString>,
    ) -> Result<(), String> {
        for (index, letter) in letters.char_indices() {
            match letter {
                'a' => self.all = true,
                'd' => self.directories = true,
                'p' => self.permissions = true,
                's' => self.sizes = Sizes::Bytes,
                'h' => self.sizes = Sizes::Human,
                'r' => self.reverse = true,
                'L' => {
                    let behind = &letters[index + 1..];
                    let word = match behind {
                        "" => rest.next().ok_or("option -L needs a number")?,
                        _ => behind.into(),
                    };
                    self.depth = Some(depth(&word)?);
                    return Ok(());
                }
                _ => return Err(format!("unknown option -{letter}")),
            }
        }
        Ok(())
    }
}

fn depth(word: &OsString) -> Result<usize, String> {
    let parsed = word.to_str().and_then(|text| text.parse().ok());
    parsed
        .filter(|&depth| depth > 0)
        .ok_or_else(|| format!("-L: {word:?} is not a number above 0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(args: &[&str]) -> Result<Request, String> {
        parse(args.iter().map(OsString::from))
    }

    #[test]
    fn without_arguments_it_lists_the_working_directory() {
        let roots = vec![".".into()];
        let wanted = Options {
            roots,
            ..Options::default()
        };
        assert_eq!(parsed(&[]), Ok(Request::List(wanted)));
    }

    #[test]
    fn letters_can_be_joined() {
        let wanted = Options {
            all: true,
            sizes: Sizes::Human,
            depth: Some(3),
            order: Order::Size,
            roots: vec!["a".into(), "-d".into()],
            ..Options::default()
        };
        let args = ["-ahL3", "a", "--sort=size", "--", "-d"];
        assert_eq!(parsed(&args), Ok(Request::List(wanted)));
    }

    #[test]
    fn mistakes_are_named() {
        assert_eq!(parsed(&["-L"]), Err("option -L needs a number".into()));
        assert_eq!(parsed(&["-ax"]), Err("unknown option -x".into()));
        assert_eq!(parsed(&["--all"]), Err("unknown option --all".into()));
        assert!(parsed(&["-L", "0"]).is_err_and(|message| message.contains("above 0")));
        assert!(parsed(&["--sort=age"]).is_err_and(|message| message.contains("age")));
    }
}
