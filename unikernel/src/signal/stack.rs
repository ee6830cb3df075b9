//! The alternate signal stack (sigaltstack(2)).

use crate::errno::Errno;
use crate::uaccess::Pod;

/// stack_t.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AltStack {
    /// Lowest address.
    pub sp: usize,
    /// SS_DISABLE, SS_ONSTACK, SS_AUTODISARM.
    pub flags: i32,
    _pad: i32,
    /// Bytes.
    pub size: usize,
}

// SAFETY: a repr(C) struct of integers, the padding named.
unsafe impl Pod for AltStack {}

const SS_ONSTACK: i32 = 1;
const SS_DISABLE: i32 = 2;
const SS_AUTODISARM: i32 = i32::MIN;
/// Smallest alternate stack that Linux accepts.
const MINSIGSTKSZ: usize = 2048;

impl AltStack {
    /// No alternate stack.
    pub const NONE: Self = Self {
        sp: 0,
        flags: SS_DISABLE,
        _pad: 0,
        size: 0,
    };

    /// One past its end, where a handler starts.
    pub const fn top(&self) -> usize {
        self.sp.wrapping_add(self.size)
    }

    /// Whether `sp` is in it, as a stack that grows down has it.
    pub const fn holds(&self, sp: usize) -> bool {
        sp > self.sp && sp - self.sp <= self.size
    }

    /// Whether who has `sp` runs on it; nobody does on one that is disarmed when it is entered.
    pub const fn is_in_use(&self, sp: usize) -> bool {
        self.flags & SS_AUTODISARM == 0 && self.holds(sp)
    }

    /// Whether a handler that wants it should be put there.
    pub const fn is_wanted(&self, sp: usize) -> bool {
        self.size != 0 && !self.is_in_use(sp)
    }

    /// Whether it is gone while a handler runs on it.
    pub const fn disarms(&self) -> bool {
        self.flags & SS_AUTODISARM != 0
    }

    /// As sigaltstack(2) shows it to who has `sp`.
    pub const fn shown(&self, sp: usize) -> Self {
        let state = match self.size {
            0 => SS_DISABLE,
            _ if self.is_in_use(sp) => SS_ONSTACK,
            _ => 0,
        };
        Self {
            flags: state | self.flags & SS_AUTODISARM,
            ..*self
        }
    }

    /// Replaces it with `new` for who has `sp`: `EPERM` while in use, `EINVAL`, `ENOMEM` when
    /// `new` is too small.
    pub fn set(&mut self, new: Self, sp: usize) -> Result<(), Errno> {
        if self.is_in_use(sp) {
            return Err(Errno::EPERM);
        }
        let (sp, size) = match new.flags & !SS_AUTODISARM {
            SS_DISABLE => (0, 0),
            0 | SS_ONSTACK if new == *self => return Ok(()),
            0 | SS_ONSTACK if new.size < MINSIGSTKSZ => return Err(Errno::ENOMEM),
            0 | SS_ONSTACK => (new.sp, new.size),
            _ => return Err(Errno::EINVAL),
        };
        *self = Self {
            sp,
            flags: new.flags,
            _pad: 0,
            size,
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(flags: i32, size: usize) -> AltStack {
        AltStack {
            sp: 0x10000,
            flags,
            _pad: 0,
            size,
        }
    }

    #[test]
    fn stacks_are_checked() {
        let mut now = AltStack::NONE;
        assert_eq!(now.set(stack(0, 100), 0), Err(Errno::ENOMEM));
        assert_eq!(now.set(stack(8, 8192), 0), Err(Errno::EINVAL));
        assert_eq!(now.set(stack(0, 8192), 0), Ok(()));
        assert_eq!((now.size, now.top()), (8192, 0x12000));
        assert_eq!(now.set(stack(SS_DISABLE, 8192), 0), Ok(()));
        assert_eq!((now.sp, now.size), (0, 0));
    }

    #[test]
    fn a_stack_in_use_stays() {
        let mut now = stack(0, 8192);
        assert!(!now.is_in_use(0x10000) && now.is_in_use(0x10001) && now.is_in_use(0x12000));
        assert_eq!(now.shown(0x11000).flags, SS_ONSTACK);
        assert_eq!(now.set(AltStack::NONE, 0x11000), Err(Errno::EPERM));
        assert!(!now.is_wanted(0x11000) && now.is_wanted(0x20000));
        let mut disarmed = stack(SS_AUTODISARM, 8192);
        assert!(disarmed.is_wanted(0x11000) && disarmed.disarms());
        assert_eq!(disarmed.shown(0x11000).flags, SS_AUTODISARM);
        assert_eq!(disarmed.set(AltStack::NONE, 0x11000), Ok(()));
    }
}
