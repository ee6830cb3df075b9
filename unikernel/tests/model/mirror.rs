//! A second host beside the first: a thread with a working directory, a umask and an identity of
//! its own. The host compared with this one shows that the test itself makes no difference.

use super::world::host;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;

type Ask = (u32, [usize; 6]);

/// The ends of the two channels to the thread.
struct Line(Sender<Ask>, Receiver<isize>);

impl Line {
    fn open() -> Self {
        let (ask, asked) = channel::<Ask>();
        let (answer, answered) = channel();
        thread::spawn(move || {
            // SAFETY: changes nothing that memory safety depends on.
            assert_eq!(unsafe { libc::unshare(libc::CLONE_FS) }, 0, "unshare");
            while let Ok((number, args)) = asked.recv() {
                let _ = answer.send(host(number, args));
            }
        });
        Self(ask, answered)
    }
}

/// The host, by way of the thread.
pub fn mirror(number: u32, args: [usize; 6]) -> isize {
    static LINE: OnceLock<Mutex<Line>> = OnceLock::new();
    let line = LINE.get_or_init(|| Mutex::new(Line::open()));
    let line = line.lock().unwrap_or_else(PoisonError::into_inner);
    line.0.send((number, args)).expect("the thread lives");
    line.1.recv().expect("the thread answers")
}

/// The same, with a defect: renameat2(2) replaces where it must not.
pub fn cracked_mirror(number: u32, mut args: [usize; 6]) -> isize {
    if i64::from(number) == libc::SYS_renameat2 && args[4] == libc::RENAME_NOREPLACE as usize {
        args[4] = 0;
    }
    mirror(number, args)
}
