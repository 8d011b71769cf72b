use std::time::Duration;

use super::*;

fn storm(nodes: usize, docs: usize, edits: usize) -> SimConfig {
    let storm = Duration::from_secs(20);
    SimConfig { nodes, docs, edits, storm, calm: Duration::from_secs(600) }
}

fn run(config: &SimConfig, seeds: std::ops::Range<u64>) {
    let mut sum = Report::default();
    for seed in seeds {
        match Network::new(config.clone(), seed).run() {
            Ok(report) => {
                sum.agreed_after = sum.agreed_after.max(report.agreed_after);
                sum.restarts += report.restarts;
                sum.lost += report.lost;
                sum.receipts += report.receipts;
            }
            Err(failure) => panic!("{failure}"),
        }
    }
    eprintln!("{sum:?}");
    assert!(sum.restarts > 0 && sum.lost > 0 && sum.receipts > 0, "the weather was too good");
}

/// A thousand seeds of one kind of room, as a test of its own, so that they run side by side.
macro_rules! thousands {
    ($($name:ident: $config:expr, $thousand:literal;)*) => {
        $(
            #[test]
            fn $name() {
                run(&$config, $thousand * 1_000..($thousand + 1) * 1_000);
            }
        )*
    };
}

// Together 10,000.
thousands! {
    two_nodes_agree_after_any_weather: storm(2, 3, 60), 0;
    two_nodes_agree_after_any_weather_1: storm(2, 3, 60), 1;
    two_nodes_with_one_document_agree: storm(2, 1, 60), 2;
    three_nodes_agree: storm(3, 2, 50), 3;
    three_nodes_agree_1: storm(3, 2, 50), 4;
    four_nodes_agree: storm(4, 1, 50), 5;
    four_nodes_agree_1: storm(4, 2, 40), 6;
    a_room_of_streams_agrees_after_any_weather: storm(5, 2, 40), 7;
    a_room_of_streams_agrees_after_any_weather_1: storm(6, 1, 40), 8;
    a_room_of_gossip_agrees_after_any_weather: storm(10, 1, 40), 9;
}

#[test]
fn a_large_room_of_gossip_agrees_after_any_weather() {
    run(&storm(14, 2, 80), 20_000..20_040);
}

#[test]
fn one_seed_gives_one_run() {
    let config = storm(4, 2, 40);
    let first = Network::new(config.clone(), 7).run();
    assert_eq!(first, Network::new(config, 7).run());
}
