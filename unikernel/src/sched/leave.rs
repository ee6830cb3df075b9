//! How a thread ends.

use super::thread::State;
use super::{counts, current, run, stack, table};
use crate::cpu::soft_disable;
use crate::process;
use crate::signal;
use crate::sys::futex;
use crate::uaccess::UserPtr;
use core::sync::atomic::Ordering::Relaxed;

/// Ends the running thread, and with the last one the process. The locks it holds are given up,
/// and the word that it was to clear is cleared (set_tid_address(2)).
pub fn leave(code: u8) -> ! {
    let me = current();
    futex::leave_robust_list(me);
    if is_last() {
        process::exit(code);
    }
    let word = me.clear_tid.swap(0, Relaxed);
    if word != 0 && UserPtr::<i32>::new(word).write(&0).is_ok() {
        futex::wake_all_of(word, 1);
    }
    signal::ended();
    soft_disable();
    me.set_state(State::Dead);
    if !me.is_main() {
        counts::keep(me);
        table::remove(me);
        stack::give_back(me);
    }
    run::run_next(me);
    unreachable!("a thread that has ended runs")
}

/// Whether no other thread lives.
fn is_last() -> bool {
    let main_lives = super::MAIN.state() != State::Dead;
    match current().is_main() {
        true => table::others() == 0,
        false => table::others() == 1 && !main_lives,
    }
}
