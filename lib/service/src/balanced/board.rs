use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::peers::Nodes;

/// Who there is, and how busy each is. Pure.
#[derive(Debug, Default)]
pub(super) struct Board {
    peers: BTreeMap<Arc<str>, Peer>,
    /// Counts choices: of peers that are equally busy, the one chosen longest ago is next.
    choices: u64,
    generations: u64,
    pub(super) stopped: bool,
}

#[derive(Debug, Default)]
struct Peer {
    priority: u16,
    weight: u16,
    up: bool,
    /// Tells apart the links of a peer that went and came again.
    generation: u64,
    outstanding_bytes: u64,
    /// Not before this, after it said that it cannot.
    resting_until: Duration,
    /// How often in a row it said so.
    refusals: u32,
    chosen: u64,
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was answered, whatever the answer.
    Answered,
    /// The peer cannot now.
    Unavailable,
    /// Nobody waits for it any more, or the link broke.
    Dropped,
}

/// The rest of a peer that cannot, doubled each time up to the second.
const REST_FIRST: Duration = Duration::from_millis(100);
const REST_MAX: Duration = Duration::from_secs(5);

impl Peer {
    /// What it would have to do for its weight with so much more.
    fn share(&self, weight_bytes: u64) -> u128 {
        let bytes = u128::from(self.outstanding_bytes) + u128::from(weight_bytes);
        (bytes << 16) / u128::from(self.weight.max(1))
    }
}

impl Board {
    /// Exactly these peers there are. Answers which are new, with the generations of their links.
    pub(super) fn set_peers(&mut self, nodes: &Nodes) -> Vec<(Arc<str>, u64)> {
        self.peers.retain(|address, _| nodes.contains_key(&**address));
        let mut new = Vec::new();
        for (address, node) in nodes {
            if !self.peers.contains_key(address.as_str()) {
                let address: Arc<str> = Arc::from(address.as_str());
                self.generations += 1;
                let generation = self.generations;
                let peer = Peer {
                    generation,
                    ..Peer::default()
                };
                self.peers.insert(Arc::clone(&address), peer);
                new.push((address, generation));
            }
            if let Some(peer) = self.peers.get_mut(address.as_str()) {
                (peer.priority, peer.weight) = (node.priority, node.weight.max(1));
            }
        }
        new
    }

    pub(super) fn len(&self) -> usize {
        self.peers.len()
    }

    /// Whether that is news.
    pub(super) fn link(&mut self, address: &str, generation: u64, up: bool) -> bool {
        match self.peers.get_mut(address) {
            Some(peer) if peer.generation == generation => std::mem::replace(&mut peer.up, up) != up,
            _ => false,
        }
    }

    pub(super) fn is_up(&self, address: &str) -> bool {
        self.peers.get(address).is_some_and(|peer| peer.up)
    }

    /// Of the peers that can be reached and are not resting, and of these of the first priority, the one with the least
    /// to do for its weight, given `weight_bytes` more to do; none if there is none.
    pub(super) fn choose(&mut self, now: Duration, weight_bytes: u64) -> Option<Arc<str>> {
        let able = self
            .peers
            .iter_mut()
            .filter(|(_, peer)| peer.up && peer.resting_until <= now);
        let (address, peer) =
            able.min_by_key(|(_, peer)| (peer.priority, peer.share(weight_bytes), peer.chosen))?;
        self.choices += 1;
        peer.chosen = self.choices;
        peer.outstanding_bytes = peer.outstanding_bytes.saturating_add(weight_bytes);
        Some(Arc::clone(address))
    }

    /// A request that was [chosen](Self::choose) is over.
    pub(super) fn ended(&mut self, now: Duration, address: &str, weight_bytes: u64, outcome: Outcome) {
        let Some(peer) = self.peers.get_mut(address) else {
            return;
        };
        peer.outstanding_bytes = peer.outstanding_bytes.saturating_sub(weight_bytes);
        match outcome {
            Outcome::Answered => peer.refusals = 0,
            Outcome::Dropped => {}
            // Many requests that were under way together are refused together: that is one refusal.
            Outcome::Unavailable if peer.resting_until > now => {}
            Outcome::Unavailable => {
                let doubled = REST_FIRST.saturating_mul(2_u32.saturating_pow(peer.refusals));
                peer.resting_until = now.saturating_add(doubled.min(REST_MAX));
                peer.refusals = peer.refusals.saturating_add(1);
            }
        }
    }

    /// When the next peer that can be reached has rested, after `now`.
    pub(super) fn next_rested(&self, now: Duration) -> Option<Duration> {
        let resting = self
            .peers
            .values()
            .filter(|peer| peer.up && peer.resting_until > now);
        resting.map(|peer| peer.resting_until).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::Node;

    fn nodes<const N: usize>(addresses: [&str; N]) -> Nodes {
        let nodes = addresses.map(|address| (address.to_owned(), Node::default()));
        nodes.into()
    }

    fn board<const N: usize>(up: [&str; N]) -> Board {
        let mut board = Board::default();
        for (address, generation) in board.set_peers(&nodes(up)) {
            board.link(&address, generation, true);
        }
        board
    }

    fn choose(board: &mut Board, weight_bytes: u64) -> String {
        board.choose(Duration::ZERO, weight_bytes).unwrap().to_string()
    }

    #[test]
    fn the_least_busy_is_next_and_equals_take_turns() {
        let mut board = board(["a:1", "b:1", "c:1"]);
        assert_eq!(choose(&mut board, 100), "a:1");
        assert_eq!(choose(&mut board, 10), "b:1");
        assert_eq!(choose(&mut board, 20), "c:1");
        assert_eq!(choose(&mut board, 15), "b:1");
        assert_eq!(choose(&mut board, 90), "c:1");
        board.ended(Duration::ZERO, "a:1", 100, Outcome::Answered);
        assert_eq!(choose(&mut board, 0), "a:1");
        board.ended(Duration::ZERO, "b:1", 10, Outcome::Answered);
        board.ended(Duration::ZERO, "b:1", 15, Outcome::Dropped);
        let turns: Vec<String> = (0..4).map(|_| choose(&mut board, 0)).collect();
        assert_eq!(turns, ["b:1", "a:1", "b:1", "a:1"]);
    }

    #[test]
    fn weights_share_the_work_and_a_later_priority_waits_for_all_before_it() {
        let node = |priority, weight| Node {
            priority,
            weight,
            ..Node::default()
        };
        let nodes = [("a:1", 1, 3), ("b:1", 1, 1), ("z:1", 2, 60_000)];
        let nodes: Nodes = nodes
            .map(|(address, priority, weight)| (address.to_owned(), node(priority, weight)))
            .into();
        let mut board = Board::default();
        for (address, generation) in board.set_peers(&nodes) {
            board.link(&address, generation, true);
        }
        let chosen: Vec<String> = (0..40).map(|_| choose(&mut board, 10)).collect();
        let count = |name: &str| chosen.iter().filter(|chosen| *chosen == name).count();
        assert_eq!((count("a:1"), count("b:1"), count("z:1")), (30, 10, 0));
        board.link("a:1", 1, false);
        assert_eq!(choose(&mut board, 10), "b:1");
        board.link("b:1", 2, false);
        assert_eq!(choose(&mut board, 10), "z:1");
        board.link("a:1", 1, true);
        assert_eq!(choose(&mut board, 10), "a:1");
        // What a record says of a peer may change while it stays.
        let mut turned = nodes.clone();
        turned.insert("z:1".to_owned(), node(0, 1));
        assert!(board.set_peers(&turned).is_empty());
        assert_eq!(choose(&mut board, 10), "z:1");
    }

    #[test]
    fn who_cannot_be_reached_is_left_out() {
        let mut board = board(["a:1", "b:1"]);
        assert!(board.link("a:1", 1, false) && !board.link("a:1", 1, false));
        assert_eq!(
            (choose(&mut board, 9), choose(&mut board, 9)),
            ("b:1".into(), "b:1".into())
        );
        board.link("b:1", 2, false);
        assert_eq!(board.choose(Duration::ZERO, 1), None);
        assert!(!board.link("unknown:1", 1, true));
    }

    #[test]
    fn who_cannot_rests_for_longer_and_longer_until_it_can() {
        let mut board = board(["a:1"]);
        let mut now = Duration::ZERO;
        let mut rests = Vec::new();
        for _ in 0..8 {
            board.choose(now, 1).unwrap();
            board.choose(now, 1).unwrap();
            board.ended(now, "a:1", 1, Outcome::Unavailable);
            board.ended(now, "a:1", 1, Outcome::Unavailable);
            assert_eq!(board.choose(now, 1), None);
            let rested = board.next_rested(now).unwrap();
            rests.push((rested - now).as_millis());
            now = rested;
        }
        assert_eq!(rests, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        board.choose(now, 1).unwrap();
        board.ended(now, "a:1", 1, Outcome::Answered);
        board.choose(now, 1).unwrap();
        board.ended(now, "a:1", 1, Outcome::Unavailable);
        assert_eq!(board.next_rested(now), Some(now + REST_FIRST));
    }

    #[test]
    fn peers_come_and_go_and_those_that_stay_keep_their_work() {
        let mut board = board(["a:1", "b:1"]);
        choose(&mut board, 50);
        let new = board.set_peers(&nodes(["a:1", "c:1"]));
        assert_eq!(new, [("c:1".into(), 3)]);
        board.link("c:1", 3, true);
        assert_eq!(choose(&mut board, 1), "c:1");
        // The answer and the link of one that is gone, and comes again.
        board.ended(Duration::ZERO, "b:1", 5, Outcome::Unavailable);
        board.set_peers(&nodes(["a:1", "b:1", "c:1"]));
        assert!(!board.link("b:1", 2, true));
        assert_eq!(choose(&mut board, 1), "c:1");
    }
}
