//! What a process answers to the command line: about its store, its services, its dead letters.

mod outputs;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use streamalert_classifier::Classifier;
use streamalert_dispatcher::{DispatcherHandle, DispatcherNode};
use streamalert_merger::MergerHandle;
use streamalert_proto::{Admin, AdminError, AdminRequest, v1};
use streamalert_rules_node::RulesNode;
use streamalert_runtime::{RuleStatistics, Runtime};
use streamalert_service::{SpanQueue, Tls};
use streamalert_store::{AlertFilter, AlertState, AlertView, DeadLetterFilter, StoreError};
use streamalert_types::{DeadLetter, DeadLetterId, DeadLetterKind, DeliveryOutcome, Timestamp};
use streamalert_value::{Map, Value};

use crate::assembly::Stores;
use crate::canary::CanaryBoard;
use crate::explain::{integer, json, object, text};
use crate::health::HealthCounts;
use crate::ownership;
use crate::reload::outputs::Kept;
use crate::replay::Replayer;

/// Rows answered when a request does not say how many.
const ITEMS_DEFAULT: usize = 50;
/// Rows answered at most: an answer is one message.
const ITEMS_MAX: usize = 10_000;
/// Bytes of a record or body shown in lists.
const SHOWN_BYTES_MAX: usize = 200;

/// The parts of this process that can be asked.
#[derive(Default)]
pub(crate) struct ProcessAdmin {
    pub(crate) stores: Option<Stores>,
    pub(crate) classifier: Option<Classifier>,
    pub(crate) rules: Option<RulesNode>,
    /// What evaluates the rules, or runs the publishers.
    pub(crate) runtime: Option<Runtime>,
    pub(crate) merger: Option<MergerHandle>,
    pub(crate) dispatcher: Option<DispatcherHandle>,
    /// Its share of the outputs, where others have one, too.
    pub(crate) dispatcher_node: Option<DispatcherNode>,
    pub(crate) replayer: Option<Arc<Replayer>>,
    /// The health events of the rules.
    pub(crate) health: Option<Arc<HealthCounts>>,
    /// What became of traces, if there are any.
    pub(crate) spans: Option<Arc<SpanQueue>>,
    /// The files of mutual TLS, if it is on.
    pub(crate) tls: Option<Tls>,
    /// Whether outputs that are configured by now are not in force.
    pub(crate) outputs_kept: Kept,
    /// Whether templates that are in their folders by now are not in force.
    pub(crate) templates_kept: Kept,
    /// Which canaries have arrived.
    pub(crate) canaries: CanaryBoard,
}

#[async_trait]
impl Admin for ProcessAdmin {
    async fn ask(&self, request: AdminRequest) -> Result<String, AdminError> {
        let answer = match request {
            AdminRequest::ListAlerts(request) => self.list_alerts(request).await?,
            AdminRequest::ShowAlert(request) => self.show_alert(&request.id).await?,
            AdminRequest::ListDeadLetters(request) => self.list_dead_letters(request).await?,
            AdminRequest::ShowDeadLetter(request) => self.show_dead_letter(&request.id).await?,
            AdminRequest::ReplayDeadLetters(request) => self.replay(request).await?,
            AdminRequest::RuleStats(request) => self.rule_stats(request.rule.as_deref())?,
            AdminRequest::ServiceStats(_) => self.service_stats().await,
            AdminRequest::FlushGroups(_) => {
                let merger = self.merger.as_ref().ok_or_else(|| absent("merger"))?;
                merger.close_groups_now().await;
                object([("flushed", Value::Bool(true))])
            }
            AdminRequest::Status(_) => self.status().await?,
        };
        Ok(answer.to_json())
    }
}

impl ProcessAdmin {
    fn stores(&self) -> Result<&Stores, AdminError> {
        self.stores.as_ref().ok_or_else(|| absent("store"))
    }

    async fn list_alerts(&self, request: v1::ListAlertsRequest) -> Result<Value, AdminError> {
        let filter = AlertFilter {
            rule: request.rule,
            since: request.since_micros.map(Timestamp::from_micros),
            open_only: request.open_only,
        };
        let alerts = self
            .stores()?
            .alerts
            .list(&filter, items(request.items_max))
            .await
            .map_err(of_store)?;
        Ok(Value::List(
            alerts.iter().map(|view| alert(view, false)).collect(),
        ))
    }

    async fn show_alert(&self, id: &str) -> Result<Value, AdminError> {
        let parsed = id
            .parse()
            .map_err(|_| invalid(format!("not an alert id: {id}")))?;
        let view = self.stores()?.alerts.view(parsed).await.map_err(of_store)?;
        view.map(|view| alert(&view, true))
            .ok_or_else(|| AdminError::NotFound {
                what: format!("alert {id}"),
            })
    }

    async fn list_dead_letters(&self, request: v1::ListDeadLettersRequest) -> Result<Value, AdminError> {
        let filter = filter(request.kind, request.since_micros);
        let store = &self.stores()?.dead_letters;
        let letters = store
            .list(&filter, None, items(request.items_max))
            .await
            .map_err(of_store)?;
        Ok(Value::List(
            letters.iter().map(|letter| dead_letter(letter, false)).collect(),
        ))
    }

    async fn show_dead_letter(&self, id: &str) -> Result<Value, AdminError> {
        Ok(dead_letter(&self.letter(id).await?, true))
    }

    async fn letter(&self, id: &str) -> Result<DeadLetter, AdminError> {
        let parsed: DeadLetterId = id
            .parse()
            .map_err(|_| invalid(format!("not a dead-letter id: {id}")))?;
        let letter = self.stores()?.dead_letters.get(parsed).await.map_err(of_store)?;
        letter.ok_or_else(|| AdminError::NotFound {
            what: format!("dead letter {id}"),
        })
    }

    async fn replay(&self, request: v1::ReplayDeadLettersRequest) -> Result<Value, AdminError> {
        let replayer = self
            .replayer
            .as_ref()
            .ok_or_else(|| absent("pipeline to replay through"))?;
        let store = &self.stores()?.dead_letters;
        let mut rows = Vec::new();
        if !request.ids.is_empty() {
            for id in &request.ids {
                let letter = self.letter(id).await?;
                rows.push(replayer.replay(&letter).await.map_err(of_store)?);
            }
            return Ok(Value::List(rows));
        }
        let filter = filter(request.kind, request.since_micros);
        let mut after = None;
        loop {
            let page = store
                .list(&filter, after, ITEMS_DEFAULT)
                .await
                .map_err(of_store)?;
            let Some(last) = page.last() else {
                return Ok(Value::List(rows));
            };
            after = Some((last.created, last.id));
            for letter in &page {
                rows.push(replayer.replay(letter).await.map_err(of_store)?);
            }
        }
    }

    fn rule_stats(&self, only: Option<&str>) -> Result<Value, AdminError> {
        let rules = self.rules.as_ref().ok_or_else(|| absent("rules-node"))?;
        let native = self
            .runtime
            .as_ref()
            .map(|runtime| runtime.current().statistics().snapshot());
        let native: HashMap<Arc<str>, RuleStatistics> = native.into_iter().flatten().collect();
        let rows = rules
            .stats()
            .snapshot()
            .into_iter()
            .filter(|(name, _)| only.is_none_or(|only| only == &**name));
        let rows = rows.map(|(name, stats)| {
            let sample = stats.sample.map_or(Value::Null, |sample| {
                object([
                    ("at", text(&sample.at.to_string())),
                    ("what", text(&sample.what)),
                    ("record", json(&sample.record.json)),
                ])
            });
            let native = native.get(&name).cloned().unwrap_or_default();
            let departed = native.last_departure.map(|departed| departed.to_string());
            object([
                ("rule", text(&name)),
                ("records", integer(stats.records)),
                ("evaluations", integer(native.evaluations)),
                ("matches", integer(stats.matches)),
                ("exceptions", integer(stats.exceptions)),
                ("kills", integer(stats.kills)),
                ("suspended", integer(stats.suspended)),
                ("fallbacks", integer(native.fallbacks)),
                ("last_fallback", departed.as_deref().map_or(Value::Null, text)),
                ("steps", integer(native.steps)),
                ("mean_nanos", native.mean_nanos.map_or(Value::Null, Value::Float)),
                ("sample", sample),
            ])
        });
        Ok(Value::List(rows.collect()))
    }

    async fn service_stats(&self) -> Value {
        let mut services = Map::new();
        if let Some(classifier) = &self.classifier {
            let stats = classifier.stats().snapshot();
            let entry = object([
                ("payloads", integer(stats.payloads)),
                ("bytes", integer(stats.bytes)),
                ("records", integer(stats.records_total())),
                ("dead_letters", integer(stats.dead_letters)),
                ("acknowledged", integer(stats.acknowledged)),
            ]);
            services.insert("classifier".to_owned(), entry);
        }
        if let Some(merger) = &self.merger {
            let stats = merger.stats().await;
            let outstanding = stats
                .outputs
                .iter()
                .map(|(name, output)| (name.to_string(), integer(output.outstanding)));
            let entry = object([
                ("accepted", integer(stats.accepted)),
                ("duplicates", integer(stats.duplicates)),
                ("merged", integer(stats.merged)),
                ("open_groups", integer(stats.open_groups)),
                ("outstanding", Value::Map(outstanding.collect())),
                ("idle", Value::Bool(merger.idle().await)),
            ]);
            services.insert("merger".to_owned(), entry);
        }
        if let Some(dispatcher) = &self.dispatcher {
            let outputs = dispatcher.stats().outputs.into_iter().map(|(name, stats)| {
                let entry = object([
                    ("delivered", integer(stats.delivered)),
                    ("attempts", integer(stats.attempts)),
                    ("dead", integer(stats.dead)),
                    ("waiting", integer(stats.waiting)),
                    ("down", Value::Bool(stats.down)),
                    (
                        "last_error",
                        stats.last_error.as_deref().map_or(Value::Null, text),
                    ),
                ]);
                (name.to_string(), entry)
            });
            services.insert("dispatcher".to_owned(), Value::Map(outputs.collect()));
        }
        Value::Map(services)
    }

    async fn status(&self) -> Result<Value, AdminError> {
        let services = [
            ("classifier", self.classifier.is_some()),
            ("rules-node", self.rules.is_some()),
            ("merger", self.merger.is_some()),
            ("dispatcher", self.dispatcher.is_some()),
        ];
        let running = services
            .iter()
            .filter(|(_, running)| *running)
            .map(|(name, _)| text(name));
        let rules = self.runtime.as_ref().map_or(Value::Null, rules_status);
        let dispatcher = self.dispatcher.as_ref();
        let outputs = dispatcher.map_or(Value::Null, |dispatcher| outputs::status(&dispatcher.stats()));
        let leases = match &self.stores {
            Some(stores) => ownership::summary(&stores.leases.list("").await.map_err(of_store)?),
            None => Value::Null,
        };
        Ok(object([
            ("services", Value::List(running.collect())),
            ("rules", rules),
            ("outputs", outputs),
            ("templates_reload_failure", reason(&self.templates_kept)),
            ("outputs_reload_failure", reason(&self.outputs_kept)),
            ("canaries", canaries(&self.canaries)),
            ("leases", leases),
        ]))
    }
}

fn reason(kept: &Kept) -> Value {
    kept.reason().as_deref().map_or(Value::Null, text)
}

fn canaries(board: &CanaryBoard) -> Value {
    let rows = board.standings().into_iter().map(|(output, standing)| {
        let arrived = standing.arrived.map(|at| at.to_string());
        object([
            ("output", text(output.as_str())),
            ("every_secs", integer(standing.every.as_secs())),
            ("arrived", arrived.as_deref().map_or(Value::Null, text)),
            ("missing", Value::Bool(standing.missing)),
        ])
    });
    Value::List(rows.collect())
}

fn rules_status(runtime: &Runtime) -> Value {
    let health = runtime.health();
    let generation = runtime.current();
    let rules = &generation.report().rules;
    let suspended = health.suspended.iter().filter_map(|suspension| {
        Some(object([
            ("rule", text(&rules.get(suspension.rule)?.name)),
            ("until", text(&suspension.until.to_string())),
            ("reason", text(&suspension.reason)),
        ]))
    });
    let not_loaded = generation
        .report()
        .errors
        .iter()
        .map(|error| text(&error.to_string()));
    let optional = |reason: Option<&str>| reason.map_or(Value::Null, text);
    object([
        ("version", text(rules.version())),
        ("rules", integer(rules.rules().len() as u64)),
        ("not_loaded", Value::List(not_loaded.collect())),
        ("reload_failure", optional(health.reload_failure.as_deref())),
        ("no_python", optional(health.no_python.as_deref())),
        ("strikes", integer(health.strikes)),
        ("suspended", Value::List(suspended.collect())),
    ])
}

fn items(asked: u32) -> usize {
    if asked == 0 {
        ITEMS_DEFAULT
    } else {
        (asked as usize).min(ITEMS_MAX)
    }
}

fn filter(kind: Option<String>, since_micros: Option<i64>) -> DeadLetterFilter {
    DeadLetterFilter {
        kind,
        since: since_micros.map(Timestamp::from_micros),
    }
}

fn absent(what: &str) -> AdminError {
    invalid(format!("there is no {what} in this process"))
}

fn invalid(reason: String) -> AdminError {
    AdminError::Invalid { reason }
}

fn of_store(error: StoreError) -> AdminError {
    AdminError::Unavailable {
        reason: error.to_string(),
    }
}

fn alert(view: &AlertView, whole: bool) -> Value {
    let alert = &view.alert;
    let state = match &view.state {
        AlertState::Open if view.group.is_some() => "in a merge group",
        AlertState::Open => "being delivered",
        AlertState::Settled { .. } => "settled",
    };
    let settled: BTreeMap<String, Value> = view
        .settled
        .iter()
        .map(|(output, outcome)| {
            let told = match outcome {
                DeliveryOutcome::Delivered { attempts, .. } => format!("delivered, {}", in_words(*attempts)),
                DeliveryOutcome::DeadLettered { attempts, reason } => {
                    format!("dead letter after {}: {reason}", in_words(*attempts))
                }
            };
            (output.to_string(), text(&told))
        })
        .collect();
    let mut row = object([
        ("id", text(&alert.id.to_string())),
        ("created", text(&alert.created.to_string())),
        ("rule", text(&alert.rule_name)),
        ("log_type", text(&alert.log_source)),
        (
            "source",
            text(&format!("{}:{}", alert.source_service, alert.source_entity)),
        ),
        ("state", text(state)),
        (
            "pending",
            Value::List(view.pending.iter().map(|output| text(output.as_str())).collect()),
        ),
        ("settled", Value::Map(settled.into_iter().collect())),
    ]);
    if let (true, Value::Map(row)) = (whole, &mut row) {
        row.insert("description".to_owned(), text(&alert.rule_description));
        row.insert("context".to_owned(), alert.context.clone());
        row.insert("rules_version".to_owned(), text(&alert.rules_version));
        row.insert("trace_id".to_owned(), alert.trace_id().map_or(Value::Null, text));
        row.insert(
            "group".to_owned(),
            view.group.map_or(Value::Null, |group| text(&group.to_string())),
        );
        row.insert("record".to_owned(), json(&alert.record));
    }
    row
}

fn dead_letter(letter: &DeadLetter, whole: bool) -> Value {
    let (kind, about) = match &letter.kind {
        DeadLetterKind::Unclassified {
            source,
            position,
            sub,
            nearest,
        } => {
            let sub = sub.map_or(String::new(), |sub| format!("#{sub}"));
            let mut about = format!("{source} {position}{sub}");
            if let Some(nearest) = nearest {
                about = format!("{about}, nearest {}", nearest.log_type);
                for (word, keys) in [
                    ("missing", &nearest.missing),
                    ("unexpected", &nearest.unexpected),
                    ("wrong type", &nearest.wrong_type),
                ] {
                    if !keys.is_empty() {
                        about = format!("{about}; {word}: {}", keys.join(", "));
                    }
                }
            }
            ("unclassified", about)
        }
        DeadLetterKind::RuleFailure {
            source,
            position,
            sub,
            rule,
            ..
        } => ("rule", format!("rule {rule} on {source} {position}#{sub}")),
        DeadLetterKind::Undelivered {
            alert,
            rule,
            output,
            attempts,
        } => (
            "undelivered",
            format!("alert {alert} of {rule} to {output}, {}", in_words(*attempts)),
        ),
    };
    let shown = if whole {
        letter.body.len()
    } else {
        letter.body.len().min(SHOWN_BYTES_MAX)
    };
    object([
        ("id", text(&letter.id.to_string())),
        ("created", text(&letter.created.to_string())),
        ("kind", text(kind)),
        ("about", text(&about)),
        ("reason", text(&letter.reason)),
        ("body_bytes", integer(letter.body.len() as u64)),
        ("truncated", Value::Bool(letter.truncated)),
        ("body", text(&String::from_utf8_lossy(&letter.body[..shown]))),
    ])
}

fn in_words(attempts: u32) -> String {
    match attempts {
        1 => "1 attempt".to_owned(),
        _ => format!("{attempts} attempts"),
    }
}
