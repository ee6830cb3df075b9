//! System calls that set timers: setitimer(2) and alarm(2), timer_create(2) and its kin,
//! timerfd_create(2).

mod interval;
mod posix;
mod timerfd;

pub use interval::{alarm, getitimer, setitimer};
pub use posix::{timer_create, timer_delete, timer_getoverrun, timer_gettime, timer_settime};
pub use timerfd::{timerfd_create, timerfd_gettime, timerfd_settime};

use super::clock::{self, nanoseconds};
use crate::errno::Errno;
use crate::uaccess::UserPtr;

/// `struct itimerspec`: interval and value, in seconds and nanoseconds.
type Spec = [u64; 4];

/// Reads an `itimerspec` as nanoseconds: interval, value. Errors: `EFAULT`, `EINVAL`.
fn read_spec(from: UserPtr<Spec>) -> Result<[u64; 2], Errno> {
    let first = from.cast();
    Ok([nanoseconds(first)?, nanoseconds(first.add(1))?])
}

/// Writes how a timer is set.
fn write_spec(to: UserPtr<Spec>, (interval, left): (u64, u64)) -> Result<(), Errno> {
    let to = to.cast::<[u64; 2]>();
    for (index, ns) in [interval, left].into_iter().enumerate() {
        clock::write(to.add(index), ns)?;
    }
    Ok(())
}
