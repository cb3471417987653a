//! The links of a fleet: each can be cut.

use std::net::SocketAddr;
use std::time::Duration;

use crate::member::{Member, Role};
use crate::relay::Relay;
use crate::tally::Deed;

/// Which end of a link is a process of the fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Member(usize),
    /// All who call: mergers and dispatchers have one address in the lease table.
    Callers,
    Tables,
    Stream,
}

struct Link {
    ends: [End; 2],
    relay: Relay,
}

impl Link {
    fn touches(&self, member: usize) -> bool {
        self.ends.contains(&End::Member(member))
    }
}

/// What is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    Link(usize),
    /// All links of a process.
    Member(usize),
}

struct Cut {
    deed: Deed,
    links: Vec<usize>,
    delivers: bool,
    from: Duration,
    until: u64,
    /// What the links had held up before.
    held: usize,
}

/// A cut that is over.
pub(crate) struct Mended {
    pub(crate) deed: Deed,
    /// Whether an end delivers alerts, or notes what was delivered.
    pub(crate) delivers: bool,
    pub(crate) from: Duration,
    /// Whether the cut held anything up.
    pub(crate) held: bool,
}

/// A relay for each link, and which are cut.
pub(crate) struct Links {
    links: Vec<Link>,
    cuts: Vec<Cut>,
}

impl Links {
    pub(crate) async fn between(members: &[Member], [tables, stream]: [SocketAddr; 2]) -> Self {
        let mut wanted = Vec::new();
        for (index, member) in members.iter().enumerate() {
            let this = End::Member(index);
            wanted.push(([this, End::Tables], tables));
            match member.role {
                Role::Classifier => {
                    wanted.push(([this, End::Stream], stream));
                    let nodes = members.iter().enumerate();
                    let nodes = nodes.filter(|(_, node)| node.role == Role::RulesNode);
                    wanted.extend(nodes.map(|(node, member)| ([this, End::Member(node)], member.address())));
                }
                Role::RulesNode => {}
                Role::Merger | Role::Dispatcher => wanted.push(([End::Callers, this], member.address())),
            }
        }
        let mut links = Vec::new();
        for (ends, target) in wanted {
            let relay = Relay::before(target).await;
            links.push(Link { ends, relay });
        }
        Self {
            links,
            cuts: Vec::new(),
        }
    }

    fn address(&self, from: End, to: End) -> Option<SocketAddr> {
        let link = self.links.iter().find(|link| link.ends == [from, to])?;
        Some(link.relay.address())
    }

    /// Where a process reaches tables and stream.
    pub(crate) fn aws_of(&self, member: usize) -> [SocketAddr; 2] {
        let this = End::Member(member);
        let tables = self.address(this, End::Tables).expect("everyone has tables");
        // Who does not read it asks nothing of it.
        [tables, self.address(this, End::Stream).unwrap_or(tables)]
    }

    /// The settings by which a process finds others, and others find it, over their links.
    pub(crate) fn settings_of(&self, member: usize, members: &[Member]) -> Vec<String> {
        let this = End::Member(member);
        match members[member].role {
            Role::Classifier => {
                let nodes = (0..members.len()).filter_map(|node| self.address(this, End::Member(node)));
                let nodes: Vec<String> = nodes.map(|address| address.to_string()).collect();
                vec![format!("peers.rules_node={}", nodes.join(","))]
            }
            Role::RulesNode => Vec::new(),
            Role::Merger | Role::Dispatcher => {
                let address = self.address(End::Callers, this).expect("it is called");
                vec![format!("node.advertise={address}")]
            }
        }
    }

    /// The links that are not cut, of processes that run.
    pub(crate) fn whole(&self, running: &[usize]) -> Vec<usize> {
        let runs = |end: &End| !matches!(end, End::Member(member) if !running.contains(member));
        let whole = |index: &usize| {
            let link = &self.links[*index];
            !link.relay.is_cut() && link.ends.iter().all(runs)
        };
        (0..self.links.len()).filter(whole).collect()
    }

    /// Cuts what is whole of it; `None` when nothing is. Answers what to call it.
    pub(crate) fn cut(
        &mut self,
        target: Target,
        members: &[Member],
        from: Duration,
        until: u64,
    ) -> Option<(String, Deed)> {
        let (deed, mut links) = match target {
            Target::Link(link) => (Deed::Parted, vec![link]),
            Target::Member(member) => {
                let touches = |index: &usize| self.links[*index].touches(member);
                (Deed::Isolated, (0..self.links.len()).filter(touches).collect())
            }
        };
        links.retain(|index| !self.links[*index].relay.is_cut());
        if links.is_empty() {
            return None;
        }
        for index in &links {
            self.links[*index].relay.cut();
        }
        let delivers = |end: &End| matches!(end, End::Member(member) if members[*member].delivers());
        let name = match target {
            Target::Member(member) => members[member].name.clone(),
            Target::Link(link) => self.links[link].ends.map(|end| name(end, members)).join(" to "),
        };
        self.cuts.push(Cut {
            deed,
            delivers: links
                .iter()
                .any(|index| self.links[*index].ends.iter().any(delivers)),
            held: self.held(&links),
            links,
            from,
            until,
        });
        Some((name, deed))
    }

    fn held(&self, links: &[usize]) -> usize {
        links.iter().map(|index| self.links[*index].relay.held()).sum()
    }

    pub(crate) fn mend_what_is_due(&mut self, tick: u64) -> Vec<Mended> {
        let (due, rest) = std::mem::take(&mut self.cuts)
            .into_iter()
            .partition(|cut| cut.until <= tick);
        self.cuts = rest;
        let due: Vec<Cut> = due;
        let mend = |cut: Cut| {
            let held = self.held(&cut.links) > cut.held;
            for index in &cut.links {
                self.links[*index].relay.mend();
            }
            Mended {
                deed: cut.deed,
                delivers: cut.delivers,
                from: cut.from,
                held,
            }
        };
        due.into_iter().map(mend).collect()
    }
}

fn name(end: End, members: &[Member]) -> String {
    match end {
        End::Member(member) => members[member].name.clone(),
        End::Callers => "callers".to_owned(),
        End::Tables => "tables".to_owned(),
        End::Stream => "stream".to_owned(),
    }
}
