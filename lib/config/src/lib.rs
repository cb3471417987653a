//! What the user configured: StreamAlert's `conf/` directory as it is, and our own `streamalert.toml`.
//!
//! Every complaint is a [`Problem`] that names file, line, key and the fix. Reads files, knows no runtime.

mod cloud_sources;
mod conf;
mod located;
mod problem;
mod settings;
mod suggest;
mod validate;

pub use conf::{
    Cluster, Conf, DataSource, Global, IgnoredKeys, LookupTable, LookupTables, OutputService, Outputs,
    PythonLocations, SchemaEntry, ThreatIntel,
};
pub use located::Located;
pub use problem::{Place, Problem, Severity};
pub use settings::{
    AwsSettings, Billing, ClassifierSettings, ConfSettings, DataSettings, DispatcherSettings, FieldValue,
    Header, HealthSettings, KinesisInput, ListenSettings, LogFormat, LookupTableSettings, MergerSettings,
    NodeSettings, OutputLimits, OutputTarget, PeersSettings, PythonSettings, RedactSettings, RulesSettings,
    Secret, SecretPlace, SecretSource, SecretsSettings, SecretsType, Service, Settings, SourceAccess,
    SourceInput, SourceSettings, StoreSettings, StoreType, StreamStart, TelemetrySettings,
    ThreatIntelSettings, TlsSettings,
};
pub use suggest::nearest;
pub use validate::{Known, Report, RuleReference, validate, validate_rules};
