//! How paths are walked.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use test_support::{call, report, report_ok};

/// Dots, slashes, and what cannot be opened.
pub fn paths() -> io::Result<()> {
    for path in [
        "./a.txt",
        "sub/../a.txt",
        ".//sub///b.txt",
        "sub/deep/../../a.txt",
    ] {
        report(
            format_args!("{path:?}"),
            fs::metadata(path).map(|data| data.len()),
        );
    }
    let bad = [
        "",
        "missing",
        "missing/a.txt",
        "a.txt/",
        "a.txt/.",
        "a.txt/..",
        "a.txt/b",
        "sub/missing",
        "sub/./missing/../b.txt",
        "missing/",
    ];
    for path in bad {
        report_ok(format_args!("{path:?}"), File::open(path));
    }
    for path in [
        "sub",
        "sub/",
        "sub/.",
        "sub/deep/..",
        "link-dir/../link-dir/../sub",
    ] {
        report(
            format_args!("{path:?} directory"),
            fs::metadata(path).map(|data| data.is_dir()),
        );
    }
    report_ok("name of 255", File::open("n".repeat(255)));
    report_ok("name of 256", File::open("n".repeat(256)));
    report_ok("path of 4095", File::open("sub/../".repeat(585)));
    report_ok("path of 4102", File::open("sub/../".repeat(586)));
    report_ok("/..", fs::metadata("/../../.."));
    report_ok("//dev//null", File::open("//dev//null"));
    open_flags();
    let access = |path: &std::ffi::CStr, mode: i32| {
        call(libc::SYS_access, &[path.as_ptr() as u64, mode as u64])
    };
    report("a.txt exists", access(c"a.txt", libc::F_OK));
    report("a.txt readable", access(c"a.txt", libc::R_OK));
    report("a.txt executable", access(c"a.txt", libc::X_OK));
    report(
        "tool.sh executable",
        access(c"tool.sh", libc::R_OK | libc::X_OK),
    );
    report("sub searchable", access(c"sub", libc::X_OK));
    report("a.txt no such mode", access(c"a.txt", 8));
    report("missing exists", access(c"missing", libc::F_OK));
    report("loop-a exists", access(c"loop-a", libc::F_OK));
    Ok(())
}

fn open_flags() {
    let open =
        |path: &str, flags: i32| OpenOptions::new().read(true).custom_flags(flags).open(path);
    report_ok("directory", open("sub", libc::O_DIRECTORY));
    report_ok("directory of a file", open("a.txt", libc::O_DIRECTORY));
    report_ok(
        "directory of a link to one",
        open("link-dir", libc::O_DIRECTORY),
    );
    report_ok("nofollow of a file", open("a.txt", libc::O_NOFOLLOW));
    report_ok("nofollow of a link", open("link", libc::O_NOFOLLOW));
    report_ok(
        "nofollow inside the path",
        open("link-dir/b.txt", libc::O_NOFOLLOW),
    );
    report_ok(
        "nonblock, cloexec, noctty",
        open("a.txt", libc::O_NONBLOCK | libc::O_NOCTTY),
    );
    report_ok(
        "exclusive of a file",
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .open("a.txt"),
    );
    report_ok("exclusive of a dead link", {
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .open("dangling")
    });
    report_ok(
        "directory for writing",
        OpenOptions::new().write(true).open("sub"),
    );
    let at = |dir: i32, path: &std::ffi::CStr| {
        call(libc::SYS_openat, &[dir as u64, path.as_ptr() as u64, 0])
    };
    report_ok(
        "openat of an absolute path, bad directory",
        at(987, c"/dev/null"),
    );
    report_ok(
        "openat of a relative path, bad directory",
        at(987, c"a.txt"),
    );
}

/// Symbolic links, loops included.
pub fn links() -> io::Result<()> {
    let names = [
        "link",
        "link-dir",
        "loop-a",
        "self",
        "dangling",
        "sub/up",
        "through-file",
    ];
    for name in names {
        println!("{name} is {:?}", fs::read_link(name)?);
        report_ok(format_args!("{name} followed"), fs::metadata(name));
        let own = fs::symlink_metadata(name)?;
        println!(
            "{name} itself: link {}, {} bytes",
            own.is_symlink(),
            own.len()
        );
    }
    report(
        "a.txt",
        fs::read_link("a.txt").map(|target| target.display().to_string()),
    );
    report(
        "missing",
        fs::read_link("missing").map(|target| target.display().to_string()),
    );
    println!("up {:?}", fs::read_to_string("sub/up")?);
    println!("through {:?}", fs::read_to_string("link-dir/deep/../up")?);
    for count in [39, 40, 41] {
        let path = format!("{}a.txt", "link-dir/../".repeat(count));
        report_ok(format_args!("{count} links in a path"), File::open(path));
    }
    report_ok("link/", File::open("link/"));
    report_ok("link-dir/", File::open("link-dir/"));
    let own = fs::symlink_metadata("link-dir/")?;
    println!("link-dir/ itself: link {}", own.is_symlink());

    let home = fs::canonicalize(".")?;
    for name in ["sub/up", "link-dir/deep/leaf.txt", "link-dir/../link"] {
        let path = fs::canonicalize(name)?;
        println!(
            "{name} really is {:?}",
            path.strip_prefix(&home).unwrap_or(&path)
        );
    }
    report_ok("loop-a really", fs::canonicalize("loop-a"));
    report_ok("dangling really", fs::canonicalize("dangling"));
    Ok(())
}
