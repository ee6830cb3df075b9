//! capget(2) and capset(2).

use crate::cred::caps::{FULL, Set};
use crate::cred::{self, caps::Caps};
use crate::errno::{Errno, SysResult};
use crate::process::PID;
use crate::uaccess::{Pod, UserPtr};

/// `_LINUX_CAPABILITY_VERSION_1`: sets of 32 bits.
const VERSION_1: u32 = 0x1998_0330;
/// `_LINUX_CAPABILITY_VERSION_2`: sets of 64 bits, in two halves.
const VERSION_2: u32 = 0x2007_1026;
/// `_LINUX_CAPABILITY_VERSION_3`: the same with another header file.
const VERSION_3: u32 = 0x2008_0522;

/// `__user_cap_header_struct`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Header {
    version: u32,
    pid: i32,
}

/// `__user_cap_data_struct`: half of each of three sets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Half {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

// SAFETY: `repr(C)` structs of integers of four bytes, without padding.
unsafe impl Pod for Header {}
// SAFETY: as above.
unsafe impl Pod for Half {}

/// How many halves the caller's structs have. A version that is not known is replaced by the
/// newest, and is `EINVAL`.
fn halves(header: UserPtr<Header>) -> Result<usize, Errno> {
    let version = header.cast::<u32>();
    match version.read()? {
        VERSION_1 => Ok(1),
        VERSION_2 | VERSION_3 => Ok(2),
        _ => {
            version.write(&VERSION_3)?;
            Err(Errno::EINVAL)
        }
    }
}

/// capget(2). Without a place for the sets, an unknown version is no error: so one asks for it.
pub fn capget(header: UserPtr<Header>, data: UserPtr<Half>) -> SysResult {
    let known = halves(header);
    if data.is_null() && matches!(known, Ok(_) | Err(Errno::EINVAL)) {
        return Ok(0);
    }
    let count = known?;
    match header.read()?.pid {
        0 | PID => {}
        ..0 => return Err(Errno::EINVAL),
        _ => return Err(Errno::ESRCH),
    }
    for (index, half) in split(cred::current().caps())[..count].iter().enumerate() {
        data.add(index).write(half)?;
    }
    Ok(0)
}

/// capset(2), of the caller alone (`EPERM`).
pub fn capset(header: UserPtr<Header>, data: UserPtr<Half>) -> SysResult {
    let count = halves(header)?;
    if !matches!(header.read()?.pid, 0 | PID) {
        return Err(Errno::EPERM);
    }
    let mut wanted = [Half::default(); 2];
    for (index, half) in wanted[..count].iter_mut().enumerate() {
        *half = data.add(index).read()?;
    }
    let whole = |part: fn(&Half) -> u32| join(part(&wanted[0]), part(&wanted[1]));
    let cred = cred::current();
    cred.set_caps(cred.caps().set(
        whole(|half| half.effective),
        whole(|half| half.permitted),
        whole(|half| half.inheritable),
    )?);
    Ok(0)
}

fn split(caps: Caps) -> [Half; 2] {
    [0, 32].map(|shift| Half {
        effective: (caps.effective >> shift) as u32,
        permitted: (caps.permitted >> shift) as u32,
        inheritable: (caps.inheritable >> shift) as u32,
    })
}

/// A set from its halves; capabilities that do not exist are ignored.
const fn join(low: u32, high: u32) -> Set {
    (low as Set | (high as Set) << 32) & FULL
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cred::caps::{CHOWN, SETUID};

    fn at<T>(value: &mut T) -> UserPtr<T> {
        UserPtr::new(core::ptr::from_mut(value) as usize)
    }

    const fn header(version: u32, pid: i32) -> Header {
        Header { version, pid }
    }

    /// What capget(2) of the caller says.
    fn current() -> [Half; 2] {
        let mut data = [Half::default(); 2];
        let result = capget(at(&mut header(VERSION_3, 0)), at(&mut data).cast());
        assert_eq!(result, Ok(0));
        data
    }

    #[test]
    fn root_can_do_everything_until_it_gives_it_up() {
        let mut data = current();
        let all = |half: &Half| (half.effective, half.permitted, half.inheritable);
        assert_eq!(all(&data[0]), (!0, !0, 0));
        assert_eq!(all(&data[1]), (0x1ff, 0x1ff, 0));
        data[0].effective = (CHOWN | SETUID) as u32;
        data[1].effective = !0;
        let set =
            |data: &mut [Half; 2], pid| capset(at(&mut header(VERSION_2, pid)), at(data).cast());
        // A capability that does not exist is not looked at.
        assert_eq!(set(&mut data, PID), Ok(0));
        assert_eq!(
            (current()[0].effective, current()[1].effective),
            (0x81, 0x1ff)
        );
        data[1].permitted = 0;
        assert_eq!(set(&mut data, 0), Err(Errno::EPERM));
        data[1].effective = 0;
        assert_eq!((set(&mut data, 0), current()), (Ok(0), data));
        data[1].permitted = 1;
        assert_eq!(set(&mut data, 0), Err(Errno::EPERM));
        assert_eq!(set(&mut data, 2), Err(Errno::EPERM));
    }

    #[test]
    fn the_old_version_has_one_half() {
        let mut data = [Half::default(); 2];
        let mut old = header(VERSION_1, 0);
        assert_eq!(capget(at(&mut old), at(&mut data).cast()), Ok(0));
        assert_eq!((data[0].permitted, data[1]), (!0, Half::default()));
        assert_eq!(capset(at(&mut old), at(&mut data).cast()), Ok(0));
        assert_eq!(current()[1], Half::default());
    }

    #[test]
    fn versions_and_processes_are_checked() {
        let mut odd = header(7, 0);
        assert_eq!(capget(at(&mut odd), UserPtr::new(0)), Ok(0));
        assert_eq!(odd.version, VERSION_3);
        odd.version = 7;
        let mut data = [Half::default(); 2];
        let place = at(&mut data).cast();
        assert_eq!(capget(at(&mut odd), place), Err(Errno::EINVAL));
        odd.version = 7;
        assert_eq!(capset(at(&mut odd), UserPtr::new(0)), Err(Errno::EINVAL));
        let of = |pid| capget(at(&mut header(VERSION_3, pid)), place);
        assert_eq!((of(-1), of(77)), (Err(Errno::EINVAL), Err(Errno::ESRCH)));
        let (bad_header, bad) = (UserPtr::new(usize::MAX), UserPtr::new(usize::MAX));
        assert_eq!(capget(bad_header, UserPtr::new(0)), Err(Errno::EFAULT));
        assert_eq!(
            capget(at(&mut header(VERSION_3, 0)), bad),
            Err(Errno::EFAULT)
        );
    }
}
