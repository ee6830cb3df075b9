//! The profiler and the debug events cost nothing when they are off: without their features, the
//! kernel's machine code is the same, byte for byte, as that of a kernel in which neither was ever
//! written.

use object::{Object, ObjectSection};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds `lintel`, its kernel with `--cfg cfg`, and returns the kernel object.
fn kernel(cfg: Option<&str>) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join(cfg.unwrap_or("plain"));
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args([
            "build",
            "--package",
            "lintel",
            "--target",
            "x86_64-unknown-linux-gnu",
            "--message-format=json",
            "--target-dir",
        ])
        .arg(&target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env(
            "CARGO_ENCODED_RUSTFLAGS",
            "-Ctarget-feature=+crt-static\x1f-Crelocation-model=static",
        )
        .env_remove("LINTEL_KERNEL_CFG");
    if let Some(cfg) = cfg {
        cargo.env("LINTEL_KERNEL_CFG", cfg);
    }
    let output = cargo.output().expect("cargo starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let report = String::from_utf8(output.stdout).expect("cargo writes UTF-8");
    let directories = report.lines().filter_map(|line| {
        let (_, rest) = line.split_once("\"out_dir\":\"")?;
        Some(PathBuf::from(rest.split_once('"')?.0))
    });
    let mut objects = directories.map(|directory| directory.join("lintel-kernel.o"));
    objects
        .rfind(|object| object.is_file())
        .expect("the build script made an object")
}

/// The bytes of a section and where its relocations are.
fn section(path: &Path, name: &str) -> (Vec<u8>, Vec<u64>) {
    let data = std::fs::read(path).expect("the object is readable");
    let file = object::File::parse(&*data).expect("the object is an ELF");
    let section = file.section_by_name(name).expect("the section exists");
    let relocations = section
        .relocations()
        .map(|relocation| relocation.0)
        .collect();
    (
        section.data().expect("the section has data").to_vec(),
        relocations,
    )
}

#[test]
fn without_the_features_the_code_is_that_of_a_kernel_without_profiler_and_events() {
    let (plain, absent) = (kernel(None), kernel(Some("lintel_without_profiler")));
    for name in [".text.lintel", ".text.lintel_monitor"] {
        let (plain, absent) = (section(&plain, name), section(&absent, name));
        assert!(plain.0.len() > 1000, "{name} is suspiciously small");
        assert!(
            plain == absent,
            "{name}: {} and {} bytes differ",
            plain.0.len(),
            absent.0.len()
        );
    }
}
