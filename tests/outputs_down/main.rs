//! One output hangs and one answers 500 for ten minutes under load, in simulated time: the others notice nothing, what
//! is held stays within its limits, and afterwards everything arrives.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "these are tests, helpers included"
)]

mod figures;
mod outputs;
mod pipeline;

use figures::{Figures, Phase};
use outputs::{HEALTHY, SICK};
use pipeline::{IN_FLIGHT_BYTES_MAX, IN_FLIGHT_MAX, Pipeline, QUEUE_BYTES_MAX, QUEUE_MAX, Way};
use streamalert_service::StreamLimits;

fn run(way: &Way, seed: u64, faults: bool) -> Figures {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(Pipeline::run(way, seed, faults))
}

/// Whether healthy outputs delivered as they do without faults, in every phase: at the 99th percentile within twice
/// the time.
fn undisturbed(well: &Figures, ill: &Figures) -> Result<(), String> {
    for phase in [Phase::Before, Phase::Down, Phase::After] {
        for output in HEALTHY {
            let (was, is) = (
                well.latency(output, phase, 0.99),
                ill.latency(output, phase, 0.99),
            );
            println!(
                "{output} {phase:?}: p50 {:?} and {:?}, p99 {was:?} and {is:?}",
                well.latency(output, phase, 0.5),
                ill.latency(output, phase, 0.5),
            );
            if is > was * 2 {
                return Err(format!("{output} {phase:?}: {was:?} became {is:?}"));
            }
        }
    }
    Ok(())
}

fn check(way: &Way, seed: u64) {
    let [well, ill] = [false, true].map(|faults| run(way, seed, faults));
    well.everything_arrived_once();
    ill.everything_arrived_once();
    assert_eq!(undisturbed(&well, &ill), Ok(()));
    assert_eq!((well.dead_letters, ill.dead_letters), (0, 0));
    // the fault was one: outputs went down, had far more to come than is held, and some of it came twice
    for output in SICK {
        assert!(
            ill.was_down.contains(output) && !well.was_down.contains(output),
            "{output}"
        );
        assert!(
            ill.missing_max[output] > 10 * IN_FLIGHT_MAX as u64,
            "{:?}",
            ill.missing_max
        );
    }
    assert!(ill.repeated > 0 && well.repeated == 0);
    let (most, most_bytes) = match way {
        Way::Direct => (QUEUE_MAX, QUEUE_BYTES_MAX),
        _ => (IN_FLIGHT_MAX, IN_FLIGHT_BYTES_MAX),
    };
    for (output, held) in &ill.held_max {
        let bytes = *held as usize * ill.alert_bytes;
        assert!(
            *held <= most as u64 && bytes <= most_bytes,
            "{output}: {held} held, {bytes} bytes"
        );
    }
    println!("held at most, of each output: {:?}", ill.held_max);
}

#[test]
fn outputs_of_one_dispatcher_do_not_disturb_each_other() {
    check(&Way::Direct, 1);
}

#[test]
fn outputs_behind_a_merger_do_not_disturb_each_other() {
    check(&Way::Merger, 2);
}

#[test]
fn outputs_of_dispatchers_over_the_network_do_not_disturb_each_other() {
    let limits = StreamLimits::deliveries(HEALTHY.len() + SICK.len(), IN_FLIGHT_MAX, 1 << 20);
    check(&Way::Network(limits), 3);
}

/// What the tests above look for, in pipelines that were made to have it.
fn check_is_disturbed(way: &Way) {
    let ill = run(way, 1, true);
    ill.everything_arrived_once();
    for output in HEALTHY {
        let [before, down] = [Phase::Before, Phase::Down].map(|phase| ill.latency(output, phase, 0.99));
        assert!(down > before * 2, "{output}: {before:?} and {down:?}");
    }
}

#[test]
fn one_room_for_all_outputs_would_be_noticed() {
    check_is_disturbed(&Way::OneRoom);
}

#[test]
fn a_stream_that_holds_less_than_all_outputs_would_be_noticed() {
    let limits = StreamLimits {
        window_batches: IN_FLIGHT_MAX as u64,
        ..StreamLimits::default()
    };
    check_is_disturbed(&Way::Network(limits));
}
