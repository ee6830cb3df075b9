//! parking_lot: locks on a table of parked threads.

use parking_lot::{Condvar, FairMutex, Mutex, Once, ReentrantMutex, RwLock};
use std::io;
use std::thread;
use std::time::Duration;

/// Exercises each kind.
///
/// # Errors
/// None.
pub fn run() -> io::Result<()> {
    counters();
    timeouts();
    readers();
    condition();
    Ok(())
}

fn counters() {
    let (plain, fair, reentrant) = (Mutex::new(0), FairMutex::new(0), ReentrantMutex::new(()));
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                for round in 0..2000 {
                    *plain.lock() += 1;
                    *fair.lock() += 1;
                    let _outer = reentrant.lock();
                    let _inner = reentrant.lock();
                    if round % 500 == 0 {
                        let _held = plain.lock();
                        thread::sleep(Duration::from_micros(200));
                    }
                }
            });
        }
    });
    println!("mutexes: {} {}", plain.lock(), fair.lock());
}

fn timeouts() {
    let lock = Mutex::new(());
    let held = lock.lock();
    thread::scope(|scope| {
        let waiter = scope.spawn(|| lock.try_lock_for(Duration::from_millis(5)).is_some());
        println!("while held: {}", waiter.join().unwrap());
    });
    drop(held);
    println!(
        "when free: {}",
        lock.try_lock_for(Duration::from_millis(5)).is_some()
    );
}

fn readers() {
    let shared = RwLock::new(vec![0_u32; 64]);
    let torn = thread::scope(|scope| {
        let writers = (0..2_u32).map(|_| {
            scope.spawn(|| {
                for _ in 0..500 {
                    shared.write().iter_mut().for_each(|number| *number += 1);
                }
            })
        });
        writers.for_each(drop);
        let readers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    (0..500)
                        .filter(|_| {
                            let list = shared.read();
                            list.iter().any(|&number| number != list[0])
                        })
                        .count()
                })
            })
            .collect();
        readers
            .into_iter()
            .map(|r| r.join().unwrap())
            .sum::<usize>()
    });
    let upgradable = shared.upgradable_read();
    println!("readers: torn {torn}, at the end {}", upgradable[63]);
}

fn condition() {
    static ONCE: Once = Once::new();
    let (ball, hit) = (Mutex::new(0_u32), Condvar::new());
    thread::scope(|scope| {
        for player in 0..2 {
            let (ball, hit) = (&ball, &hit);
            scope.spawn(move || {
                ONCE.call_once(|| println!("the ball is in play"));
                let mut count = ball.lock();
                while *count < 1000 {
                    if *count % 2 == player {
                        *count += 1;
                        hit.notify_one();
                    } else {
                        hit.wait_for(&mut count, Duration::from_secs(20));
                    }
                }
                hit.notify_one();
            });
        }
    });
    println!("hits: {}", ball.lock());
}
