//! The virtio console: a buffer an exit, where the serial line takes a byte an exit.
//!
//! Transport and queues are the crate `virtio-drivers`' (virtio 1.2, 4.2 and 5.3; legacy and modern
//! MMIO). The device is named on the kernel command line, because probing costs exits, and set up at
//! its first use, because that costs more: a program that prints nothing pays nothing.

mod port;
mod transport;

use crate::pic;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU8, AtomicUsize, Ordering::Relaxed};
use port::Port;
use transport::Lean;
use unikernel::mm::frames::FRAMES;
use unikernel::mm::paging::{self, Access};
use unikernel::mm::{PAGE, page_down, space};
use unikernel::process::refuse;
use unikernel::sync::SpinLock;
use virtio_drivers::transport::mmio::VirtIOHeader;
use virtio_drivers::{BufferDirection, Hal, PhysAddr};

/// Size of a transport's registers on microvm.
const REGISTERS: usize = 512;

/// Address of the transport; 0: no device was named.
static ADDRESS: AtomicUsize = AtomicUsize::new(0);
/// Its interrupt line at the PIC; `NO_LINE`: none.
static LINE: AtomicU8 = AtomicU8::new(NO_LINE);
static DEVICE: SpinLock<Option<Port>> = SpinLock::new(None);

const NO_LINE: u8 = 0xff;

/// Memory as the driver sees it: physical and virtual addresses are the same.
struct Memory;

// SAFETY: DMA memory is whole frames of the identity map, cleared, and the driver's alone until it
// gives them back; `share` names the physical address of a buffer, which callers of `send`
// pass as such; MMIO is mapped by `start` before the transport is made.
unsafe impl Hal for Memory {
    fn dma_alloc(pages: usize, _: BufferDirection) -> (PhysAddr, NonNull<u8>) {
        let Some(address) = FRAMES.lock().alloc(pages) else {
            refuse(
                "not enough memory for the console's queues; give the VM more (cargo lintel run --mem \
                    MIB, qemu -m MIB)",
            )
        };
        let pointer = NonNull::new(address as *mut u8).unwrap_or(NonNull::dangling());
        // SAFETY: the frames were just taken and are mapped writable.
        unsafe { pointer.as_ptr().write_bytes(0, pages * PAGE) };
        (address as PhysAddr, pointer)
    }

    unsafe fn dma_dealloc(address: PhysAddr, _: NonNull<u8>, pages: usize) -> i32 {
        FRAMES.lock().free(address as usize, pages);
        0
    }

    unsafe fn mmio_phys_to_virt(address: PhysAddr, _: usize) -> NonNull<u8> {
        NonNull::new(address as *mut u8).unwrap_or(NonNull::dangling())
    }

    unsafe fn share(buffer: NonNull<[u8]>, _: BufferDirection) -> PhysAddr {
        buffer.cast::<u8>().as_ptr() as PhysAddr
    }

    unsafe fn unshare(_: PhysAddr, _: NonNull<[u8]>, _: BufferDirection) {}
}

/// Names the device: the address of its transport and its interrupt line (0 to 15).
pub fn attach(address: usize, line: u8) {
    ADDRESS.store(address, Relaxed);
    LINE.store(line, Relaxed);
}

/// Whether a device was named.
pub fn attached() -> bool {
    ADDRESS.load(Relaxed) != 0
}

/// The device's interrupt line, when there is one.
pub fn line() -> Option<u8> {
    Some(LINE.load(Relaxed)).filter(|&line| line != NO_LINE)
}

fn start(address: usize) -> Result<Port, &'static str> {
    let page = page_down(address);
    paging::map_identity(page..page + PAGE, Access::DATA).map_err(|_| "no memory to map it")?;
    let header = NonNull::new(address as *mut VirtIOHeader).ok_or("its address is 0")?;
    // SAFETY: the command line names the registers of a virtio transport here, and the page that
    // holds them has just been mapped for good. Reads of anything else fail the driver's checks.
    let transport = unsafe { Lean::new(header, REGISTERS) };
    let transport = transport.map_err(|_| "there is no virtio device at that address")?;
    Port::open(transport)
}

/// Runs `body` with the device, set up if it is not yet; `None` when it is busy (a crash while it
/// was being used).
fn with_device<R>(body: impl FnOnce(&mut Port) -> R) -> Option<R> {
    let mut device = DEVICE.try_lock()?;
    if device.is_none() {
        match start(ADDRESS.load(Relaxed)) {
            Ok(port) => *device = Some(port),
            // The line goes elsewhere: the device counts as busy.
            Err(why) => refuse(format_args!(
                "lintel.console: {why}; name a virtio console, or leave the option out for the \
                 serial line"
            )),
        }
    }
    device.as_mut().map(body)
}

/// Writes memory, the application's or the library's, to the console; returns the bytes written,
/// short where the memory is not mapped. `None` when the device is busy.
pub fn write(start: usize, len: usize) -> Option<usize> {
    with_device(|port| {
        space::each_run(start, len, |address, len| {
            // SAFETY: `each_run` yields mapped RAM by physical address, which is an address of the
            // identity map. Only the device reads it, and `send` waits until it has.
            let bytes = unsafe { core::slice::from_raw_parts(address as *const u8, len) };
            port.send(bytes)
        })
    })
}

/// Takes received bytes.
pub fn read(buffer: &mut [u8]) -> usize {
    with_device(|port| port.receive(buffer)).unwrap_or(0)
}

/// Acknowledges an interrupt of the device, before it is read, so that later input raises another.
pub fn acknowledge() {
    // A failure would mean a broken queue, which the next read reports by having nothing.
    let _ = with_device(Port::acknowledge);
}

/// Opens or closes the device's interrupt.
pub fn interrupt(on: bool) {
    if let Some(line) = line() {
        with_device(Port::offer);
        pic::enable(line, on);
    }
}
