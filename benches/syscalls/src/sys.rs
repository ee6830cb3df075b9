//! System calls, each from a site of its own: `call!` is expanded and inlined where it stands.

use crate::errno::Stop;
use std::arch::asm;
use std::ffi::CStr;
use std::os::fd::{FromRawFd, OwnedFd};

/// Makes a system call, named by its constant of the `libc` crate: `call!(SYS_close, fd)`.
/// Evaluates to an [`Answer`]. It is `unsafe`: see
/// [`enter`].
macro_rules! call {
    ($number:ident $(, $argument:expr)* $(,)?) => {
        $crate::sys::Answer::new(
            stringify!($number),
            $crate::sys::enter::<{ libc::$number }, _>([$($crate::sys::Word::word($argument)),*]),
        )
    };
}
pub(crate) use call;

/// Executes a `syscall` instruction. Nothing but the call's own name and arguments is in the
/// caller's loop: no wrapper, no `errno`.
///
/// # Safety
/// The call `NUMBER` is sound to make with these arguments: pointers lead to memory that the call
/// may read or write, descriptors are not somebody else's.
#[inline(always)]
pub unsafe fn enter<const NUMBER: i64, const COUNT: usize>(arguments: [u64; COUNT]) -> i64
where
    [u64; COUNT]: Registers,
{
    // SAFETY: the caller's promise.
    unsafe { arguments.enter::<NUMBER>() }
}

/// Arguments that know their registers.
pub trait Registers {
    /// Puts them there and executes `syscall`.
    ///
    /// # Safety
    /// As for [`enter`].
    unsafe fn enter<const NUMBER: i64>(self) -> i64;
}

macro_rules! registers {
    ($($count:literal: [$($register:tt $index:literal),*])*) => {
        $(impl Registers for [u64; $count] {
            #[inline(always)]
            unsafe fn enter<const NUMBER: i64>(self) -> i64 {
                let result;
                // SAFETY: the caller vouches for the call. The instruction changes rax, rcx and r11
                // and keeps every other register and the stack (Linux's syscall ABI); what the call
                // does to memory the compiler allows for, because `nomem` is not among the options.
                unsafe {
                    asm!(
                        "syscall",
                        inlateout("rax") NUMBER => result,
                        $(in($register) self[$index],)*
                        lateout("rcx") _,
                        lateout("r11") _,
                        options(nostack),
                    );
                }
                result
            }
        })*
    };
}

registers! {
    0: []
    1: ["rdi" 0]
    2: ["rdi" 0, "rsi" 1]
    3: ["rdi" 0, "rsi" 1, "rdx" 2]
    4: ["rdi" 0, "rsi" 1, "rdx" 2, "r10" 3]
    5: ["rdi" 0, "rsi" 1, "rdx" 2, "r10" 3, "r8" 4]
    6: ["rdi" 0, "rsi" 1, "rdx" 2, "r10" 3, "r8" 4, "r9" 5]
}

/// What can be an argument of a system call.
pub trait Word {
    /// Its register.
    fn word(self) -> u64;
}

macro_rules! words {
    ($($kind:ty)*) => {
        $(impl Word for $kind {
            #[inline(always)]
            fn word(self) -> u64 {
                self as u64
            }
        })*
    };
}

words! { i32 u32 i64 u64 usize }

impl<T> Word for *const T {
    #[inline(always)]
    fn word(self) -> u64 {
        self as u64
    }
}

impl<T> Word for *mut T {
    #[inline(always)]
    fn word(self) -> u64 {
        self as u64
    }
}

/// What a system call returned, to be checked.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Answer {
    call: &'static str,
    result: i64,
}

impl Answer {
    /// `result` is what the call of this name returned.
    #[inline(always)]
    pub const fn new(call: &'static str, result: i64) -> Self {
        Self { call, result }
    }

    /// Any result that is not an error. No call here has results above `i64::MAX`.
    ///
    /// # Errors
    /// The call's.
    #[inline(always)]
    pub fn ok(self) -> Result<i64, Stop> {
        if self.result < 0 {
            return Err(Stop::new(self.call, self.result));
        }
        Ok(self.result)
    }

    /// Just this result.
    ///
    /// # Errors
    /// The call's, or that the result is another one.
    #[inline(always)]
    pub fn is(self, expected: i64) -> Result<(), Stop> {
        if self.result != expected {
            return Err(Stop::new(self.call, self.result));
        }
        Ok(())
    }

    /// The error number, or 0.
    #[inline(always)]
    pub fn errno(self) -> i32 {
        if (-4095..0).contains(&self.result) {
            -self.result as i32
        } else {
            0
        }
    }

    /// The result as a descriptor.
    ///
    /// # Errors
    /// The call's.
    ///
    /// # Safety
    /// The call is one that makes a new descriptor.
    pub unsafe fn descriptor(self) -> Result<OwnedFd, Stop> {
        let number = i32::try_from(self.ok()?).map_err(|_| Stop::new(self.call, self.result))?;
        // SAFETY: the caller says that it is new, so nobody else owns it.
        Ok(unsafe { OwnedFd::from_raw_fd(number) })
    }
}

/// Opens a file, a directory or a device.
///
/// # Errors
/// Those of `openat`.
pub fn open(path: &CStr, flags: i32) -> Result<OwnedFd, Stop> {
    let flags = flags | libc::O_CLOEXEC;
    // SAFETY: the path ends with a zero; `openat` makes a new descriptor.
    unsafe { call!(SYS_openat, libc::AT_FDCWD, path.as_ptr(), flags).descriptor() }
}
