//! What poll(2), select(2) and epoll(7) ask an open file: which events hold, and who says when that
//! changes.

use super::device::Device;
use super::event::Event;
use super::event::epoll::Epoll;
use super::file::Description;
use super::inode::Kind;
use super::pipe::End;
use crate::console;
use crate::wait::Queue;
use linux_raw_sys::general::{POLLHUP, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM};

/// There is something to read.
pub const READ: u32 = POLLIN | POLLRDNORM;
/// There is room to write.
pub const WRITE: u32 = POLLOUT | POLLWRNORM;

impl Description {
    /// Which of the `wanted` events hold. The console is asked for input only when somebody wants to
    /// know: the question may cost an exit.
    pub fn events(&self, wanted: u32) -> u32 {
        let hold = match &self.inode().kind {
            Kind::Fifo(_) => self.end().map_or(0, End::events),
            Kind::Device(device) if device.is_console() => {
                let input = match self.is_readable() {
                    // The other end of the pipe that it stands for has been closed.
                    true if console::has_ended() => POLLHUP,
                    true if wanted & READ != 0 && console::read_ready() => READ,
                    _ => 0,
                };
                input | if self.is_writable() { WRITE } else { 0 }
            }
            Kind::Inotify(inotify) if inotify.is_readable() => READ,
            Kind::Inotify(_) => 0,
            Kind::Event(event) => event.events(),
            Kind::Endpoint(endpoint) => endpoint.socket().events(),
            Kind::Device(Device::Random) => READ,
            _ => READ | WRITE,
        };
        wanted & hold
    }

    /// The queues that are woken when events may have changed: the same for as long as it is open.
    /// None for what is always ready.
    pub fn queues(&self) -> [Option<&Queue>; 2] {
        match &self.inode().kind {
            Kind::Fifo(_) => self.end().map_or([None, None], End::queues),
            Kind::Device(device) if device.is_console() => [Some(&console::ARRIVED), None],
            Kind::Inotify(inotify) => [Some(inotify.arrivals()), None],
            Kind::Event(event) => event.queues(),
            Kind::Endpoint(endpoint) => endpoint.socket().queues(),
            _ => [None, None],
        }
    }

    /// Whether epoll(7) takes it (`EPERM`): files and directories, and devices that are always
    /// ready, cannot be waited for.
    pub fn can_be_watched(&self) -> bool {
        match &self.inode().kind {
            Kind::Device(device) => device.is_console() || *device == Device::Random,
            Kind::Fifo(_) | Kind::Inotify(_) | Kind::Event(_) | Kind::Endpoint(_) => true,
            _ => false,
        }
    }

    /// The epoll that it is, if it is one.
    pub fn epoll(&self) -> Option<&Epoll> {
        match &self.inode().kind {
            Kind::Event(Event::Epoll(epoll)) => Some(epoll),
            _ => None,
        }
    }
}
