use std::sync::Arc;

use bytes::Bytes;
use streamalert_types::{Alert, AlertId, Clock, Merging, OutputName};
use streamalert_value::{Map, Value};
use tokio::time::{Instant, timeout_at};

use crate::outputs::{Receipt, SendError};
use crate::{OutputRegistry, Publication};

/// The rule that a test alert claims to come from.
const RULE: &str = "streamalert_output_test";

impl OutputRegistry {
    /// Makes one attempt to send a test alert, which says that it is one, to output `name`; `None` when there is no such
    /// output. Nothing is tried again, and nothing becomes a dead letter. Each `number` is another alert.
    ///
    /// # Errors
    /// Why the attempt failed, without secrets.
    pub async fn test(
        &self,
        name: &OutputName,
        clock: &dyn Clock,
        number: u64,
    ) -> Option<Result<Receipt, SendError>> {
        let registered = self.get(name)?;
        let alert = alert(name, clock, number);
        let idempotency_key = format!("{}/{name}", alert.id);
        let publication = Publication::unpublished(Arc::new(alert), name.clone());
        let timeout = registered.options.timeout;
        let deadline = Instant::now() + timeout;
        let sending = registered.output.send(&publication, &idempotency_key, deadline);
        let result = timeout_at(deadline, sending).await;
        Some(result.unwrap_or_else(|_| {
            let message = format!("no answer within {} s", timeout.as_secs_f64());
            Err(SendError::unsure(message))
        }))
    }
}

fn alert(name: &OutputName, clock: &dyn Clock, number: u64) -> Alert {
    Alert {
        id: AlertId::from_u128(u128::from(number)),
        rule_name: RULE.into(),
        rule_description: "description: A test of this output. Nothing happened, and nothing is to be done.\nseverity: info\n"
            .into(),
        created: clock.now(),
        cluster: None,
        log_source: "streamalert:test".into(),
        log_type: "json".into(),
        source_entity: "streamalert output test".into(),
        source_service: "streamalert".into(),
        outputs: [name.clone()].into(),
        publishers: Value::Null,
        context: Value::Map(Map::new()),
        merge_by_keys: [].into(),
        merge_window_mins: 0,
        staged: false,
        record: Bytes::from_static(br#"{"message":"This is a test."}"#),
        traceparent: "".into(),
        rules_version: "".into(),
        merging: Merging::default(),
    }
}

#[cfg(test)]
mod tests {
    use streamalert_testkit::{Reply, WebhookReceiver};

    use super::*;
    use crate::OutputSpec;
    use crate::outputs::fixtures::context;

    #[tokio::test]
    async fn a_test_makes_one_attempt_and_says_how_it_went() {
        let dir = tempfile::tempdir().unwrap();
        let receiver = WebhookReceiver::start(None).await;
        let name: OutputName = "webhook:a".parse().unwrap();
        let settings = serde_json::json!({"url": receiver.url("/planted-token")});
        let spec = OutputSpec {
            name: name.clone(),
            settings,
            origin: String::new(),
        };
        let (context, clock) = (context(dir.path()), streamalert_types::SystemClock);
        let registry = OutputRegistry::load(&[spec], &context).unwrap();
        assert_eq!(
            registry.test(&name, &clock, 7).await,
            Some(Ok(Receipt::default()))
        );
        let body: serde_json::Value = serde_json::from_slice(&receiver.requests()[0].body).unwrap();
        assert_eq!(body["rule_name"], RULE);
        receiver.then([Reply::status(500, "no /planted-token")]);
        let error = registry.test(&name, &clock, 8).await.unwrap().unwrap_err();
        assert!(
            error.message.contains("http 500") && !error.message.contains("planted"),
            "{error}"
        );
        assert_eq!(receiver.count(), 2);
        assert!(
            registry
                .test(&"webhook:b".parse().unwrap(), &clock, 9)
                .await
                .is_none()
        );
    }
}
