//! Channels and locks between tasks.

use std::sync::Arc;
use tokio::sync::{Barrier, Mutex, Notify, Semaphore, broadcast, mpsc, oneshot, watch};

/// Exercises each of them.
pub async fn run() {
    queue().await;
    single().await;
    many().await;
    locks().await;
}

async fn queue() {
    let (sender, mut receiver) = mpsc::channel(4);
    for producer in 0..8_u64 {
        let sender = sender.clone();
        tokio::spawn(async move {
            for number in 0..100 {
                sender.send(producer * 100 + number).await.unwrap();
            }
        });
    }
    drop(sender);
    let (mut count, mut sum) = (0, 0);
    while let Some(number) = receiver.recv().await {
        count += 1;
        sum += number;
    }
    println!("mpsc: {count}, sum {sum}");
}

async fn single() {
    let (question, asked) = oneshot::channel();
    let (answer, told) = oneshot::channel();
    tokio::spawn(async move { answer.send(asked.await.unwrap_or(0) * 2) });
    question.send(21).unwrap();
    println!("oneshot: {:?}", told.await);
    let (state, mut seen) = watch::channel(0);
    let watcher = tokio::spawn(async move { seen.wait_for(|value| *value == 3).await.map(|v| *v) });
    for value in 1..=3 {
        state.send(value).unwrap();
        tokio::task::yield_now().await;
    }
    println!("watch: {:?}", watcher.await.unwrap());
}

async fn many() {
    let (sender, _) = broadcast::channel(64);
    let listeners: Vec<_> = (0..5)
        .map(|_| {
            let mut receiver = sender.subscribe();
            tokio::spawn(async move {
                let mut sum = 0;
                while let Ok(number) = receiver.recv().await {
                    sum += number;
                }
                sum
            })
        })
        .collect();
    (1..=50).for_each(|number| {
        sender.send(number).unwrap();
    });
    drop(sender);
    for listener in listeners {
        println!("broadcast: {}", listener.await.unwrap());
    }
}

async fn locks() {
    let (total, gate) = (Arc::new(Mutex::new(0)), Arc::new(Semaphore::new(3)));
    let (barrier, done) = (Arc::new(Barrier::new(10)), Arc::new(Notify::new()));
    for _ in 0..10 {
        let (total, gate) = (Arc::clone(&total), Arc::clone(&gate));
        let (barrier, done) = (Arc::clone(&barrier), Arc::clone(&done));
        tokio::spawn(async move {
            for _ in 0..50 {
                let _permit = gate.acquire().await.unwrap();
                let mut total = total.lock().await;
                tokio::task::yield_now().await;
                *total += 1;
            }
            if barrier.wait().await.is_leader() {
                done.notify_one();
            }
        });
    }
    done.notified().await;
    println!(
        "locks: {}, permits {}",
        total.lock().await,
        gate.available_permits()
    );
}
