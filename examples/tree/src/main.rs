//! Lists directories as trees, with sizes and permissions.
//!
//! Everything here is ordinary `std`: `read_dir`, `metadata`, `read_link`. The program knows nothing
//! of its second life as a virtual machine except for the line that links Lintel in.

mod args;
mod print;
mod walk;

use lintel as _;

use args::{Options, Request, Sizes};
use print::Totals;
use std::env;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;
use walk::Node;

const READ_ERROR: u8 = 1;
const USAGE_ERROR: u8 = 2;

fn main() -> ExitCode {
    let request = match args::parse(env::args_os().skip(1)) {
        Ok(request) => request,
        Err(message) => {
            eprintln!("tree: {message}; try 'tree --help'");
            return ExitCode::from(USAGE_ERROR);
        }
    };
    let outcome = match request {
        Request::Help => io::stdout()
            .write_all(args::USAGE.as_bytes())
            .map(|()| ExitCode::SUCCESS),
        Request::List(options) => list(&options),
    };
    outcome.unwrap_or_else(|error| match error.kind() {
        // A reader that has seen enough, such as `head`, is not a failure.
        io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        _ => {
            eprintln!("tree: standard output: {error}");
            ExitCode::from(READ_ERROR)
        }
    })
}

/// Lists all roots and sums up.
///
/// # Errors
/// Standard output's error; what cannot be read only becomes the exit code.
fn list(options: &Options) -> io::Result<ExitCode> {
    let mut out = BufWriter::new(io::stdout().lock());
    let (mut totals, mut bytes, mut complete) = (Totals::default(), 0, true);
    for root in &options.roots {
        match walk::walk(root) {
            Ok(node) => {
                complete &= report_errors(&node, root);
                bytes += node.size;
                print::print(&node, options, &mut totals, &mut out)?;
            }
            Err(error) => {
                eprintln!("tree: {}: {error}", root.display());
                complete = false;
            }
        }
    }
    write!(
        out,
        "\n{}",
        counted(totals.directories, "directory", "directories")
    )?;
    if !options.directories {
        write!(out, ", {}", counted(totals.others, "file", "files"))?;
    }
    if options.sizes != Sizes::Hidden {
        write!(out, ", {}", counted(bytes, "byte", "bytes"))?;
    }
    writeln!(out)?;
    out.flush()?;
    Ok(if complete {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(READ_ERROR)
    })
}

fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// Names what could not be read; `true` when there is no such thing.
fn report_errors(node: &Node, path: &Path) -> bool {
    if let Some(error) = &node.error {
        eprintln!("tree: {}: {error}", path.display());
    }
    let below = node.children.iter();
    below.fold(node.error.is_none(), |complete, child| {
        report_errors(child, &path.join(&child.name)) && complete
    })
}
