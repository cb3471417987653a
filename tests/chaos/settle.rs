//! After the faults: waiting until everything has arrived, and drawing up the account.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;
use streamalert_proto::{AdminRequest, v1};
use tokio::time::Instant;

use crate::account::{Account, Reading, Spell};
use crate::arrived::Arrived;
use crate::events::{Kind, expected};
use crate::faults::mergers_max;
use crate::fleet::{Fleet, PATIENCE};
use crate::member::Role;
use crate::stream::{Put, STREAM, Seen};
use crate::tally::Deed;

impl Fleet {
    /// Waits until everything has arrived and is acknowledged, and draws up the account.
    pub(crate) async fn settle(&mut self) -> Account {
        let put = self.stream.stop().await;
        // As long as something comes, it is waited for: the machine may have other work.
        let mut progress = (Instant::now(), (0, 0));
        let mut looks = tokio::time::interval(Duration::from_millis(500));
        let mut readings = Vec::new();
        let mut flushed = None;
        let running = self.members.iter();
        let running = running
            .filter(|member| member.role == Role::Merger && member.wanted)
            .count();
        loop {
            looks.tick().await;
            for member in &mut self.members {
                member.start_again().await;
            }
            let arrived = Arrived::at(&self.receiver);
            let is_there = |kind| arrived.count(kind) >= expected(put.events, kind).len();
            if is_there(Kind::Single) && flushed.is_none() {
                match self.readings(&put).await {
                    Ok(told) => readings = told,
                    // A busy machine may let one call take too long.
                    Err(error) => println!("{error}"),
                }
                // Groups wait for half an hour otherwise, and are closed once all their alerts are there.
                if !readings.is_empty() && readings.iter().all(Reading::is_complete) {
                    flushed = Some(self.started.elapsed());
                }
            }
            if flushed.is_some() {
                self.close_groups().await;
            }
            let all = flushed.is_some() && is_there(Kind::Grouped) && is_there(Kind::Windowed);
            let taken_over = self.watch.seen().mergers <= running;
            let read = readings.iter().filter(|reading| reading.is_complete()).count();
            let now = (arrived.deliveries.len(), read);
            if now != progress.1 {
                progress = (Instant::now(), now);
            }
            if (all && taken_over) || progress.0.elapsed() >= PATIENCE {
                break;
            }
        }
        self.note_resharding(&readings, &put).await;
        let seen = self.watch.seen();
        self.tally.set_effect(Deed::Joined, 0, seen.mergers_max);
        Account {
            seed: self.plan.seed,
            duration: self.plan.duration,
            events: put.events,
            tally: self.tally.clone(),
            all_due: self.plan.all_due(),
            spells: self.spells.clone(),
            throttled: self.throttled.clone(),
            slow: self.slow(&seen),
            arrived: Arrived::at(&self.receiver),
            zero: self.zero,
            mergers: [(seen.mergers, running), (seen.mergers_max, mergers_max())],
            flushed: flushed.unwrap_or(Duration::MAX),
            readings,
            disorder: seen.disorder,
        }
    }

    /// When the table of leases was slow, by the receiver's clock.
    fn slow(&self, seen: &Seen) -> Vec<Spell> {
        let spell = |(from, to): &(Instant, Instant)| Spell {
            from: from.duration_since(self.started),
            to: to.duration_since(self.started),
        };
        seen.slow.iter().map(spell).collect()
    }

    /// What became of the shards that were split and merged.
    async fn note_resharding(&mut self, readings: &[Reading], put: &Put) {
        let shards = self.stream.shards().await;
        let is_read = |id: &str| {
            readings
                .iter()
                .any(|reading| reading.shard == id && reading.finished)
        };
        let mut read = [BTreeSet::new(), BTreeSet::new()];
        let mut filled = [0, 0];
        for shard in &shards {
            let by_merging = usize::from(shard.parents.len() > 1);
            if shard.parents.is_empty() {
                continue;
            }
            read[by_merging].extend(shard.parents.iter().filter(|id| is_read(id)));
            filled[by_merging] += usize::from(put.last.contains_key(&shard.id));
        }
        for (index, deed) in [Deed::Split, Deed::Merged].into_iter().enumerate() {
            self.tally.set_effect(deed, 0, read[index].len());
            self.tally.set_effect(deed, 1, filled[index]);
        }
    }

    async fn close_groups(&self) {
        let mergers = self.members.iter().filter(|member| member.role == Role::Merger);
        for member in mergers.filter(|member| member.wanted) {
            let request = AdminRequest::FlushGroups(v1::FlushGroupsRequest { rule: None });
            member.ask(self.dir.path(), request).await;
        }
    }

    /// How far each shard is acknowledged, as the command line tells.
    async fn readings(&self, put: &Put) -> Result<Vec<Reading>, String> {
        let status = self.command(&["--set", "listen.admin=127.0.0.1:1", "status", "--json"])?;
        let status: Value = serde_json::from_str(&status).unwrap();
        let kinds = status["leases"].as_array().unwrap();
        let told: BTreeMap<&str, &Value> = kinds
            .iter()
            .filter(|kind| kind["kind"] == format!("kinesis/{STREAM}").as_str())
            .flat_map(|kind| kind["shards"].as_array().unwrap())
            .map(|shard| (shard["shard"].as_str().unwrap(), shard))
            .collect();
        let shards = self.stream.shards().await;
        let reading = |id: String, open: bool| Reading {
            closed: !open,
            last: put.last.get(&id).cloned(),
            checkpoint: told
                .get(&*id)
                .and_then(|shard| shard["checkpoint"].as_str())
                .map(str::to_owned),
            finished: told.get(&*id).is_some_and(|shard| shard["finished"] == true),
            shard: id,
        };
        let readings = shards.into_iter().map(|shard| reading(shard.id, shard.open));
        Ok(readings.collect())
    }

    /// The ends of all logs.
    pub(crate) fn logs(&self) -> String {
        let logs = self.members.iter().map(|member| member.log(self.dir.path()));
        logs.collect()
    }
}
