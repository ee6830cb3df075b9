//! The names of the system: uname(2), sethostname(2), setdomainname(2), and `/proc/sys/kernel`.

use crate::cred::{self, caps};
use crate::errno::{Errno, SysResult};
use crate::fs::proc::source::Uts;
use crate::sync::SpinLock;
use crate::uaccess::{UserPtr, UserSlice};
use linux_raw_sys::system::new_utsname;

/// The longest name (`__NEW_UTS_LEN`).
pub const LONGEST: usize = 64;

/// A name.
#[derive(Clone, Copy, Debug)]
pub struct Label {
    bytes: [u8; LONGEST],
    len: u8,
}

impl Label {
    const fn new(text: &str) -> Self {
        let mut bytes = [0; LONGEST];
        bytes
            .split_at_mut(text.len())
            .0
            .copy_from_slice(text.as_bytes());
        Self {
            bytes,
            len: text.len() as u8,
        }
    }

    /// Its bytes.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len.into()]
    }

    #[inline]
    fn field(&self) -> [core::ffi::c_char; LONGEST + 1] {
        let mut field = [0; LONGEST + 1];
        for (to, &from) in field.iter_mut().zip(self.as_bytes()) {
            *to = from as core::ffi::c_char;
        }
        field
    }
}

/// The two names that can change: of the machine and of its domain.
static CHANGING: SpinLock<[Label; 2]> = SpinLock::new([Label::new("lintel"), Label::new("(none)")]);

/// A name. The release is the Linux whose ABI is meant; glibc compares it with its minimum.
#[inline]
pub fn get(which: Uts) -> Label {
    match which {
        Uts::System => Label::new("Linux"),
        Uts::Node => CHANGING.lock_no_irq()[0],
        Uts::Release => Label::new("6.1.0-lintel"),
        Uts::Version => Label::new(concat!("Lintel ", env!("CARGO_PKG_VERSION"))),
        Uts::Domain => CHANGING.lock_no_irq()[1],
    }
}

/// Changes the name of the machine or of its domain; `EINVAL` if it is too long, `EPERM` for the
/// other names. Who may is the caller's business.
pub fn set(which: Uts, name: &[u8]) -> Result<(), Errno> {
    let index = match which {
        Uts::Node => 0,
        Uts::Domain => 1,
        _ => return Err(Errno::EPERM),
    };
    let mut bytes = [0; LONGEST];
    let room = bytes.get_mut(..name.len()).ok_or(Errno::EINVAL)?;
    room.copy_from_slice(name);
    CHANGING.lock_no_irq()[index] = Label {
        bytes,
        len: name.len() as u8,
    };
    Ok(())
}

/// uname(2).
pub fn uname(buffer: UserPtr<new_utsname>) -> SysResult {
    let name = new_utsname {
        sysname: get(Uts::System).field(),
        nodename: get(Uts::Node).field(),
        release: get(Uts::Release).field(),
        version: get(Uts::Version).field(),
        machine: Label::new("x86_64").field(),
        domainname: get(Uts::Domain).field(),
    };
    buffer.write(&name)?;
    Ok(0)
}

fn set_from(which: Uts, name: usize, len: i32) -> SysResult {
    cred::current().require(caps::SYS_ADMIN)?;
    let len = usize::try_from(len).ok().filter(|&len| len <= LONGEST);
    let len = len.ok_or(Errno::EINVAL)?;
    let mut bytes = [0; LONGEST];
    if UserSlice::new(name, len).read(&mut bytes[..len])? != len {
        return Err(Errno::EFAULT);
    }
    set(which, &bytes[..len])?;
    Ok(0)
}

/// sethostname(2).
pub fn sethostname(name: usize, len: i32) -> SysResult {
    set_from(Uts::Node, name, len)
}

/// setdomainname(2).
pub fn setdomainname(name: usize, len: i32) -> SysResult {
    set_from(Uts::Domain, name, len)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> new_utsname {
        // SAFETY: an array of characters may be zero.
        let mut name: new_utsname = unsafe { core::mem::zeroed() };
        let at = core::ptr::from_mut(&mut name) as usize;
        assert_eq!(uname(UserPtr::new(at)), Ok(0));
        name
    }

    #[test]
    fn the_machine_names_itself() {
        let name = names();
        assert_eq!(name.machine, Label::new("x86_64").field());
        assert_eq!(name.sysname, Label::new("Linux").field());
        assert_eq!(uname(UserPtr::new(usize::MAX)), Err(Errno::EFAULT));
    }

    #[test]
    fn names_are_kept() {
        let set = |name: &[u8]| setdomainname(name.as_ptr() as usize, name.len() as i32);
        assert_eq!(
            (set(b"example.org"), get(Uts::Domain).as_bytes()),
            (Ok(0), &b"example.org"[..])
        );
        assert_eq!(names().domainname, Label::new("example.org").field());
        assert_eq!(set(&[b'x'; 64]), Ok(0));
        assert_eq!(names().domainname[63..], [b'x' as core::ffi::c_char, 0]);
        assert_eq!(set(&[b'x'; 65]), Err(Errno::EINVAL));
        assert_eq!(set(b""), Ok(0));
        assert_eq!(get(Uts::Domain).as_bytes(), b"");
        assert_eq!(setdomainname(0, -1), Err(Errno::EINVAL));
        assert_eq!(setdomainname(usize::MAX - 100, 5), Err(Errno::EFAULT));
        assert_eq!(sethostname(usize::MAX - 100, 65), Err(Errno::EINVAL));
    }

    #[test]
    fn only_the_privileged_may_name() {
        assert_eq!(crate::sys::identity::setuid(7), Ok(0));
        assert_eq!(sethostname(0, -1), Err(Errno::EPERM));
    }
}
