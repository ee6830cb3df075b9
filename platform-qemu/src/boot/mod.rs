//! Boot: the assembly entry, and both protocols reduced to one [`BootInfo`].

pub(crate) mod entry;
mod multiboot;
mod pvh;

use core::ops::Range;
use unikernel::boot::{BootInfo, Image, Stack};

/// What the entry code recorded.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Record {
    /// 0: PVH, 1: Multiboot2.
    protocol: u64,
    /// Physical address of the protocol's structure.
    info: u64,
    /// TSC at entry.
    tsc: u64,
}

macro_rules! symbols {
    ($($name:ident)*) => {
        unsafe extern "C" { $(safe static $name: u8;)* }
    };
}

symbols! {
    __ehdr_start _end
    __lintel_text_start __lintel_text_end
    __lintel_data_start __lintel_data_end
    __lintel_bss_start __lintel_bss_end
    __lintel_monitor_text_start __lintel_monitor_text_end
    __lintel_monitor_data_start __lintel_monitor_data_end
    lintel_boot_root
    lintel_kernel_guard lintel_kernel_stack_top
    lintel_irq_guard lintel_irq_stack_top
    lintel_fault_guard lintel_fault_stack_top
}

/// The address of a linker symbol.
fn at(symbol: &'static u8) -> usize {
    core::ptr::from_ref(symbol) as usize
}

fn range(start: &'static u8, end: &'static u8) -> Range<usize> {
    at(start)..at(end)
}

fn stack(guard: &'static u8, top: &'static u8) -> Stack {
    Stack {
        guard: at(guard),
        top: at(top),
    }
}

fn image() -> Image {
    Image {
        header: at(&__ehdr_start),
        end: at(&_end),
        root: at(&lintel_boot_root),
        text: range(&__lintel_text_start, &__lintel_text_end),
        own: [
            range(&__lintel_data_start, &__lintel_data_end),
            range(&__lintel_bss_start, &__lintel_bss_end),
        ],
        monitor: [
            range(&__lintel_monitor_text_start, &__lintel_monitor_text_end),
            range(&__lintel_monitor_data_start, &__lintel_monitor_data_end),
        ],
        stacks: [
            stack(&lintel_kernel_guard, &lintel_kernel_stack_top),
            stack(&lintel_irq_guard, &lintel_irq_stack_top),
            stack(&lintel_fault_guard, &lintel_fault_stack_top),
        ],
    }
}

/// Reads what the loader left.
///
/// # Safety
/// Called once, at boot, with the entry code's record; the first GiB is mapped onto itself.
pub unsafe fn info(record: &Record) -> BootInfo {
    let mut info = BootInfo {
        memory: heapless::Vec::new(),
        command_line: b"",
        initrd: None,
        protocol: 0..0,
        entry_tsc: record.tsc,
        image: image(),
    };
    // SAFETY: the record says which protocol's structure is there.
    unsafe {
        match record.protocol {
            0 => pvh::read(record.info as usize, &mut info),
            _ => multiboot::read(record.info as usize, &mut info),
        }
    }
    info
}

/// The length of a C string at `address`, looking no further than `most` bytes.
///
/// # Safety
/// Mapped memory up to the NUL or for `most` bytes, that nobody writes.
unsafe fn c_string(address: usize, most: usize) -> &'static [u8] {
    // SAFETY: the caller's promise.
    let at = |i: usize| unsafe { ((address + i) as *const u8).read() };
    let len = (0..most).take_while(|&i| at(i) != 0).count();
    // SAFETY: the bytes were just read.
    unsafe { core::slice::from_raw_parts(address as *const u8, len) }
}
