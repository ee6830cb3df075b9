//! Timers, many tasks, blocking work, signals.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio::time::{interval, sleep, timeout};

const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// Sleeps end in the order of their lengths, never early; intervals and timeouts.
pub async fn timers() {
    let start = Instant::now();
    let mut sleepers = JoinSet::new();
    for number in [40, 10, 30, 20] {
        sleepers.spawn(async move {
            sleep(ms(number)).await;
            (number, start.elapsed() >= ms(number))
        });
    }
    while let Some(result) = sleepers.join_next().await {
        println!("slept: {:?}", result.unwrap());
    }
    let mut ticks = interval(ms(3));
    let start = Instant::now();
    for _ in 0..5 {
        ticks.tick().await;
    }
    println!("interval: {}", start.elapsed() >= ms(12));
    println!(
        "timeout: {}",
        timeout(ms(5), sleep(ms(5000))).await.is_err()
    );
    println!("in time: {}", timeout(ms(5000), sleep(ms(5))).await.is_ok());
}

/// Ten thousand tasks, each of which waits several times.
pub async fn many() {
    let woken = Arc::new(AtomicUsize::new(0));
    let mut tasks = JoinSet::new();
    for number in 0..10_000_u64 {
        let woken = Arc::clone(&woken);
        tasks.spawn(async move {
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
            sleep(ms(number % 10)).await;
            woken.fetch_add(1, Relaxed);
            number
        });
    }
    let mut sum = 0;
    while let Some(result) = tasks.join_next().await {
        sum += result.unwrap();
    }
    println!("tasks: {}, sum {sum}", woken.load(Relaxed));
}

/// Work for the pool of blocking threads; a task that panics; one that is aborted.
pub async fn blocking() {
    let jobs: Vec<_> = (0..20_u64)
        .map(|number| tokio::task::spawn_blocking(move || (0..=number * 1000).sum::<u64>()))
        .collect();
    let mut sum = 0;
    for job in jobs {
        sum += job.await.unwrap();
    }
    println!("blocking: {sum}");
    let endless = tokio::spawn(std::future::pending::<()>());
    endless.abort();
    println!(
        "aborted: {}",
        endless.await.is_err_and(|error| error.is_cancelled())
    );
}

/// A signal that the program sends itself is waited for.
///
/// # Errors
/// When no handler can be installed.
pub async fn signal() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut user = signal(SignalKind::user_defined1())?;
    let interrupt = tokio::spawn(tokio::signal::ctrl_c());
    sleep(ms(10)).await;
    for number in [libc::SIGUSR1, libc::SIGINT] {
        // SAFETY: both signals have handlers now: tokio's.
        unsafe { libc::kill(libc::getpid(), number) };
    }
    println!("SIGUSR1: {:?}", user.recv().await);
    println!("ctrl_c: {:?}", interrupt.await.unwrap());
    Ok(())
}
