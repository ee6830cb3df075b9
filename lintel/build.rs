//! Builds the kernel object and names it to the linker.
//!
//! `lintel-kernel` is compiled by a nested cargo into a static library (always optimised, whatever
//! the application's profile; no red zone, static relocation), linked into one relocatable object
//! (`ld -r`, unreferenced sections dropped), and its symbols are localised, so that neither its
//! `memcpy` nor its allocator can meet the application's.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The only symbols that leave the object. The loader finds them through the notes.
const ENTRIES: [&str; 2] = ["lintel_entry_pvh", "lintel_entry_mb2"];

/// No red zone: the monitor's exceptions push onto the running ring-0 stack. Static relocation: the
/// boot tables are static data with absolute addresses. The threshold: docs/src/kernel-object.md, *Size*.
const FLAGS: &str = "-Crelocation-model=static\x1f-Cno-redzone=yes\x1f-Cforce-unwind-tables=no\x1f-Cllvm-args=-inline-threshold=20";

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("..");
    for source in [
        "unikernel",
        "platform-qemu",
        "platform-kvm",
        "lintel/kernel",
        "linker.ld",
        "Cargo.toml",
    ] {
        println!("cargo:rerun-if-changed={}", root.join(source).display());
    }
    if !is_bootable() {
        // An ordinary build of an ordinary program: it has its first life only.
        return;
    }
    let library = compile(&root, &target_dir(&out));
    let full = out.join("lintel-kernel-full.o");
    let object = out.join("lintel-kernel.o");
    link(&root, &library, &full);
    localise(&full, &object);
    archive(&object, &out.join("liblintel_object.a"));
    println!("cargo:rustc-link-search=native={}", out.display());
    println!("cargo:rustc-link-lib=static:+whole-archive,-bundle=lintel_object");
    println!("cargo:object={}", object.display());
}

/// Whether the program will be a static executable at a fixed address, as a virtual machine needs
/// it. `cargo lintel` builds so; a plain `cargo build` or `cargo test` usually does not, and could
/// not link the kernel object.
fn is_bootable() -> bool {
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let features = env::var("CARGO_CFG_TARGET_FEATURE").unwrap_or_default();
    flags.contains("relocation-model=static") && features.split(',').any(|f| f == "crt-static")
}

/// Runs a tool to its end; its failure is ours, with its own words.
fn run(what: &str, command: &mut Command) {
    let status = command.status().unwrap_or_else(|error| {
        panic!(
            "{what}: cannot run {:?}: {error}; install binutils",
            command.get_program()
        )
    });
    assert!(status.success(), "{what} failed: {command:?}");
}

/// One target directory for all profiles of the application, since the object is the same for each;
/// others for each set of features, so that two builds at once do not meet.
fn target_dir(out: &Path) -> PathBuf {
    // …/target/[triple/]profile/build/lintel-hash/out
    let profile = out.ancestors().nth(3).expect("OUT_DIR is five levels deep");
    let suffixes = features().map(|name| format!("-{name}"));
    profile.with_file_name(format!("lintel-kernel{}", suffixes.collect::<String>()))
}

/// The kernel's features that are asked for; this crate has them under the same names.
fn features() -> impl Iterator<Item = &'static str> {
    let asked = |name: &&str| env::var_os(format!("CARGO_FEATURE_{}", name.to_uppercase()));
    ["profile", "events"]
        .into_iter()
        .filter(move |name| asked(name).is_some())
}

fn compile(root: &Path, target: &Path) -> PathBuf {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args([
        "rustc",
        "--profile",
        "kernel",
        "--package",
        "lintel-kernel",
        "--lib",
    ]);
    command.args([
        "--crate-type",
        "staticlib",
        "--target",
        "x86_64-unknown-linux-gnu",
    ]);
    for feature in features() {
        command.args(["--features", feature]);
    }
    command
        .arg("--manifest-path")
        .arg(root.join("lintel/kernel/Cargo.toml"));
    command.arg("--target-dir").arg(target).current_dir(root);
    // What cargo and clippy told this build is not meant for that one.
    for (key, _) in env::vars_os() {
        let name = key.to_string_lossy();
        if name.starts_with("CARGO_FEATURE_")
            || name.starts_with("CARGO_CFG_")
            || name.starts_with("CARGO_PROFILE_")
        {
            command.env_remove(&key);
        }
    }
    for name in [
        "RUSTFLAGS",
        "RUSTC_WRAPPER",
        "RUSTC_WORKSPACE_WRAPPER",
        "CARGO_BUILD_TARGET",
        "CARGO_TARGET_DIR",
    ] {
        command.env_remove(name);
    }
    command.env("CARGO_ENCODED_RUSTFLAGS", FLAGS);
    run("compiling the kernel", &mut command);
    target.join("x86_64-unknown-linux-gnu/kernel/liblintel_kernel.a")
}

fn link(root: &Path, library: &Path, object: &Path) {
    let mut ld = Command::new("ld");
    ld.args(["-r", "--gc-sections", "-z", "noexecstack"]);
    ENTRIES.iter().for_each(|entry| {
        ld.args(["-u", entry]);
    });
    ld.arg("-T")
        .arg(root.join("linker.ld"))
        .arg("-o")
        .arg(object)
        .arg(library);
    run("linking the kernel object", &mut ld);
}

fn localise(full: &Path, object: &Path) {
    let mut objcopy = Command::new("objcopy");
    for entry in ENTRIES {
        objcopy.arg(format!("--keep-global-symbol={entry}"));
    }
    run(
        "localising the kernel object",
        objcopy.arg(full).arg(object),
    );
}

fn archive(object: &Path, archive: &Path) {
    // `ar` would keep members of an older build.
    let _ = std::fs::remove_file(archive);
    run(
        "archiving the kernel object",
        Command::new("ar").args([OsStr::new("rcs"), archive.as_ref(), object.as_ref()]),
    );
}
