//! A port of a virtio-serial device (virtio 1.2, 5.3), with the multiport protocol.
//!
//! QEMU drops what a *console* port writes when its reader is slow; a generic port is throttled
//! instead, so that not a byte is lost. Generic ports are numbered from 1 and need the control
//! queues: the driver says that it is ready and opens the port, and is told of it.

use super::Memory;
use super::transport::Lean;
use alloc::boxed::Box;
use unikernel::mm::PAGE;
use unikernel::time::tsc;
use virtio_drivers::queue::VirtQueue;
use virtio_drivers::transport::{DeviceType, Transport};

/// The generic port that the runner connects.
const PORT: u32 = 1;
/// Queues: 0 and 1 are port 0's, 2 and 3 control, then two a port.
const CONTROL_IN: u16 = 2;
const CONTROL_OUT: u16 = 3;
const PORT_IN: u16 = 4;
const PORT_OUT: u16 = 5;
/// Descriptors of a queue; QEMU's have 32 at least.
pub(super) const ENTRIES: usize = 4;

/// Control events (virtio 1.2, 5.3.6.2).
mod event {
    pub const DEVICE_READY: u16 = 0;
    pub const PORT_ADD: u16 = 1;
    pub const PORT_READY: u16 = 3;
    pub const PORT_OPEN: u16 = 6;
}

/// Time-stamp ticks to wait for the device to name its port: about a second.
const PATIENCE: u64 = 3_000_000_000;

bitflags::bitflags! {
    /// Features that are used, if offered.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Features: u64 {
        const MULTIPORT = 1 << 1;
        const VERSION_1 = 1 << 32;
    }
}

type Queue = VirtQueue<Memory, ENTRIES>;

/// The open port.
pub struct Port {
    transport: Lean,
    incoming: Queue,
    outgoing: Queue,
    /// Where the device puts what comes in.
    buffer: Box<[u8; PAGE]>,
    /// The part of the buffer that has come and has not been taken.
    cursor: usize,
    filled: usize,
    /// The buffer is the device's.
    token: Option<u16>,
}

/// A control message: port, event, value, little-endian.
fn message(port: u32, event: u16, value: u16) -> [u8; 8] {
    let ([a, b, c, d], [e, f], [g, h]) =
        (port.to_le_bytes(), event.to_le_bytes(), value.to_le_bytes());
    [a, b, c, d, e, f, g, h]
}

impl Port {
    /// Sets the device up and opens its generic port.
    pub fn open(mut transport: Lean) -> Result<Self, &'static str> {
        const QUEUES: &str = "its queues cannot be set up";
        if transport.device_type() != DeviceType::Console {
            return Err("it is another kind of device");
        }
        let features = transport.begin_init(Features::all());
        if !features.contains(Features::MULTIPORT) {
            return Err("it has no generic ports (virtio-serial-device with a virtserialport)");
        }
        let mut queue = |index| Queue::new(&mut transport, index, false, false);
        let mut control_in = queue(CONTROL_IN).map_err(|_| QUEUES)?;
        let mut control_out = queue(CONTROL_OUT).map_err(|_| QUEUES)?;
        let incoming = queue(PORT_IN).map_err(|_| QUEUES)?;
        let outgoing = queue(PORT_OUT).map_err(|_| QUEUES)?;
        transport.finish_init();
        greet(&mut transport, &mut control_in, &mut control_out)?;
        // The device may use them as long as it lives, which is for good.
        core::mem::forget((control_in, control_out));
        Ok(Self {
            transport,
            incoming,
            outgoing,
            buffer: Box::new([0; PAGE]),
            cursor: 0,
            filled: 0,
            token: None,
        })
    }

    /// Writes `bytes`; returns when the device has taken them all.
    pub fn send(&mut self, bytes: &[u8]) -> bool {
        let sent = self
            .outgoing
            .add_notify_wait_pop(&[bytes], &mut [], &mut self.transport);
        sent.is_ok()
    }

    /// Takes what has come, at most `into.len()` bytes.
    pub fn receive(&mut self, into: &mut [u8]) -> usize {
        self.collect();
        let n = into.len().min(self.filled - self.cursor);
        into[..n].copy_from_slice(&self.buffer[self.cursor..self.cursor + n]);
        self.cursor += n;
        if self.cursor == self.filled {
            self.offer();
        }
        n
    }

    /// Lowers the interrupt line.
    pub fn acknowledge(&mut self) {
        self.transport.ack_interrupt();
    }

    /// Gives the buffer to the device, if it is empty and ours.
    pub fn offer(&mut self) {
        if self.token.is_some() || self.cursor != self.filled {
            return;
        }
        (self.cursor, self.filled) = (0, 0);
        // SAFETY: the buffer lives as long as the queue, and is not touched until it is popped.
        let added = unsafe { self.incoming.add(&[], &mut [self.buffer.as_mut_slice()]) };
        self.token = added.ok();
        if self.incoming.should_notify() {
            self.transport.notify(PORT_IN);
        }
    }

    /// Takes the buffer back, if the device has filled it.
    fn collect(&mut self) {
        let Some(token) = self.token.filter(|_| self.incoming.can_pop()) else {
            return;
        };
        // SAFETY: the same buffer was added with this token.
        let popped = unsafe {
            self.incoming
                .pop_used(token, &[], &mut [self.buffer.as_mut_slice()])
        };
        self.token = None;
        (self.cursor, self.filled) = (0, popped.map_or(0, |len| len as usize));
    }
}

/// The handshake on the control queues. Its buffers are on the heap: a stack may lie where virtual
/// addresses are not physical ones.
///
/// All three messages go with one notification, because each is an exit; the device takes them in
/// order, and names its port in answer to the first.
fn greet(
    transport: &mut Lean,
    control_in: &mut Queue,
    control_out: &mut Queue,
) -> Result<(), &'static str> {
    const BROKEN: &str = "its control queue does not work";
    let mut reply = Box::new([0; 64]);
    // SAFETY: `reply` outlives its stay in the queue: it is popped below, or the device is given up
    // together with the program.
    let token = unsafe { control_in.add(&[], &mut [&mut reply[..]]) };
    let token = token.map_err(|_| BROKEN)?;
    let messages = Box::new([
        message(u32::MAX, event::DEVICE_READY, 1),
        message(PORT, event::PORT_READY, 1),
        message(PORT, event::PORT_OPEN, 1),
    ]);
    let mut tokens = [0; 3];
    for (token, message) in tokens.iter_mut().zip(messages.iter()) {
        // SAFETY: as for `reply`.
        *token = unsafe { control_out.add(&[&message[..]], &mut []) }.map_err(|_| BROKEN)?;
    }
    transport.notify(CONTROL_OUT);
    for (token, message) in tokens.into_iter().zip(messages.iter()) {
        patiently(|| control_out.can_pop()).ok_or(BROKEN)?;
        // SAFETY: the same buffer was added with this token.
        unsafe { control_out.pop_used(token, &[&message[..]], &mut []) }.map_err(|_| BROKEN)?;
    }
    // The device finds the buffer by itself, unless it looked before there was one.
    if !control_in.can_pop() {
        transport.notify(CONTROL_IN);
    }
    patiently(|| control_in.can_pop()).ok_or("it names no port")?;
    // SAFETY: the same buffer was added with this token.
    let popped = unsafe { control_in.pop_used(token, &[], &mut [&mut reply[..]]) };
    popped.map_err(|_| BROKEN)?;
    if reply[..6] != message(PORT, event::PORT_ADD, 0)[..6] {
        return Err("its first port is not number 1");
    }
    Ok(())
}

/// Waits until `done`, but not for ever.
fn patiently(done: impl Fn() -> bool) -> Option<()> {
    let start = tsc();
    while !done() {
        if tsc() - start > PATIENCE {
            return None;
        }
        core::hint::spin_loop();
    }
    Some(())
}
