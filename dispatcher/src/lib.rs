//! The dispatcher: brings alerts to outputs.
//!
//! [`DeliveryMachine`] is the pure core of one output: events in, effects out. An actor per output drives it,
//! so a dead output delays no other. [`OutputRegistry`] makes outputs out of configuration; each service is
//! one folder under `outputs/`. [`DispatcherHandle`] is what the merger sees, as `streamalert_proto::Deliveries`.

mod actor;
mod backoff;
mod card;
mod dispatcher;
mod json;
mod machine;
mod options;
mod outputs;
mod publication;
mod publishers;
mod rate;
mod registry;
mod service;
mod slots;
mod stats;
mod traces;
mod trial;

pub use backoff::Backoff;
pub use card::{Card, Fact, Link, LinkTemplates, Merged, Severity};
pub use dispatcher::{Dispatcher, DispatcherHandle, DispatcherOptions, OutputChanges};
pub use json::to_json;
pub use machine::{Burial, DeliveryKey, DeliveryMachine, Effect, Event, Waiter};
pub use options::{DeliveryOptions, DeliveryOverrides};
pub use outputs::aws::{AwsConfigs, aws_configs};
pub use outputs::webhook::{SIGNATURE_HEADER, SignatureError, sign, verify};
pub use outputs::{Output, Receipt, SendError, SendErrorKind, service, services};
pub use publication::{DefaultPublisher, Incident, IncidentAction, Publication, Publisher};
pub use publishers::{
    NoUserPublishers, OutputRules, Publishers, Redaction, RedactionError, RedactionSettings, Shelf,
    TemplateProblem, Templates, UserPublishers, builtin_publishers,
};
pub use rate::{Rate, RateLimiter};
pub use registry::{LoadContext, OutputProblem, OutputRegistry, OutputSpec, RegistryError};
pub use service::{Field, FieldKind, Reach, Service};
pub use slots::{DispatcherNode, SlotOptions};
pub use stats::{DispatcherStats, OutputStats};
pub use streamalert_secrets::{EnvLookup, Fetched, KnownSecrets, Redactor, Secret, SecretSetting};
