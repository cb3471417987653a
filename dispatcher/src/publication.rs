use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use streamalert_detect::{DEFAULT_PUBLISHER, publisher_names};
use streamalert_types::{Alert, OutputName, Traceparent, Update};
use streamalert_value::{Map, Value};

use crate::card::{Card, LinkTemplates};

/// Turns an alert into what an output gets: StreamAlert's publishers.
#[async_trait]
pub trait Publisher: Send + Sync + 'static {
    /// The publication of `alert` for `output`.
    ///
    /// # Errors
    /// One line saying which publisher failed and how; the dispatcher then sends the default publication.
    async fn publish(&self, alert: &Arc<Alert>, output: &OutputName) -> Result<Value, String>;

    /// Whether any publisher but the default is asked for. If not, nobody is asked.
    fn is_wanted(&self, alert: &Alert, output: &OutputName) -> bool {
        names_publisher(alert, output)
    }

    /// `body` without what the output must not show. It is asked of whatever is sent, the default publication too.
    fn redacted(&self, _alert: &Alert, _output: &OutputName, body: Value) -> Value {
        body
    }
}

/// StreamAlert's default: the alert's output dictionary as it is.
#[derive(Debug, Clone, Copy, Default)]
pub struct DefaultPublisher;

#[async_trait]
impl Publisher for DefaultPublisher {
    async fn publish(&self, alert: &Arc<Alert>, _output: &OutputName) -> Result<Value, String> {
        Ok(crate::json::output_dict(alert))
    }
}

/// What is sent to one output about one alert.
#[derive(Debug, Clone)]
pub struct Publication {
    /// The alert.
    pub alert: Arc<Alert>,
    /// Where to.
    pub output: OutputName,
    /// What the publishers made of it.
    pub body: Value,
    is_changed: bool,
    /// Set when a publisher failed and `body` is the default, with the failure noted in it.
    pub fallback: Option<String>,
    /// Where this attempt is in the alert's trace, for outputs that can hand it on; `None` when nothing is traced.
    pub traceparent: Option<Traceparent>,
    /// What the output answered to the first delivery of this incident, such as the key of the issue it made; `None`
    /// for the first, and where it is not known any more.
    pub reference: Option<String>,
    /// Whether the incident is new at this output.
    pub action: IncidentAction,
    /// Where alerts and traces can be looked at.
    pub links: Arc<LinkTemplates>,
}

/// What one alert is to an API that knows incidents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    /// The same for everything that is sent about one incident, for ever, and different for any other. 32 hexadecimal
    /// digits and hyphens, so that it fits every API's deduplication key.
    pub key: String,
    /// What to do with it.
    pub action: IncidentAction,
}

/// What to do with an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IncidentAction {
    /// It is new.
    Open,
    /// There is more to say about one that was opened: add to it, do not open another.
    Update,
}

/// The field of a default publication that says why it is one.
const FALLBACK_FIELD: &str = "streamalert_publisher_error";

/// The field of a shortened publication that says so.
const TRUNCATED_FIELD: &str = "streamalert_truncated";

/// The field of a default publication that tells the alert's trace, if it has one.
const TRACE_FIELD: &str = "streamalert_trace_id";

impl Publication {
    /// Makes it an update of an incident that the output has.
    #[must_use]
    pub fn updating(mut self, update: Option<Update>) -> Self {
        if let Some(update) = update {
            self.action = IncidentAction::Update;
            self.reference = update.reference.map(|reference| reference.to_string());
        }
        self
    }

    /// Publishes `alert` for `output`. Never fails: what a publisher cannot do becomes the default, which says
    /// so, because an alert in the wrong shape is better than none.
    pub async fn compose(
        alert: Arc<Alert>,
        output: OutputName,
        publisher: &dyn Publisher,
        timeout: Duration,
    ) -> Self {
        if !publisher.is_wanted(&alert, &output) {
            return Self::unpublished(alert, output).redacted(publisher);
        }
        let failure = match tokio::time::timeout(timeout, publisher.publish(&alert, &output)).await {
            Ok(Ok(body)) => return Self::made(alert, output, body).redacted(publisher),
            Ok(Err(failure)) => failure,
            Err(_) => format!("publisher took longer than {} s", timeout.as_secs_f64()),
        };
        tracing::warn!(
            alert = %alert.id, rule = %alert.rule_name, output = %output, trace_id = alert.trace_id(), error = %failure,
            "publisher failed, sending the default publication"
        );
        let mut publication = Self::unpublished(alert, output);
        if let Value::Map(fields) = &mut publication.body {
            fields.insert(FALLBACK_FIELD.to_owned(), Value::Str(failure.clone()));
        }
        publication.fallback = Some(failure);
        publication.redacted(publisher)
    }

    /// What publishers made.
    pub(crate) fn made(alert: Arc<Alert>, output: OutputName, body: Value) -> Self {
        Self {
            is_changed: true,
            ..Self::new(alert, output, body)
        }
    }

    fn redacted(mut self, publisher: &dyn Publisher) -> Self {
        let body = std::mem::take(&mut self.body);
        self.body = publisher.redacted(&self.alert, &self.output, body);
        self
    }

    /// What the default publisher makes of `alert`.
    pub(crate) fn unpublished(alert: Arc<Alert>, output: OutputName) -> Self {
        let body = default_body(&alert);
        Self::new(alert, output, body)
    }

    fn new(alert: Arc<Alert>, output: OutputName, body: Value) -> Self {
        Self {
            alert,
            output,
            body,
            is_changed: false,
            fallback: None,
            traceparent: None,
            reference: None,
            action: IncidentAction::Open,
            links: Arc::default(),
        }
    }

    /// What it is to an API that knows incidents.
    #[must_use]
    pub fn incident(&self) -> Incident {
        Incident {
            key: self.alert.incident().to_string(),
            action: self.action,
        }
    }

    /// It as people are to see it.
    #[must_use]
    pub fn card(&self) -> Card {
        Card::of(self)
    }

    /// Whether publishers made something of it.
    pub(crate) fn is_changed(&self) -> bool {
        self.is_changed
    }

    /// The fields of [`Self::body`]. A publisher's answer that is no dictionary is the one field `publication`.
    #[must_use]
    pub fn fields(&self) -> Cow<'_, Map> {
        match &self.body {
            Value::Map(fields) => Cow::Borrowed(fields),
            other => Cow::Owned(Map::from_iter([("publication".to_owned(), other.clone())])),
        }
    }

    /// What publishers say about field `name` of `service` with StreamAlert's magic `@service.name`.
    #[must_use]
    pub fn magic(&self, service: &str, name: &str) -> Option<&Value> {
        let mut fields = self.magic_fields(service);
        fields.find(|(field, _)| *field == name).map(|(_, value)| value)
    }

    /// [`Self::magic`], where it is text that says something.
    #[must_use]
    pub fn magic_text(&self, service: &str, name: &str) -> Option<&str> {
        let text = self.magic(service, name)?.as_str()?;
        (!text.trim().is_empty()).then_some(text)
    }

    /// All magic fields of `service`, without the prefix. Those whose name begins with `_` are notes that publishers
    /// leave for each other, and not among them.
    pub fn magic_fields<'a>(&'a self, service: &str) -> impl Iterator<Item = (&'a str, &'a Value)> {
        let prefix = format!("@{service}.");
        let fields = self.body.as_map().into_iter().flatten();
        fields.filter_map(move |(name, value)| {
            let name = name.strip_prefix(&prefix)?;
            (!name.starts_with('_')).then_some((name, value))
        })
    }

    /// The body without what can be large, the record and the context, and with a field that says so; for APIs whose
    /// limit the whole is over.
    #[must_use]
    pub fn shortened(&self, whole_bytes: usize, bytes_max: usize) -> Value {
        let note = format!(
            "record left out: {whole_bytes} bytes are over the limit of {bytes_max}, the whole alert {} is in the history",
            self.alert.id
        );
        let mut fields: Map = match &self.body {
            // what identifies the alert stays
            Value::Map(fields) => fields
                .iter()
                .filter(|(name, value)| is_short(name, value))
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
            _ => Map::new(),
        };
        fields.insert(TRUNCATED_FIELD.to_owned(), Value::Str(note));
        Value::Map(fields)
    }
}

/// A larger field goes with the record when a publication is shortened.
const SHORT_FIELD_BYTES_MAX: usize = 16 << 10;

fn is_short(name: &str, value: &Value) -> bool {
    !matches!(name, "record" | "context")
        && !name.starts_with('@')
        && crate::to_json(value).len() <= SHORT_FIELD_BYTES_MAX
}

fn default_body(alert: &Alert) -> Value {
    let mut body = crate::json::output_dict(alert);
    if let (Value::Map(fields), Some(trace_id)) = (&mut body, alert.trace_id()) {
        fields.insert(TRACE_FIELD.to_owned(), Value::Str(trace_id.to_owned()));
    }
    body
}

/// Whether any publisher but the default is asked for. If not, Python need not be asked.
fn names_publisher(alert: &Alert, output: &OutputName) -> bool {
    publisher_names(alert, output)
        .iter()
        .any(|name| !name.is_empty() && name != DEFAULT_PUBLISHER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outputs::fixtures::alert;

    struct Failing;

    #[async_trait]
    impl Publisher for Failing {
        async fn publish(&self, _alert: &Arc<Alert>, _output: &OutputName) -> Result<Value, String> {
            Err("publishers.mine raised KeyError".to_owned())
        }
    }

    struct Hanging;

    #[async_trait]
    impl Publisher for Hanging {
        async fn publish(&self, _alert: &Arc<Alert>, _output: &OutputName) -> Result<Value, String> {
            std::future::pending().await
        }
    }

    fn with_publishers(publishers: Value) -> Arc<Alert> {
        let mut alert = alert(1);
        alert.publishers = publishers;
        Arc::new(alert)
    }

    async fn compose(alert: Arc<Alert>, publisher: &dyn Publisher) -> Publication {
        Publication::compose(
            alert,
            "slack:a".parse().unwrap(),
            publisher,
            Duration::from_secs(5),
        )
        .await
    }

    #[tokio::test]
    async fn a_default_publication_tells_the_trace_of_an_alert_that_has_one() {
        let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        for (traceparent, told) in [
            (traceparent, Some("0af7651916cd43dd8448eb211c80319c")),
            ("", None),
            ("0af7651916cd43dd8448eb211c80319c", None),
        ] {
            let traceparent = traceparent.into();
            let alert = Alert {
                traceparent,
                ..alert(1)
            };
            let body = compose(Arc::new(alert), &Failing).await.body;
            let Value::Map(fields) = &body else {
                panic!("{body:?}")
            };
            assert_eq!(fields.get(TRACE_FIELD).and_then(Value::as_str), told);
        }
    }

    #[tokio::test]
    async fn an_alert_without_publishers_does_not_ask_one() {
        let map = |key: &str, value| Value::Map([(key.to_owned(), value)].into_iter().collect());
        let name = || Value::Str("publishers.mine".to_owned());
        for publishers in [
            Value::Null,
            Value::Str(String::new()),
            Value::List(vec![]),
            Value::Map(Default::default()),
            map("pagerduty", name()),
            map("slack:b", name()),
            map("slack", Value::List(vec![])),
        ] {
            let publication = compose(with_publishers(publishers), &Failing).await;
            assert!(publication.fallback.is_none());
        }
        for publishers in [
            name(),
            Value::List(vec![name()]),
            map("slack", name()),
            map("slack:a", name()),
        ] {
            let publication = compose(with_publishers(publishers), &Failing).await;
            assert!(publication.fallback.is_some());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_publisher_falls_back_to_the_default_and_says_so() {
        for (publisher, says) in [
            (&Failing as &dyn Publisher, "KeyError"),
            (&Hanging, "longer than 5 s"),
        ] {
            let publication = compose(with_publishers(Value::Str("mine".to_owned())), publisher).await;
            assert!(publication.fallback.as_deref().unwrap().contains(says));
            let Value::Map(fields) = &publication.body else {
                panic!("not a dictionary")
            };
            assert!(matches!(&fields[FALLBACK_FIELD], Value::Str(text) if text.contains(says)));
            assert!(fields.contains_key("record"));
        }
    }
}
