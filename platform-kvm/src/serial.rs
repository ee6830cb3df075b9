//! The console under KVM: never polled. A status read is an exit of its own, as dear as the byte,
//! and the emulated transmitter is always ready for a reader that keeps up.

use platform_qemu::serial as qemu;
use unikernel::platform::Port;

/// Writes to a port in one monitor call, without a look at the line status register.
pub fn write(port: Port, start: usize, len: usize) -> usize {
    qemu::write(port, start, len, false)
}
