//! The lines of `fdinfo` that only some files have: locks, and the watches of an inotify(7)
//! descriptor.

use crate::fs::event::Event;
use crate::fs::file::Description;
use crate::fs::inode::Kind;
use crate::fs::lock::Mode;
use crate::fs::notify::instance::Shown;
use crate::fs::proc::Text;
use crate::process::PID;

/// Writes them.
pub fn lines(file: &Description, into: &mut Text) {
    let inode = file.inode();
    if let Some(extras) = inode.extras() {
        let mut number = 0;
        extras.locks.of_description(file.identity(), |mode, span| {
            number += 1;
            into.str("lock:\t").dec(number).str(": ");
            // A lock of a description belongs to no process.
            let (kind, owner) = match span {
                None => ("FLOCK ", PID),
                Some(_) => ("OFDLCK", -1),
            };
            into.str(kind).str(" ADVISORY  ");
            let mode = match mode {
                Mode::Shared => "READ ",
                Mode::Exclusive => "WRITE ",
            };
            into.str(mode).int(owner.into()).str(" 00:");
            into.hex(inode.sb.device.into(), 2).str(":").dec(inode.ino);
            let (first, length) = span.map_or((0, 0), |span| (span.first(), span.length()));
            into.str(" ").dec(first).str(" ");
            match length {
                0 => into.str("EOF"),
                length => into.dec(first + length - 1),
            };
            into.line();
        });
    }
    match &inode.kind {
        Kind::Inotify(inotify) => inotify.show(|watch| show_watch(&watch, into)),
        Kind::Event(Event::Counter(counter)) => {
            let (value, semaphore) = counter.shown();
            into.str("eventfd-count: ").hex(value, 16).line();
            into.str("eventfd-semaphore: ").dec(semaphore.into()).line();
        }
        _ => {}
    }
}

fn show_watch(watch: &Shown, into: &mut Text) {
    let fields = [
        ("inotify wd:", watch.number as u64),
        (" ino:", watch.inode),
        (" sdev:", watch.device.into()),
        (" mask:", watch.mask.into()),
    ];
    for (label, value) in fields {
        into.str(label).hex(value, 0);
    }
    // There are no handles of files, which would follow.
    into.str(" ignored_mask:0 ").line();
}
