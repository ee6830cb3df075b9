//! Multiboot2, as GRUB fills it; parsed by the `multiboot2` crate.

use multiboot2::{BootInformation, BootInformationHeader, MemoryAreaType};
use unikernel::boot::BootInfo;

/// # Safety
/// A boot information structure is at `address`, mapped, and left alone until `into` is done with.
pub(super) unsafe fn read(address: usize, into: &mut BootInfo) {
    // SAFETY: the caller's promise.
    let loaded = unsafe { BootInformation::load(address as *const BootInformationHeader) };
    // An unreadable structure leaves no memory, which is reported as such.
    let Ok(info) = loaded else { return };
    into.protocol = info.start_address()..info.end_address();
    let areas = info
        .memory_map_tag()
        .into_iter()
        .flat_map(|tag| tag.memory_areas());
    for area in areas.filter(|a| a.typ() == MemoryAreaType::Available) {
        let _ = into
            .memory
            .push(area.start_address() as usize..area.end_address() as usize);
    }
    if let Some(line) = info.command_line_tag().and_then(|tag| tag.cmdline().ok()) {
        // SAFETY: the string is inside the structure, which `protocol` keeps reserved for good.
        into.command_line = unsafe { core::slice::from_raw_parts(line.as_ptr(), line.len()) };
    }
    if let Some(module) = info.module_tags().next() {
        into.initrd = Some(module.start_address() as usize..module.end_address() as usize);
    }
}
