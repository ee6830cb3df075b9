//! Which accelerator to use, and why: facts are gathered in one place and judged in another.

use crate::runner::qemu;
use crate::sys::{self, IntRequest};
use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::path::Path;

/// What the user asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Choice {
    /// KVM where it is usable, otherwise TCG
    #[default]
    Auto,
    /// The kernel's virtual machine; an error where it is unusable
    Kvm,
    /// QEMU's emulator: slower, works everywhere
    Tcg,
}

/// What runs the guest's instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Accel {
    /// The kernel's virtual machine.
    Kvm,
    /// QEMU's emulator.
    Tcg,
}

impl Accel {
    /// The name people and QEMU use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kvm => "kvm",
            Self::Tcg => "tcg",
        }
    }
}

/// The state of `/dev/kvm`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Device {
    /// There is none.
    Missing,
    /// It is there, but not for us.
    Denied,
    /// It is there and does not work; the text says how.
    Broken(String),
    /// It creates virtual machines.
    Ready,
}

/// What was observed on this computer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The state of `/dev/kvm`.
    pub device: Device,
    /// The processor offers VMX or SVM.
    pub hardware: bool,
    /// The module `kvm_pvm` (KVM on page tables, without VMX or SVM) is loaded.
    pub pagetable: bool,
    /// Whether a tiny virtual machine ran under KVM; tried only when neither of the above holds.
    pub trial: Option<bool>,
}

/// The accelerator chosen and the words that explain it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// What to use.
    pub accel: Accel,
    /// For the user: `KVM (…)` or `TCG (…)`.
    pub why: String,
}

/// Gathers the facts. Runs a trial machine only if nothing else can tell.
pub fn observe(qemu: &Path) -> Facts {
    let mut facts = Facts {
        device: kvm_device(),
        hardware: has_cpu_flag("/proc/cpuinfo"),
        pagetable: Path::new("/sys/module/kvm_pvm").exists()
            || file_has_word("/proc/modules", "kvm_pvm"),
        trial: None,
    };
    if facts.device == Device::Ready && !facts.hardware && !facts.pagetable {
        facts.trial = Some(qemu::trial_run(qemu));
    }
    facts
}

/// Chooses the accelerator; the error says what to do.
pub fn decide(choice: Choice, facts: &Facts) -> Result<Decision, String> {
    let kvm = usable_kvm(facts);
    match (choice, kvm) {
        (Choice::Tcg, _) => Ok(Decision {
            accel: Accel::Tcg,
            why: "TCG (as asked)".into(),
        }),
        (_, Ok(kind)) => Ok(Decision {
            accel: Accel::Kvm,
            why: format!("KVM ({kind})"),
        }),
        (Choice::Auto, Err((reason, _))) => Ok(Decision {
            accel: Accel::Tcg,
            why: format!("TCG ({reason})"),
        }),
        (Choice::Kvm, Err((reason, remedy))) => Err(format!("KVM is unusable: {reason}. {remedy}")),
    }
}

/// The same for a boot through firmware and GRUB. Their real-mode code takes minutes on a KVM
/// without hardware virtualisation, so that is used only if it was asked for.
pub fn decide_for_firmware(choice: Choice, facts: &Facts) -> Result<Decision, String> {
    if choice == Choice::Auto && !facts.hardware {
        let why = "TCG (GRUB's real-mode code needs hardware virtualisation)".into();
        return Ok(Decision {
            accel: Accel::Tcg,
            why,
        });
    }
    decide(choice, facts)
}

/// Which kind of KVM this is, or the reason why it is unusable and the remedy.
fn usable_kvm(facts: &Facts) -> Result<&'static str, (String, &'static str)> {
    match &facts.device {
        Device::Missing => Err((
            "there is no /dev/kvm".into(),
            "Load the module (modprobe kvm_intel or kvm_amd), enable virtualisation in the \
             firmware, or use --accel tcg",
        )),
        Device::Denied => Err((
            "no permission to open /dev/kvm".into(),
            "Join the group that owns it (sudo usermod -aG kvm $USER, then log in again), or use \
             --accel tcg",
        )),
        Device::Broken(how) => Err((
            how.clone(),
            "Look at the kernel's log (dmesg), or use --accel tcg",
        )),
        Device::Ready if facts.hardware => Ok("hardware virtualisation"),
        Device::Ready if facts.pagetable => Ok("pagetable KVM: host has no vmx/svm"),
        Device::Ready if facts.trial == Some(true) => Ok("host has no vmx/svm, but a trial ran"),
        Device::Ready => Err((
            "/dev/kvm is there, but the host has no vmx/svm and a trial machine did not run".into(),
            "Use --accel tcg",
        )),
    }
}

fn kvm_device() -> Device {
    let device = match OpenOptions::new().read(true).write(true).open("/dev/kvm") {
        Ok(device) => device,
        Err(error) => {
            return match error.kind() {
                ErrorKind::NotFound => Device::Missing,
                ErrorKind::PermissionDenied => Device::Denied,
                _ => Device::Broken(format!("/dev/kvm does not open: {error}")),
            };
        }
    };
    match sys::ioctl_int(device.as_fd(), IntRequest::KvmApiVersion) {
        Ok(12) => {}
        Ok(version) => return Device::Broken(format!("/dev/kvm speaks version {version}, not 12")),
        Err(error) => return Device::Broken(format!("/dev/kvm does not answer: {error}")),
    }
    match sys::ioctl_int(device.as_fd(), IntRequest::KvmCreateVm) {
        Ok(machine) => {
            sys::close_new(machine);
            Device::Ready
        }
        Err(error) => Device::Broken(format!("/dev/kvm creates no machine: {error}")),
    }
}

fn has_cpu_flag(path: &str) -> bool {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let flags = text
        .lines()
        .find(|line| line.starts_with("flags"))
        .unwrap_or_default();
    flags
        .split_whitespace()
        .any(|flag| flag == "vmx" || flag == "svm")
}

fn file_has_word(path: &str, word: &str) -> bool {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines()
        .any(|line| line.split_whitespace().next() == Some(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(device: Device, hardware: bool, pagetable: bool, trial: Option<bool>) -> Facts {
        Facts {
            device,
            hardware,
            pagetable,
            trial,
        }
    }

    fn auto(facts: &Facts) -> (Accel, String) {
        let decision = decide(Choice::Auto, facts).unwrap();
        (decision.accel, decision.why)
    }

    #[test]
    fn auto_takes_every_working_kvm() {
        let (accel, why) = auto(&facts(Device::Ready, true, false, None));
        assert_eq!(
            (accel, &*why),
            (Accel::Kvm, "KVM (hardware virtualisation)")
        );
        let (accel, why) = auto(&facts(Device::Ready, false, true, None));
        assert_eq!(
            (accel, &*why),
            (Accel::Kvm, "KVM (pagetable KVM: host has no vmx/svm)")
        );
        assert_eq!(
            auto(&facts(Device::Ready, false, false, Some(true))).0,
            Accel::Kvm
        );
    }

    #[test]
    fn auto_falls_back_and_says_why() {
        let (accel, why) = auto(&facts(Device::Missing, true, false, None));
        assert_eq!((accel, &*why), (Accel::Tcg, "TCG (there is no /dev/kvm)"));
        assert!(
            auto(&facts(Device::Denied, true, false, None))
                .1
                .contains("no permission")
        );
        assert!(
            auto(&facts(Device::Broken("b".into()), true, false, None))
                .1
                .contains('b')
        );
        assert_eq!(
            auto(&facts(Device::Ready, false, false, Some(false))).0,
            Accel::Tcg
        );
        assert_eq!(
            auto(&facts(Device::Ready, false, false, None)).0,
            Accel::Tcg
        );
    }

    #[test]
    fn explicit_choices_are_kept_or_refused() {
        let good = facts(Device::Ready, true, false, None);
        assert_eq!(decide(Choice::Tcg, &good).unwrap().accel, Accel::Tcg);
        assert_eq!(decide(Choice::Kvm, &good).unwrap().accel, Accel::Kvm);
        let pagetable = facts(Device::Ready, false, true, None);
        let firmware = |choice| decide_for_firmware(choice, &pagetable).unwrap().accel;
        assert_eq!(firmware(Choice::Auto), Accel::Tcg);
        assert_eq!(firmware(Choice::Kvm), Accel::Kvm);
        assert_eq!(
            decide_for_firmware(Choice::Auto, &good).unwrap().accel,
            Accel::Kvm
        );
        let denied = facts(Device::Denied, true, false, None);
        assert!(
            decide(Choice::Kvm, &denied)
                .unwrap_err()
                .contains("usermod")
        );
    }
}
