//! prctl(2): the options about credentials, and the name.

use crate::cred::caps::{LAST, SETPCAP};
use crate::cred::{self, Cred};
use crate::errno::{Errno, SysResult};
use crate::sched::{self, NAME};
use crate::uaccess::{UserPtr, UserSlice, read_path};
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};
use linux_raw_sys::prctl::{
    PR_CAPBSET_DROP, PR_CAPBSET_READ, PR_GET_KEEPCAPS, PR_GET_NAME, PR_GET_NO_NEW_PRIVS,
    PR_SET_KEEPCAPS, PR_SET_NAME, PR_SET_NO_NEW_PRIVS,
};

/// `PR_SET_NO_NEW_PRIVS`. It concerns execve(2) only, which does not exist.
static NO_NEW_PRIVILEGES: AtomicBool = AtomicBool::new(false);

/// Whether execve(2) could give no more rights than there are, as `/proc/self/status` says it.
pub fn no_new_privileges() -> bool {
    NO_NEW_PRIVILEGES.load(Relaxed)
}

/// Names the process after `path`, the file it was loaded from: the last component, cut.
pub fn name_after(path: &[u8]) {
    let base = path.rsplit(|&byte| byte == b'/').next();
    sched::current().set_name(base.unwrap_or_default());
}

/// prctl(2). Options that are not here are `EINVAL`, as those that Linux was built without.
pub fn prctl(option: u32, a: usize, b: usize, c: usize, d: usize) -> SysResult {
    let cred = cred::current();
    match option {
        PR_GET_KEEPCAPS => Ok(usize::from(cred.keeps_caps())),
        PR_SET_KEEPCAPS => {
            cred.set_keep_caps(flag(a)?);
            Ok(0)
        }
        PR_CAPBSET_READ => Ok((cred.caps().bounding >> capability(a)?) as usize & 1),
        PR_CAPBSET_DROP => drop_bounding(cred, a),
        PR_GET_NO_NEW_PRIVS if [a, b, c, d] == [0; 4] => Ok(usize::from(no_new_privileges())),
        PR_SET_NO_NEW_PRIVS if [a, b, c, d] == [1, 0, 0, 0] => {
            NO_NEW_PRIVILEGES.store(true, Relaxed);
            Ok(0)
        }
        PR_SET_NAME => {
            let mut room = [0; NAME];
            // A longer name is cut; then all of the room is filled.
            let name = match read_path(UserPtr::new(a), &mut room[..NAME - 1]) {
                Ok(name) => name.len(),
                Err(Errno::ENAMETOOLONG) => NAME - 1,
                Err(errno) => return Err(errno),
            };
            sched::current().set_name(&room[..name]);
            Ok(0)
        }
        PR_GET_NAME => match UserSlice::new(a, NAME).write(&sched::current().name())? {
            NAME => Ok(0),
            _ => Err(Errno::EFAULT),
        },
        _ => Err(Errno::EINVAL),
    }
}

/// `PR_CAPBSET_DROP`.
fn drop_bounding(cred: &Cred, number: usize) -> SysResult {
    cred.require(SETPCAP)?;
    let number = capability(number)?;
    let mut caps = cred.caps();
    caps.bounding &= !(1 << number);
    cred.set_caps(caps);
    Ok(0)
}

const fn flag(value: usize) -> Result<bool, Errno> {
    match value {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Errno::EINVAL),
    }
}

const fn capability(number: usize) -> Result<u32, Errno> {
    if number <= LAST as usize {
        Ok(number as u32)
    } else {
        Err(Errno::EINVAL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_kept() {
        assert_eq!(prctl(PR_SET_KEEPCAPS, 1, 9, 9, 9), Ok(0));
        assert_eq!(prctl(PR_GET_KEEPCAPS, 0, 0, 0, 0), Ok(1));
        assert_eq!(prctl(PR_SET_KEEPCAPS, 2, 0, 0, 0), Err(Errno::EINVAL));
        for args in [[0, 0], [1, 1]] {
            let refused = prctl(PR_SET_NO_NEW_PRIVS, args[0], args[1], 0, 0);
            assert_eq!(refused, Err(Errno::EINVAL));
        }
        assert_eq!(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), Ok(0));
        assert_eq!(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), Ok(1));
        assert_eq!(prctl(PR_GET_NO_NEW_PRIVS, 1, 0, 0, 0), Err(Errno::EINVAL));
        assert_eq!(prctl(0x7777, 0, 0, 0, 0), Err(Errno::EINVAL));
    }

    #[test]
    fn the_bounding_set_shrinks() {
        assert_eq!(prctl(PR_CAPBSET_READ, 40, 0, 0, 0), Ok(1));
        assert_eq!(prctl(PR_CAPBSET_DROP, 40, 0, 0, 0), Ok(0));
        assert_eq!(prctl(PR_CAPBSET_READ, 40, 0, 0, 0), Ok(0));
        assert_eq!(prctl(PR_CAPBSET_READ, 39, 0, 0, 0), Ok(1));
        for option in [PR_CAPBSET_READ, PR_CAPBSET_DROP] {
            assert_eq!(prctl(option, 41, 0, 0, 0), Err(Errno::EINVAL));
        }
        assert_eq!(crate::sys::identity::setuid(5), Ok(0));
        assert_eq!(prctl(PR_CAPBSET_DROP, 41, 0, 0, 0), Err(Errno::EPERM));
    }

    #[test]
    fn names_are_cut() {
        name_after(b"/usr/bin/wordfreq");
        assert_eq!(&sched::current().name(), b"wordfreq\0\0\0\0\0\0\0\0");
        let set = |name: &[u8]| prctl(PR_SET_NAME, name.as_ptr() as usize, 0, 0, 0);
        assert_eq!(set(b"a name that is too long\0"), Ok(0));
        let mut found = [1u8; NAME];
        let get = prctl(PR_GET_NAME, found.as_mut_ptr() as usize, 0, 0, 0);
        assert_eq!((get, &found), (Ok(0), b"a name that is \0"));
        assert_eq!(
            (set(b"exactly fifteen\0"), &sched::current().name()),
            (Ok(0), b"exactly fifteen\0")
        );
        assert_eq!((set(b"\0"), sched::current().name()), (Ok(0), [0; NAME]));
        for option in [PR_SET_NAME, PR_GET_NAME] {
            let refused = prctl(option, usize::MAX, 0, 0, 0);
            assert_eq!(refused, Err(Errno::EFAULT));
        }
    }
}
