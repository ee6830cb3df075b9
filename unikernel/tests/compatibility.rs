//! `docs/src/compatibility.md` is printed from the table of system calls; this test holds the two
//! together. `LINTEL_BLESS=1 cargo test -p unikernel --test compatibility` writes the page anew.

use std::fmt::Write;
use std::path::Path;
use unikernel::shim::LIMIT;
use unikernel::shim::{Class, Level, ROWS, Row};

/// Where the page is, relative to the crate.
const PAGE: &str = "../docs/src/compatibility.md";

const HEAD: &str = "\
# System calls

<!-- Printed from the table in unikernel/src/shim/table.rs by unikernel/tests/compatibility.rs. Do
     not edit: change the table, then run
     LINTEL_BLESS=1 cargo test -p unikernel --test compatibility -->

One row per system call that has a handler, in the order of its x86-64 number. *Complete* means all
of the man page as far as a single process can tell; *partial* means the
part that the note describes. A *fast* call runs on the caller's stack and saves no vector
register; see [The shim](shim.md).
";

const TAIL: &str = "
Every other number returns `ENOSYS` and is counted; `cargo lintel run --debug syscalls` prints the
counts when the program ends.
";

/// The page, as the table says it must be.
fn page() -> String {
    let mut rows: Vec<&Row> = ROWS.iter().collect();
    rows.sort_by_key(|row| row.nr);
    let count = |wanted: Level| rows.iter().filter(|row| row.level == wanted).count();
    let (complete, partial) = (count(Level::Complete), count(Level::Partial));
    let mut text = HEAD.to_owned();
    let total = rows.len();
    let _ = writeln!(
        text,
        "\n{total} calls have a handler: {complete} are complete, {partial} partial. The table has \
         room for the\nnumbers below {LIMIT}.\n"
    );
    text.push_str("| number | name | arguments | support | note |\n|---:|---|---:|---|---|\n");
    for row in rows {
        let Row {
            nr, name, arity, ..
        } = row;
        let _ = writeln!(
            text,
            "| {nr} | `{name}` | {arity} | {} | {} |",
            level(row),
            note(row)
        );
    }
    text + TAIL
}

fn level(row: &Row) -> &'static str {
    match row.level {
        Level::Complete => "complete",
        Level::Partial => "partial",
    }
}

/// The note, with the class where it is not the usual one, as text of a table's cell.
fn note(row: &Row) -> String {
    let mut parts = Vec::new();
    if row.class == Class::Fast {
        parts.push("fast".to_owned());
    }
    if !row.note.is_empty() {
        parts.push(row.note.replace('|', "\\|"));
    }
    parts.join("; ")
}

/// The first line in which two texts differ: its number and both versions.
fn difference<'a>(left: &'a str, right: &'a str) -> (usize, &'a str, &'a str) {
    let (mut ours, mut theirs) = (left.lines(), right.lines());
    for number in 1.. {
        let pair = (ours.next(), theirs.next());
        if pair.0 != pair.1 || pair.0.is_none() {
            return (
                number,
                pair.0.unwrap_or("(ends)"),
                pair.1.unwrap_or("(ends)"),
            );
        }
    }
    unreachable!("texts are finite")
}

#[test]
fn the_compatibility_page_is_printed_from_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let wanted = page();
    if std::env::var_os("LINTEL_BLESS").is_some_and(|value| value == "1") {
        std::fs::write(&path, wanted).expect("docs/src/compatibility.md can be written");
        return;
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    if found != wanted {
        let (line, table, page) = difference(&wanted, &found);
        panic!(
            "docs/src/compatibility.md is not what the table of system calls says (line {line}).\n\
             table: {table}\n page: {page}\n\
             Run: LINTEL_BLESS=1 cargo test -p unikernel --test compatibility"
        );
    }
}
