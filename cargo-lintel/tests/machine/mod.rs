//! Runs the program `test-profiled` in machines, and reads what they leave behind.

use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

/// The tool, in the workspace.
pub fn tool() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-lintel"));
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
    command
}

/// The program with a kernel that has this feature of `lintel`, or none. Each is built once and
/// copied, because all builds of a program have the same name.
pub fn elf(feature: &'static str) -> Option<&'static Path> {
    static ELVES: Mutex<BTreeMap<&str, Option<&Path>>> = Mutex::new(BTreeMap::new());
    let mut elves = ELVES.lock().unwrap();
    *elves.entry(feature).or_insert_with(|| {
        let usable = Command::new("qemu-system-x86_64").arg("--version").output();
        if usable.is_err() {
            eprintln!("skipped: QEMU is missing");
            return None;
        }
        let mut build = tool();
        build.args(["build", "test-profiled"]);
        if !feature.is_empty() {
            build.args(["--features", &format!("lintel/{feature}")]);
        }
        let output = build.output().expect("the tool starts");
        let errors = text(&output.stderr);
        assert!(output.status.success(), "{errors}");
        let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("profiled-{feature}"));
        std::fs::copy(text(&output.stdout).trim(), &copy).expect("there is room for a copy");
        Some(&*Box::leak(copy.into_boxed_path()))
    })
}

/// The accelerators that are usable here.
pub fn accels() -> Vec<&'static str> {
    static KVM: OnceLock<bool> = OnceLock::new();
    let kvm = KVM.get_or_init(|| {
        let Some(elf) = elf("") else { return false };
        let mut run = tool();
        run.args(["run", "--quiet", "--accel", "kvm"]).arg(elf);
        let usable = run.output().is_ok_and(|output| output.status.success());
        if !usable {
            eprintln!("KVM is not usable: with TCG only");
        }
        usable
    });
    ["tcg", "kvm"][..1 + usize::from(*kvm)].to_vec()
}

/// Bytes as text.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Whether `cargo lintel profile` takes the file, and what it says.
pub fn profile(file: &Path) -> (bool, String) {
    let output = tool().arg("profile").arg(file).output().unwrap();
    let said = text(&output.stdout) + &text(&output.stderr);
    assert!([Some(0), Some(2)].contains(&output.status.code()), "{said}");
    (output.status.success(), said)
}

/// A run of the program with `--profile` (or `--events`) to a file of its own.
pub struct Run {
    elf: &'static Path,
    accel: &'static str,
    options: Vec<String>,
    directory: tempfile::TempDir,
    child: Option<Child>,
    /// Nothing is recorded.
    pub plain: bool,
    recorded: &'static str,
}

impl Run {
    pub fn of(elf: &'static Path, accel: &'static str) -> Self {
        Self {
            elf,
            accel,
            options: Vec::new(),
            directory: tempfile::tempdir().unwrap(),
            child: None,
            plain: false,
            recorded: "--profile",
        }
    }

    /// One more option of `run`.
    pub fn option(&mut self, option: &str) -> &mut Self {
        self.options.push(option.to_owned());
        self
    }

    /// Records these events instead of a profile.
    pub fn events(&mut self, sources: &str) {
        self.recorded = "--events";
        self.option("--debug").option(sources);
    }

    /// What is recorded.
    pub fn file(&self) -> PathBuf {
        self.directory.path().join("recorded")
    }

    /// Its lines.
    pub fn lines(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.file()).unwrap_or_default();
        let parse = |line| serde_json::from_str(line).expect("every line is JSON");
        text.lines().map(parse).collect()
    }

    fn spawn(&mut self, args: &[&str]) -> Child {
        let mut command = tool();
        command.args(["run", "--quiet", "--timeout", "60", "--accel", self.accel]);
        if !self.plain {
            command.arg(self.recorded).arg(self.file());
        }
        command
            .args(&self.options)
            .arg(self.elf)
            .arg("--")
            .args(args);
        command.stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("the tool starts")
    }

    /// Runs it to its end.
    pub fn finish(&mut self, args: &[&str]) -> (Output, Vec<Value>) {
        let output = self.spawn(args).wait_with_output().unwrap();
        (output, self.lines())
    }

    /// Starts it; returns when the program has said that it is ready.
    pub fn start(mut self, args: &[&str]) -> Self {
        let mut child = self.spawn(args);
        let mut first = String::new();
        let output = child.stdout.as_mut().unwrap();
        BufReader::with_capacity(1, output)
            .read_line(&mut first)
            .unwrap();
        assert_eq!(first, "ready\n");
        self.child = Some(child);
        self
    }

    /// Sends the runner a signal.
    pub fn signal(&mut self, name: &str) {
        let child = self.child.as_ref().unwrap().id();
        kill(name, &child.to_string());
    }

    /// Kills QEMU, the runner's only child.
    pub fn kill_machine(&mut self) {
        let parent = self.child.as_ref().unwrap().id();
        let children = format!("/proc/{parent}/task/{parent}/children");
        kill("KILL", std::fs::read_to_string(children).unwrap().trim());
    }

    /// Closes our end of the program's standard output.
    pub fn close_output(&mut self) {
        drop(self.child.as_mut().unwrap().stdout.take());
    }

    /// Waits until the file has this in it, and returns its lines.
    pub fn wait_for(&self, wanted: &str) -> Vec<Value> {
        let start = Instant::now();
        loop {
            let text = std::fs::read_to_string(self.file()).unwrap_or_default();
            if text.contains(wanted) {
                return self.lines();
            }
            assert!(
                start.elapsed() < Duration::from_secs(20),
                "no {wanted} in {text}"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits for the runner to end.
    pub fn end(&mut self) -> Output {
        self.child.take().unwrap().wait_with_output().unwrap()
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // After a failed assertion; the machine dies with its runner.
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn kill(signal: &str, pid: &str) {
    let status = Command::new("kill").args(["-s", signal, pid]).status();
    assert!(
        status.is_ok_and(|status| status.success()),
        "kill {signal} {pid}"
    );
}
