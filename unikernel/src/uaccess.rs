//! User memory is an allegation.
//!
//! The application and this library share one address space, so a bad pointer in a system call
//! would otherwise be *our* fault. [`UserPtr`] and [`UserSlice`] cannot be dereferenced; the only
//! doors are the copies below. They run in a handful of assembly routines without a stack frame.
//! When one of their instructions faults, the exception upcall asks [`fixup`] for the landing pad
//! and the copy returns short: `EFAULT`, as on Linux, and never a crash.

use crate::errno::Errno;
use core::arch::global_asm;
use core::marker::PhantomData;
use core::mem::{MaybeUninit, size_of};
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// End of the canonical lower half, the address space of a Linux process (x86_64, four levels).
pub const USER_END: usize = 0x7fff_ffff_f000;

// Every routine keeps its whole state in registers, so a landing pad can simply return. Blocks of up
// to 256 bytes go by 32 and then by 8 bytes, because `rep movsb` takes about 30 cycles to start; a
// fault there falls back to the byte loop, which then stops at the exact byte.
// lintel_ua_copy: rdi = destination, rsi = source, rdx = length; returns the bytes NOT copied.
// lintel_ua_put2: rdi = destination, rsi and rdx = two words; returns 0, or 1 on a fault.
// lintel_ua_zero: rdi = destination, rsi = length; returns the bytes not cleared.
// lintel_ua_str: rdi = destination, rsi = source, rdx = room; copies up to and including the NUL.
// Returns the length without it, -1 when the room ran out, -2 on a fault.
global_asm!(
    ".pushsection .text.lintel_uaccess,\"ax\",@progbits",
    ".irp label,copy,wide,wide_end,bytes,bytes_end,put2,zero,words,words_end,words_fault,zero_bytes,zero_end,str,str_load,str_load_end,str_fault,fault",
    ".globl lintel_ua_\\label",
    ".hidden lintel_ua_\\label",
    ".endr",
    ".balign 16",
    "lintel_ua_copy:",
    "    mov rcx, rdx",
    "    cmp rcx, 256",
    "    ja lintel_ua_bytes",
    "2:  cmp rcx, 32",
    "    jb 3f",
    "lintel_ua_wide:",
    "    mov rax, [rsi]",
    "    mov rdx, [rsi + 8]",
    "    mov r8, [rsi + 16]",
    "    mov r9, [rsi + 24]",
    "    mov [rdi], rax",
    "    mov [rdi + 8], rdx",
    "    mov [rdi + 16], r8",
    "    mov [rdi + 24], r9",
    "    add rsi, 32",
    "    add rdi, 32",
    "    sub rcx, 32",
    "    jmp 2b",
    "3:  cmp rcx, 8",
    "    jb lintel_ua_bytes",
    "    mov rax, [rsi]",
    "    mov [rdi], rax",
    "    add rsi, 8",
    "    add rdi, 8",
    "    sub rcx, 8",
    "    jmp 3b",
    "lintel_ua_wide_end:",
    "lintel_ua_bytes:",
    "    rep movsb",
    "lintel_ua_bytes_end:",
    "    mov rax, rcx",
    "    ret",
    "lintel_ua_put2:",
    "    mov [rdi], rsi",
    "    mov [rdi+8], rdx",
    "    xor eax, eax",
    "    ret",
    "lintel_ua_zero:",
    "    mov rcx, rsi",
    "    xor eax, eax",
    "    shr rcx, 3",
    "    and esi, 7",
    "lintel_ua_words:",
    "    rep stosq",
    "lintel_ua_words_end:",
    "    mov ecx, esi",
    "    jmp lintel_ua_zero_bytes",
    // A fault in the word loop: what it left and the odd bytes, one by one to the exact byte.
    "lintel_ua_words_fault:",
    "    lea rcx, [rsi + rcx*8]",
    "lintel_ua_zero_bytes:",
    "    rep stosb",
    "lintel_ua_zero_end:",
    "    mov rax, rcx",
    "    ret",
    "lintel_ua_str:",
    "    xor ecx, ecx",
    "5:  cmp rcx, rdx",
    "    jae 6f",
    "lintel_ua_str_load:",
    "    movzx eax, byte ptr [rsi + rcx]",
    "lintel_ua_str_load_end:",
    "    mov [rdi + rcx], al",
    "    test al, al",
    "    jz 7f",
    "    inc rcx",
    "    jmp 5b",
    "6:  mov rax, -1",
    "    ret",
    "7:  mov rax, rcx",
    "    ret",
    "lintel_ua_str_fault:",
    "    mov rax, -2",
    "    ret",
    "lintel_ua_fault:",
    "    mov eax, 1",
    "    ret",
    ".popsection",
);

unsafe extern "C" {
    fn lintel_ua_copy(dst: usize, src: usize, len: usize) -> usize;
    fn lintel_ua_put2(dst: usize, low: u64, high: u64) -> usize;
    fn lintel_ua_zero(dst: usize, len: usize) -> usize;
    fn lintel_ua_str(dst: *mut u8, src: usize, room: usize) -> isize;
    fn lintel_ua_wide();
    fn lintel_ua_wide_end();
    fn lintel_ua_bytes();
    fn lintel_ua_bytes_end();
    fn lintel_ua_words();
    fn lintel_ua_words_end();
    fn lintel_ua_words_fault();
    fn lintel_ua_zero_bytes();
    fn lintel_ua_zero_end();
    fn lintel_ua_str_load();
    fn lintel_ua_str_load_end();
    fn lintel_ua_str_fault();
    fn lintel_ua_fault();
}

type Label = unsafe extern "C" fn();

/// The landing pad for a fault at `rip`, when `rip` is one of the copy instructions above.
pub fn fixup(rip: usize) -> Option<usize> {
    let at = |label: Label| label as usize;
    let put2 = lintel_ua_put2 as *const () as usize;
    let zero = lintel_ua_zero as *const () as usize;
    // Each row: first faulting address, one past the last, where to go on.
    let rows = [
        (
            at(lintel_ua_wide),
            at(lintel_ua_wide_end),
            at(lintel_ua_bytes),
        ),
        (
            at(lintel_ua_bytes),
            at(lintel_ua_bytes_end),
            at(lintel_ua_bytes_end),
        ),
        (put2, zero, at(lintel_ua_fault)),
        (
            at(lintel_ua_words),
            at(lintel_ua_words_end),
            at(lintel_ua_words_fault),
        ),
        (
            at(lintel_ua_zero_bytes),
            at(lintel_ua_zero_end),
            at(lintel_ua_zero_end),
        ),
        (
            at(lintel_ua_str_load),
            at(lintel_ua_str_load_end),
            at(lintel_ua_str_fault),
        ),
    ];
    rows.iter()
        .find(|row| (row.0..row.1).contains(&rip))
        .map(|row| row.2)
}

/// The library's own writable memory: data, bss, frame maps, as start and length. A system call
/// must not be talked into reading or writing it.
static OWN: [(AtomicUsize, AtomicUsize); 3] =
    [const { (AtomicUsize::new(0), AtomicUsize::new(0)) }; 3];

/// Declares a range of the library's own memory, which user pointers may not name.
pub fn forbid(slot: usize, start: usize, len: usize) {
    OWN[slot].0.store(start, Relaxed);
    OWN[slot].1.store(len, Relaxed);
}

/// Whether `start..start + len` can be user memory at all: it does not wrap, lies in the lower
/// half and touches nothing of the library's own. Whether it is mapped, the copy finds out.
#[inline(always)]
pub fn access_ok(start: usize, len: usize) -> bool {
    let overlaps = |range: &(AtomicUsize, AtomicUsize)| {
        let (own, own_len) = (range.0.load(Relaxed), range.1.load(Relaxed));
        start.wrapping_sub(own) < own_len || (start < own && own - start < len)
    };
    len <= USER_END && start <= USER_END - len && !OWN.iter().any(overlaps)
}

/// Plain old data: any bit pattern is a value, and there is no padding whose content would leak
/// more than the caller already knows.
///
/// # Safety
/// Implementors are `repr(C)` types of integers and arrays of them.
pub unsafe trait Pod: Sized {}

macro_rules! pod {
    ($($t:ty),* $(,)?) => { $(
        // SAFETY: an integer, an array of integers or a repr(C) struct of such, from the Linux headers.
        unsafe impl Pod for $t {}
    )* };
}

pod!(u8, u16, u32, u64, i32, i64, usize, isize);
pod!([u64; 2], [i32; 2]);
pod!(
    linux_raw_sys::general::__kernel_timespec,
    linux_raw_sys::general::__kernel_old_timeval,
    linux_raw_sys::general::pollfd,
    linux_raw_sys::general::stat,
    linux_raw_sys::general::statx,
    linux_raw_sys::general::rlimit64,
    linux_raw_sys::general::iovec,
    linux_raw_sys::general::termios,
    linux_raw_sys::general::winsize,
    linux_raw_sys::system::new_utsname,
    linux_raw_sys::system::sysinfo,
);

/// An address that the application says holds a `T`.
#[derive(Debug)]
#[repr(transparent)]
pub struct UserPtr<T>(usize, PhantomData<*mut T>);

impl<T> Clone for UserPtr<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for UserPtr<T> {}

impl<T> UserPtr<T> {
    /// Wraps an address as it came in a register.
    pub const fn new(address: usize) -> Self {
        Self(address, PhantomData)
    }

    /// The address, for comparisons and messages only.
    pub const fn address(self) -> usize {
        self.0
    }

    /// Whether the application passed NULL.
    pub const fn is_null(self) -> bool {
        self.0 == 0
    }

    /// `None` for NULL: many calls take an optional pointer.
    pub fn optional(self) -> Option<Self> {
        (self.0 != 0).then_some(self)
    }

    /// The `index`-th element behind this one (wrapping; the copy checks the result).
    pub const fn add(self, index: usize) -> Self {
        Self::new(self.0.wrapping_add(index.wrapping_mul(size_of::<T>())))
    }

    /// The same address with another type.
    pub const fn cast<U>(self) -> UserPtr<U> {
        UserPtr::new(self.0)
    }
}

impl<T: Pod> UserPtr<T> {
    /// Copies one value in.
    pub fn read(self) -> Result<T, Errno> {
        let mut value = MaybeUninit::<T>::uninit();
        copy(value.as_mut_ptr() as usize, self.0, size_of::<T>(), self.0)?;
        // SAFETY: the copy filled all bytes, and any bytes make a `Pod` value.
        Ok(unsafe { value.assume_init() })
    }

    /// Copies one value out.
    pub fn write(self, value: &T) -> Result<(), Errno> {
        copy(
            self.0,
            core::ptr::from_ref(value) as usize,
            size_of::<T>(),
            self.0,
        )
    }
}

impl UserPtr<usize> {
    /// Reads any word, the library's own included: for crash reports, which trust no pointer.
    pub fn raw_read(address: usize) -> Result<usize, Errno> {
        let mut word = [0; size_of::<usize>()];
        match UserSlice::new(address, word.len()).raw_read(&mut word) {
            Ok(n) if n == word.len() => Ok(usize::from_ne_bytes(word)),
            _ => Err(Errno::EFAULT),
        }
    }
}

impl UserPtr<[u64; 2]> {
    /// Writes two words (a timespec, a timeval) without touching a vector register.
    #[inline(always)]
    pub fn write_pair(self, low: u64, high: u64) -> Result<(), Errno> {
        if !access_ok(self.0, 16) {
            return Err(Errno::EFAULT);
        }
        // SAFETY: the range is not ours; if it is not mapped the fixup returns 1.
        let failed = unsafe { lintel_ua_put2(self.0, low, high) };
        if failed == 0 {
            Ok(())
        } else {
            Err(Errno::EFAULT)
        }
    }
}

fn copy(dst: usize, src: usize, len: usize, user: usize) -> Result<(), Errno> {
    if !access_ok(user, len) {
        return Err(Errno::EFAULT);
    }
    // SAFETY: one side is kernel memory of `len` bytes (the callers' types say so), the other is
    // checked not to be ours; a fault in it ends in a landing pad.
    let left = unsafe { lintel_ua_copy(dst, src, len) };
    if left == 0 {
        Ok(())
    } else {
        Err(Errno::EFAULT)
    }
}

/// `len` bytes of alleged user memory.
#[derive(Clone, Copy, Debug)]
pub struct UserSlice {
    start: usize,
    len: usize,
}

impl UserSlice {
    /// A buffer as a system call names it.
    pub const fn new(start: usize, len: usize) -> Self {
        Self { start, len }
    }

    /// First address.
    pub const fn start(&self) -> usize {
        self.start
    }

    /// Length in bytes.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is nothing in it.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The part behind the first `n` bytes (`n` at most the length).
    pub fn skip(self, n: usize) -> Self {
        let n = n.min(self.len);
        Self::new(self.start + n, self.len - n)
    }

    /// The first `n` bytes, or all of it when it is shorter.
    pub fn take(self, n: usize) -> Self {
        Self::new(self.start, self.len.min(n))
    }

    /// Copies out as much of `from` as fits; returns the bytes written. `EFAULT` only when
    /// nothing could be written, otherwise a short count: what read(2) does.
    pub fn write(&self, from: &[u8]) -> Result<usize, Errno> {
        let len = from.len().min(self.len);
        self.transfer(len, |at| {
            // SAFETY: `from` has `len` readable bytes; the user side is guarded by the fixup.
            unsafe { lintel_ua_copy(at, from.as_ptr() as usize, len) }
        })
    }

    /// Copies in as much as fits `into`; returns the bytes read (short on a partly bad range).
    pub fn read(&self, into: &mut [u8]) -> Result<usize, Errno> {
        let len = into.len().min(self.len);
        self.transfer(len, |at| {
            // SAFETY: `into` has room for `len` bytes; the user side is guarded by the fixup.
            unsafe { lintel_ua_copy(into.as_mut_ptr() as usize, at, len) }
        })
    }

    /// As [`read`](Self::read), but the library's own memory is not out of bounds.
    pub fn raw_read(&self, into: &mut [u8]) -> Result<usize, Errno> {
        let len = into.len().min(self.len);
        // SAFETY: `into` has room for `len` bytes; the other side is guarded by the fixup.
        Ok(len - unsafe { lintel_ua_copy(into.as_mut_ptr() as usize, self.start, len) })
    }

    /// Clears all of it; returns the bytes cleared (short on a partly bad range).
    pub fn zero(&self) -> Result<usize, Errno> {
        let len = self.len;
        // SAFETY: the range is user memory by `transfer`'s check; guarded by the fixup.
        self.transfer(len, |at| unsafe { lintel_ua_zero(at, len) })
    }

    fn transfer(&self, len: usize, run: impl FnOnce(usize) -> usize) -> Result<usize, Errno> {
        if len == 0 {
            return Ok(0);
        }
        if !access_ok(self.start, len) {
            return Err(Errno::EFAULT);
        }
        match len - run(self.start) {
            0 => Err(Errno::EFAULT),
            done => Ok(done),
        }
    }
}

/// Copies a NUL-terminated path in. Returns it without the NUL; `ENAMETOOLONG` when `room` (which
/// counts the NUL: `PATH_MAX` is 4096) is too small, `EFAULT` on a bad pointer.
pub fn read_path(path: UserPtr<u8>, room: &mut [u8]) -> Result<&[u8], Errno> {
    if !access_ok(path.address(), 1) {
        return Err(Errno::EFAULT);
    }
    // SAFETY: `room` is ours and as long as we say; reads of the user side are guarded.
    match unsafe { lintel_ua_str(room.as_mut_ptr(), path.address(), room.len()) } {
        -1 => Err(Errno::ENAMETOOLONG),
        -2 => Err(Errno::EFAULT),
        len => Ok(&room[..len as usize]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_every_short_length_exactly() {
        let source: Vec<u8> = (0..600).map(|i| i as u8).collect();
        for len in (0..300).chain([511, 600]) {
            let mut out = vec![0xaa; 600];
            let user = UserSlice::new(out.as_mut_ptr() as usize, len);
            assert_eq!(user.write(&source), Ok(len));
            assert_eq!(out[..len], source[..len]);
            assert!(out[len..].iter().all(|&b| b == 0xaa));
        }
    }

    #[test]
    fn every_short_length_is_cleared_exactly() {
        for len in 0..70 {
            let mut out = [0xaau8; 80];
            assert_eq!(
                UserSlice::new(out.as_mut_ptr() as usize, len).zero(),
                Ok(len)
            );
            assert!(out[..len].iter().all(|&b| b == 0) && out[len..].iter().all(|&b| b == 0xaa));
        }
    }

    #[test]
    fn ranges_outside_the_lower_half_are_refused() {
        for (start, len) in [
            (usize::MAX, 1),
            (USER_END, 1),
            (USER_END - 1, 2),
            (1, usize::MAX),
        ] {
            assert_eq!(UserSlice::new(start, len).zero(), Err(Errno::EFAULT));
        }
        assert_eq!(UserPtr::<u64>::new(1 << 63).read(), Err(Errno::EFAULT));
    }

    #[test]
    fn strings_end_at_nul_and_report_overflow() {
        let text = b"/etc/hosts\0rest";
        let mut room = [0; 16];
        let path = UserPtr::new(text.as_ptr() as usize);
        assert_eq!(read_path(path, &mut room), Ok(&b"/etc/hosts"[..]));
        assert_eq!(read_path(path, &mut room[..10]), Err(Errno::ENAMETOOLONG));
    }

    #[test]
    fn fixups_cover_the_copy_instructions_and_nothing_else() {
        let bytes = lintel_ua_bytes as *const () as usize;
        assert_eq!(
            fixup(bytes),
            Some(lintel_ua_bytes_end as *const () as usize)
        );
        assert_eq!(fixup(lintel_ua_wide as *const () as usize), Some(bytes));
        assert_eq!(fixup(lintel_ua_copy as *const () as usize), None);
        assert_eq!(fixup(0), None);
    }
}
