//! The runner against real QEMU (TCG), with a guest of a few instructions in `guest.s`. The tests
//! need `as`, `ld` and QEMU; they pass with a note where those are missing.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// The guest's exit code.
const CODE: i32 = 42;

/// Assembles the guest once; nothing where the tools are missing.
fn guest() -> Option<&'static Path> {
    static GUEST: OnceLock<Option<PathBuf>> = OnceLock::new();
    let guest = GUEST.get_or_init(|| {
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        let (object, elf) = (directory.join("guest.o"), directory.join("guest"));
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guest.s");
        let run = |command: &mut Command| command.status().is_ok_and(|status| status.success());
        let ready = run(Command::new("as")
            .arg("--64")
            .arg("-o")
            .args([&object, &source]))
            && run(Command::new("ld")
                .args(["-static", "-no-pie", "-Ttext=0x100000", "-e", "start", "-o"])
                .args([&elf, &object]))
            && run(Command::new("qemu-system-x86_64")
                .arg("--version")
                .stdout(Stdio::null()));
        ready.then_some(elf)
    });
    if guest.is_none() {
        eprintln!("skipped: as, ld or QEMU is missing");
    }
    guest.as_deref()
}

fn runner(guest: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-lintel"));
    command
        // The guest is a few lines of assembly, which know the serial line only.
        .args(["run", "--accel", "tcg", "--console", "serial"])
        .arg(guest)
        .args(words);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn run(guest: &Path, words: &[&str]) -> Output {
    runner(guest, words).output().expect("the runner starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn streams_and_exit_code_arrive() {
    let Some(guest) = guest() else { return };
    let output = run(guest, &["--env", "K=a b", "--", "x y", "--"]);
    let path = guest.display();
    assert_eq!(
        text(&output.stdout),
        format!(
            "out: lintel.argv0={path} lintel.stdin=null lintel.tty= lintel.err=0x5e0 \
             lintel.ctl=0x5e1 \"x y\" \"--\" -- K=\"a b\"\n"
        )
    );
    let errors = text(&output.stderr);
    for line in [
        "lintel: microvm, TCG (as asked)",
        "err",
        "a line for people",
        "lintel:   rip 0x0000000000100000 <start+0x0> rsp 0x0",
        "lintel: lowered 14 of 15 executed sites (0 unsafe), 812 lowered calls, 15 trapped",
    ] {
        assert!(
            errors.lines().any(|other| other == line),
            "no {line:?} in {errors}"
        );
    }
    assert_eq!(output.status.code(), Some(CODE));
}

#[test]
fn a_profile_without_end_is_kept_and_marked() {
    let Some(guest) = guest() else { return };
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("profile.jsonl");
    let name = file.to_str().unwrap();
    let output = run(guest, &["--profile", name, "--", "x"]);
    assert_eq!(output.status.code(), Some(CODE));
    let errors = text(&output.stderr);
    assert!(errors.contains("profile.jsonl is incomplete: "), "{errors}");
    let lines = std::fs::read_to_string(&file).unwrap();
    let lines: Vec<_> = lines.lines().collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(
        lines[0].ends_with(r#""machine":"microvm","accel":"tcg","program":"guest","args":["x"]}"#),
        "{lines:?}"
    );
    assert!(lines[1].starts_with(r#"{"incomplete":"the program ended with code 42"#));
    let shown = Command::new(env!("CARGO_BIN_EXE_cargo-lintel"))
        .args(["profile", name])
        .output()
        .unwrap();
    assert!(shown.status.success());
    assert!(text(&shown.stdout).contains("\nINCOMPLETE: the program ended with code 42"));
}

#[test]
fn every_machine_boots_the_guest() {
    let Some(guest) = guest() else { return };
    for machine in ["microvm", "q35", "pc"] {
        let output = run(guest, &["-q", "--machine", machine]);
        assert_eq!(
            output.status.code(),
            Some(CODE),
            "{machine}: {}",
            text(&output.stderr)
        );
        assert!(output.stdout.starts_with(b"out: "), "{machine}");
    }
}

#[test]
fn a_pipe_is_carried_byte_for_byte() {
    let Some(guest) = guest() else { return };
    let sent: Vec<u8> = (0..=255).cycle().take(4096).collect();
    let mut child = runner(guest, &["-q"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&sent).unwrap();
    let output = child.wait_with_output().unwrap();
    let start = output
        .stdout
        .iter()
        .position(|&byte| byte == b'\n')
        .unwrap()
        + 1;
    assert!(
        output.stdout[start..] == sent,
        "{} bytes",
        output.stdout.len() - start
    );
    assert_eq!(output.status.code(), Some(CODE));
}

#[test]
fn a_file_as_input_and_events_as_output() {
    let Some(guest) = guest() else { return };
    let directory = tempfile::tempdir().unwrap();
    let events = directory.path().join("events");
    let mut command = runner(guest, &["-q", "--events", events.to_str().unwrap()]);
    let output = command.stdin(File::open(guest).unwrap()).output().unwrap();
    assert!(
        text(&output.stdout).contains("lintel.stdin=file"),
        "{}",
        text(&output.stdout)
    );
    let events = std::fs::read_to_string(events).unwrap();
    assert_eq!(events.lines().count(), 3);
    assert_eq!(events.lines().last(), Some(r#"{"event":"exit","code":42}"#));
}

#[test]
fn one_file_for_both_outputs_keeps_their_order() {
    let Some(guest) = guest() else { return };
    let file = tempfile::tempfile().unwrap();
    let mut command = runner(guest, &["-q"]);
    command
        .stdout(file.try_clone().unwrap())
        .stderr(file.try_clone().unwrap());
    assert_eq!(command.status().unwrap().code(), Some(CODE));
    let mut all = String::new();
    use std::io::{Seek, SeekFrom};
    let mut file = file;
    file.seek(SeekFrom::Start(0)).unwrap();
    file.read_to_string(&mut all).unwrap();
    assert!(!all.contains("lintel.err="), "{all}");
}

#[test]
fn time_runs_out() {
    let Some(guest) = guest() else { return };
    let output = run(guest, &["-q", "--timeout", "0.5", "--", "x=hang"]);
    assert_eq!(output.status.code(), Some(124));
    assert!(
        text(&output.stderr).contains("stopped after 0.5 s"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn a_signal_ends_the_machine_too() {
    let Some(guest) = guest() else { return };
    let mut child = runner(guest, &["-q", "--", "x=hang"]).spawn().unwrap();
    let mut first = [0; 1];
    child
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut first)
        .unwrap();
    let qemu = child_of(child.id());
    assert!(
        Command::new("kill")
            .arg(child.id().to_string())
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(child.wait().unwrap().code(), Some(143));
    assert!(!Path::new("/proc").join(qemu).exists());
}

#[test]
fn the_machine_dies_with_a_killed_runner() {
    let Some(guest) = guest() else { return };
    let mut child = runner(guest, &["-q", "--", "x=hang"]).spawn().unwrap();
    let mut first = [0; 1];
    child
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut first)
        .unwrap();
    let qemu = Path::new("/proc").join(child_of(child.id())).join("exe");
    child.kill().unwrap();
    child.wait().unwrap();
    let start = Instant::now();
    while qemu.read_link().is_ok() {
        assert!(start.elapsed() < Duration::from_secs(5), "QEMU lives on");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_closed_output_ends_quietly() {
    let Some(guest) = guest() else { return };
    let mut child = runner(guest, &["-q"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    child.stdin.as_mut().unwrap().write_all(b"more").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(141));
    assert!(
        !text(&output.stderr).contains("error"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn mistakes_and_faults_have_their_own_codes() {
    let Some(guest) = guest() else { return };
    assert_eq!(run(Path::new("/bin/sh"), &[]).status.code(), Some(2));
    assert_eq!(run(Path::new("/no/such/file"), &[]).status.code(), Some(2));
    assert_eq!(run(guest, &["--no-such-option"]).status.code(), Some(2));
    let lost = run(guest, &["-q", "--qemu-arg", "-no-such-option"]);
    assert_eq!(lost.status.code(), Some(125));
    assert!(
        text(&lost.stderr).contains("no-such-option"),
        "{}",
        text(&lost.stderr)
    );
}

/// The process id of the only child of `parent`.
fn child_of(parent: u32) -> String {
    let children = format!("/proc/{parent}/task/{parent}/children");
    std::fs::read_to_string(children).unwrap().trim().to_owned()
}
