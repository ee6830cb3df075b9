//! Counts the words of texts and prints the most frequent ones.
//!
//! Everything here is ordinary `std`: buffered files, strings and a hash map. The program knows
//! nothing of its second life as a virtual machine except for the line that links Lintel in.

mod args;
mod count;

use lintel as _;

use args::{Request, Source};
use count::Counts;
use std::env;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};
use std::process::ExitCode;

const FILE_ERROR: u8 = 1;
const USAGE_ERROR: u8 = 2;

fn main() -> ExitCode {
    let request = match args::parse(env::args_os().skip(1)) {
        Ok(request) => request,
        Err(message) => {
            eprintln!("wordfreq: {message}; try 'wordfreq --help'");
            return ExitCode::from(USAGE_ERROR);
        }
    };
    let outcome = match request {
        Request::Help => print_usage().map(|()| ExitCode::SUCCESS),
        Request::Count { top, sources } => run(top, &sources),
    };
    outcome.unwrap_or_else(|error| match error.kind() {
        // A reader that has seen enough, such as `head`, is not a failure.
        io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        _ => {
            eprintln!("wordfreq: standard output: {error}");
            ExitCode::from(FILE_ERROR)
        }
    })
}

/// Counts all sources, reports those that cannot be read, and prints the ranking of the rest.
///
/// # Errors
/// Standard output's error; a source's error only becomes the exit code.
fn run(top: usize, sources: &[Source]) -> io::Result<ExitCode> {
    let mut counts = Counts::default();
    let mut code = ExitCode::SUCCESS;
    for source in sources {
        if let Err(error) = read(&mut counts, source) {
            eprintln!("wordfreq: {}: {error}", name(source));
            code = ExitCode::from(FILE_ERROR);
        }
    }
    print_ranking(&counts, top)?;
    Ok(code)
}

fn read(counts: &mut Counts, source: &Source) -> io::Result<()> {
    match source {
        Source::Stdin => counts.read(io::stdin().lock()),
        Source::File(path) => counts.read(BufReader::new(File::open(path)?)),
    }
}

fn name(source: &Source) -> String {
    match source {
        Source::Stdin => "standard input".to_owned(),
        Source::File(path) => path.display().to_string(),
    }
}

fn print_usage() -> io::Result<()> {
    io::stdout().write_all(args::USAGE.as_bytes())
}

fn print_ranking(counts: &Counts, top: usize) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    for (word, count) in counts.top(top) {
        let share = 100.0 * count as f64 / counts.total as f64;
        writeln!(out, "{count:>8} {share:>6.2}% {word}")?;
    }
    writeln!(
        out,
        "total: {} words, {} distinct, {} lines, {} bytes",
        counts.total,
        counts.distinct(),
        counts.lines,
        counts.bytes
    )?;
    out.flush()
}
