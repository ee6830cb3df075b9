//! The address space at boot: what is mapped where, before the first application instruction.
//!
//! ```text
//! 0            page 0: never mapped
//! 4 KiB        low memory
//! image        text RX, read-only data R, data RW (the application's and the library's)
//! image end    frame maps, then the pool (page tables, kernel heap, small mappings)
//! pool end     the break, growing up
//! … top        mmap, growing down
//! STACK_TOP    the main stack, growing down on demand
//! ```

use super::aslr::Aslr;
use super::frames::{FRAMES, Frames};
use super::paging::{self, Access};
use super::{LARGE, PAGE, page_down, page_up, place, space};
use crate::boot::BootInfo;
use crate::elf::Elf;
use crate::errno::Errno;
use crate::lower;
use crate::uaccess;
use core::ops::Range;

/// Largest pool; a sixteenth of RAM when that is less.
const POOL: usize = 512 << 10;

/// How far behind the image small pages are used: the first touch of a large page that the host
/// has not backed yet costs it up to 2 MiB of clearing, and most programs need far less.
const SMALL_PAGES: usize = LARGE;

/// Why the machine cannot be used.
#[derive(Debug)]
pub enum Error {
    /// Not enough RAM: what there is, in KiB.
    TooSmall(usize),
    /// The initrd is not inside RAM.
    Initrd,
}

/// Builds the address space beside the boot tables, which map the first GiB. Runs once; what it has
/// built is in force when the root is loaded, by the next flush of everything.
pub fn build(boot: &BootInfo, aslr: &Aslr) -> Result<(), Error> {
    paging::set_root(boot.image.root);
    let ram = boot.memory.iter().map(|r| r.len()).sum::<usize>();
    let too_small = Error::TooSmall(ram / 1024);
    let top = boot.memory.iter().map(|r| r.end).max().unwrap_or(0);
    let image_end = page_up(boot.image.end).unwrap_or(usize::MAX);
    let low = boot
        .memory
        .iter()
        .find(|r| r.contains(&boot.image.header))
        .cloned()
        .unwrap_or(0..0);
    // What is known of the frames, then the pool: behind the image, and behind whatever the loader
    // put there.
    let maps = Frames::words_for(top) * 8;
    let size = page_up(maps).unwrap_or(usize::MAX) + page_down(POOL.min(ram / 16));
    let start = first_gap(image_end + aslr.pool, size, boot);
    let pool = start + (size - page_down(POOL.min(ram / 16)))..start + size;
    if pool.end > low.end {
        return Err(too_small);
    }
    if boot
        .initrd
        .as_ref()
        .is_some_and(|i| !boot.memory.iter().any(|r| within(i, r)))
    {
        return Err(Error::Initrd);
    }
    // What is left between the image and the maps is as near as the pool.
    init_frames(boot, top, start, pool.start, image_end..pool.end);
    if paging::renew().is_err() {
        return Err(too_small);
    }
    let mapped = map_image(boot).and_then(|()| map_ram(boot, image_end, pool.end));
    mapped
        .and_then(|()| clear_arena(boot))
        .map_err(|_| too_small)?;
    uaccess::forbid(2, start, pool.start - start);
    space::init(boot, pool.end, aslr.stack);
    place::init(&boot.memory, aslr.areas);
    FRAMES.lock().hold_back(aslr.frames);
    Ok(())
}

/// The first address from `start` on where `size` bytes touch neither the initrd nor the boot
/// protocol's structures.
fn first_gap(start: usize, size: usize, boot: &BootInfo) -> usize {
    let mut at = start;
    // Two obstacles: passing the first may meet the second, which may lead back to none.
    for taken in boot.initrd.iter().chain([&boot.protocol]).cycle().take(4) {
        if at < taken.end && taken.start < at + size {
            at = page_up(taken.end).unwrap_or(usize::MAX);
        }
    }
    at
}

fn within(inner: &Range<usize>, outer: &Range<usize>) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}

fn init_frames(boot: &BootInfo, top: usize, maps: usize, maps_end: usize, pool: Range<usize>) {
    let words = Frames::words_for(top);
    // SAFETY: the maps lie between the image and the pool, inside one region of RAM (`build`
    // checked), mapped by the boot tables, and nobody else knows them.
    let words = unsafe { core::slice::from_raw_parts_mut(maps as *mut u64, words) };
    let mut frames = FRAMES.lock();
    frames.init(top, words, pool.clone());
    boot.memory
        .iter()
        .for_each(|region| frames.add(region.clone()));
    // Low memory is the firmware's; the image and the maps are taken.
    frames.reserve(0..1 << 20);
    frames.reserve(page_down(boot.image.header)..page_up(boot.image.end).unwrap_or(pool.start));
    frames.reserve(maps..maps_end);
    frames.reserve(boot.protocol.clone());
    boot.initrd
        .iter()
        .for_each(|initrd| frames.reserve(initrd.clone()));
    frames.reserve(lower::arena(boot.image.header));
}

/// All RAM as data: large pages, but small ones around the image.
fn map_ram(boot: &BootInfo, image_end: usize, pool_end: usize) -> Result<(), Errno> {
    let large = |n: usize| n.next_multiple_of(LARGE);
    let small = large(pool_end) + SMALL_PAGES;
    let low_end = boot
        .memory
        .iter()
        .filter(|r| r.start < 1 << 32)
        .map(|r| large(r.end))
        .max();
    let low_end = low_end.unwrap_or(small);
    // The boot tables' first directory maps a whole GiB; what is not RAM goes.
    (low_end..1 << 30)
        .step_by(LARGE)
        .for_each(paging::unmap_large);
    // Not the image: this very code must stay executable all along.
    paging::map_identity(PAGE..page_down(boot.image.header), Access::DATA)?;
    paging::unmap(0..PAGE)?;
    paging::map_identity(image_end..small.min(low_end), Access::DATA)?;
    paging::map_large(small.min(low_end)..low_end, Access::DATA)?;
    for region in boot.memory.iter().filter(|r| r.start >= 1 << 32) {
        paging::map_large(region.start & !(LARGE - 1)..large(region.end), Access::DATA)?;
    }
    Ok(())
}

/// The arena of trampolines is text, so its addresses stop being data where they are RAM.
fn clear_arena(boot: &BootInfo) -> Result<(), Errno> {
    for page in lower::arena(boot.image.header).step_by(PAGE) {
        if paging::lookup(page).is_some() {
            paging::unmap(page..page + PAGE)?;
        }
    }
    Ok(())
}

/// The image's segments with their own protection, then what is special inside them.
fn map_image(boot: &BootInfo) -> Result<(), Errno> {
    // SAFETY: the boot code took the address from `__ehdr_start`.
    let elf = unsafe { Elf::at(boot.image.header) };
    for segment in elf.segments() {
        let range = page_down(segment.memory().start)..page_up(segment.memory().end).unwrap_or(0);
        let (write, execute) = (segment.flags & 2 != 0, segment.flags & 1 != 0);
        paging::map_identity(
            range,
            Access {
                write,
                execute,
                user: true,
            },
        )?;
    }
    let [text, data] = &boot.image.monitor;
    paging::map_identity(
        text.clone(),
        Access {
            write: false,
            execute: true,
            user: false,
        },
    )?;
    paging::map_identity(
        data.clone(),
        Access {
            write: true,
            execute: false,
            user: false,
        },
    )?;
    boot.image
        .stacks
        .iter()
        .try_for_each(|s| paging::unmap(s.guard..s.guard + PAGE))
}
