//! The process: arguments, names, ids, limits.

use crate::{check, field, number, text};
use std::env;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use test_support::{call, checked, report, report_ok};

/// Reports on everything here.
pub fn run() -> io::Result<()> {
    start();
    links()?;
    status();
    stat();
    threads()?;
    Ok(())
}

fn start() {
    let args: Vec<u8> = env::args_os()
        .flat_map(|arg| [arg.as_bytes(), b"\0"].concat())
        .collect();
    let read = fs::read("/proc/self/cmdline").unwrap_or_default();
    check("cmdline is the arguments", read == args);
    let environ = fs::read("/proc/self/environ").unwrap_or_default();
    let variables: Vec<&[u8]> = environ.split(|&byte| byte == 0).collect();
    check(
        "environ has the variable",
        variables.contains(&&b"PROCFS_TEST=value"[..]),
    );
    let known = env::vars_os().all(|(name, value)| {
        let variable = [name.as_bytes(), b"=", value.as_bytes()].concat();
        variables.contains(&&variable[..])
    });
    check(
        "environ has all variables",
        known && environ.ends_with(b"\0"),
    );
    auxiliary();
}

fn auxiliary() {
    let bytes = fs::read("/proc/self/auxv").unwrap_or_default();
    let words: Vec<u64> = bytes
        .chunks_exact(8)
        .map(|word| u64::from_ne_bytes(word.try_into().unwrap_or_default()))
        .collect();
    let pairs: Vec<[u64; 2]> = words
        .chunks_exact(2)
        .map(|pair| [pair[0], pair[1]])
        .collect();
    // The C library changes its own copy of the first.
    let same = |&[key, value]: &[u64; 2]| {
        // SAFETY: the call reads the auxiliary vector of the process.
        key == libc::AT_HWCAP || unsafe { libc::getauxval(key) } == value
    };
    check("auxv is whole pairs", bytes.len().is_multiple_of(16));
    check("auxv ends", pairs.last() == Some(&[0, 0]));
    check("auxv agrees with getauxval", pairs.iter().all(same));
    let page = pairs.contains(&[libc::AT_PAGESZ, 4096]);
    check("auxv has the page size", page);
}

fn links() -> io::Result<()> {
    let exe = fs::read_link("/proc/self/exe")?;
    check("exe is absolute", exe.is_absolute());
    check("exe is what std says", env::current_exe().ok() == Some(exe));
    let cwd = fs::read_link("/proc/self/cwd")?;
    check("cwd is the working directory", cwd == env::current_dir()?);
    report(
        "root",
        fs::read_link("/proc/self/root").map(|path| path.display().to_string()),
    );
    report(
        "mounts",
        fs::read_link("/proc/mounts").map(|path| path.display().to_string()),
    );
    let own = fs::read_link("/proc/self")?;
    let pid = std::process::id().to_string();
    check("self is the process", own.as_os_str() == &pid[..]);
    let thread = fs::read_link("/proc/thread-self")?;
    check(
        "thread-self is the thread",
        thread.as_os_str() == &format!("{pid}/task/{pid}")[..],
    );
    report_ok("through cwd", fs::metadata("/proc/self/cwd/."));
    report_ok(
        "through root",
        fs::metadata("/proc/self/root/proc/self/root/proc"),
    );
    check(
        "by number",
        text(&format!("/proc/{pid}/comm")) == text("/proc/self/comm"),
    );
    Ok(())
}

/// The ids of kind `Uid` or `Gid`.
fn ids(status: &str, key: &str) -> Vec<u64> {
    let value = field(status, key).unwrap_or_default();
    value.split('\t').filter_map(|id| id.parse().ok()).collect()
}

fn status() {
    let status = text("/proc/self/status");
    let pid = u64::from(std::process::id());
    for key in ["Tgid", "Pid"] {
        check(key, number(&status, key) == Some(pid));
    }
    // SAFETY: these calls have no arguments and cannot fail.
    let (parent, user, group) = unsafe { (libc::getppid(), libc::getuid(), libc::getgid()) };
    check("PPid", number(&status, "PPid") == Some(parent as u64));
    let users = ids(&status, "Uid");
    check("Uid", users.len() == 4 && users[0] == u64::from(user));
    let groups = ids(&status, "Gid");
    check("Gid", groups.len() == 4 && groups[0] == u64::from(group));
    let name = text("/proc/self/comm");
    check("Name", field(&status, "Name") == Some(name.trim_end()));
    println!("Threads {:?}", field(&status, "Threads"));
    println!("State {:?}", field(&status, "State"));
    // SAFETY: the call changes the mask, which the next one restores.
    let mask = unsafe { libc::umask(0o077) };
    println!("Umask {:?}", field(&text("/proc/self/status"), "Umask"));
    // SAFETY: as above.
    unsafe { libc::umask(mask) };
    for key in [
        "SigPnd", "ShdPnd", "SigBlk", "SigIgn", "SigCgt", "CapEff", "CapBnd",
    ] {
        let set = field(&status, key).map(|set| (set.len(), u64::from_str_radix(set, 16).is_ok()));
        println!("{key} {set:?}");
    }
    let size = |key| number(&status, key).unwrap_or(0);
    check(
        "VmSize is not less than VmRSS",
        size("VmSize") >= size("VmRSS"),
    );
    check(
        "VmRSS is a sum",
        size("VmRSS") == size("RssAnon") + size("RssFile") + size("RssShmem"),
    );
    check("VmStk", size("VmStk") > 0);
    check("VmExe", size("VmExe") > 0);
}

fn stat() {
    let stat = text("/proc/self/stat");
    let Some((head, tail)) = stat.rsplit_once(") ") else {
        return check("stat has a name", false);
    };
    let name = text("/proc/self/comm");
    let pid = std::process::id();
    check("stat begins", head == format!("{pid} ({}", name.trim_end()));
    let fields: Vec<i128> = tail[1..]
        .split_whitespace()
        .filter_map(|n| n.parse().ok())
        .collect();
    println!("numbers in stat {}", fields.len());
    // SAFETY: the call has no pointer.
    let group = unsafe { libc::getpgid(0) };
    // Fields are counted from 1; these begin with the fourth.
    let field = |number: usize| fields.get(number - 4).copied().unwrap_or(-1);
    check("process group", field(5) == i128::from(group));
    check("priority and nice", (field(18), field(19)) == (20, 0));
    check("one thread", field(20) == 1);
    let code = run as fn() -> io::Result<()> as usize as i128;
    check("this code is code", (field(26)..field(27)).contains(&code));
    let local = 0_u8;
    let local = &raw const local as usize as i128;
    check("the stack starts above this frame", field(28) > local);
    check(
        "arguments before the environment",
        field(48) < field(49) && field(49) == field(50),
    );
    check("the environment is not empty", field(50) < field(51));
    check("the break is behind the data", field(47) >= field(46));
    let pages: Vec<u64> = text("/proc/self/statm")
        .split_whitespace()
        .filter_map(|n| n.parse().ok())
        .collect();
    println!("numbers in statm {}", pages.len());
    check(
        "statm agrees with stat",
        pages
            .first()
            .is_some_and(|&n| i128::from(n) * 4096 == field(23)),
    );
}

fn threads() -> io::Result<()> {
    let names = |path: &str| -> io::Result<Vec<String>> {
        let entries = fs::read_dir(path)?;
        entries
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect()
    };
    let pid = std::process::id().to_string();
    check("one task", names("/proc/self/task")? == [&pid[..]]);
    let task = format!("/proc/self/task/{pid}");
    check(
        "the same name",
        text(&format!("{task}/comm")) == text("/proc/self/comm"),
    );
    check(
        "the same pid",
        number(&text(&format!("{task}/status")), "Pid") == pid.parse().ok(),
    );
    fs::write("/proc/self/comm", "renamed by hand")?;
    println!("comm {:?}", text("/proc/thread-self/comm"));
    let mut name = [0_u8; 16];
    // SAFETY: PR_GET_NAME writes 16 bytes.
    checked(unsafe { libc::prctl(libc::PR_GET_NAME, name.as_mut_ptr()) })?;
    println!("prctl {:?}", String::from_utf8_lossy(&name));
    report(
        "a name too long",
        fs::write("/proc/self/comm", "a name that is too long").map(|()| text("/proc/self/comm")),
    );
    for score in ["500", " -5x", "1001", "900\n"] {
        report(
            format_args!("a score of {score:?}"),
            fs::write("/proc/self/oom_score_adj", score).map(|()| "kept"),
        );
        println!("it is {:?}", text("/proc/self/oom_score_adj"));
    }
    report_ok("no such process", fs::metadata("/proc/999999999"));
    report_ok("no such task", fs::metadata("/proc/self/task/999999999"));
    report_ok("not a number", fs::metadata("/proc/self/task/01"));
    Ok(())
}

/// Names of the limits, in the order of their numbers.
const LIMITS: [&str; 16] = [
    "Max cpu time",
    "Max file size",
    "Max data size",
    "Max stack size",
    "Max core file size",
    "Max resident set",
    "Max processes",
    "Max open files",
    "Max locked memory",
    "Max address space",
    "Max file locks",
    "Max pending signals",
    "Max msgqueue size",
    "Max nice priority",
    "Max realtime priority",
    "Max realtime timeout",
];

/// Limits are those of getrlimit(2).
pub fn limits() -> io::Result<()> {
    let text = text("/proc/self/limits");
    println!("{:?}", text.lines().next());
    println!("lines {}", text.lines().count());
    for (resource, name) in LIMITS.iter().enumerate() {
        let mut limit = [0_u64; 2];
        let args = [resource as u64, limit.as_mut_ptr() as u64];
        call(libc::SYS_getrlimit, &args)?;
        let line = text
            .lines()
            .find(|line| line.starts_with(name))
            .unwrap_or_default();
        let shown = |range| match line.get::<std::ops::Range<usize>>(range).map(str::trim) {
            Some("unlimited") => Some(u64::MAX),
            other => other.and_then(|number| number.parse().ok()),
        };
        let same = [shown(26..47), shown(47..68)] == limit.map(Some);
        println!("{name} {same} {:?}", line.get(68..));
    }
    Ok(())
}
