//! mount(2), umount2(2), and a tmpfs with limits. Natively in a name space of its own.

use libc::{
    MNT_DETACH, MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY, MS_REMOUNT, O_CREAT, O_DIRECTORY,
    O_RDONLY, O_RDWR, O_WRONLY,
};
use std::io;
use test_support::files::{
    Scratch, content, fstat, looks, make, mount_flags, names_in, stat, statfs,
};
use test_support::sys::{self, HERE, close, mount, open, umount2};
use test_support::{call, report};

/// Reports on everything here.
pub fn run() -> io::Result<()> {
    let _scratch = Scratch::enter()?;
    private_name_space();
    sys::mkdir("m", 0o755)?;
    make("file", b"outside")?;
    mounted()?;
    full()?;
    inodes()?;
    busy()?;
    read_only()?;
    flags()?;
    options()?;
    refused()
}

/// Keeps mounts from the rest of the host. Where there are no name spaces, there is no rest.
fn private_name_space() {
    let _ = call(libc::SYS_unshare, &[libc::CLONE_NEWNS as u64]);
    let _ = mount("none", "/", "", libc::MS_REC | libc::MS_PRIVATE, "");
}

/// Blocks, free ones, inodes, free ones.
fn space(path: &str) -> io::Result<String> {
    let info = statfs(path)?;
    Ok(format!(
        "{} of {} blocks of {}, {} of {} inodes free",
        info.f_bfree, info.f_blocks, info.f_bsize, info.f_ffree, info.f_files
    ))
}

fn mounted() -> io::Result<()> {
    make("m/below", b"covered")?;
    report(
        "mount",
        mount("none", "m", "tmpfs", 0, "size=64k,nr_inodes=10,mode=0750"),
    );
    report("names", names_in(HERE, "m"));
    report("is", stat("m").map(|stat| looks(&stat)));
    report("space", space("m"));
    report(
        "kind",
        statfs("m").map(|info| format!("{:#x}", info.f_type)),
    );
    let device = |path: &str| stat(path).map(|stat| stat.st_dev).unwrap_or(0);
    println!("another device {}", device("m") != device("."));
    let inode = |path: &str| stat(path).map(|stat| stat.st_ino).unwrap_or(0);
    println!(
        "m/.. is here {}",
        inode("m/..") == inode(".") && device("m/..") == device(".")
    );
    make("m/file", b"inside")?;
    report("rename across", sys::rename("file", "m/moved"));
    report("link across", sys::link("file", "m/linked"));
    report("rename from it", sys::rename("m/file", "moved"));
    report(
        "exchange across",
        sys::renameat2(HERE, "file", HERE, "m/file", libc::RENAME_EXCHANGE),
    );
    report("rename over it", sys::rename("m", "n"));
    report("rmdir", sys::rmdir("m"));
    report("unlink", sys::unlink("m"));
    report(
        "move a directory onto it",
        sys::mkdir("d", 0o755).and_then(|_| sys::rename("d", "m")),
    );
    sys::rmdir("d")?;
    report("umount", umount2("m", 0));
    report("names", names_in(HERE, "m"));
    report("below", content("m/below"));
    sys::unlink("m/below")?;
    report("umount again", umount2("m", 0));
    Ok(())
}

/// A tmpfs that is full says so, and says how much it took.
fn full() -> io::Result<()> {
    mount("none", "m", "tmpfs", 0, "size=64k,nr_inodes=10")?;
    let fd = open("m/file", O_RDWR | O_CREAT, 0o644)?;
    report("empty", space("m"));
    report("write 100000", sys::write(fd, &[b'x'; 100_000]));
    report("space", space("m"));
    report("write more", sys::write(fd, b"x"));
    report("write inside", sys::pwrite(fd, b"y", 5));
    report("size", fstat(fd).map(|stat| stat.st_size));
    report("make another", make("m/empty", b"").map(|()| "ok"));
    report("write to it", make("m/empty", b"z").map(|()| "ok"));
    report("a link", sys::symlink(&"t".repeat(200), "m/long"));
    report("grow without writing", sys::ftruncate(fd, 1 << 30));
    report("write behind", sys::pwrite(fd, b"x", 1 << 29));
    report("allocate", sys::fallocate(fd, 0, 1 << 20, 4096));
    report("allocate too much", sys::fallocate(fd, 0, 0, 1 << 20));
    report("allocate what is there", sys::fallocate(fd, 0, 0, 65_536));
    report("space", space("m"));
    report("punch", sys::fallocate(fd, 3, 0, 8192));
    report("space", space("m"));
    report("allocate three", sys::fallocate(fd, 1, 1 << 20, 3 * 4096));
    report("space", space("m"));
    report("write three", sys::pwrite(fd, &[b'z'; 3 * 4096], 1 << 20));
    report("space", space("m"));
    report("truncate", sys::ftruncate(fd, 4096));
    report("space", space("m"));
    sys::unlink("m/file")?;
    report("unlinked but open", space("m"));
    sys::pwrite(fd, &[b'x'; 8192], 8192)?;
    report("written still", space("m"));
    close(fd)?;
    report("closed", space("m"));
    report("umount", umount2("m", 0));
    Ok(())
}

fn inodes() -> io::Result<()> {
    mount("none", "m", "tmpfs", 0, "size=1m,nr_inodes=6")?;
    report("empty", space("m"));
    let mut made = 0;
    let error = loop {
        match sys::mknod(&format!("m/{made}"), libc::S_IFREG | 0o644, 0) {
            Ok(_) => made += 1,
            Err(error) => break error,
        }
    };
    report(format_args!("after {made}"), Err::<i64, _>(error));
    report("mkdir", sys::mkdir("m/d", 0o755));
    report("symlink", sys::symlink("x", "m/s"));
    report("link", sys::link("m/0", "m/hard"));
    report(
        "without a name",
        open("m", libc::O_TMPFILE | O_RDWR, 0o600).and_then(close),
    );
    report("rename", sys::rename("m/0", "m/renamed"));
    report(
        "whiteout",
        sys::renameat2(HERE, "m/1", HERE, "m/white", libc::RENAME_WHITEOUT),
    );
    report("space", space("m"));
    sys::unlink("m/2")?;
    report("one gone", space("m"));
    report("mkdir", sys::mkdir("m/d", 0o755));
    report("umount", umount2("m", 0));
    Ok(())
}

/// What is in use cannot be unmounted, but taken out of sight.
fn busy() -> io::Result<()> {
    let home = open(".", O_RDONLY | O_DIRECTORY, 0)?;
    mount("none", "m", "tmpfs", 0, "")?;
    let fd = open("m/file", O_RDWR | O_CREAT, 0o644)?;
    report("umount with an open file", umount2("m", 0));
    close(fd)?;
    sys::chdir("m")?;
    report("umount of the working directory", umount2("../m", 0));
    sys::fchdir(home)?;
    sys::mkdir("m/inner", 0o755)?;
    mount("none", "m/inner", "tmpfs", 0, "")?;
    report("umount with another inside", umount2("m", 0));
    make("m/inner/deep", b"deep")?;
    let fd = open("m/inner/deep", O_RDWR, 0)?;
    let dir = open("m", O_RDONLY | O_DIRECTORY, 0)?;
    report("detach", umount2("m", MNT_DETACH));
    report("names", names_in(HERE, "m"));
    report("read what was open", sys::pread(fd, &mut [0; 10], 0));
    report("write it", sys::pwrite(fd, b"DEEP", 0));
    report(
        "make in what was open",
        sys::openat(dir, "late", O_RDWR | O_CREAT, 0o644).and_then(close),
    );
    report("names there", names_in(dir, "."));
    close(fd)?;
    close(dir)?;
    // Two at one place: the upper one is seen, and goes first.
    mount("none", "m", "tmpfs", 0, "")?;
    make("m/first", b"1")?;
    mount("none", "m", "tmpfs", 0, "")?;
    make("m/second", b"2")?;
    report("names", names_in(HERE, "m"));
    report("umount", umount2("m", 0));
    report("names", names_in(HERE, "m"));
    report("umount", umount2("m", 0));
    report("names", names_in(HERE, "m"));
    close(home)?;
    Ok(())
}

fn read_only() -> io::Result<()> {
    mount("none", "m", "tmpfs", 0, "")?;
    make("m/file", b"content")?;
    sys::mkdir("m/dir", 0o755)?;
    let fd = open("m/file", O_RDWR, 0)?;
    report(
        "remount while written",
        mount("none", "m", "tmpfs", MS_REMOUNT | MS_RDONLY, ""),
    );
    close(fd)?;
    report(
        "remount",
        mount("none", "m", "tmpfs", MS_REMOUNT | MS_RDONLY, ""),
    );
    let outcomes = [
        ("read", content("m/file").map(|text| text.len() as i64)),
        ("open to write", open("m/file", O_WRONLY, 0)),
        ("open to make", open("m/new", O_RDWR | O_CREAT, 0o644)),
        (
            "open to make what is there",
            open("m/file", O_RDONLY | O_CREAT, 0o644).and_then(close),
        ),
        ("truncate", sys::truncate("m/file", 0)),
        ("mkdir", sys::mkdir("m/sub", 0o755)),
        ("mkdir what is there", sys::mkdir("m/dir", 0o755)),
        ("symlink", sys::symlink("x", "m/soft")),
        ("link", sys::link("m/file", "m/hard")),
        ("unlink", sys::unlink("m/file")),
        ("unlink what is not", sys::unlink("m/none")),
        ("rmdir", sys::rmdir("m/dir")),
        ("rename", sys::rename("m/file", "m/other")),
        ("chmod", sys::chmod("m/file", 0o600)),
        ("chown", sys::chown("m/file", 0, 0)),
        ("setxattr", sys::setxattr("m/file", "user.a", b"1", 1, 0)),
        ("access to write", sys::access("m/file", libc::W_OK)),
        ("access to read", sys::access("m/file", libc::R_OK)),
        (
            "utimens",
            call(
                libc::SYS_utimensat,
                &[HERE as u64, c"m/file".as_ptr() as u64, 0, 0],
            ),
        ),
    ];
    for (what, outcome) in outcomes {
        report(format_args!("read-only {what}"), outcome);
    }
    report("flags", mount_flags("m").map(|flags| flags & 15));
    report(
        "remount to write",
        mount("none", "m", "tmpfs", MS_REMOUNT, "size=128k"),
    );
    report("write", make("m/file", b"changed").map(|()| "ok"));
    report("space", statfs("m").map(|info| info.f_blocks));
    make("m/large", &[0; 100_000])?;
    report(
        "too small",
        mount("none", "m", "tmpfs", MS_REMOUNT, "size=64k"),
    );
    report("umount", umount2("m", 0));
    Ok(())
}

fn flags() -> io::Result<()> {
    mount("none", "m", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "")?;
    report("flags", mount_flags("m").map(|flags| flags & 15));
    sys::mknod("m/null", libc::S_IFCHR | 0o666, libc::makedev(1, 3))?;
    report("open a device", open("m/null", O_RDWR, 0));
    make("m/program", b"#!")?;
    sys::chmod("m/program", 0o755)?;
    report("execute", sys::access("m/program", libc::X_OK));
    umount2("m", 0)?;
    mount("none", "m", "tmpfs", 0, "")?;
    sys::mknod("m/null", libc::S_IFCHR | 0o666, libc::makedev(1, 3))?;
    let fd = open("m/null", O_RDWR, 0)?;
    report("write to a device", sys::write(fd, b"anything"));
    report("read from it", sys::read(fd, &mut [0; 4]));
    close(fd)?;
    report("umount", umount2("m", 0));
    Ok(())
}

/// The options of tmpfs(5).
fn options() -> io::Result<()> {
    for data in [
        "size=0",
        "size=4096",
        "size=1k",
        "size=5000",
        "size=2m",
        "nr_blocks=7",
        "nr_blocks=1k",
        "nr_inodes=0",
        "nr_inodes=1",
        "mode=1777",
        "mode=0",
        "uid=1000,gid=1001",
        "size=64k,,mode=700",
        "size=",
        "size=x",
        "size=-1",
        "size=64kk",
        "mode=9",
        "uid=x",
        "unknown",
        "unknown=1",
        "mode",
    ] {
        let outcome = mount("none", "m", "tmpfs", 0, data);
        let worked = outcome.is_ok();
        report(format_args!("{data:?}"), outcome);
        if worked {
            let info = statfs("m")?;
            let about = stat("m")?;
            // Limits that depend on the machine's memory are not shown.
            if data.contains("size=") && !data.contains("size=0") || data.contains("blocks") {
                println!("    blocks {}", info.f_blocks);
            }
            if data.contains("inodes") {
                println!("    inodes {} free {}", info.f_files, info.f_ffree);
            }
            println!("    {} of {}:{}", looks(&about), about.st_uid, about.st_gid);
            umount2("m", 0)?;
        }
    }
    Ok(())
}

fn refused() -> io::Result<()> {
    for (what, target, kind) in [
        ("on a file", "file", "tmpfs"),
        ("on nothing", "missing", "tmpfs"),
        ("on an empty path", "", "tmpfs"),
        ("of an unknown kind", "m", "nosuchfs"),
        ("of no kind", "m", ""),
    ] {
        report(
            format_args!("mount {what}"),
            mount("none", target, kind, 0, ""),
        );
    }
    for (what, target, flags) in [
        ("what is none", "m", 0),
        ("a file", "file", 0),
        ("nothing", "missing", 0),
        ("with unknown flags", "m", 1 << 10),
        ("expire and force", "m", libc::MNT_EXPIRE | libc::MNT_FORCE),
    ] {
        report(format_args!("umount {what}"), umount2(target, flags));
    }
    report(
        "remount what is none",
        mount("none", "m", "tmpfs", MS_REMOUNT, ""),
    );
    let bad = 0x6000_0000_0000;
    let (target, kind) = (c"m".as_ptr() as u64, c"tmpfs".as_ptr() as u64);
    report(
        "mount, bad target",
        call(libc::SYS_mount, &[0, bad, kind, 0, 0]),
    );
    report(
        "mount, bad kind",
        call(libc::SYS_mount, &[0, target, bad, 0, 0]),
    );
    report(
        "mount, no kind",
        call(libc::SYS_mount, &[0, target, 0, 0, 0]),
    );
    report(
        "mount, bad source",
        call(libc::SYS_mount, &[bad, target, kind, 0, 0]),
    );
    report(
        "mount, no data",
        call(libc::SYS_mount, &[0, target, kind, 0, 0]),
    );
    report("umount", umount2("m", 0));
    report("umount, bad target", call(libc::SYS_umount2, &[bad, 0]));
    sys::symlink("m", "soft")?;
    mount("none", "soft", "tmpfs", 0, "")?;
    report("umount not following", umount2("soft", 8));
    report("umount through a link", umount2("soft", 0));
    Ok(())
}
