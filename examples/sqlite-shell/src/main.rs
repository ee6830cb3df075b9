//! Runs SQL with SQLite inside.
//!
//! SQLite is a hundred and fifty thousand lines of C, compiled by the `bundled` feature of the crate
//! `rusqlite` and linked statically. Neither it nor anything here knows of the second life as a
//! virtual machine, except for the line that links Lintel in.

mod args;
mod shell;
mod speed;
mod words;

use lintel as _;

use args::Request;
use rusqlite::Connection;
use shell::{Format, Result};
use std::env;
use std::fs;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const SQL_ERROR: u8 = 1;
const USAGE_ERROR: u8 = 2;

fn main() -> ExitCode {
    let request = match args::parse(env::args_os().skip(1)) {
        Ok(request) => request,
        Err(message) => {
            eprintln!("sqlite-shell: {message}; try 'sqlite-shell --help'");
            return ExitCode::from(USAGE_ERROR);
        }
    };
    match answer(request) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sqlite-shell: {error}");
            ExitCode::from(SQL_ERROR)
        }
    }
}

fn answer(request: Request) -> Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    match request {
        Request::Help => out.write_all(args::USAGE.as_bytes())?,
        Request::Run {
            database,
            sql,
            header,
            separator,
        } => {
            let format = Format { header, separator };
            // What was printed before an error is wanted, too.
            let done = run(database.as_deref(), &sql, &format, &mut out);
            out.flush()?;
            done?;
        }
        Request::Speedtest {
            database,
            rows,
            journal,
        } => speedtest(database, rows, &journal, &mut out)?,
    }
    out.flush()?;
    Ok(())
}

fn run(
    database: Option<&Path>,
    sql: &[String],
    format: &Format,
    out: &mut impl Write,
) -> Result<()> {
    let connection = match database {
        Some(path) => Connection::open(path)?,
        None => Connection::open_in_memory()?,
    };
    for statements in sql {
        shell::run(&connection, statements, format, out)?;
    }
    if sql.is_empty() {
        let mut statements = String::new();
        io::stdin().read_to_string(&mut statements)?;
        shell::run(&connection, &statements, format, out)?;
    }
    connection.close().map_err(|(_, error)| error)?;
    Ok(())
}

/// Measures on a file that is made for it, and removed with what SQLite puts beside it.
fn speedtest(
    database: Option<PathBuf>,
    rows: u32,
    journal: &str,
    out: &mut impl Write,
) -> Result<()> {
    let own = || format!("/tmp/sqlite-speedtest-{}.db", std::process::id()).into();
    let path = database.unwrap_or_else(own);
    if path.try_exists()? {
        return Err(format!("{} exists: name a new file", path.display()).into());
    }
    let done = speed::run(&path, rows, journal, out);
    for end in ["", "-journal", "-wal", "-shm"] {
        let mut file = path.clone().into_os_string();
        file.push(end);
        // Most of them are not there.
        let _ = fs::remove_file(file);
    }
    done
}
