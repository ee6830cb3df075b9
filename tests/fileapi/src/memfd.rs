//! memfd_create(2), and seals.

use libc::{
    F_ADD_SEALS, F_GET_SEALS, F_SEAL_FUTURE_WRITE, F_SEAL_GROW, F_SEAL_SEAL, F_SEAL_SHRINK,
    F_SEAL_WRITE, MFD_ALLOW_SEALING, MFD_CLOEXEC, O_RDONLY, O_RDWR, PROT_READ, PROT_WRITE,
};
use std::io;
use test_support::files::{Scratch, content_of, fstat, looks, make};
use test_support::sys::{self, close, memfd_create, open};
use test_support::{Outcome, call, report};

/// Reports on everything here.
pub fn run() -> io::Result<()> {
    let _scratch = Scratch::enter()?;
    plain()?;
    names();
    for (name, seals) in [
        ("nothing", 0),
        ("shrink", F_SEAL_SHRINK),
        ("grow", F_SEAL_GROW),
        ("shrink and grow", F_SEAL_SHRINK | F_SEAL_GROW),
        ("write", F_SEAL_WRITE),
        ("future write", F_SEAL_FUTURE_WRITE),
        ("seal", F_SEAL_SEAL),
    ] {
        sealed(name, seals)?;
    }
    mapped()?;
    refused()
}

fn seals_of(fd: i64) -> Outcome {
    sys::fcntl(fd, F_GET_SEALS, 0)
}

fn plain() -> io::Result<()> {
    let fd = memfd_create("name", 0)?;
    report("new", fstat(fd).map(|stat| looks(&stat)));
    report(
        "flags",
        sys::fcntl(fd, libc::F_GETFL, 0).map(|flags| format!("{flags:#o}")),
    );
    report("own", sys::fcntl(fd, libc::F_GETFD, 0));
    report("seals", seals_of(fd));
    report(
        "add a seal",
        sys::fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK.into()),
    );
    report("write", sys::write(fd, b"in memory"));
    report("content", content_of(fd));
    report("grow", sys::ftruncate(fd, 10_000));
    report("is", fstat(fd).map(|stat| looks(&stat)));
    report("data", sys::lseek(fd, 4096, libc::SEEK_DATA));
    report("chmod", sys::fchmod(fd, 0o600));
    report("lock", sys::flock(fd, libc::LOCK_EX));
    close(fd)?;
    let fd = memfd_create("name", MFD_CLOEXEC | MFD_ALLOW_SEALING)?;
    report("own", sys::fcntl(fd, libc::F_GETFD, 0));
    report("seals", seals_of(fd));
    close(fd)?;
    Ok(())
}

fn names() {
    for length in [0, 1, 248, 249, 250, 4000] {
        let made = memfd_create(&"n".repeat(length), 0).and_then(close);
        report(format_args!("a name of {length}"), made);
    }
    report(
        "a name with a slash",
        memfd_create("a/b", 0).and_then(close),
    );
    for flags in [0x20, 0x40, 0x8000, 1 << 31, 0x18] {
        report(
            format_args!("flags {flags:#x}"),
            memfd_create("n", flags).and_then(close),
        );
    }
}

/// What a sealed file still lets happen.
fn sealed(name: &str, seals: i32) -> io::Result<()> {
    println!("sealed: {name}");
    let fd = memfd_create("sealed", MFD_ALLOW_SEALING)?;
    sys::write(fd, &[b'x'; 8192])?;
    report("  add", sys::fcntl(fd, F_ADD_SEALS, seals.into()));
    report("  seals", seals_of(fd));
    report("  read", sys::pread(fd, &mut [0; 10], 0));
    report("  write inside", sys::pwrite(fd, b"y", 0));
    report("  write behind the end", sys::pwrite(fd, b"y", 8192));
    report("  write across the end", sys::pwrite(fd, b"yyyy", 8190));
    report("  write nothing", sys::pwrite(fd, b"", 0));
    report("  the same size", sys::ftruncate(fd, fstat(fd)?.st_size));
    report("  shrink", sys::ftruncate(fd, 8000));
    report("  grow", sys::ftruncate(fd, 9000));
    report("  allocate inside", sys::fallocate(fd, 0, 0, 4096));
    report("  allocate behind", sys::fallocate(fd, 0, 0, 20_000));
    report(
        "  allocate behind and keep",
        sys::fallocate(fd, 1, 0, 30_000),
    );
    report("  punch", sys::fallocate(fd, 3, 0, 4096));
    report("  size", fstat(fd).map(|stat| stat.st_size));
    for (what, protection) in [("read", PROT_READ), ("write", PROT_READ | PROT_WRITE)] {
        for (how, flags) in [("shared", libc::MAP_SHARED), ("private", libc::MAP_PRIVATE)] {
            let mapped = map(fd, protection, flags);
            report(
                format_args!("  map to {what}, {how}"),
                mapped.and_then(unmap),
            );
        }
    }
    report(
        "  seal the seals",
        sys::fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL.into()),
    );
    report(
        "  add another",
        sys::fcntl(fd, F_ADD_SEALS, F_SEAL_GROW.into()),
    );
    report("  add none", sys::fcntl(fd, F_ADD_SEALS, 0));
    report("  seals", seals_of(fd));
    close(fd)?;
    Ok(())
}

fn map(fd: i64, protection: i32, flags: i32) -> Outcome {
    call(
        libc::SYS_mmap,
        &[0, 4096, protection as u64, flags as u64, fd as u64, 0],
    )
}

fn unmap(address: i64) -> Outcome {
    call(libc::SYS_munmap, &[address as u64, 4096])
}

/// A writable shared mapping keeps the write seal off.
fn mapped() -> io::Result<()> {
    let fd = memfd_create("mapped", MFD_ALLOW_SEALING)?;
    sys::ftruncate(fd, 4096)?;
    let address = map(fd, PROT_READ | PROT_WRITE, libc::MAP_SHARED)?;
    report(
        "seal while mapped",
        sys::fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE.into()),
    );
    report(
        "seal the future",
        sys::fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE.into()),
    );
    // SAFETY: the page that was just mapped, shared and writable.
    unsafe { *(address as *mut u8) = b'!' };
    report("the mapping still writes", sys::pread(fd, &mut [0; 1], 0));
    report("content", content_of(fd).map(|text| text.starts_with('!')));
    report("write", sys::pwrite(fd, b"?", 0));
    unmap(address)?;
    report(
        "seal when it is gone",
        sys::fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE.into()),
    );
    close(fd)?;
    Ok(())
}

fn refused() -> io::Result<()> {
    make("file", b"content")?;
    let file = open("file", O_RDWR, 0)?;
    let read = open("file", O_RDONLY, 0)?;
    let [reader, writer] = sys::pipe2(0)?;
    for (name, fd) in [
        ("a file", file),
        ("read-only", read),
        ("a pipe", writer),
        ("closed", 987),
    ] {
        report(format_args!("seals of {name}"), seals_of(fd));
        report(
            format_args!("seal {name}"),
            sys::fcntl(fd, F_ADD_SEALS, F_SEAL_GROW.into()),
        );
    }
    let fd = memfd_create("m", MFD_ALLOW_SEALING)?;
    report("unknown seal", sys::fcntl(fd, F_ADD_SEALS, 0x1000));
    for fd in [file, read, reader, writer, fd] {
        close(fd)?;
    }
    Ok(())
}
