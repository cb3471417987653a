use std::time::Duration;

use super::Scenario;
use crate::nodes::TERM;
use crate::run::{Run, Setup};
use rand::RngExt;

pub(super) const STALE_OWNER: Scenario = Scenario {
    name: "stale-owner",
    about: "a merger's writes arrive after another one has taken its shards",
    setup: Setup::default,
    act: stale_owner,
};

pub(super) const STALE_OWNER_LATE: Scenario = Scenario {
    name: "stale-owner-late",
    about: "the same on a store that writes before it knows that the writer is fenced off, and the writes come first",
    setup: late_setup,
    act: stale_owner_late,
};

pub(super) const RESHARD: Scenario = Scenario {
    name: "reshard",
    about: "mergers join, leave and are killed while shards are under way",
    setup: reshard_setup,
    act: reshard,
};

fn late_setup() -> Setup {
    Setup {
        late_writes: true,
        ..Setup::default()
    }
}

fn reshard_setup() -> Setup {
    Setup {
        mergers: 1,
        mergers_later: 2,
        payloads: 250,
        late_writes: true,
        ..Setup::default()
    }
}

fn reshard(run: &mut Run) {
    run.allow_windows(Duration::from_secs(90));
    run.go_about(Duration::from_secs(10));
    let alone = run.owners().len();
    run.join("m1");
    run.go_about(TERM * 2);
    run.join("m2");
    let shared = run.until(TERM * 6, |run| run.owners().len() == 3);
    let pause = Duration::from_millis(run.rng.random_range(100..20_000));
    run.crash("m1", pause);
    run.go_about(TERM);
    run.restart("m0");
    run.go_about(TERM);
    run.finish();
    run.require(
        alone == 1 && shared,
        "one merger had all shards, and then three had them",
    );
}

fn stale_owner(run: &mut Run) {
    two_owners(run);
}

fn stale_owner_late(run: &mut Run) {
    // The alerts reach the new owner only after the old one's writes.
    run.partition("r0", "m1");
    two_owners(run);
    let adopted = run.world.inner().history.figures.adopted;
    run.require(
        adopted > 0 || run.world.mutant.is_some(),
        "alerts of late writes were adopted",
    );
}

fn two_owners(run: &mut Run) {
    run.allow_windows(Duration::from_secs(90));
    run.go_about(Duration::from_secs(25));
    let before = run.epochs();
    run.store("m0", |faults| {
        faults.leases_hang = true;
        faults.writes_delayed = TERM * 3;
    });
    let taken = run.until(TERM * 6, |run| !run.owners().contains_key("m0"));
    run.require(taken, "another merger took all shards of the stale one");
    run.go(TERM * 3);
    run.store("m0", |faults| {
        faults.leases_hang = false;
        faults.writes_delayed = Duration::ZERO;
    });
    run.repair("r0", "m1");
    run.finish();
    let moved = run
        .epochs()
        .iter()
        .any(|(key, epoch)| before.get(key).is_some_and(|before| before < epoch));
    run.require(moved, "shards had two owners, one after the other");
    let fenced = run.world.inner().history.figures.fenced;
    run.require(
        fenced > 0 || run.world.mutant.is_some(),
        "the stale owner still wrote",
    );
}
