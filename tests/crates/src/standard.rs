//! The standard library: spawning, scopes, channels, condition variables, barriers, panics,
//! destructors of thread-local values.

use std::cell::RefCell;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Barrier, Condvar, Mutex, Once, RwLock, mpsc};
use std::thread;
use std::time::Duration;

/// Threads that work together.
///
/// # Errors
/// When a thread cannot be made.
pub fn threads() -> io::Result<()> {
    spawned()?;
    scoped();
    channels();
    conditions();
    barriers();
    parking();
    Ok(())
}

fn spawned() -> io::Result<()> {
    let handles = (0..100_u64)
        .map(|number| {
            let name = format!("worker-{number}");
            thread::Builder::new().name(name).spawn(move || {
                let name = thread::current().name().map(str::to_owned);
                (name, (0..=number).sum::<u64>())
            })
        })
        .collect::<io::Result<Vec<_>>>()?;
    let results: Vec<_> = handles.into_iter().filter_map(|h| h.join().ok()).collect();
    let named = results
        .iter()
        .enumerate()
        .filter(|(number, result)| result.0.as_deref() == Some(&format!("worker-{number}")));
    let sum: u64 = results.iter().map(|result| result.1).sum();
    println!("spawned: {} named, sum {sum}", named.count());
    Ok(())
}

fn scoped() {
    let mut numbers: Vec<u64> = (0..10_000).collect();
    thread::scope(|scope| {
        for part in numbers.chunks_mut(1000) {
            scope.spawn(move || part.iter_mut().for_each(|number| *number *= 3));
        }
    });
    println!("scoped: sum {}", numbers.iter().sum::<u64>());
}

fn channels() {
    let (sender, receiver) = mpsc::sync_channel::<usize>(4);
    let producers: Vec<_> = (0..8)
        .map(|producer| {
            let sender = sender.clone();
            thread::spawn(move || {
                (0..500).try_for_each(|number| sender.send(producer * 500 + number))
            })
        })
        .collect();
    drop(sender);
    let mut received: Vec<usize> = receiver.iter().collect();
    received.sort_unstable();
    let sent = producers
        .into_iter()
        .all(|p| matches!(p.join(), Ok(Ok(()))));
    println!(
        "channel: all sent {sent}, all received {}",
        received.iter().copied().eq(0..4000)
    );
    let (sender, receiver) = mpsc::channel::<()>();
    let silence = receiver.recv_timeout(Duration::from_millis(5));
    println!("channel: {silence:?}");
    drop(sender);
    println!("channel: {:?}", receiver.recv());
}

fn conditions() {
    let turn = Arc::new((Mutex::new(0_usize), Condvar::new()));
    let order = Arc::new(Mutex::new(Vec::new()));
    let handles: Vec<_> = (0..10)
        .map(|number| {
            let (turn, order) = (Arc::clone(&turn), Arc::clone(&order));
            thread::spawn(move || {
                let (lock, changed) = &*turn;
                for round in 0..20 {
                    let mine = |turn: &mut usize| *turn != round * 10 + number;
                    let mut now = changed.wait_while(lock.lock().unwrap(), mine).unwrap();
                    order.lock().unwrap().push(*now);
                    *now += 1;
                    changed.notify_all();
                }
            })
        })
        .collect();
    let joined = handles.into_iter().filter_map(|h| h.join().ok()).count();
    let order = order.lock().unwrap();
    println!(
        "conditions: {joined} joined, in order {}",
        order.iter().copied().eq(0..200)
    );
    let pair = (Mutex::new(()), Condvar::new());
    let result = pair
        .1
        .wait_timeout(pair.0.lock().unwrap(), Duration::from_millis(5));
    println!("conditions: timed out {}", result.unwrap().1.timed_out());
}

fn barriers() {
    static ONCE: Once = Once::new();
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    let (barrier, leaders) = (Barrier::new(7), AtomicUsize::new(0));
    let shared = RwLock::new(0_usize);
    thread::scope(|scope| {
        for _ in 0..7 {
            scope.spawn(|| {
                for _ in 0..10 {
                    ONCE.call_once(|| {
                        RUNS.fetch_add(1, SeqCst);
                    });
                    leaders.fetch_add(usize::from(barrier.wait().is_leader()), SeqCst);
                    *shared.write().unwrap() += 1;
                    assert!(*shared.read().unwrap() <= 70);
                }
            });
        }
    });
    println!(
        "barriers: {} leaders, once {}, writes {}",
        leaders.load(SeqCst),
        RUNS.load(SeqCst),
        shared.read().unwrap()
    );
}

fn parking() {
    let steps = Arc::new(AtomicUsize::new(0));
    let sleeper = thread::spawn({
        let steps = Arc::clone(&steps);
        move || {
            while steps.load(SeqCst) == 0 {
                thread::park();
            }
            steps.fetch_add(1, SeqCst);
        }
    });
    steps.store(1, SeqCst);
    sleeper.thread().unpark();
    println!(
        "parking: {}, {} steps",
        sleeper.join().is_ok(),
        steps.load(SeqCst)
    );
}

/// A thread that panics ends alone, and poisons what it held.
///
/// # Errors
/// None.
pub fn panics() -> io::Result<()> {
    let shared = Arc::new(Mutex::new(1));
    let holder = thread::Builder::new().name("holder".into()).spawn({
        let shared = Arc::clone(&shared);
        move || {
            let _guard = shared.lock();
            panic!("with the lock held");
        }
    })?;
    let payload = holder.join().unwrap_err();
    println!("panic: {:?}", payload.downcast_ref::<&str>());
    println!("poisoned: {}", shared.lock().is_err());
    let caught = std::panic::catch_unwind(|| {
        thread::scope(|scope| {
            scope.spawn(|| panic!("in a scope"));
        });
    });
    println!("a scope passes it on: {}", caught.is_err());
    Ok(())
}

struct Counted(&'static AtomicUsize);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// Destructors of thread-local values run when their thread ends, and each thread has its own.
///
/// # Errors
/// None.
pub fn locals() -> io::Result<()> {
    static DROPPED: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static LIST: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
        static COUNTED: Counted = const { Counted(&DROPPED) };
    }
    let sums: Vec<usize> = (0..20)
        .map(|number| {
            thread::spawn(move || {
                COUNTED.with(|_| ());
                LIST.with_borrow_mut(|list| list.extend(0..number));
                thread::yield_now();
                LIST.with_borrow(|list| list.iter().sum())
            })
        })
        .map(|handle| handle.join().unwrap())
        .collect();
    println!("locals: {sums:?}");
    println!("destructors: {}", DROPPED.load(SeqCst));
    LIST.with_borrow(|list| println!("of this thread: {}", list.len()));
    Ok(())
}
