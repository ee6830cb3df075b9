//! The profiler and the debug events cost nothing when they are off: without their features, the
//! kernel's machine code is the same, byte for byte, as that of a kernel in which neither was ever
//! written. That one is made from a copy of the source, out of which the hooks are taken as text.
//!
//! What stays in both is what a kernel without the features has to know of them: the names on its
//! command line, so that it can say that it was built without.

mod hooks;

use object::{Object, ObjectSection, ObjectSymbol, RelocationTarget};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What of the workspace makes the kernel.
const PARTS: [&str; 7] = [
    "Cargo.toml",
    "Cargo.lock",
    "linker.ld",
    "unikernel",
    "platform-qemu",
    "platform-kvm",
    "lintel",
];

fn run(command: &mut Command) -> Vec<u8> {
    let output = command.output().expect("the program starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    output.stdout
}

/// A copy of the kernel's source, and nothing else of the workspace. It is always at the same
/// place, since the compiler puts paths into the names of symbols.
fn copy() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join("hooks");
    let _ = fs::remove_dir_all(&copy);
    fs::create_dir_all(&copy).expect("there is room for a copy");
    let parts = PARTS.iter().map(|part| workspace.join(part));
    run(Command::new("cp").arg("-r").args(parts).arg(&copy));
    let manifest = copy.join("Cargo.toml");
    let text = fs::read_to_string(&manifest).expect("the manifest is readable");
    let members = ["cargo-lintel", "benches/*", "examples/*", "tests/*"];
    let gone = |line: &&str| {
        members
            .iter()
            .any(|member| line.contains(&format!("\"{member}\"")))
    };
    let kept: Vec<_> = text.lines().filter(|line| !gone(line)).collect();
    fs::write(manifest, kept.join("\n")).expect("the copy is ours");
    copy
}

/// Builds the kernel object of the copy.
fn kernel(copy: &Path) -> Code {
    let target = copy.with_file_name("hooks-target");
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["build", "--package", "lintel", "--message-format=json"])
        .args(["--target", "x86_64-unknown-linux-gnu", "--target-dir"])
        .arg(&target)
        .current_dir(copy)
        .env(
            "CARGO_ENCODED_RUSTFLAGS",
            "-Ctarget-feature=+crt-static\x1f-Crelocation-model=static",
        );
    let report = String::from_utf8(run(&mut cargo)).expect("cargo writes UTF-8");
    let directories = report.lines().filter_map(|line| {
        let (_, rest) = line.split_once("\"out_dir\":\"")?;
        Some(PathBuf::from(rest.split_once('"')?.0))
    });
    let mut objects = directories.map(|directory| directory.join("lintel-kernel-full.o"));
    let object = objects.rfind(|object| object.is_file());
    Code::read(&object.expect("the build script made an object"))
}

/// The machine code of a kernel.
#[derive(PartialEq)]
struct Code {
    sections: Vec<Section>,
    /// The functions of the first section, by address: their names without the hash.
    functions: Vec<(u64, String)>,
}

/// The bytes of a section, and its relocations: where, what kind, the target and what is added.
#[derive(PartialEq)]
struct Section {
    name: &'static str,
    bytes: Vec<u8>,
    relocations: Vec<(u64, String, String, i64)>,
}

impl Code {
    fn read(path: &Path) -> Self {
        let data = fs::read(path).expect("the object is readable");
        let file = object::File::parse(&*data).expect("the object is an ELF");
        let sections = [".text.lintel", ".lintel.monitor", ".text.lintel_monitor"];
        let sections: Vec<_> = sections
            .iter()
            .filter_map(|name| section(&file, name))
            .collect();
        assert!(sections.len() >= 2, "the sections have other names now");
        let first = file
            .section_by_name(".text.lintel")
            .map(|section| section.index());
        let mut functions: Vec<_> = file
            .symbols()
            .filter(|symbol| symbol.section_index() == first)
            .filter_map(|symbol| Some((symbol.address(), symbol.name().ok()?.to_owned())))
            .collect();
        functions.sort();
        Self {
            sections,
            functions,
        }
    }

    /// The first difference, for people.
    fn difference(&self, other: &Self) -> Option<String> {
        for (one, two) in self.sections.iter().zip(&other.sections) {
            let (name, lengths) = (one.name, (one.bytes.len(), two.bytes.len()));
            let at = one.bytes.iter().zip(&two.bytes).position(|(a, b)| a != b);
            if at.is_some() || lengths.0 != lengths.1 {
                let at = at.unwrap_or(lengths.0.min(lengths.1)) as u64;
                let before = self.functions.iter().rfind(|function| function.0 <= at);
                return Some(format!(
                    "{name}: at {at:#x} of {lengths:?} bytes, in {before:?}"
                ));
            }
            let pairs = one.relocations.iter().zip(&two.relocations);
            if let Some((a, b)) = pairs.into_iter().find(|(a, b)| a != b) {
                let before = self.functions.iter().rfind(|function| function.0 <= a.0);
                return Some(format!("{name}: {a:?}, {b:?}, in {before:?}"));
            }
            if one.relocations.len() != two.relocations.len() {
                return Some(format!("{name}: other relocations at the end"));
            }
        }
        None
    }
}

/// The name of a symbol; that of a constant without a name of its own (`.Lanon.HASH.NUMBER`) without
/// the hash, which is one of the source's text.
fn without_hash(name: &str) -> String {
    let number = name
        .strip_prefix(".Lanon.")
        .and_then(|rest| rest.split_once('.'));
    number.map_or_else(|| name.to_owned(), |(_, number)| format!(".Lanon.{number}"))
}

fn section(file: &object::File, name: &'static str) -> Option<Section> {
    let section = file.section_by_name(name)?;
    let target = |target| match target {
        RelocationTarget::Symbol(index) => {
            let symbol = file.symbol_by_index(index).ok()?;
            let section = symbol
                .section_index()
                .and_then(|at| file.section_by_index(at).ok());
            match symbol.kind() {
                object::SymbolKind::Section => Some(section?.name().ok()?.to_owned()),
                _ => Some(without_hash(symbol.name().ok()?)),
            }
        }
        _ => None,
    };
    let relocations = section.relocations().map(|(at, relocation)| {
        let kind = format!("{:?}", relocation.flags());
        let name = target(relocation.target()).unwrap_or_default();
        (at, kind, name, relocation.addend())
    });
    let bytes = section.data().expect("the section has data").to_vec();
    assert!(bytes.len() > 500, "{name} is suspiciously small");
    Some(Section {
        name,
        relocations: relocations.collect(),
        bytes,
    })
}

#[test]
fn without_the_features_the_code_is_that_of_a_kernel_without_hooks() {
    let copy = copy();
    let off = kernel(&copy);
    // A hook that does cost an instruction is found.
    let absent = copy.join("unikernel/src/profile/absent.rs");
    let text = fs::read_to_string(&absent).expect("the file is there");
    let dear = text.replacen(
        "    run()\n",
        "    // SAFETY: it does nothing.\n    unsafe { core::arch::asm!(\"nop\") };\n    run()\n",
        1,
    );
    assert_ne!(text, dear);
    fs::write(&absent, dear).expect("the copy is ours");
    let found = off.difference(&kernel(&copy));
    assert!(found.is_some(), "a nop in every call was not noticed");
    // There is none.
    let hooks = hooks::strip(&copy);
    assert!(hooks > 20, "only {hooks} hooks were found");
    assert_eq!(off.difference(&kernel(&copy)), None);
}
