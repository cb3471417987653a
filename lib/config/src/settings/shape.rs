use super::fleet::{AwsSettings, NodeSettings, StoreSettings};
use super::outputs::OutputTable;
use super::secrets::SecretsSettings;
use super::section::{Key, Kind, Section};
use super::sections::{
    ClassifierSettings, ConfSettings, DataSettings, DispatcherSettings, HealthSettings, ListenSettings,
    LookupTableSettings, MergerSettings, OutputLimits, PeersSettings, PythonSettings, RedactSettings,
    RulesSettings, TelemetrySettings, ThreatIntelSettings, TlsSettings,
};
use super::sources::SourceTable;

/// How often a section occurs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// `[section]`
    One,
    /// `[section.NAME]`
    Named,
    /// `[[section]]`
    List,
}

/// A section of the file.
pub(super) struct Info {
    pub(super) name: &'static str,
    pub(super) form: Form,
    pub(super) about: &'static [&'static str],
    pub(super) keys: &'static [Key],
    pub(super) defaults: fn() -> toml::Table,
}

const fn info<S: Section + Default + serde::Serialize>(name: &'static str, form: Form) -> Info {
    Info {
        name,
        form,
        about: S::ABOUT,
        keys: S::KEYS,
        defaults: defaults_of::<S>,
    }
}

fn defaults_of<S: Default + serde::Serialize>() -> toml::Table {
    toml::Table::try_from(S::default()).expect("sections hold nothing that toml cannot say")
}

/// All sections, in the order of the reference.
pub(super) static SECTIONS: [Info; 22] = [
    info::<DataSettings>("data", Form::One),
    info::<ConfSettings>("conf", Form::One),
    info::<ClassifierSettings>("classifier", Form::One),
    info::<RulesSettings>("rules", Form::One),
    info::<HealthSettings>("health", Form::One),
    info::<PythonSettings>("python", Form::One),
    info::<MergerSettings>("merger", Form::One),
    info::<DispatcherSettings>("dispatcher", Form::One),
    info::<OutputLimits>("dispatcher.output", Form::Named),
    info::<RedactSettings>("redact", Form::One),
    info::<OutputTable>("outputs", Form::Named),
    info::<SourceTable>("sources", Form::List),
    info::<LookupTableSettings>("lookup_tables", Form::Named),
    info::<ThreatIntelSettings>("threat_intel", Form::One),
    info::<AwsSettings>("aws", Form::One),
    info::<StoreSettings>("store", Form::One),
    info::<SecretsSettings>("secrets", Form::One),
    info::<NodeSettings>("node", Form::One),
    info::<ListenSettings>("listen", Form::One),
    info::<PeersSettings>("peers", Form::One),
    info::<TlsSettings>("tls", Form::One),
    info::<TelemetrySettings>("telemetry", Form::One),
];

/// What stands at a path.
pub(super) enum Slot {
    /// A value of this key.
    Value(&'static Key),
    /// One secret in a table of secrets.
    SecretOf,
    /// One field in a table of fields.
    FieldOf,
    /// A table whose members are looked up in turn.
    Table,
    /// A list of tables.
    List,
}

/// A path that leads nowhere.
pub(super) struct Unknown {
    /// Index of the segment that is not known.
    pub(super) at: usize,
    /// What could stand there.
    pub(super) candidates: Vec<&'static str>,
}

/// What stands at `path`.
pub(super) fn resolve(path: &[String]) -> Result<Slot, Unknown> {
    let Some(first) = path.first() else {
        return Ok(Slot::Table);
    };
    match SECTIONS.iter().find(|info| info.name == first) {
        Some(info) => resolve_in(info, path, 1),
        None => Err(Unknown {
            at: 0,
            candidates: SECTIONS
                .iter()
                .map(|info| info.name)
                .filter(|name| !name.contains('.'))
                .collect(),
        }),
    }
}

fn resolve_in(info: &'static Info, path: &[String], from: usize) -> Result<Slot, Unknown> {
    let key_at = if info.form == Form::One { from } else { from + 1 };
    if path.len() <= key_at {
        return Ok(if info.form == Form::List && path.len() == from {
            Slot::List
        } else {
            Slot::Table
        });
    }
    let Some(key) = info.keys.iter().find(|key| key.name() == path[key_at]) else {
        return Err(Unknown {
            at: key_at,
            candidates: info.keys.iter().map(Key::name).collect(),
        });
    };
    match (key.kind, path.len() - key_at - 1) {
        (Kind::Nested, _) => {
            let nested = SECTIONS
                .iter()
                .find(|inner| inner.name == format!("{}.{}", info.name, key.name()));
            resolve_in(
                nested.expect("every nested key has a section of its own"),
                path,
                key_at + 1,
            )
        }
        (_, 0) => Ok(Slot::Value(key)),
        (Kind::FieldTable, 1) => Ok(Slot::FieldOf),
        (Kind::SecretTable, 1) | (Kind::FieldTable, 2) => Ok(Slot::SecretOf),
        _ => Err(Unknown {
            at: key_at + 1,
            candidates: Vec::new(),
        }),
    }
}

/// Index of the segment of `path` that is a name the user chose, if its section has such.
pub(super) fn name_at(path: &[String]) -> Option<usize> {
    match path.first().map(String::as_str) {
        Some("dispatcher") if path.get(1).is_some_and(|key| key == "output") => Some(2),
        Some(first)
            if SECTIONS
                .iter()
                .any(|info| info.name == first && info.form == Form::Named) =>
        {
            Some(1)
        }
        _ => None,
    }
    .filter(|at| *at < path.len())
}
