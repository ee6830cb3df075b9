//! The ids of a process, and the rules by which they change. Users and groups have the same rules;
//! Linux has them in kernel/sys.c.

use crate::errno::Errno;

/// "Leave it as it is" in the calls that set several ids. It is no id, so the others refuse it.
pub const UNCHANGED: u32 = u32::MAX;

/// The four user ids, or the four group ids, of a process (credentials(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ids {
    /// Who owns the process.
    pub real: u32,
    /// Whose privileges it has.
    pub effective: u32,
    /// Whose privileges it may take back.
    pub saved: u32,
    /// Who it is for file systems; follows the effective one.
    pub fs: u32,
}

impl Ids {
    /// The same id four times.
    pub const fn all(id: u32) -> Self {
        Self {
            real: id,
            effective: id,
            saved: id,
            fs: id,
        }
    }

    const fn has(self, id: u32) -> bool {
        id == self.real || id == self.effective || id == self.saved
    }

    /// setuid(2), setgid(2): all ids when privileged, else the effective one. Errors: `EINVAL`
    /// (no id), `EPERM`.
    pub const fn set(self, id: u32, privileged: bool) -> Result<Self, Errno> {
        if id == UNCHANGED {
            return Err(Errno::EINVAL);
        }
        if privileged {
            return Ok(Self::all(id));
        }
        if id != self.real && id != self.saved {
            return Err(Errno::EPERM);
        }
        Ok(Self {
            effective: id,
            fs: id,
            ..self
        })
    }

    /// setreuid(2), setregid(2). The saved id follows the effective one when the real id was
    /// given, or when the effective one is not the old real one. Errors: `EPERM`.
    pub const fn set_re(self, real: u32, effective: u32, privileged: bool) -> Result<Self, Errno> {
        let mut new = self;
        if real != UNCHANGED {
            if real != self.real && real != self.effective && !privileged {
                return Err(Errno::EPERM);
            }
            new.real = real;
        }
        if effective != UNCHANGED {
            if !self.has(effective) && !privileged {
                return Err(Errno::EPERM);
            }
            new.effective = effective;
        }
        if real != UNCHANGED || (effective != UNCHANGED && effective != self.real) {
            new.saved = new.effective;
        }
        new.fs = new.effective;
        Ok(new)
    }

    /// setresuid(2), setresgid(2). A call that changes nothing leaves the file system id alone
    /// (so Linux since 5.19); any other sets it to the effective one. Errors: `EPERM`.
    pub const fn set_res(
        self,
        real: u32,
        effective: u32,
        saved: u32,
        privileged: bool,
    ) -> Result<Self, Errno> {
        let new = Self {
            real: or(real, self.real),
            effective: or(effective, self.effective),
            saved: or(saved, self.saved),
            fs: or(effective, self.fs),
        };
        if new.real == self.real
            && new.effective == self.effective
            && new.saved == self.saved
            && new.fs == self.fs
        {
            return Ok(self);
        }
        if !(privileged || self.has(new.real) && self.has(new.effective) && self.has(new.saved)) {
            return Err(Errno::EPERM);
        }
        Ok(Self {
            fs: new.effective,
            ..new
        })
    }

    /// setfsuid(2), setfsgid(2): unchanged where it is not allowed.
    pub const fn set_fs(self, id: u32, privileged: bool) -> Self {
        if id != UNCHANGED && (privileged || self.has(id)) {
            return Self { fs: id, ..self };
        }
        self
    }
}

const fn or(id: u32, old: u32) -> u32 {
    if id == UNCHANGED { old } else { id }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPLIT: Ids = Ids {
        real: 1,
        effective: 2,
        saved: 3,
        fs: 2,
    };
    const E: Errno = Errno::EPERM;
    const SAME: u32 = UNCHANGED;

    const fn ids(real: u32, effective: u32, saved: u32, fs: u32) -> Ids {
        Ids {
            real,
            effective,
            saved,
            fs,
        }
    }

    #[test]
    fn one_id() {
        assert_eq!(SPLIT.set(9, true), Ok(Ids::all(9)));
        assert_eq!(SPLIT.set(3, false), Ok(ids(1, 3, 3, 3)));
        assert_eq!(SPLIT.set(1, false), Ok(ids(1, 1, 3, 1)));
        // The effective id alone is no reason.
        assert_eq!(SPLIT.set(2, false), Err(E));
        assert_eq!(SPLIT.set(UNCHANGED, true), Err(Errno::EINVAL));
    }

    #[test]
    fn two_ids() {
        // Swapping is what the call is for.
        assert_eq!(ids(1, 2, 2, 2).set_re(2, 1, false), Ok(ids(2, 1, 1, 1)));
        assert_eq!(SPLIT.set_re(3, SAME, false), Err(E));
        assert_eq!(SPLIT.set_re(SAME, 3, false), Ok(ids(1, 3, 3, 3)));
        assert_eq!(SPLIT.set_re(SAME, 9, false), Err(E));
        assert_eq!(SPLIT.set_re(SAME, 9, true), Ok(ids(1, 9, 9, 9)));
        // The old real id does not touch the saved one, and a real id always does.
        assert_eq!(SPLIT.set_re(SAME, 1, false), Ok(ids(1, 1, 3, 1)));
        assert_eq!(SPLIT.set_re(1, SAME, false), Ok(ids(1, 2, 2, 2)));
        // The file system id follows even when nothing else changes.
        assert_eq!(ids(1, 2, 3, 9).set_re(SAME, SAME, false), Ok(SPLIT));
    }

    #[test]
    fn three_ids() {
        assert_eq!(SPLIT.set_res(3, 1, 2, false), Ok(ids(3, 1, 2, 1)));
        assert_eq!(SPLIT.set_res(SAME, SAME, 9, false), Err(E));
        assert_eq!(SPLIT.set_res(SAME, SAME, 9, true), Ok(ids(1, 2, 9, 2)));
        assert_eq!(SPLIT.set_res(SAME, SAME, SAME, false), Ok(SPLIT));
        let odd = ids(1, 2, 3, 1);
        assert_eq!(odd.set_res(SAME, SAME, SAME, false), Ok(odd));
        assert_eq!(odd.set_res(SAME, 2, SAME, false), Ok(SPLIT));
        assert_eq!(odd.set_res(2, SAME, SAME, false), Ok(ids(2, 2, 3, 2)));
    }

    #[test]
    fn the_file_system_id_goes_where_the_others_are() {
        for (id, fs) in [(1, 1), (2, 2), (3, 3), (9, 2), (UNCHANGED, 2)] {
            assert_eq!(SPLIT.set_fs(id, false), ids(1, 2, 3, fs));
        }
        assert_eq!(SPLIT.set_fs(9, true).fs, 9);
        assert_eq!(SPLIT.set_fs(UNCHANGED, true).fs, 2);
    }
}
