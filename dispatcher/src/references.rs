use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use streamalert_types::OutputName;

/// Remembers what outputs said of the first delivery of an incident (a message's timestamp, an issue's key), so that
/// what comes later about it can be added there.
///
/// Written after the output has taken the delivery and before its outcome is told. A reference that is lost costs one
/// update its place, not its delivery: the output then looks for the incident itself, or sends it anew.
#[async_trait]
pub trait References: Send + Sync + 'static {
    /// The reference of `incident` at `output`, if it is known.
    ///
    /// # Errors
    /// One line; the attempt is then made again, because an update without its reference would go to a wrong place.
    async fn get(&self, output: &OutputName, incident: &str) -> Result<Option<String>, String>;

    /// Remembers one; the newest wins.
    ///
    /// # Errors
    /// One line, for the log.
    async fn put(&self, output: &OutputName, incident: &str, reference: String) -> Result<(), String>;
}

/// Incidents remembered in memory. More than are open at any time, and a few megabytes.
const INCIDENTS_MAX: usize = 20_000;

/// Those of this process, the newest so many of them.
#[derive(Debug, Default)]
pub struct MemoryReferences(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    by_incident: BTreeMap<(OutputName, String), String>,
    /// Oldest first.
    order: VecDeque<(OutputName, String)>,
}

#[async_trait]
impl References for MemoryReferences {
    async fn get(&self, output: &OutputName, incident: &str) -> Result<Option<String>, String> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (output.clone(), incident.to_owned());
        Ok(known.by_incident.get(&key).cloned())
    }

    async fn put(&self, output: &OutputName, incident: &str, reference: String) -> Result<(), String> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (output.clone(), incident.to_owned());
        if known.by_incident.insert(key.clone(), reference).is_none() {
            known.order.push_back(key);
        }
        if known.order.len() > INCIDENTS_MAX
            && let Some(oldest) = known.order.pop_front()
        {
            known.by_incident.remove(&oldest);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_newest_incidents_are_remembered_by_output() {
        let references = MemoryReferences::default();
        let (a, b): (OutputName, OutputName) = ("slack:a".parse().unwrap(), "slack:b".parse().unwrap());
        for number in 0..=INCIDENTS_MAX {
            references
                .put(&a, &number.to_string(), format!("r{number}"))
                .await
                .unwrap();
        }
        references.put(&a, "7", "newer".to_owned()).await.unwrap();
        assert_eq!(references.get(&a, "7").await.unwrap().as_deref(), Some("newer"));
        assert_eq!(references.get(&a, "0").await.unwrap(), None);
        assert_eq!(references.get(&b, "7").await.unwrap(), None);
    }
}
