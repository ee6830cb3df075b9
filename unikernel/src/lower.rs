//! Lowering: a `syscall` instruction becomes a jump to a trampoline that calls the shim.
//!
//! `syscall` is two bytes, a jump is five, so at least one following instruction has to move. A
//! site is patched only when this is *proven* safe, and the proof is local:
//!
//! 1. The site trapped, so an instruction boundary is at the `syscall` and one is behind it.
//! 2. The bytes behind it are decoded forward from that boundary, and only complete encodings of a
//!    few position-independent instructions are accepted ([`follower`]). The moved instruction
//!    covers the rest of the five bytes, so inside the window there is exactly one original
//!    boundary: `site + 2`.
//! 3. Something may still jump there: a merged tail, a preempted thread, a signal frame. The
//!    displacement of the jump is therefore chosen such that its byte at `site + 2` is 0xF4,
//!    `hlt`: executed at CPL 3 it raises #GP, and [`redirect`] resumes at the moved copy. To that
//!    end trampolines live in an arena of 64 KiB, in which every site has 256 bytes whose
//!    distance from it has 0xF4 as its second byte ("instruction punning").
//!
//! So every original boundary keeps its meaning, whoever jumps to it, and no control-flow analysis
//! has to be believed. What does not match stays a trap: slower, never wrong. Text is written
//! through a temporary alias; the text mapping itself is never writable.

use crate::errno::Errno;
use crate::mm::{PAGE, frames::FRAMES, page_down, paging};
use crate::platform::platform;
use crate::sync::SpinLock;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

/// A trampoline: 18 bytes of call, at most 8 moved, 5 of jump.
const SLOT: usize = 32;
const ARENA: usize = (64 << 10) + PAGE;
const WINDOW: usize = 5;
const PUN: usize = 0xf4;

/// Where text is written through: two pages of address space that are otherwise never mapped.
const ALIAS: usize = 0x7000_0000_0000;

/// Refused sites that are remembered, so as to count each once.
const MOST_REFUSED: usize = 1024;

static ENABLED: AtomicBool = AtomicBool::new(false);
static TRAPS: AtomicU32 = AtomicU32::new(0);
static SITES: SpinLock<Sites> = SpinLock::new(Sites::new());

struct Sites {
    /// Address of the arena; 0 before the first trap.
    arena: usize,
    slots: [u64; ARENA / SLOT / 64 + 1],
    /// Lowered sites: (site, address of the moved instruction), sorted by site.
    lowered: Vec<(usize, usize)>,
    refused: Vec<usize>,
}

/// What became of the sites that were executed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Sites that are calls now.
    pub lowered: usize,
    /// Sites left as traps because no safe rewriting is known.
    pub refused: usize,
    /// Traps taken, the first one of each lowered site included.
    pub traps: u32,
}

/// Allows lowering (`lintel.lower=1`, the default).
pub fn enable() {
    ENABLED.store(true, Relaxed);
}

/// Counts so far.
pub fn stats() -> Stats {
    let sites = SITES.lock();
    let (lowered, refused) = (sites.lowered.len(), sites.refused.len());
    Stats { lowered, refused, traps: TRAPS.load(Relaxed) }
}

/// Called by the trapped door with the address behind the `syscall`.
pub extern "C" fn on_trap(behind: usize) {
    TRAPS.fetch_add(1, Relaxed);
    if !ENABLED.load(Relaxed) {
        return;
    }
    let site = behind.wrapping_sub(2);
    let mut sites = SITES.lock();
    if sites.find(site).is_some() || sites.refused.contains(&site) {
        return;
    }
    let lowered = sites.lower(site).is_ok();
    if !lowered && sites.refused.len() < MOST_REFUSED && sites.refused.try_reserve(1).is_ok() {
        sites.refused.push(site);
    }
}

/// #GP at `rip`: when it is the middle of a lowered site, the moved instruction to go on with.
pub fn redirect(rip: usize) -> Option<usize> {
    let sites = SITES.lock();
    sites.find(rip.wrapping_sub(2))
}

/// The length of the instruction behind a `syscall`, when it can be moved: a complete encoding of
/// a position-independent instruction that is no branch other than `ret`, and that together with
/// the `syscall` fills the window. `ret` is one byte; behind it only padding is accepted, which
/// nothing executes, and so the window's tail is free.
fn follower(code: &[u8]) -> Option<usize> {
    match code {
        // cmp rax, imm32 / cmp eax, imm32: the error check behind nearly every site of a libc.
        [0x48, 0x3d, ..] if code.len() >= 6 => Some(6),
        [0x3d, ..] if code.len() >= 5 => Some(5),
        // cmp rax, imm8.
        [0x48, 0x83, 0xf8, _, ..] => Some(4),
        // mov r64, r64 and test r64, r64, registers only (mod = 11); a stack switch (rsp) is left
        // alone.
        [0x48 | 0x49 | 0x4c | 0x4d, 0x89 | 0x85, modrm, ..]
            if modrm >> 6 == 3 && !names_rsp(code[0], *modrm) =>
        {
            Some(3)
        }
        // mov r32, imm32.
        [0xb8..=0xbb | 0xbd..=0xbf, ..] if code.len() >= 5 => Some(5),
        // ret, then padding (int3, nop, or the operand-size prefix of a long nop).
        [0xc3, 0xcc, 0xcc, ..]
        | [0xc3, 0x90, 0x90, ..]
        | [0xc3, 0x66, 0x90, ..]
        | [0xc3, 0x0f, 0x1f, ..]
        | [0xc3, 0x66, 0x0f, 0x1f, ..]
        | [0xc3, 0x66, 0x2e, 0x0f, 0x1f, ..]
        | [0xc3, 0x66, 0x66, 0x2e, 0x0f, 0x1f, ..] => Some(1),
        _ => None,
    }
}

/// Whether an accepted follower overwrites all status flags (cmp, test), so that the shim need not
/// keep them: on Linux they survive a system call, and some wrappers tell the compiler so.
fn sets_flags(moved: &[u8]) -> bool {
    matches!(moved, [0x3d, ..] | [0x48, 0x3d | 0x83, ..] | [_, 0x85, _])
}

/// Whether a register-to-register ModRM names rsp (number 4 without a REX extension bit).
fn names_rsp(rex: u8, modrm: u8) -> bool {
    let (reg, rm) = (modrm >> 3 & 7, modrm & 7);
    (reg == 4 && rex & 4 == 0) || (rm == 4 && rex & 1 == 0)
}

/// The bytes of a trampoline at `at` for the site at `site` whose moved instruction is `moved`,
/// calling `shim`; with the offset of the moved instruction and the whole length.
fn trampoline(at: usize, site: usize, moved: &[u8], shim: usize) -> Option<([u8; SLOT], usize, usize)> {
    // lea rsp, [rsp-128] : step over the red zone. lea, because flags must not change.
    const STEP_DOWN: [u8; 5] = [0x48, 0x8d, 0x64, 0x24, 0x80];
    // lea rsp, [rsp+128]
    const STEP_UP: [u8; 8] = [0x48, 0x8d, 0xa4, 0x24, 0x80, 0, 0, 0];
    let mut code = [0xcc; SLOT];
    code[..5].copy_from_slice(&STEP_DOWN);
    code[5] = 0xe8;
    code[6..10].copy_from_slice(&distance(at + 10, shim)?);
    code[10..18].copy_from_slice(&STEP_UP);
    let end = 18 + moved.len();
    code[18..end].copy_from_slice(moved);
    if moved == [0xc3] {
        return Some((code, 18, end));
    }
    code[end] = 0xe9;
    code[end + 1..end + 5].copy_from_slice(&distance(at + end + 5, site + 2 + moved.len())?);
    Some((code, 18, end + 5))
}

/// A rel32 from the address behind the instruction.
fn distance(from: usize, to: usize) -> Option<[u8; 4]> {
    i32::try_from(to as i64 - from as i64).ok().map(i32::to_le_bytes)
}

impl Sites {
    const fn new() -> Self {
        let slots = [0; ARENA / SLOT / 64 + 1];
        Self { arena: 0, slots, lowered: Vec::new(), refused: Vec::new() }
    }

    fn find(&self, site: usize) -> Option<usize> {
        let index = self.lowered.binary_search_by_key(&site, |entry| entry.0).ok()?;
        Some(self.lowered[index].1)
    }

    fn lower(&mut self, site: usize) -> Result<(), Errno> {
        let mut code = [0; 16];
        let len = crate::uaccess::UserSlice::new(site, code.len()).read(&mut code)?;
        if len < 8 || code[..2] != [0x0f, 0x05] {
            return Err(Errno::EINVAL);
        }
        let moved = follower(&code[2..len]).ok_or(Errno::EINVAL)?;
        self.lowered.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        let at = self.slot(site)?;
        let shim = match sets_flags(&code[2..2 + moved]) {
            true => lintel_shim_lowered as *const () as usize,
            false => lintel_shim_keeping_flags as *const () as usize,
        };
        let (bytes, offset, length) =
            trampoline(at, site, &code[2..2 + moved], shim).ok_or(Errno::EINVAL)?;
        write_text(at, &bytes[..length])?;
        let mut jump = [0xe9, 0, 0, 0, 0];
        jump[1..].copy_from_slice(&distance(site + WINDOW, at).ok_or(Errno::EINVAL)?);
        debug_assert!(usize::from(jump[2]) == PUN);
        write_text(site, &jump)?;
        let index = self.lowered.partition_point(|entry| entry.0 < site);
        self.lowered.insert(index, (site, at + offset));
        Ok(())
    }

    /// A free slot whose distance from `site` has the pun in its second byte.
    fn slot(&mut self, site: usize) -> Result<usize, Errno> {
        if self.arena == 0 {
            self.arena = FRAMES.lock().alloc(ARENA / PAGE).ok_or(Errno::ENOMEM)?;
            let range = self.arena..self.arena + ARENA;
            let text = paging::Access { write: false, execute: true, user: true };
            paging::protect(range.clone(), Some(text))?;
            platform().flush(range);
        }
        let base = site + WINDOW + (PUN << 8);
        let start = self.arena + (base.wrapping_sub(self.arena) & 0xffff);
        let slots = start.next_multiple_of(SLOT)..(start + 256 - SLOT + 1).min(self.arena + ARENA - SLOT);
        for at in slots.step_by(SLOT) {
            let index = (at - self.arena) / SLOT;
            let (word, bit) = (index / 64, 1 << (index % 64));
            if self.slots[word] & bit == 0 {
                self.slots[word] |= bit;
                return Ok(at);
            }
        }
        Err(Errno::ENOSPC)
    }
}

/// Writes `bytes` into text at `address` through an alias that exists only meanwhile.
pub(crate) fn write_text(address: usize, bytes: &[u8]) -> Result<(), Errno> {
    let first = page_down(address);
    let pages = (page_down(address + bytes.len() - 1) - first) / PAGE + 1;
    let alias = ALIAS..ALIAS + pages * PAGE;
    for index in 0..pages {
        let frame = paging::translate(first + index * PAGE).ok_or(Errno::EFAULT)?;
        let page = ALIAS + index * PAGE;
        paging::map(page..page + PAGE, frame, paging::Access::DATA)?;
    }
    // SAFETY: the alias maps exactly the pages of the text written, and nothing else uses it (the
    // caller holds the lock). The bytes replace a `syscall` window or fresh trampoline space; one
    // CPU runs, and not in that window.
    unsafe {
        let to = (ALIAS + (address - first)) as *mut u8;
        core::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len());
    }
    paging::unmap(alias.clone())?;
    platform().flush(alias);
    Ok(())
}

unsafe extern "C" {
    fn lintel_shim_lowered();
    fn lintel_shim_keeping_flags();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_complete_movable_encodings_are_accepted() {
        let cases: [(&[u8], Option<usize>); 12] = [
            (&[0x48, 0x3d, 0x00, 0xf0, 0xff, 0xff, 0x77], Some(6)),
            (&[0x3d, 0x00, 0xf0, 0xff, 0xff, 0x77], Some(5)),
            (&[0x48, 0x3d, 0x00, 0xf0, 0xff], None),
            (&[0x48, 0x89, 0xc3, 0x90, 0x90, 0x90], Some(3)),
            (&[0x48, 0x89, 0xc4, 0x90, 0x90, 0x90], None),
            (&[0x49, 0x89, 0xc4, 0x90, 0x90, 0x90], Some(3)),
            (&[0x48, 0x89, 0x43, 0x08, 0x90, 0x90], None),
            (&[0xc3, 0x0f, 0x1f, 0x84, 0x00, 0x00], Some(1)),
            (&[0xc3, 0x55, 0x48, 0x89, 0xe5, 0x90], None),
            (&[0x85, 0xc0, 0x75, 0x10, 0x90, 0x90], None),
            (&[0x8b, 0x05, 1, 2, 3, 4], None),
            (&[0xbc, 1, 2, 3, 4, 5], None),
        ];
        for (code, expected) in cases {
            assert_eq!(follower(code), expected, "{code:02x?}");
        }
    }

    #[test]
    fn every_site_has_a_punned_slot() {
        let mut sites = Sites { arena: 0x30_0000, ..Sites::new() };
        for site in (0x20_0000..0x21_0000).step_by(977) {
            let at = sites.slot(site).unwrap();
            let bytes = distance(site + WINDOW, at).unwrap();
            assert_eq!(usize::from(bytes[1]), PUN, "{site:#x} -> {at:#x}");
            assert!(at + SLOT <= sites.arena + ARENA);
        }
    }

    #[test]
    fn slots_run_out_with_an_error() {
        let mut sites = Sites { arena: 0x30_0000, ..Sites::new() };
        let taken = (0..20).filter(|_| sites.slot(0x20_1234).is_ok()).count();
        assert!((7..=8).contains(&taken), "{taken}");
    }

    #[test]
    fn trampolines_come_back_behind_the_moved_instruction() {
        let moved = [0x48, 0x3d, 0x01, 0xf0, 0xff, 0xff];
        let (code, offset, len) = trampoline(0x1000, 0x2000, &moved, 0x3000).unwrap();
        assert_eq!(code[offset..offset + 6], moved);
        let back = i32::from_le_bytes(code[len - 4..len].try_into().unwrap());
        assert_eq!(0x1000 + len as i64 + i64::from(back), 0x2008);
        let call = i32::from_le_bytes(code[6..10].try_into().unwrap());
        assert_eq!(0x100a + i64::from(call), 0x3000);
        assert_eq!(trampoline(0x1000, 0x2000, &[0xc3], 0x3000).unwrap().2, 19);
        assert!(trampoline(0x1000, 1 << 33, &moved, 0x3000).is_none());
    }
}
