//! The rows, by group. A row is an entry of its group's table and a function: set-up, the
//! operation handed to [`Meter::measure`] with the check of its results, clean-up by the
//! destructors of what was set up.

mod descriptors;
mod files;
mod ipc;
mod memory;
mod process;
mod signals;
mod sockets;
mod threads;
mod time;

use crate::meter::{Meter, Outcome};

/// Something to measure.
#[derive(Debug)]
pub struct Row {
    /// Its name: letters, digits and `_`.
    pub name: &'static str,
    /// What one iteration does.
    pub about: &'static str,
    /// Iterations come in multiples of this.
    pub batch: u64,
    /// Sets up, measures, cleans up.
    pub run: fn(&mut Meter) -> Outcome,
}

/// A row whose iterations do not depend on each other.
const fn row(name: &'static str, about: &'static str, run: fn(&mut Meter) -> Outcome) -> Row {
    batched(name, about, 1, run)
}

const fn batched(
    name: &'static str,
    about: &'static str,
    batch: u64,
    run: fn(&mut Meter) -> Outcome,
) -> Row {
    Row {
        name,
        about,
        batch,
        run,
    }
}

/// All rows, in the order in which they run.
pub fn all() -> impl Iterator<Item = &'static Row> {
    let groups: [&'static [Row]; 9] = [
        process::ROWS,
        time::ROWS,
        descriptors::ROWS,
        files::ROWS,
        memory::ROWS,
        signals::ROWS,
        ipc::ROWS,
        sockets::ROWS,
        threads::ROWS,
    ];
    groups.into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meter::{Mode, Sample};
    use std::collections::HashSet;

    #[test]
    fn names_are_distinct_words() {
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        assert!(all().all(|row| !row.name.is_empty() && row.name.chars().all(word)));
        let names: HashSet<&str> = all().map(|row| row.name).collect();
        assert_eq!(names.len(), all().count());
    }

    /// On Linux there is every call. One test, because the rows share files and signals.
    #[test]
    fn every_row_runs_on_linux_and_leaves_nothing_behind() {
        let directory = std::env::temp_dir().join(format!("syscalls-{}", std::process::id()));
        std::fs::create_dir(&directory).unwrap();
        std::env::set_current_dir(&directory).unwrap();
        let mut meter = Meter::new(Mode::Iterations(3));
        for row in all() {
            assert_eq!(meter.row(row), Ok(Sample::Nothing), "{}", row.name);
            let left = directory.read_dir().unwrap().count();
            assert_eq!(left, 0, "{} left files behind", row.name);
        }
        std::fs::remove_dir(&directory).unwrap();
    }
}
