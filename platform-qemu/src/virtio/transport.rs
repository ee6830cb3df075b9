//! The MMIO transport of `virtio-drivers`, without the register accesses that can tell it nothing:
//! each one is an exit.
//!
//! A device of our own machine, which nobody has used before, is set up once, by this driver. On a
//! *legacy* transport (version 1) what is left out is left out by the standard, too; a modern one
//! is passed through but for what a reset has just made true.

use core::ptr::NonNull;
use virtio_drivers::transport::mmio::{MmioError, MmioTransport, MmioVersion, VirtIOHeader};
use virtio_drivers::transport::{DeviceStatus, DeviceType, InterruptStatus, Transport};
use virtio_drivers::{PhysAddr, Result};
use volatile::VolatilePtr;
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Registers (virtio 1.2, 4.2.4).
mod register {
    pub const DEVICE_FEATURES: usize = 0x10;
    pub const DEVICE_FEATURES_SEL: usize = 0x14;
    pub const DRIVER_FEATURES: usize = 0x20;
    pub const DRIVER_FEATURES_SEL: usize = 0x24;
}

/// The transport of one device.
pub struct Lean {
    inner: MmioTransport<'static>,
    registers: NonNull<u8>,
}

// SAFETY: the registers are the device's for good, and the transport is used behind a lock.
unsafe impl Send for Lean {}

impl Lean {
    /// # Safety
    /// `header` points to the mapped registers of a virtio transport, `size` bytes, for good.
    pub unsafe fn new(
        header: NonNull<VirtIOHeader>,
        size: usize,
    ) -> core::result::Result<Self, MmioError> {
        // SAFETY: the caller's promise.
        let inner = unsafe { MmioTransport::new(header, size) }?;
        let registers = header.cast();
        Ok(Self { inner, registers })
    }

    fn legacy(&self) -> bool {
        self.inner.version() == MmioVersion::Legacy
    }

    fn register(&mut self, offset: usize) -> VolatilePtr<'_, u32> {
        // SAFETY: `new` was promised the registers; all offsets here are of aligned words in them.
        unsafe { VolatilePtr::new(self.registers.byte_add(offset).cast()) }
    }
}

impl Transport for Lean {
    /// A legacy device has 32 feature bits (virtio 1.2, 4.2.4).
    fn read_device_features(&mut self) -> u64 {
        if !self.legacy() {
            return self.inner.read_device_features();
        }
        self.register(register::DEVICE_FEATURES_SEL).write(0);
        self.register(register::DEVICE_FEATURES).read().into()
    }

    fn write_driver_features(&mut self, features: u64) {
        if !self.legacy() {
            return self.inner.write_driver_features(features);
        }
        self.register(register::DRIVER_FEATURES_SEL).write(0);
        self.register(register::DRIVER_FEATURES)
            .write(features as u32);
    }

    /// A legacy device knows no FEATURES_OK (virtio 1.2, 3.1.2).
    fn set_status(&mut self, status: DeviceStatus) {
        let news = DeviceStatus::DRIVER_OK | DeviceStatus::FAILED;
        match self.legacy() && status.contains(DeviceStatus::FEATURES_OK) {
            true if !status.intersects(news) => {}
            true => self.inner.set_status(status - DeviceStatus::FEATURES_OK),
            false => self.inner.set_status(status),
        }
    }

    /// Queues are set up once, after the reset.
    fn queue_used(&mut self, _: u16) -> bool {
        false
    }

    /// Not asked: that the port is there, which has the queues of at least the size that is used,
    /// is what the handshake on the control queues shows.
    fn max_queue_size(&mut self, _: u16) -> u32 {
        super::port::ENTRIES as u32
    }

    fn device_type(&self) -> DeviceType {
        self.inner.device_type()
    }

    fn notify(&mut self, queue: u16) {
        self.inner.notify(queue);
    }

    fn get_status(&self) -> DeviceStatus {
        self.inner.get_status()
    }

    fn set_guest_page_size(&mut self, size: u32) {
        self.inner.set_guest_page_size(size);
    }

    fn requires_legacy_layout(&self) -> bool {
        self.inner.requires_legacy_layout()
    }

    fn queue_set(
        &mut self,
        queue: u16,
        size: u32,
        descriptors: PhysAddr,
        driver: PhysAddr,
        device: PhysAddr,
    ) {
        self.inner
            .queue_set(queue, size, descriptors, driver, device);
    }

    fn queue_unset(&mut self, queue: u16) {
        self.inner.queue_unset(queue);
    }

    fn ack_interrupt(&mut self) -> InterruptStatus {
        self.inner.ack_interrupt()
    }

    fn read_config_generation(&self) -> u32 {
        self.inner.read_config_generation()
    }

    fn read_config_space<T: FromBytes + IntoBytes>(&self, offset: usize) -> Result<T> {
        self.inner.read_config_space(offset)
    }

    fn write_config_space<T: IntoBytes + Immutable>(
        &mut self,
        offset: usize,
        value: T,
    ) -> Result<()> {
        self.inner.write_config_space(offset, value)
    }
}
