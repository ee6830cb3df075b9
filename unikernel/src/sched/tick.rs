//! The tick, and turns.
//!
//! 100 times a second an interrupt looks whether the turn of the running thread is over. That costs
//! an exit each, so it is on only while somebody waits for the CPU. Who is woken often waits for an
//! instant only; so the tick, once on, stays on until it has found nobody waiting several times.

use super::thread::Thread;
use super::{current, run, sleep};
use crate::platform::platform;
use core::sync::atomic::{AtomicBool, AtomicU8, Ordering::Relaxed};

/// Ticks that find nobody waiting before it is turned off.
const LONELY: u8 = 3;

static ON: AtomicBool = AtomicBool::new(false);
/// It was asked for by `lintel.tick=1` and stays on.
static ALWAYS: AtomicBool = AtomicBool::new(false);
static LONELY_TICKS: AtomicU8 = AtomicU8::new(0);

/// Whether the timer ticks.
#[inline(always)]
pub fn is_on() -> bool {
    ON.load(Relaxed)
}

/// Turns it on for good.
pub fn start() {
    ALWAYS.store(true, Relaxed);
    turn_on();
}

#[cold]
#[inline(never)]
fn turn_on() {
    ON.store(true, Relaxed);
    LONELY_TICKS.store(0, Relaxed);
    platform().set_tick(true);
}

/// Somebody waits for the CPU while another has it. The flag is closed.
#[inline(always)]
pub fn need() {
    if !is_on() {
        turn_on();
    }
}

fn turn_off() {
    ON.store(false, Relaxed);
    platform().set_tick(false);
    sleep::tick_ended();
}

/// Nobody is ready, and a sleeper needs the timer.
pub fn end_for_sleep() {
    if is_on() && !ALWAYS.load(Relaxed) && platform().shares_timer() {
        ON.store(false, Relaxed);
        sleep::tick_ended();
    }
}

/// It ticked.
pub fn on_tick() {
    if !is_on() {
        return;
    }
    if run::is_alone() {
        let lonely = LONELY_TICKS.load(Relaxed) + 1;
        LONELY_TICKS.store(lonely, Relaxed);
        if lonely >= LONELY && !ALWAYS.load(Relaxed) {
            turn_off();
        }
        return;
    }
    LONELY_TICKS.store(0, Relaxed);
    let running = current();
    match running.slice.load(Relaxed) {
        0 => {}
        1 => run::request(),
        left => running.slice.store(left - 1, Relaxed),
    }
}

/// `thread` gets the CPU.
#[inline(always)]
pub fn begin_turn(thread: &Thread) {
    thread.slice.store(thread.turn.load(Relaxed), Relaxed);
}
