//! A speed test after the manner of SQLite's own (test/speedtest1.c): inserts, queries, updates and
//! deletions, with and without indices, in one transaction and in many.

use crate::shell::Result;
use crate::words::{Numbers, name_of};
use rusqlite::{Connection, Transaction, params};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// Statements of their own transaction, as a part of the rows: each makes, syncs and removes a
/// journal.
const AUTOCOMMITS: u32 = 50;
/// Queries of each kind, as a part of the rows.
const QUERIES: u32 = 100;

/// Runs the test on a new database at `path`. What was found goes to `out`, and is the same
/// wherever it runs; times go to standard error.
///
/// # Errors
/// SQLite's, or the output's.
pub fn run(path: &Path, rows: u32, journal: &str, out: &mut impl Write) -> Result<()> {
    let mut tables = Tables {
        connection: Connection::open(path)?,
        rows,
    };
    let mode = tables.make(journal)?;
    writeln!(
        out,
        "SQLite {}, journal {mode}, {rows} rows",
        rusqlite::version()
    )?;
    let mut total = Duration::ZERO;
    for (name, deed) in STEPS {
        let start = Instant::now();
        let found = deed(&mut tables)?;
        let time = start.elapsed();
        total += time;
        eprintln!("{:>9.3} ms  {name}", milliseconds(time));
        writeln!(out, "{name}: {found}")?;
    }
    eprintln!("{:>9.3} ms  in all", milliseconds(total));
    Ok(())
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// A step of the test: says what it found.
type Deed = fn(&mut Tables) -> rusqlite::Result<String>;

const STEPS: [(&str, Deed); 14] = [
    ("inserts, one transaction, no index", |tables| {
        tables.inserts("plain")
    }),
    ("inserts, one transaction, indexed", |tables| {
        tables.inserts("indexed")
    }),
    ("inserts, a transaction each", Tables::autocommits),
    ("ranges without an index", Tables::ranges),
    ("texts by pattern", Tables::patterns),
    ("making two indices", Tables::indices),
    ("ranges with an index", Tables::ranges),
    ("updates of ranges", Tables::range_updates),
    ("updates of rows", Tables::row_updates),
    ("a join with groups", Tables::join),
    ("deletions", Tables::deletions),
    ("rollback of everything", Tables::rollback),
    ("vacuum", Tables::vacuum),
    ("integrity check", Tables::integrity),
];

/// The tables `plain`, `indexed` and `single`: two numbers and the second one's name.
struct Tables {
    connection: Connection,
    rows: u32,
}

impl Tables {
    /// Makes the tables; returns the journal mode that SQLite chose.
    fn make(&self, journal: &str) -> rusqlite::Result<String> {
        let mode = self.ask(&format!("pragma journal_mode = {journal}"))?;
        self.connection.execute_batch(
            "pragma synchronous = full;
             create table plain(a integer, b integer, c text);
             create table indexed(a integer, b integer, c text);
             create table single(a integer, b integer, c text);
             create index by_a on indexed(a);
             create index by_c on indexed(c);",
        )?;
        Ok(mode)
    }

    /// One value, as text.
    fn ask(&self, sql: &str) -> rusqlite::Result<String> {
        self.connection
            .query_row(sql, [], |row| row.get_ref(0).map(crate::shell::text))
    }

    /// What is in a table: rows, a sum, and the length of all texts.
    fn sum(&self, table: &str) -> rusqlite::Result<String> {
        self.ask(&format!(
            "select count(*) || ' rows, sum ' || total(b) || ', ' || sum(length(c)) || ' letters' from {table}"
        ))
    }

    fn inserts(&mut self, table: &str) -> rusqlite::Result<String> {
        let rows = self.rows;
        let transaction = self.connection.transaction()?;
        insert(&transaction, table, rows)?;
        transaction.commit()?;
        self.sum(table)
    }

    fn autocommits(&mut self) -> rusqlite::Result<String> {
        let mut numbers = Numbers::new();
        for row in 0..self.rows / AUTOCOMMITS {
            let number = numbers.below(100_000);
            self.connection.execute(
                "insert into single values(?1, ?2, ?3)",
                params![row, number, name_of(number)],
            )?;
        }
        self.sum("single")
    }

    fn ranges(&mut self) -> rusqlite::Result<String> {
        let sql = "select count(*), total(b) from plain where a >= ?1 and a < ?2";
        let mut query = self.connection.prepare(sql)?;
        let (mut count, mut sum) = (0, 0.0);
        for step in 0..self.rows / QUERIES {
            let (some, part): (u32, f64) = query
                .query_row([step * 50, step * 50 + 500], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })?;
            count += some;
            sum += part;
        }
        Ok(format!("{count} rows, sum {sum:?}"))
    }

    fn patterns(&mut self) -> rusqlite::Result<String> {
        let mut query = self
            .connection
            .prepare("select count(*) from plain where c like ?1")?;
        let mut count: u32 = 0;
        for number in 0..(self.rows / QUERIES).min(99) {
            count += query.query_row([format!("%{}%", name_of(number + 1))], |row| {
                row.get::<_, u32>(0)
            })?;
        }
        Ok(format!("{count} found"))
    }

    fn indices(&mut self) -> rusqlite::Result<String> {
        self.connection
            .execute_batch("create index plain_a on plain(a); create index plain_b on plain(b)")?;
        self.ask("select count(*) || ' indices' from sqlite_schema where type = 'index'")
    }

    fn range_updates(&mut self) -> rusqlite::Result<String> {
        let transaction = self.connection.transaction()?;
        let mut changed = 0;
        {
            let mut update =
                transaction.prepare("update plain set b = b * 2 where a >= ?1 and a < ?2")?;
            for step in 0..300 {
                changed += update.execute([step * 10, step * 10 + 10])?;
            }
        }
        transaction.commit()?;
        Ok(format!("{changed} changed, {}", self.sum("plain")?))
    }

    fn row_updates(&mut self) -> rusqlite::Result<String> {
        let rows = self.rows;
        let transaction = self.connection.transaction()?;
        {
            let mut update = transaction.prepare("update indexed set c = ?2 where rowid = ?1")?;
            let mut numbers = Numbers::new();
            for row in (1..=rows).step_by(3) {
                update.execute(params![row, name_of(numbers.below(1_000_000))])?;
            }
        }
        transaction.commit()?;
        self.sum("indexed")
    }

    fn join(&mut self) -> rusqlite::Result<String> {
        self.ask(
            "select group_concat(k || ':' || n, ' ') from (
                 select p.b % 10 as k, count(*) as n from plain p join indexed i on i.a = p.a
                 group by k order by k)",
        )
    }

    fn deletions(&mut self) -> rusqlite::Result<String> {
        self.connection.execute_batch(
            "delete from plain where c like '%fifty%';
             delete from indexed where a > 10 and a < 5000;
             insert into plain select * from indexed order by c, a, b;",
        )?;
        Ok(format!("{}; {}", self.sum("plain")?, self.sum("indexed")?))
    }

    fn rollback(&mut self) -> rusqlite::Result<String> {
        let transaction = self.connection.transaction()?;
        transaction.execute_batch("delete from plain; update indexed set c = 'gone'")?;
        transaction.rollback()?;
        Ok(format!("{}; {}", self.sum("plain")?, self.sum("indexed")?))
    }

    fn vacuum(&mut self) -> rusqlite::Result<String> {
        self.connection.execute_batch("vacuum")?;
        let (pages, size) = (
            self.ask("pragma page_count")?,
            self.ask("pragma page_size")?,
        );
        Ok(format!("{pages} pages of {size}"))
    }

    fn integrity(&mut self) -> rusqlite::Result<String> {
        self.ask("pragma integrity_check")
    }
}

fn insert(transaction: &Transaction<'_>, table: &str, rows: u32) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare(&format!("insert into {table} values(?1, ?2, ?3)"))?;
    let mut numbers = Numbers::new();
    for _ in 0..rows {
        let (a, b) = (numbers.below(rows), numbers.below(1_000_000));
        insert.execute(params![a, b, name_of(b)])?;
    }
    Ok(())
}
