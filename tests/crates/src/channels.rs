//! crossbeam: channels of each kind, selection, queues, scoped threads, epochs.

use crossbeam::channel::{self, RecvTimeoutError, TrySendError};
use crossbeam::queue::{ArrayQueue, SegQueue};
use crossbeam::sync::{Parker, WaitGroup};
use std::io;
use std::time::Duration;

/// Exercises each of them.
///
/// # Errors
/// None.
pub fn run() -> io::Result<()> {
    for (name, capacity) in [
        ("rendezvous", Some(0)),
        ("bounded", Some(8)),
        ("unbounded", None),
    ] {
        pass(name, capacity);
    }
    select();
    queues();
    waiting();
    Ok(())
}

fn pass(name: &str, capacity: Option<usize>) {
    let (sender, receiver) = match capacity {
        Some(capacity) => channel::bounded(capacity),
        None => channel::unbounded(),
    };
    let total = crossbeam::scope(|scope| {
        for producer in 0..4_u64 {
            let sender = sender.clone();
            scope.spawn(move |_| (0..1000).try_for_each(|n| sender.send(producer * 1000 + n)));
        }
        drop(sender);
        let consumers: Vec<_> = (0..3)
            .map(|_| {
                let receiver = receiver.clone();
                scope.spawn(move |_| receiver.iter().sum::<u64>())
            })
            .collect();
        consumers
            .into_iter()
            .map(|c| c.join().unwrap())
            .sum::<u64>()
    });
    println!("{name}: {}", total.unwrap());
}

fn select() {
    let (numbers, from_numbers) = channel::bounded::<u32>(1);
    let (words, from_words) = channel::bounded::<&str>(1);
    let ticker = channel::tick(Duration::from_millis(2));
    numbers.send(5).unwrap();
    println!(
        "full: {}",
        matches!(numbers.try_send(6), Err(TrySendError::Full(6)))
    );
    crossbeam::scope(|scope| {
        scope.spawn(move |_| {
            numbers.send(6).unwrap();
            words.send("end").unwrap();
        });
        let (mut sum, mut ticks, mut word) = (0, 0, "");
        while word.is_empty() || ticks < 3 {
            channel::select! {
                recv(from_numbers) -> number => sum += number.unwrap_or(0),
                recv(from_words) -> text => word = text.unwrap_or(word),
                recv(ticker) -> _ => ticks += 1,
            }
        }
        println!("selected: sum {sum}, {word}");
    })
    .unwrap();
    let (_sender, receiver) = channel::bounded::<()>(1);
    let silence = receiver.recv_timeout(Duration::from_millis(3));
    println!("timeout: {}", silence == Err(RecvTimeoutError::Timeout));
}

fn queues() {
    let (ring, list) = (ArrayQueue::new(64), SegQueue::new());
    let sum = crossbeam::scope(|scope| {
        for producer in 0..3_u64 {
            let (ring, list) = (&ring, &list);
            scope.spawn(move |_| {
                for number in 0..2000 {
                    list.push(producer);
                    while ring.push(number).is_err() {
                        std::thread::yield_now();
                    }
                }
            });
        }
        let mut sum = 0;
        let mut left = 6000;
        while left > 0 {
            match ring.pop() {
                Some(number) => {
                    sum += number;
                    left -= 1;
                }
                None => std::thread::yield_now(),
            }
        }
        sum
    });
    println!("queues: sum {}, {} in the list", sum.unwrap(), list.len());
}

fn waiting() {
    let group = WaitGroup::new();
    let parker = Parker::new();
    let unparker = parker.unparker().clone();
    for number in 0..5 {
        let (group, unparker) = (group.clone(), unparker.clone());
        std::thread::spawn(move || {
            if number == 3 {
                unparker.unpark();
            }
            drop(group);
        });
    }
    group.wait();
    parker.park();
    println!("waited for all");
}
