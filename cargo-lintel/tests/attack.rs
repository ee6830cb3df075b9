//! Attacks on the library and the monitor, whose addresses the program's symbol table tells; and
//! whether addresses are random. With TCG, and with KVM where it is usable. The tests need QEMU and the
//! rest of the workspace; they pass with a note where those are missing.

#[allow(dead_code, reason = "other tests use the rest of it")]
mod machine;

use machine::{accels, elf, text, tool};
use object::{Object, ObjectSymbol};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Output;
use std::sync::OnceLock;

/// The program; `None` where there is no QEMU.
fn attacker() -> Option<&'static PathBuf> {
    static ELF: OnceLock<Option<PathBuf>> = OnceLock::new();
    let build = || {
        elf("")?;
        let output = tool().args(["build", "test-attack"]).output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        Some(text(&output.stdout).trim().into())
    };
    ELF.get_or_init(build).as_ref()
}

fn run(options: &[&str], args: &[&str]) -> Output {
    let mut command = tool();
    command.args(["run", "--quiet"]).args(options);
    command.arg(attacker().unwrap()).arg("--").args(args);
    command.output().unwrap()
}

#[test]
fn the_library_is_out_of_reach_where_pages_allow_it() {
    let Some(path) = attacker() else { return };
    let bytes = std::fs::read(path).unwrap();
    let elf = object::File::parse(&*bytes).unwrap();
    let number = |name: &str| {
        let symbol = elf.symbols().find(|symbol| symbol.name() == Ok(name));
        let symbol = symbol.unwrap_or_else(|| panic!("there is no symbol {name}"));
        symbol.address()
    };
    let address = |name: &str| format!("{:#x}", number(name));
    // `Cpu::kernel_stack`, and how large each kernel stack is.
    let word = format!("{:#x}", number("lintel_cpu") + 32);
    let size = number("lintel_kernel_stack_top") - number("lintel_kernel_guard") - 4096;
    let size = format!("{size:#x}");
    let attacks = [
        ("__lintel_text_start", &["write"][..]),
        ("__lintel_monitor_text_start", &["read", "write", "execute"]),
        ("__lintel_monitor_data_start", &["read", "write", "execute"]),
        ("__lintel_data_start", &["execute"]),
        ("lintel_kernel_guard", &["read", "write"]),
        ("lintel_irq_guard", &["read", "write"]),
        ("lintel_fault_guard", &["read", "write"]),
    ];
    for accel in accels() {
        for (symbol, ways) in attacks {
            for how in ways {
                let at = address(symbol);
                let output = run(&["--accel", accel], &["poke", how, &at]);
                let errors = text(&output.stderr);
                let what = format!("{how} {symbol} ({at}), {accel}: {errors}");
                assert_eq!(text(&output.stdout), format!("{how}\n"), "{what}");
                assert_eq!(output.status.code(), Some(139), "{what}");
                assert!(errors.contains("page fault"), "{what}");
            }
        }
        for how in ["read", "write"] {
            let output = run(&["--accel", accel], &["thread", how, &word, &size]);
            let errors = text(&output.stderr);
            assert_eq!(text(&output.stdout), "the stack is there\n", "{errors}");
            assert_eq!(output.status.code(), Some(139), "{how}: {errors}");
            assert!(errors.contains("page fault"), "{how}: {errors}");
        }
    }
}

/// What `where` prints: names and addresses.
fn places(options: &[&str]) -> BTreeMap<String, String> {
    let output = run(options, &["where"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let pair = |line: &str| line.split_once(' ').map(|(a, b)| (a.into(), b.into()));
    text(&output.stdout).lines().filter_map(pair).collect()
}

#[test]
fn addresses_are_random_unless_that_is_switched_off() {
    if attacker().is_none() {
        return;
    }
    for accel in accels() {
        let runs: Vec<_> = (0..4).map(|_| places(&["--accel", accel])).collect();
        for name in ["stack", "small", "large", "break", "random"] {
            let first = &runs[0][name];
            // The break has four bits: the same four times in a row, once in 4096 tests.
            let differ = runs.iter().any(|run| &run[name] != first);
            assert!(differ, "{accel}: {name} is always {first}");
        }
        let mut fixed: Vec<_> = (0..2)
            .map(|_| places(&["--accel", accel, "--no-aslr"]))
            .collect();
        let [first, second] = [0, 1].map(|at: usize| fixed[at].remove("random"));
        assert_ne!(first, second);
        assert_eq!(fixed[0], fixed[1]);
    }
}
