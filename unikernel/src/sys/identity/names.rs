//! The names of the system: uname(2), sethostname(2), setdomainname(2), and `/proc/sys/kernel`.

use crate::cred::{self, caps};
use crate::errno::{Errno, SysResult};
use crate::fs::proc::source::Uts;
use crate::sync::Exclusive;
use crate::uaccess::{UserPtr, UserSlice};
use linux_raw_sys::system::new_utsname;

/// The longest name (`__NEW_UTS_LEN`).
pub const LONGEST: usize = 64;

/// A name, and NULs behind it: a field of `struct new_utsname`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label([u8; LONGEST + 1]);

impl Label {
    const fn new(text: &str) -> Self {
        let mut bytes = [0; LONGEST + 1];
        bytes
            .split_at_mut(text.len())
            .0
            .copy_from_slice(text.as_bytes());
        Self(bytes)
    }

    /// Its bytes, up to the first NUL.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.split(|&byte| byte == 0).next().unwrap_or_default()
    }
}

/// The names in the order of `struct new_utsname`. The release is the Linux whose ABI is meant;
/// glibc compares it with its minimum.
static NAMES: Exclusive<[Label; 6]> = Exclusive::new([
    Label::new("Linux"),
    Label::new("lintel"),
    Label::new("6.1.0-lintel"),
    Label::new(concat!("Lintel ", env!("CARGO_PKG_VERSION"))),
    Label::new("x86_64"),
    Label::new("(none)"),
]);

const _: () = assert!(size_of::<[Label; 6]>() == size_of::<new_utsname>());

/// A name.
pub fn get(which: Uts) -> Label {
    NAMES.lock()[index(which)]
}

const fn index(which: Uts) -> usize {
    match which {
        Uts::System => 0,
        Uts::Node => 1,
        Uts::Release => 2,
        Uts::Version => 3,
        Uts::Domain => 5,
    }
}

/// Changes the name of the machine or of its domain; `EINVAL` if it is too long, `EPERM` for the
/// other names. Who may is the caller's business.
pub fn set(which: Uts, name: &[u8]) -> Result<(), Errno> {
    if !matches!(which, Uts::Node | Uts::Domain) {
        return Err(Errno::EPERM);
    }
    let mut bytes = [0; LONGEST + 1];
    let room = bytes[..LONGEST]
        .get_mut(..name.len())
        .ok_or(Errno::EINVAL)?;
    room.copy_from_slice(name);
    NAMES.lock()[index(which)] = Label(bytes);
    Ok(())
}

/// uname(2).
pub fn uname(buffer: UserPtr<new_utsname>) -> SysResult {
    let names = *NAMES.lock();
    // SAFETY: both are six arrays of as many bytes.
    buffer.write(&unsafe { core::mem::transmute::<[Label; 6], new_utsname>(names) })?;
    Ok(0)
}

/// uname(2), the short cut of [`crate::sys::fast`].
#[inline(always)]
pub fn uname_fast(buffer: UserPtr<new_utsname>) -> Option<usize> {
    let names = NAMES.try_lock()?;
    let into = UserSlice::new(buffer.address(), size_of::<new_utsname>());
    // SAFETY: the names have the size of a `new_utsname`, as `uname`'s transmute proves.
    unsafe { into.write_all(names.as_ptr().cast()) }?;
    Some(0)
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

    fn field(text: &str) -> [core::ffi::c_char; LONGEST + 1] {
        Label::new(text).0.map(|byte| byte as core::ffi::c_char)
    }

    #[test]
    fn the_short_cut_writes_the_same() {
        let mut name = [0xffu8; size_of::<new_utsname>() + 1];
        let at = core::ptr::from_mut(&mut name) as usize;
        // Somebody else's test may hold the lock.
        while uname_fast(UserPtr::new(at)).is_none() {}
        assert_eq!(name[..6], *b"Linux\0");
        assert_eq!(name[4 * 65..4 * 65 + 7], *b"x86_64\0");
        assert_eq!(name[6 * 65], 0xff);
        assert_eq!(uname_fast(UserPtr::new(usize::MAX)), None);
    }

    #[test]
    fn the_machine_names_itself() {
        let name = names();
        assert_eq!(name.machine, field("x86_64"));
        assert_eq!(name.sysname, field("Linux"));
        assert!(name.release.starts_with(&field("6.1.0-lintel")[..13]));
        assert_eq!(uname(UserPtr::new(usize::MAX)), Err(Errno::EFAULT));
    }

    #[test]
    fn names_are_kept() {
        let set = |name: &[u8]| setdomainname(name.as_ptr() as usize, name.len() as i32);
        assert_eq!(
            (set(b"example.org"), get(Uts::Domain).as_bytes()),
            (Ok(0), &b"example.org"[..])
        );
        assert_eq!(names().domainname, field("example.org"));
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
