//! FIFOs: who waits for whom, and what is left when all have gone.

use super::*;
use linux_raw_sys::general::{
    O_RDONLY, O_RDWR, O_WRONLY, POLLHUP, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM,
};

#[test]
fn opening_both_ways_never_waits() {
    let fifo = Fifo::new();
    let both = fifo.open(O_RDWR).unwrap();
    assert_eq!(write(&both, b"self"), Ok(4));
    assert_eq!(both.events(), POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM);
    assert_eq!(read(&both, 9).unwrap(), b"self");
    assert_eq!(read(&both, 9), Err(Errno::EAGAIN));
    assert_eq!(fifo.open(3).err(), Some(Errno::EINVAL));
}

#[test]
fn content_lives_as_long_as_somebody_has_it_open() {
    let fifo = Fifo::new();
    let keeper = fifo.open(O_RDWR).unwrap();
    let writer = fifo.open(O_WRONLY).unwrap();
    assert!(writer.is_same_pipe(&keeper));
    assert_eq!(write(&writer, b"kept"), Ok(4));
    assert_eq!(writer.pipe().set_size(4096, false), Ok(4096));
    drop(writer);
    let reader = fifo.open(O_RDONLY).unwrap();
    assert_eq!(read(&reader, 1).unwrap(), b"k");
    drop((keeper, reader));
    let anew = fifo.open(O_RDWR).unwrap();
    assert_eq!((anew.pipe().unread(), anew.pipe().size()), (0, 65536));
}

#[test]
fn without_waiting_a_reader_may_come_first_but_no_writer() {
    let fifo = Fifo::new();
    assert_eq!(fifo.open(O_WRONLY | O_NONBLOCK).err(), Some(Errno::ENXIO));
    let reader = fifo.open(O_RDONLY | O_NONBLOCK).unwrap();
    // Nobody has hung up: nobody was there.
    assert_eq!((reader.events(), read(&reader, 1)), (0, Ok(vec![])));
    let writer = fifo.open(O_WRONLY | O_NONBLOCK).unwrap();
    assert_eq!(read(&reader, 1), Err(Errno::EAGAIN));
    drop(writer);
    assert_eq!((reader.events(), read(&reader, 1)), (POLLHUP, Ok(vec![])));
    // Who opens it now has seen no writer either.
    let late = fifo.open(O_RDONLY | O_NONBLOCK).unwrap();
    assert_eq!((late.events(), reader.events()), (0, POLLHUP));
}

#[test]
fn the_first_of_two_waits_for_the_second() {
    for (first, second) in [(O_RDONLY, O_WRONLY), (O_WRONLY, O_RDONLY)] {
        let fifo = Fifo::new();
        // Shows when the thread waits, and counts as nobody.
        let pipe = fifo.pipe().unwrap();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| fifo.open(first).unwrap());
            while !pipe.readable.has_waiters() {
                std::thread::yield_now();
            }
            // It counts already: this does not wait, and closing again wakes it all the same.
            drop(fifo.open(second | O_NONBLOCK).unwrap());
            let end = waiting.join().unwrap();
            let state = end.pipe().lock();
            assert_eq!(state.readers + state.writers, 1);
        });
    }
}
