//! The machine's side: who has the CPU, how it is handed over, and halting it when nobody wants it.

use super::policy::Policy;
use super::queue::RunQueue;
use super::thread::{State, Thread};
use super::{MAIN, fpu, sleep, tick};
use crate::cpu::{CPU, soft_disable, soft_restore, without_interrupts, work};
use crate::shim::on_kernel_stack;
use crate::sync::Exclusive;
use crate::{events, profile, time};
use core::arch::{asm, global_asm};
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering::Relaxed};

static CURRENT: AtomicPtr<Thread> = AtomicPtr::new(core::ptr::from_ref(&MAIN).cast_mut());

/// Who is ready to run. Taken with the soft interrupt flag closed.
static READY: Exclusive<RunQueue> = Exclusive::new(RunQueue::new());

/// How many they are, for who must not take it.
static WAITING: AtomicUsize = AtomicUsize::new(0);

/// An interrupt is being handled.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

// Gives the CPU to a thread that gave it up here, or was made to look as if it had (`birth`).
// Between the two halves of it everything else runs; the compiler knows that a call may change all
// but the registers that the C ABI keeps, and those are on the stack.
global_asm!(
    ".pushsection .text.lintel_switch,\"ax\",@progbits",
    ".globl lintel_switch",
    ".hidden lintel_switch",
    ".balign 16",
    "lintel_switch:",
    "    push rbx",
    "    push rbp",
    "    push r12",
    "    push r13",
    "    push r14",
    "    push r15",
    "    mov [rdi], rsp",
    "    mov rsp, rsi",
    "    pop r15",
    "    pop r14",
    "    pop r13",
    "    pop r12",
    "    pop rbp",
    "    pop rbx",
    "    ret",
    ".popsection",
);

#[cfg(not(test))]
unsafe extern "C" {
    fn lintel_switch(save: *mut usize, sp: usize);
}

/// Never called: unit tests run on threads of the host.
#[cfg(test)]
unsafe extern "C" fn lintel_switch(_save: *mut usize, _sp: usize) {}

/// The thread that runs.
#[inline(always)]
pub fn current() -> &'static Thread {
    // SAFETY: the pointer is always to a thread, and threads live for ever.
    unsafe { &*CURRENT.load(Relaxed) }
}

/// Whether no other thread is ready to run.
#[inline(always)]
pub fn is_alone() -> bool {
    WAITING.load(Relaxed) == 0
}

#[inline(always)]
fn push(thread: &'static Thread, front: bool) {
    READY.lock().push(thread, front);
    WAITING.store(WAITING.load(Relaxed) + 1, Relaxed);
}

#[inline(always)]
fn pop() -> Option<&'static Thread> {
    let next = READY.lock().pop()?;
    WAITING.store(WAITING.load(Relaxed) - 1, Relaxed);
    Some(next)
}

/// Sleeps until woken or until CLOCK_MONOTONIC reaches `deadline` (ns). Returns whether the thread
/// was woken; it may also return without any reason. The caller holds no lock.
pub fn block(deadline: Option<u64>) -> bool {
    let me = current();
    let was = soft_disable();
    let mut woken = me.take_woken();
    if !woken && deadline.is_none_or(|deadline| sleep::enter(me, deadline)) {
        me.set_state(State::Blocked);
        if !is_alone() {
            sleep::arm();
        }
        run_next(me);
        if deadline.is_some() {
            sleep::leave(me);
        }
        woken = me.take_woken();
    }
    soft_restore(was);
    woken
}

/// Ends the sleep of `thread`, or the next one if it does not sleep. From interrupts, too.
#[inline(never)]
pub fn wake(thread: &'static Thread) {
    without_interrupts(|| {
        thread.set_woken();
        if thread.is_in(State::Blocked) {
            make_ready(thread);
        }
    });
}

/// As [`wake`], for short cuts: `false`, and nothing done, where it takes more than a few words, or
/// the caller would have to give up the CPU.
#[inline(always)]
pub fn wake_quickly(thread: &'static Thread) -> bool {
    let was = soft_disable();
    let quick =
        was && tick::is_on() && thread.is_in(State::Blocked) && thread.level() >= current().level();
    if quick {
        thread.set_woken();
        thread.set_state(State::Ready);
        push(thread, false);
    }
    if was {
        soft_open();
    }
    quick
}

/// Opens the soft interrupt flag on the caller's stack.
#[inline(always)]
fn soft_open() {
    core::sync::atomic::compiler_fence(core::sync::atomic::Ordering::SeqCst);
    CPU.soft_if.store(1, Relaxed);
    if CPU.pending.load(Relaxed) != 0 {
        lintel_fast_cold_pending();
    }
}

#[cold]
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn lintel_fast_cold_pending() {
    extern "C" fn run() {
        crate::irq::deliver_pending();
    }
    on_kernel_stack(run);
}

/// Puts a thread that does not run into the run queue. Who was woken by an interrupt does not wait
/// for its turn: it has slept. The flag is closed.
#[inline(always)]
pub(super) fn make_ready(thread: &'static Thread) {
    thread.set_state(State::Ready);
    let at_once = INTERRUPTED.load(Relaxed);
    push(thread, at_once);
    let running = current();
    if !running.is_in(State::Running) {
        return;
    }
    if thread.level() < running.level() || at_once && thread.level() == running.level() {
        request();
    }
    tick::need();
}

/// Asks for the CPU to be given away before the application goes on.
pub(super) fn request() {
    current().add_work(work::RESCHEDULE);
}

/// Marks that interrupts are being handled meanwhile; the result is for [`handled`].
#[inline(always)]
pub fn handling() -> bool {
    INTERRUPTED.swap(true, Relaxed)
}

/// Ends what [`handling`] began.
#[inline(always)]
pub fn handled(before: bool) {
    INTERRUPTED.store(before, Relaxed);
}

/// Gives the CPU to others of the same or a higher priority, if there are any.
pub fn yield_now() {
    without_interrupts(|| {
        let me = current();
        me.end_work(work::RESCHEDULE);
        let Some(best) = READY.lock().best().filter(|&best| best <= me.level()) else {
            return;
        };
        me.set_state(State::Ready);
        // Who is preempted by a higher priority goes on with its turn.
        push(me, best < me.level());
        run_next(me);
    });
}

/// Takes a thread that is ready out of the queue, does something to it and puts it back behind the
/// others of its level.
fn requeue(thread: &'static Thread, change: impl FnOnce()) {
    without_interrupts(|| {
        let ready = thread.is_in(State::Ready);
        let mut queue = READY.lock();
        if ready {
            queue.remove(thread);
        }
        change();
        if ready {
            queue.push(thread, false);
        }
        drop(queue);
        let best = READY.lock().best();
        if best.is_some_and(|best| best < current().level()) {
            request();
        }
    });
}

/// Changes how `thread` is scheduled.
pub fn set_policy(thread: &'static Thread, policy: Policy) {
    requeue(thread, || thread.set_policy(policy));
}

/// Lends `thread` a level, if that is better than its own; `None` takes back what was lent. Returns
/// whether that changed anything.
pub fn lend_level(thread: &'static Thread, level: Option<u8>) -> bool {
    let own = thread.policy().level();
    let level = level.map_or(own, |level| level.min(own));
    let changes = level != thread.level();
    if changes {
        requeue(thread, || thread.set_level(level));
    }
    changes
}

/// Runs others until `me`, which does not run any more, is to run again. The flag is closed.
#[inline(always)]
pub(super) fn run_next(me: &'static Thread) {
    let (waits, mut rested) = (!me.is_in(State::Ready), false);
    loop {
        let Some(next) = pop() else {
            rested = true;
            idle();
            continue;
        };
        if rested || !next.is(me) {
            me.counters.switched(waits);
        }
        next.set_state(State::Running);
        tick::begin_turn(next);
        if !is_alone() {
            tick::need();
        }
        if !next.is(me) {
            switch(me, next);
        }
        return;
    }
}

/// Hands the CPU over; returns when `me` has it again.
#[inline(always)]
fn switch(me: &'static Thread, next: &'static Thread) {
    let now = time::tsc();
    me.ran.store(me.ran_until(now), Relaxed);
    next.since.store(now, Relaxed);
    profile::switched(&me.profile, &next.profile);
    events::switched((&me.events, me.tid), (&next.events, next.tid));
    switch_bases(me, next);
    me.put_work_aside(next);
    let live = fpu::save(&me.fpu);
    fpu::load(&next.fpu, live);
    CURRENT.store(core::ptr::from_ref(next).cast_mut(), Relaxed);
    CPU.kernel_stack.store(next.stack.load(Relaxed), Relaxed);
    // SAFETY: `next` does not run, so its stack pointer is one that `lintel_switch` left, or
    // `birth` made to look so. The flag is closed on both sides.
    unsafe { lintel_switch(me.sp.as_ptr(), next.sp.load(Relaxed)) };
}

/// The application's FS and GS bases; the library uses neither.
#[inline(always)]
fn switch_bases(me: &Thread, next: &Thread) {
    let (fs, gs): (usize, usize);
    let (next_fs, next_gs) = (next.fs.load(Relaxed), next.gs.load(Relaxed));
    // SAFETY: FSGSBASE is checked at boot; the bases are ones that were read before, or that
    // clone(2) checked to be canonical.
    unsafe {
        asm!("rdfsbase {}", out(reg) fs, options(nomem, nostack, preserves_flags));
        asm!("rdgsbase {}", out(reg) gs, options(nomem, nostack, preserves_flags));
        if fs != next_fs {
            asm!("wrfsbase {}", in(reg) next_fs, options(nostack, preserves_flags));
        }
        if gs != next_gs {
            asm!("wrgsbase {}", in(reg) next_gs, options(nostack, preserves_flags));
        }
    }
    me.fs.store(fs, Relaxed);
    me.gs.store(gs, Relaxed);
}

impl Thread {
    /// Time-stamp ticks on the CPU, as of `now` if it runs.
    #[inline(always)]
    fn ran_until(&self, now: u64) -> u64 {
        self.ran.load(Relaxed) + now.wrapping_sub(self.since.load(Relaxed))
    }

    /// Nanoseconds on the CPU (CLOCK_THREAD_CPUTIME_ID).
    #[inline(always)]
    pub fn cpu_ns(&self) -> u64 {
        let ticks = match self.is_in(State::Running) {
            true => self.ran_until(time::tsc()),
            false => self.ran.load(Relaxed),
        };
        time::ticks_to_ns(ticks)
    }
}

/// Halts until something happens. The flag is closed, and open meanwhile.
#[inline(never)]
fn idle() {
    soft_restore(true);
    events::write();
    profile::safe_point();
    soft_disable();
    if !is_alone() {
        return;
    }
    let since = time::tsc();
    if sleep::before_halt() {
        time::halt();
        time::slept(since);
        sleep::after_halt();
        profile::idled(since);
        // The time is nobody's, also not the time of who waits here.
        let me = current();
        let halted = time::tsc().wrapping_sub(since);
        me.since
            .store(me.since.load(Relaxed).wrapping_add(halted), Relaxed);
    }
    // What is pending is delivered by the next round.
}

/// Moves the frame of an interrupt upcall, `bytes` from `from` on, to the kernel stack of the
/// running thread, which was interrupted in application code: so that stack is unused. Returns where
/// it is now. The flag is closed.
///
/// # Safety
/// That is what was interrupted, and the upcall will return to the frame's new place.
pub unsafe fn retreat(from: usize, bytes: usize) -> usize {
    let to = CPU.kernel_stack.load(Relaxed) - bytes;
    if from != to {
        // SAFETY: the frame is on the interrupt or the exception stack, the copy on another one,
        // which is unused and larger.
        unsafe { core::ptr::copy_nonoverlapping(from as *const u8, to as *mut u8, bytes) };
    }
    to
}
