use std::collections::BTreeMap;

use streamalert_types::{Alert, AlertId, Merging, OutputName};

use super::DeliveryKey;

/// A place in the line of one incident at one output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Turn(u64);

/// Whose turn it is where several deliveries are about one incident: they go one after another, in the order in which
/// they were accepted. Others are not in here and cost nothing. Every step is O(log n).
#[derive(Debug, Default)]
pub(super) struct Order {
    lines: BTreeMap<(AlertId, OutputName, Turn), AlertId>,
    turns: u64,
}

impl Order {
    /// Joins the line of its incident. `None`: the alert's incident is its own alone.
    pub(super) fn join(&mut self, alert: &Alert, output: &OutputName) -> Option<Turn> {
        if alert.merging == Merging::Together {
            return None;
        }
        self.turns += 1;
        let turn = Turn(self.turns);
        self.lines
            .insert((alert.incident(), output.clone(), turn), alert.id);
        Some(turn)
    }

    /// Whether nobody is before it.
    pub(super) fn is_first(&self, alert: &Alert, output: &OutputName, turn: Turn) -> bool {
        self.head(alert.incident(), output)
            .is_some_and(|(first, _)| first == turn)
    }

    /// Leaves the line; answers who is the first of it now.
    pub(super) fn leave(&mut self, alert: &Alert, output: &OutputName, turn: Turn) -> Option<DeliveryKey> {
        let incident = alert.incident();
        self.lines.remove(&(incident, output.clone(), turn));
        self.head(incident, output)
            .map(|(_, next)| (next, output.clone()))
    }

    fn head(&self, incident: AlertId, output: &OutputName) -> Option<(Turn, AlertId)> {
        let from = (incident, output.clone(), Turn(0));
        let ((of, at, turn), alert) = self.lines.range(from..).next()?;
        (*of == incident && at == output).then_some((*turn, *alert))
    }
}
