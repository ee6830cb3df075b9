//! Capability sets (capabilities(7)), and what a change of user ids does to them
//! (security/commoncap.c of Linux).
//!
//! There is no execve(2), so the inheritable, bounding and ambient sets are kept and have no effect
//! beyond the rules between the sets.

use super::ids::Ids;
use crate::errno::Errno;

/// A set of capabilities: bit n is the capability with the number n.
pub type Set = u64;

/// CAP_CHOWN: change owners and groups of files.
pub const CHOWN: Set = 1 << 0;
/// CAP_DAC_OVERRIDE: read, write and search whatever the mode says.
pub const DAC_OVERRIDE: Set = 1 << 1;
/// CAP_DAC_READ_SEARCH: read files and search directories whatever the mode says.
pub const DAC_READ_SEARCH: Set = 1 << 2;
/// CAP_FOWNER: do what only the owner of a file may.
pub const FOWNER: Set = 1 << 3;
/// CAP_FSETID: keep the set-user-ID and set-group-ID bits.
pub const FSETID: Set = 1 << 4;
/// CAP_SETGID: change group ids freely.
pub const SETGID: Set = 1 << 6;
/// CAP_SETUID: change user ids freely.
pub const SETUID: Set = 1 << 7;
/// CAP_SETPCAP: change inheritable and bounding sets freely.
pub const SETPCAP: Set = 1 << 8;
/// CAP_LINUX_IMMUTABLE.
const LINUX_IMMUTABLE: Set = 1 << 9;
/// CAP_SYS_CHROOT: chroot(2).
pub const SYS_CHROOT: Set = 1 << 18;
/// CAP_SYS_ADMIN: mount(2), `trusted.*` attributes and much else.
pub const SYS_ADMIN: Set = 1 << 21;
/// CAP_SYS_NICE: gain priority.
pub const SYS_NICE: Set = 1 << 23;
/// CAP_SYS_RESOURCE: exceed limits.
pub const SYS_RESOURCE: Set = 1 << 24;
/// CAP_SYS_TIME: set the clock.
pub const SYS_TIME: Set = 1 << 25;
/// CAP_MKNOD: make device nodes.
pub const MKNOD: Set = 1 << 27;
/// CAP_SETFCAP: set capabilities of files.
pub const SETFCAP: Set = 1 << 31;
/// CAP_MAC_OVERRIDE.
const MAC_OVERRIDE: Set = 1 << 32;

/// The highest capability, CAP_CHECKPOINT_RESTORE (Linux 5.9 and later).
pub const LAST: u32 = 40;
/// All of them.
pub const FULL: Set = (1 << (LAST + 1)) - 1;

/// What setfsuid(2) takes away and gives back (`CAP_FS_SET`).
const FILE_SYSTEM: Set = CHOWN
    | DAC_OVERRIDE
    | DAC_READ_SEARCH
    | FOWNER
    | FSETID
    | LINUX_IMMUTABLE
    | MKNOD
    | MAC_OVERRIDE;

/// The capability sets of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// What counts.
    pub effective: Set,
    /// What can be made effective.
    pub permitted: Set,
    /// What a program with the right file capabilities would get.
    pub inheritable: Set,
    /// What execve(2) could at most give.
    pub bounding: Set,
    /// What an ordinary program would keep.
    pub ambient: Set,
}

impl Caps {
    /// What the first process has.
    pub const ROOT: Self = Self {
        effective: FULL,
        permitted: FULL,
        inheritable: 0,
        bounding: FULL,
        ambient: 0,
    };

    /// After setuid(2), setreuid(2) or setresuid(2) (`cap_emulate_setxuid`).
    pub const fn after_setuid(mut self, old: Ids, new: Ids, keep: bool) -> Self {
        if is_root(old) && !is_root(new) {
            if !keep {
                self.permitted = 0;
                self.effective = 0;
            }
            self.ambient = 0;
        }
        match (old.effective, new.effective) {
            (0, 0) => {}
            (0, _) => self.effective = 0,
            (_, 0) => self.effective = self.permitted,
            _ => {}
        }
        self
    }

    /// After setfsuid(2).
    pub const fn after_setfsuid(mut self, old: u32, new: u32) -> Self {
        match (old, new) {
            (0, 0) => {}
            (0, _) => self.effective &= !FILE_SYSTEM,
            (_, 0) => self.effective |= FILE_SYSTEM & self.permitted,
            _ => {}
        }
        self
    }

    /// capset(2). Errors: `EPERM`.
    pub const fn set(
        self,
        effective: Set,
        permitted: Set,
        inheritable: Set,
    ) -> Result<Self, Errno> {
        let may_inherit = if self.effective & SETPCAP != 0 {
            FULL
        } else {
            self.inheritable | self.permitted
        };
        if !subset(inheritable, may_inherit)
            || !subset(inheritable, self.inheritable | self.bounding)
            || !subset(permitted, self.permitted)
            || !subset(effective, permitted)
        {
            return Err(Errno::EPERM);
        }
        Ok(Self {
            effective,
            permitted,
            inheritable,
            ambient: self.ambient & permitted & inheritable,
            ..self
        })
    }
}

const fn is_root(ids: Ids) -> bool {
    ids.real == 0 || ids.effective == 0 || ids.saved == 0
}

const fn subset(inner: Set, outer: Set) -> bool {
    inner & !outer == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ids(real: u32, effective: u32, saved: u32) -> Ids {
        Ids {
            real,
            effective,
            saved,
            fs: effective,
        }
    }

    #[test]
    fn leaving_root_for_good_loses_everything() {
        let left = Caps::ROOT.after_setuid(Ids::all(0), Ids::all(5), false);
        assert_eq!((left.effective, left.permitted), (0, 0));
        assert_eq!(left.bounding, FULL);
        let kept = Caps::ROOT.after_setuid(Ids::all(0), Ids::all(5), true);
        assert_eq!((kept.effective, kept.permitted), (0, FULL));
    }

    #[test]
    fn the_effective_set_goes_with_the_effective_user() {
        let away = Caps::ROOT.after_setuid(Ids::all(0), ids(0, 5, 0), false);
        assert_eq!((away.effective, away.permitted), (0, FULL));
        let back = away.after_setuid(ids(0, 5, 0), Ids::all(0), false);
        assert_eq!(back, Caps::ROOT);
        assert_eq!(away.after_setuid(ids(0, 5, 0), ids(0, 6, 0), false), away);
        // An effective set that was made smaller stays so while root stays root.
        let less = Caps {
            effective: CHOWN,
            ..Caps::ROOT
        };
        assert_eq!(less.after_setuid(Ids::all(0), ids(7, 0, 0), false), less);
    }

    #[test]
    fn the_file_system_user_has_the_file_capabilities() {
        let away = Caps::ROOT.after_setfsuid(0, 5);
        assert_eq!(away.effective, FULL & !FILE_SYSTEM);
        assert_eq!(away.after_setfsuid(5, 6), away);
        assert_eq!(away.after_setfsuid(5, 0), Caps::ROOT);
        let none = Caps {
            permitted: CHOWN,
            effective: 0,
            ..Caps::ROOT
        };
        assert_eq!(none.after_setfsuid(5, 0).effective, CHOWN);
    }

    #[test]
    fn sets_only_shrink() {
        let small = Caps::ROOT.set(CHOWN, CHOWN | FOWNER, 0).unwrap();
        assert_eq!((small.effective, small.permitted), (CHOWN, CHOWN | FOWNER));
        assert_eq!(small.set(SETUID, CHOWN | SETUID, 0), Err(Errno::EPERM));
        assert_eq!(small.set(FOWNER, CHOWN, 0), Err(Errno::EPERM));
        assert_eq!(small.set(0, 0, SETUID), Err(Errno::EPERM));
        assert_eq!(small.set(0, 0, FOWNER).unwrap().inheritable, FOWNER);
        // With CAP_SETPCAP the bounding set is the only bound.
        assert_eq!(Caps::ROOT.set(0, 0, FULL).unwrap().inheritable, FULL);
        let bound = Caps {
            bounding: 0,
            ..Caps::ROOT
        };
        assert_eq!(bound.set(0, 0, CHOWN), Err(Errno::EPERM));
    }

    #[test]
    fn numbers_are_those_of_the_manual() {
        assert_eq!(FULL, 0x1ff_ffff_ffff);
        assert_eq!(FILE_SYSTEM, 0x1_0800_021f);
    }
}
