//! PVH: Xen's `hvm_start_info`, as QEMU, Firecracker and Cloud Hypervisor fill it
//! (xen/include/public/arch-x86/hvm/start_info.h).

use unikernel::boot::BootInfo;

/// `hvm_start_info`, version 1.
#[repr(C)]
#[derive(Clone, Copy)]
struct StartInfo {
    magic: u32,
    version: u32,
    flags: u32,
    module_count: u32,
    modules: u64,
    command_line: u64,
    rsdp: u64,
    memory_map: u64,
    memory_map_entries: u32,
    _reserved: u32,
}

/// `hvm_modlist_entry`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Module {
    address: u64,
    size: u64,
    command_line: u64,
    _reserved: u64,
}

/// `hvm_memmap_table_entry`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Memory {
    address: u64,
    size: u64,
    kind: u32,
    _reserved: u32,
}

/// E820 type of usable RAM.
const RAM: u32 = 1;

/// # Safety
/// A start info structure is at `address`, and all it points to is mapped.
pub(super) unsafe fn read(address: usize, into: &mut BootInfo) {
    // SAFETY: the caller's promise; the loader aligned nothing, hence the unaligned reads.
    unsafe {
        let start = (address as *const StartInfo).read_unaligned();
        for i in 0..start.memory_map_entries as usize {
            let entry = (start.memory_map as *const Memory).add(i).read_unaligned();
            if entry.kind == RAM && entry.size != 0 {
                let region = entry.address as usize..(entry.address + entry.size) as usize;
                // A map with more entries than any PC has loses the last ones, not the boot.
                let _ = into.memory.push(region);
            }
        }
        if start.command_line != 0 {
            into.command_line = super::c_string(
                start.command_line as usize,
                unikernel::options::MAX_LINE + 1,
            );
        }
        if start.module_count != 0 {
            let module = (start.modules as *const Module).read_unaligned();
            let begin = module.address as usize;
            into.initrd = Some(begin..begin + module.size as usize);
        }
    }
    // QEMU puts all of it below 1 MiB, which is never handed out.
    into.protocol = 0..0;
}
