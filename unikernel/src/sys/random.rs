//! getrandom(2).

use crate::errno::{Errno, SysResult};
use crate::rng;
use crate::uaccess::UserSlice;
use linux_raw_sys::general::{GRND_INSECURE, GRND_NONBLOCK, GRND_RANDOM};

/// getrandom(2). The source is seeded from the first call on, so no flag makes a difference.
pub fn getrandom(buffer: usize, len: usize, flags: u32) -> SysResult {
    if flags & !(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE) != 0
        || flags & (GRND_RANDOM | GRND_INSECURE) == GRND_RANDOM | GRND_INSECURE
    {
        return Err(Errno::EINVAL);
    }
    rng::fill(UserSlice::new(buffer, len.min(i32::MAX as usize)))
}
