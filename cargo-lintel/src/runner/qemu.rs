//! QEMU's command line: a pure function of what is to run on what.

use crate::runner::accel::Accel;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The program.
pub const PROGRAM: &str = "qemu-system-x86_64";
/// Ports of the virtual machine that only we and the kernel know about.
pub mod port {
    /// Bytes written here are the program's standard error.
    pub const ERR: u16 = 0x5e0;
    /// Bytes written here are the control channel.
    pub const CTL: u16 = 0x5e1;
    /// Bytes written here are the profile.
    pub const PROFILE: u16 = 0x5e2;
    /// A UART whose input asks for a profile, and its interrupt line.
    pub const DOORBELL: (u16, u8) = (0x2f8, 3);
    /// Bytes written here are the debug events.
    pub const EVENTS: u16 = 0x5e3;
    /// A write here ends QEMU.
    pub const EXIT: u16 = 0xf4;
}

/// The machine QEMU emulates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Machine {
    /// No firmware to speak of, no PCI: boots fastest
    #[default]
    Microvm,
    /// A PC of 2009 with PCI Express
    Q35,
    /// A PC of 1996
    Pc,
}

impl Machine {
    /// The name people and QEMU use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Microvm => "microvm",
            Self::Q35 => "q35",
            Self::Pc => "pc",
        }
    }
}

/// What the machine boots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Boot {
    /// An ELF with a PVH note, straight.
    Kernel {
        /// The ELF.
        elf: PathBuf,
        /// The cpio archive that becomes the root file system.
        initrd: Option<PathBuf>,
        /// The kernel command line.
        append: OsString,
    },
    /// A CD image, through the firmware and GRUB.
    Iso(PathBuf),
}

/// Everything QEMU is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The machine.
    pub machine: Machine,
    /// The accelerator.
    pub accel: Accel,
    /// RAM in MiB.
    pub mem: u32,
    /// What to boot.
    pub boot: Boot,
    /// Count instructions: one per nanosecond of guest time. TCG only.
    pub count_instructions: bool,
    /// The descriptors of two connected stream sockets: standard error and control channel.
    pub streams: (i32, i32),
    /// The same for the profile, if there is to be one, and for the doorbell that asks for it.
    pub profile: Option<(i32, i32)>,
    /// The same for the debug events.
    pub events: Option<i32>,
    /// More arguments, as the user gave them.
    pub extra: Vec<OsString>,
}

/// The host's processor. Some KVMs offer `IA32_ARCH_CAPABILITIES` and then refuse its value, which
/// ends QEMU; it only tells an operating system which side channels to close.
const KVM_CPU: &str = "host,-arch-capabilities";

/// QEMU's arguments.
pub fn arguments(config: &Config) -> Vec<OsString> {
    let mut args = Vec::new();
    let mut push = |words: &[&str]| args.extend(words.iter().map(OsString::from));
    let virtio = names_virtio(&config.boot);
    push(&["-M", machine(config.machine, virtio)]);
    push(&[
        "-nodefaults",
        "-no-user-config",
        "-display",
        "none",
        "-no-reboot",
    ]);
    if config.machine != Machine::Microvm {
        push(&["-vga", "none"]);
    }
    push(&["-accel", config.accel.name(), "-cpu", cpu(config)]);
    if config.count_instructions {
        push(&["-icount", "shift=0,sleep=off"]);
    }
    push(&["-m", &config.mem.to_string(), "-smp", "1"]);
    push(&["-chardev", "stdio,id=con,signal=off"]);
    match virtio {
        true => push(&[
            "-global",
            NOTIFY_AT_ONCE,
            "-device",
            "virtio-serial-device,max_ports=2",
            "-device",
            "virtserialport,chardev=con,nr=1",
        ]),
        false => push(&["-serial", "chardev:con"]),
    }
    let (err, ctl) = config.streams;
    let profile = config.profile.map(|(fd, _)| ("prof", fd, port::PROFILE));
    let events = config.events.map(|fd| ("events", fd, port::EVENTS));
    let streams = [("err", err, port::ERR), ("ctl", ctl, port::CTL)];
    for (name, fd, port) in streams.into_iter().chain(profile).chain(events) {
        push(&["-chardev", &format!("socket,id={name},fd={fd}")]);
        push(&[
            "-device",
            &format!("isa-debugcon,iobase={port:#x},chardev={name}"),
        ]);
    }
    if let Some((_, fd)) = config.profile {
        let (port, line) = port::DOORBELL;
        push(&["-chardev", &format!("socket,id=bell,fd={fd}")]);
        push(&[
            "-device",
            &format!("isa-serial,iobase={port:#x},irq={line},chardev=bell"),
        ]);
    }
    push(&[
        "-device",
        &format!("isa-debug-exit,iobase={:#x},iosize=0x04", port::EXIT),
    ]);
    args.extend(boot(&config.boot));
    args.extend(config.extra.iter().cloned());
    args
}

/// A notification is handled in its own exit, not by QEMU's main loop after a wake-up: the driver
/// waits for it in any case. And QEMU need not dismantle the event channels when it ends, which a
/// kernel makes it wait for.
const NOTIFY_AT_ONCE: &str = "virtio-mmio.ioeventfd=off";

/// Where microvm puts its first virtio device, for the kernel: the transport's address and the
/// interrupt line it has when there is no ACPI.
pub const VIRTIO_CONSOLE: &str = "virtio@0xfeb00e00:12";

/// Whether the kernel command line asks for a virtio console.
fn names_virtio(boot: &Boot) -> bool {
    let Boot::Kernel { append, .. } = boot else {
        return false;
    };
    append.to_string_lossy().contains("lintel.console=virtio")
}

fn machine(machine: Machine, virtio: bool) -> &'static str {
    match machine {
        // Without ACPI the transports' interrupts are lines of the PIC.
        Machine::Microvm if virtio => {
            "microvm,isa-serial=on,pit=on,pic=on,rtc=on,acpi=off,auto-kernel-cmdline=off"
        }
        Machine::Microvm => "microvm,isa-serial=on,pit=on,pic=on,rtc=on,auto-kernel-cmdline=off",
        Machine::Q35 => "q35",
        Machine::Pc => "pc",
    }
}

fn cpu(config: &Config) -> &'static str {
    match (config.accel, config.count_instructions) {
        (Accel::Kvm, _) => KVM_CPU,
        (Accel::Tcg, false) => "max",
        // Every iteration of a `rep` instruction counts as one: make the program avoid them.
        (Accel::Tcg, true) => "max,-erms,-fsrm",
    }
}

fn boot(boot: &Boot) -> Vec<OsString> {
    match boot {
        Boot::Iso(image) => {
            vec!["-cdrom".into(), image.into(), "-boot".into(), "d".into()]
        }
        Boot::Kernel {
            elf,
            initrd,
            append,
        } => {
            let mut args = vec!["-kernel".into(), elf.into()];
            if let Some(initrd) = initrd {
                args.extend(["-initrd".into(), initrd.into()]);
            }
            args.extend(["-append".into(), append.clone()]);
            args
        }
    }
}

/// Whether a machine of one instruction pair runs under KVM here.
pub fn trial_run(qemu: &Path) -> bool {
    let Ok(elf) = tempfile::NamedTempFile::new() else {
        return false;
    };
    if std::fs::write(elf.path(), trial_elf()).is_err() {
        return false;
    }
    let mut command = Command::new(qemu);
    command
        .args([
            "-M",
            "microvm",
            "-nodefaults",
            "-no-user-config",
            "-display",
            "none",
        ])
        .args(["-no-reboot", "-accel", "kvm", "-cpu", KVM_CPU, "-m", "32"])
        .args([
            "-device",
            "isa-debug-exit,iobase=0xf4,iosize=0x04",
            "-kernel",
        ])
        .arg(elf.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    crate::sys::tie_to_parent(&mut command, &[]);
    let Ok(mut child) = command.spawn() else {
        return false;
    };
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(3) {
        if let Ok(Some(status)) = child.try_wait() {
            return status.code() == Some(TRIAL_CODE);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let _ = child.kill();
    let _ = child.wait();
    false
}

/// `isa-debug-exit` turns the value v into the exit code 2v+1.
const TRIAL_CODE: i32 = 2 * 0x10 + 1;

/// A PVH kernel of three instructions: `mov al, 0x10; out 0xf4, al; hlt`.
fn trial_elf() -> Vec<u8> {
    crate::elf::pvh_image(&[0xb0, 0x10, 0xe6, 0xf4, 0xf4])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(machine: Machine, accel: Accel) -> Config {
        let boot = Boot::Kernel {
            elf: "/p/app".into(),
            initrd: None,
            append: "lintel.tick=1 a \"b c\"".into(),
        };
        let (count_instructions, extra) = (false, Vec::new());
        Config {
            machine,
            accel,
            mem: 64,
            boot,
            count_instructions,
            streams: (5, 7),
            profile: None,
            events: None,
            extra,
        }
    }

    fn text(config: &Config) -> String {
        let words = arguments(config);
        words
            .iter()
            .map(|word| word.to_str().unwrap())
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn microvm_under_kvm() {
        assert_eq!(
            text(&config(Machine::Microvm, Accel::Kvm)),
            "-M microvm,isa-serial=on,pit=on,pic=on,rtc=on,auto-kernel-cmdline=off -nodefaults \
             -no-user-config -display none -no-reboot -accel kvm -cpu host,-arch-capabilities -m 64 -smp 1 \
             -chardev stdio,id=con,signal=off -serial chardev:con \
             -chardev socket,id=err,fd=5 -device isa-debugcon,iobase=0x5e0,chardev=err \
             -chardev socket,id=ctl,fd=7 -device isa-debugcon,iobase=0x5e1,chardev=ctl \
             -device isa-debug-exit,iobase=0xf4,iosize=0x04 \
             -kernel /p/app -append lintel.tick=1 a \"b c\""
        );
    }

    #[test]
    fn pc_machines_have_no_screen() {
        for machine in [Machine::Pc, Machine::Q35] {
            let text = text(&config(machine, Accel::Tcg));
            assert!(
                text.starts_with(&format!("-M {} -nodefaults", machine.name())),
                "{text}"
            );
            assert!(
                text.contains("-vga none") && text.contains("-cpu max -m"),
                "{text}"
            );
        }
    }

    #[test]
    fn initrd_iso_counting_and_extra_arguments() {
        let mut config = config(Machine::Pc, Accel::Tcg);
        if let Boot::Kernel { initrd, .. } = &mut config.boot {
            *initrd = Some("/t/root.cpio".into());
        }
        config.count_instructions = true;
        config.extra = vec!["-s".into()];
        config.profile = Some((9, 13));
        config.events = Some(11);
        let direct = text(&config);
        assert!(
            direct.contains("-kernel /p/app -initrd /t/root.cpio -append"),
            "{direct}"
        );
        assert!(
            direct.contains("-cpu max,-erms,-fsrm -icount shift=0,sleep=off"),
            "{direct}"
        );
        assert!(
            direct.contains("socket,id=prof,fd=9 -device isa-debugcon,iobase=0x5e2,chardev=prof"),
            "{direct}"
        );
        assert!(
            direct.contains("id=bell,fd=13 -device isa-serial,iobase=0x2f8,irq=3,chardev=bell"),
            "{direct}"
        );
        assert!(direct.ends_with(" -s"), "{direct}");
        config.boot = Boot::Iso("/t/x.iso".into());
        let iso = text(&config);
        assert!(
            iso.contains("-cdrom /t/x.iso -boot d") && !iso.contains("-kernel"),
            "{iso}"
        );
    }
}
