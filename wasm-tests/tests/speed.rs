//! How fast: against a bare data channel of the same page, as ratios with room for a busy
//! machine. `cargo xtask bench network` measures properly, between two browsers.
#![cfg(target_arch = "wasm32")]
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod support;

use futures::{AsyncReadExt, AsyncWriteExt, future};
use support::{connected, pair, raw::raw_channels, stream, within};
use wasm_bindgen_test::*;
use web_time::{Duration, Instant};

wasm_bindgen_test_configure!(run_in_browser);

const ROUNDS: usize = 200;
const PUSH: usize = 32 << 20;
const BLOCK: usize = 16 * 1024;

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

#[wasm_bindgen_test]
async fn a_session_takes_no_longer_than_ice() {
    let mut times = Vec::new();
    for _ in 0..5 {
        let start = Instant::now();
        let both = connected().await;
        times.push(start.elapsed());
        drop(both);
    }
    console_log!("session: {:?} of {times:?}", median(times.clone()));
    assert!(median(times) < Duration::from_secs(2));
}

#[wasm_bindgen_test]
async fn an_echo_is_about_as_fast_as_on_a_bare_channel() {
    let (a, b) = pair().await;
    let (mut ours, mut theirs) = stream(&a, &b).await;
    wasm_bindgen_futures::spawn_local(async move {
        let mut buffer = [0; 100];
        while theirs.read_exact(&mut buffer).await.is_ok() {
            if theirs.write_all(&buffer).await.is_err() {
                return;
            }
        }
    });
    let (left, right, _connections) = raw_channels().await;
    wasm_bindgen_futures::spawn_local(async move {
        while let Some(message) = right.message().await {
            right.send(&message);
        }
    });
    let (mut ours_times, mut bare_times) = (Vec::new(), Vec::new());
    let mut buffer = [0; 100];
    for _ in 0..ROUNDS {
        let start = Instant::now();
        ours.write_all(&[1; 100]).await.unwrap();
        ours.read_exact(&mut buffer).await.unwrap();
        ours_times.push(start.elapsed());
        let start = Instant::now();
        left.send(&[1; 100]);
        left.message().await.unwrap();
        bare_times.push(start.elapsed());
    }
    let (ours, bare) = (median(ours_times), median(bare_times));
    console_log!("echo: {ours:?}, bare channel {bare:?}");
    assert!(ours < bare * 4, "{ours:?} against {bare:?}");
}

#[wasm_bindgen_test]
async fn a_push_is_about_as_fast_as_on_a_bare_channel() {
    let (a, b) = pair().await;
    let (mut ours, mut theirs) = stream(&a, &b).await;
    let block = vec![7; BLOCK];
    let start = Instant::now();
    let write = async {
        for _ in 0..PUSH / BLOCK {
            ours.write_all(&block).await.unwrap();
        }
        ours.close().await.unwrap();
    };
    let read = async {
        let (mut received, mut buffer) = (0, vec![0; 64 * 1024]);
        loop {
            match theirs.read(&mut buffer).await.unwrap() {
                0 => return received,
                n => received += n,
            }
        }
    };
    let (_, received) = within(60, future::join(write, read)).await;
    let ours = start.elapsed();
    assert_eq!(received, PUSH);

    let (left, right, _connections) = raw_channels().await;
    let start = Instant::now();
    let write = async {
        for _ in 0..PUSH / BLOCK {
            left.room().await;
            left.send(&block);
        }
    };
    let read = async {
        let mut received = 0;
        while received < PUSH {
            received += right.message().await.unwrap().len();
        }
    };
    within(60, future::join(write, read)).await;
    let bare = start.elapsed();
    console_log!("push of 32 MiB: {ours:?}, bare channel {bare:?}");
    assert!(ours < bare * 3, "{ours:?} against {bare:?}");
}
