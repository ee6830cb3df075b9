//! # unikernel
//!
//! The library kernel: it speaks the Linux system call ABI, and runs in ring 3, in one address
//! space with the application, as an ordinary `no_std` library.
//!
//! Four principles:
//! 1. **No privileged instruction.** What needs ring 0 is asked of the [`platform::Platform`]; so
//!    the hot paths run at native speed on every kind of KVM, and everything here is unit-tested
//!    on the host.
//! 2. **A system call is a function call.** `syscall` instructions are rewritten into calls of the
//!    [`shim`] when that is provably safe ([`lower`]), and trap when it is not.
//! 3. **User memory is an allegation.** [`uaccess`] copies survive any pointer.
//! 4. **Linux is right.** Unknown flags are `EINVAL`, unknown calls `ENOSYS`; nothing pretends.
//!
//! The map, from the application inwards: [`shim`] → [`sys`] (one handler per call) → [`fs`],
//! [`mm`], [`time`], [`console`], [`rng`] → [`platform`]. The monitor comes in through [`irq`] and
//! [`fault`]; [`process`] starts and ends it all, [`report`] tells the outside.
//!
//! A `no_std` application uses it directly:
//!
//! ```
//! // In the VM an inlined call, in a Linux process the real system call.
//! assert!(unikernel::sys::getpid() > 0);
//! ```

#![cfg_attr(not(test), no_std)]

extern crate alloc;

pub mod boot;
pub mod console;
pub mod cpu;
pub mod cred;
pub mod elf;
pub mod errno;
#[cfg_attr(not(any(feature = "events", test)), path = "events/absent.rs")]
pub mod events;
pub mod fault;
pub mod fs;
pub mod irq;
pub mod lower;
pub mod mm;
pub mod net;
pub mod options;
pub mod platform;
pub mod process;
#[cfg_attr(not(any(feature = "profile", test)), path = "profile/absent.rs")]
pub mod profile;
pub mod report;
pub mod rng;
pub mod sched;
pub mod shim;
pub mod signal;
pub mod start;
pub mod sync;
pub mod sys;
#[cfg(test)]
pub(crate) mod testing;
pub mod time;
pub mod timer;
pub mod uaccess;
pub mod wait;
