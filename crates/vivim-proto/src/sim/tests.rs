use std::time::Duration;

use super::*;

fn storm(nodes: usize, docs: usize, edits: usize) -> SimConfig {
    let storm = Duration::from_secs(20);
    SimConfig { nodes, docs, edits, storm, calm: Duration::from_secs(600) }
}

fn run(config: &SimConfig, seeds: std::ops::Range<u64>) {
    let mut slowest = Duration::ZERO;
    for seed in seeds {
        match Network::new(config.clone(), seed).run() {
            Ok(report) => slowest = slowest.max(report.agreed_after),
            Err(failure) => panic!("{failure}"),
        }
    }
    eprintln!("slowest agreement: {slowest:?}");
}

#[test]
fn two_nodes_agree_after_any_weather() {
    run(&storm(2, 3, 60), 0..150);
}

#[test]
fn a_room_of_streams_agrees_after_any_weather() {
    run(&storm(5, 2, 60), 1_000..1_100);
}

#[test]
fn a_room_of_gossip_agrees_after_any_weather() {
    run(&storm(14, 2, 80), 2_000..2_040);
}

#[test]
fn one_seed_gives_one_run() {
    let config = storm(4, 2, 40);
    let first = Network::new(config.clone(), 7).run();
    assert_eq!(first, Network::new(config, 7).run());
}
