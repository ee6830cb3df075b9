//! What a figure depends on besides the library: the computer and the day.

use serde::Serialize;
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

/// The computer.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Host {
    /// The processor's name.
    pub cpu: String,
    /// How many of them the system shows.
    pub cpus: usize,
    /// The version of Linux, without its suffix.
    pub linux: String,
    /// The version of QEMU.
    pub qemu: String,
}

impl Host {
    /// Looks.
    pub fn observe(qemu: &Path) -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let banner = Command::new(qemu).arg("--version").output();
        let banner = banner.map(|output| output.stdout).unwrap_or_default();
        Self {
            cpu: cpu(&read("/proc/cpuinfo")),
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
            linux: number(&read("/proc/sys/kernel/osrelease")),
            qemu: number(&String::from_utf8_lossy(&banner)),
        }
    }
}

fn cpu(cpuinfo: &str) -> String {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"));
    let name = line.and_then(|line| line.split_once(':'));
    name.map_or("unknown processor", |pair| pair.1.trim())
        .to_owned()
}

/// The first version number in a text.
fn number(text: &str) -> String {
    let start = text
        .find(|c: char| c.is_ascii_digit())
        .unwrap_or(text.len());
    let rest = &text[start..];
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.');
    rest[..end.unwrap_or(rest.len())].to_owned()
}

/// What the computer has done up to some moment, in ticks of its clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct Work {
    /// Time of all CPUs, idle or not.
    all: u64,
    /// Of that, time in which they worked.
    busy: u64,
    /// Of that, time for children of this process that have ended.
    own: u64,
}

impl Work {
    /// Now. All zero where Linux does not tell.
    pub fn now() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let (all, busy) = cpu_ticks(&read("/proc/stat")).unwrap_or_default();
        let own = children_ticks(&read("/proc/self/stat")).unwrap_or_default();
        Self { all, busy, own }
    }

    /// The share of the computer's time, 0 to 1, that others have taken since `before`.
    pub fn others_since(self, before: Self) -> f64 {
        let busy = self.busy.saturating_sub(before.busy);
        let own = self.own.saturating_sub(before.own);
        let all = self.all.saturating_sub(before.all).max(1);
        (busy.saturating_sub(own) as f64 / all as f64).min(1.0)
    }
}

/// All ticks and the busy ones, of the first line of `/proc/stat` (proc_stat(5)). Guest time is part
/// of user time.
fn cpu_ticks(stat: &str) -> Option<(u64, u64)> {
    let fields = stat.lines().next()?.strip_prefix("cpu ")?;
    let ticks: Vec<u64> = fields.split_whitespace().flat_map(str::parse).collect();
    let &[user, nice, system, idle, wait, irq, soft, steal, ..] = &ticks[..] else {
        return None;
    };
    let busy = user + nice + system + irq + soft + steal;
    Some((busy + idle + wait, busy))
}

/// User and system time of the children, from `/proc/self/stat` (proc_pid_stat(5), fields 16 and
/// 17; the third is the first behind the program's name).
fn children_ticks(stat: &str) -> Option<u64> {
    let fields: Vec<_> = stat.rsplit_once(") ")?.1.split_whitespace().collect();
    let ticks = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    Some(ticks(16)? + ticks(17)?)
}

/// Today, in UTC: `2024-02-29`.
pub fn today() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    date(now.map_or(0, |since| since.as_secs() / 86_400))
}

/// The civil date of a number of days since 1970-01-01. Source: Howard Hinnant,
/// "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
fn date(days: u64) -> String {
    let z = days + 719_468;
    let (era, day_of_era) = (z / 146_097, z % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(11_016), "2000-02-29");
        assert_eq!(date(19_782), "2024-02-29");
        assert_eq!(date(19_783), "2024-03-01");
        assert_eq!(date(20_453), "2025-12-31");
    }

    #[test]
    fn the_work_of_others_is_what_is_busy_and_not_ours() {
        let stat = "cpu  10 1 5 70 10 1 2 1 9 0\ncpu0 1 2 3\n";
        assert_eq!(cpu_ticks(stat), Some((100, 20)));
        assert_eq!(cpu_ticks("intr 5\n"), None);
        let own = "7 (a) b) S 1 2 3 4 5 6 7 8 9 10 100 200 30 40 20 0\n";
        assert_eq!((children_ticks(own), children_ticks("")), (Some(70), None));
        let work = |all, busy, own| Work { all, busy, own };
        let start = work(1000, 500, 100);
        assert_eq!(work(1200, 600, 150).others_since(start), 0.25);
        assert_eq!(work(1200, 540, 150).others_since(start), 0.0);
        assert_eq!(start.others_since(start), 0.0);
        assert!(Work::now().all > 0);
    }

    #[test]
    fn versions_and_names() {
        assert_eq!(
            number("QEMU emulator version 7.2.22 (Debian 1:7.2)"),
            "7.2.22"
        );
        assert_eq!(number("6.1.0-18-amd64\n"), "6.1.0");
        assert_eq!(number(""), "");
        assert_eq!(cpu("flags: x\nmodel name\t: A  B\n"), "A  B");
        assert_eq!(cpu(""), "unknown processor");
    }
}
