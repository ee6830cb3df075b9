//! Running statements and printing rows.

use rusqlite::fallible_iterator::FallibleIterator;
use rusqlite::types::ValueRef;
use rusqlite::{Batch, Connection, Statement};
use std::fmt::Write as _;
use std::io::Write;

/// What can go wrong: with SQLite, or with the output.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// How rows are printed.
pub struct Format {
    /// The columns' names come first.
    pub header: bool,
    /// What stands between columns.
    pub separator: String,
}

/// Runs all statements in `sql`, one after the other, and prints their rows.
///
/// # Errors
/// SQLite's error for the first statement that fails, or the output's.
pub fn run(
    connection: &Connection,
    sql: &str,
    format: &Format,
    out: &mut impl Write,
) -> Result<()> {
    let mut batch = Batch::new(connection, sql);
    while let Some(mut statement) = batch.next()? {
        statement_rows(&mut statement, format, out)?;
    }
    Ok(())
}

fn statement_rows(
    statement: &mut Statement<'_>,
    format: &Format,
    out: &mut impl Write,
) -> Result<()> {
    let columns = statement.column_count();
    if format.header && columns > 0 {
        let names: Vec<&str> = statement.column_names().collect();
        writeln!(out, "{}", names.join(&format.separator))?;
    }
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let values = (0..columns).map(|column| row.get_ref(column).map(text));
        let values: Vec<String> = values.collect::<rusqlite::Result<_>>()?;
        if !values.is_empty() {
            writeln!(out, "{}", values.join(&format.separator))?;
        }
    }
    Ok(())
}

/// A value as people read it; a blob as SQL writes it.
pub fn text(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => String::new(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => format!("{number:?}"),
        ValueRef::Text(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        ValueRef::Blob(bytes) => {
            let mut text = "X'".to_owned();
            for byte in bytes {
                let _ = write!(text, "{byte:02X}");
            }
            text + "'"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(sql: &str) -> Result<String> {
        let connection = Connection::open_in_memory()?;
        let format = Format {
            header: true,
            separator: "|".to_owned(),
        };
        let mut out = Vec::new();
        run(&connection, sql, &format, &mut out)?;
        Ok(String::from_utf8(out)?)
    }

    #[test]
    fn every_type_is_printed() {
        let sql = "create table t(a, b); insert into t values (1, 'x'), (2.0, null), (x'00ff', '');
                   select * from t order by rowid; -- the end";
        let wanted = "a|b\n1|x\n2.0|\nX'00FF'|\n";
        assert_eq!(printed(sql).expect("sound SQL"), wanted);
    }

    #[test]
    fn errors_are_sqlites() {
        let error = printed("select 1; selct 2").expect_err("not SQL");
        assert!(error.to_string().contains("syntax error"));
    }
}
