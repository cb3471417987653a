use std::cell::RefCell;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, OnceLock};

use serde_json::{Map, Value as Json};
use streamalert_types::{Clock, OutputName};

use super::http::{self, Poster};
use crate::registry::LoadContext;
use crate::service::{Field, FieldKind, Reach, Service};
use crate::{KnownSecrets, Redactor, Secret, SecretSetting};

/// Settings and credentials of one output by field name.
pub(crate) type Table = Map<String, Json>;

/// What an output is made from: its settings, checked against the fields of its service, and what all outputs share.
/// Every getter answers one line naming the field, never its value.
pub(crate) struct Settings<'a> {
    /// Its name.
    pub(crate) output: &'a OutputName,
    /// Surroundings.
    pub(crate) context: &'a LoadContext,
    service: &'static Service,
    table: Table,
    reach: Reach,
    clients: &'a Clients,
    /// Takes in everything that was read: values of secrets, bytes of files.
    read: RefCell<DefaultHasher>,
}

/// What outputs share. The http clients, made when first asked for: root certificates are loaded once, and connections
/// are pooled per host. And what all redactors look for, as one output may be told the secret of another.
#[derive(Default)]
pub(crate) struct Clients {
    secrets: KnownSecrets,
    public: OnceLock<reqwest::Client>,
    any: OnceLock<reqwest::Client>,
}

/// What makes the TLS of an output its own.
#[derive(Default)]
pub(crate) struct OwnTls {
    /// The only authorities to trust, PEM.
    pub(crate) ca_pem: Option<Vec<u8>>,
    /// Certificate and key to show, PEM.
    pub(crate) identity_pem: Option<Vec<u8>>,
}

impl<'a> Settings<'a> {
    /// Checks `table`.
    ///
    /// # Errors
    /// What is missing, unknown or of another kind.
    pub(crate) fn new(
        output: &'a OutputName,
        service: &'static Service,
        mut table: Table,
        context: &'a LoadContext,
        clients: &'a Clients,
    ) -> Result<Self, String> {
        let reach = match table.remove("allow_internal") {
            None | Some(Json::Bool(false)) => service.reach,
            Some(Json::Bool(true)) => Reach::Any,
            // where all fields are texts
            Some(Json::String(text)) if text == "true" => Reach::Any,
            Some(Json::String(text)) if text == "false" => service.reach,
            Some(_) => return Err("allow_internal: must be true or false".to_owned()),
        };
        // StreamAlert asks for every credential, and those that need none are left empty
        table.retain(|name, value| {
            value.as_str() != Some("") || service.field(name).is_none_or(|field| field.is_required)
        });
        if let Some(unknown) = table.keys().find(|name| service.field(name).is_none()) {
            return Err(unknown_field(service, unknown));
        }
        for field in service.fields {
            match table.get(field.name) {
                Some(value) if !fits(field.kind, value) => {
                    return Err(wrong(field.name, field.kind));
                }
                None if field.is_required => return Err(format!("missing field `{}`", field.name)),
                _ => {}
            }
        }
        let mut read = DefaultHasher::new();
        (Json::Object(table.clone()).to_string(), reach == Reach::Any).hash(&mut read);
        let settings = Self {
            output,
            context,
            service,
            table,
            reach,
            clients,
            read: RefCell::new(read),
        };
        for field in service
            .fields
            .iter()
            .filter(|field| field.kind == FieldKind::Text)
        {
            if let Some(text) = settings.resolved(field)? {
                (field.check)(text.expose()).map_err(|error| format!("{}: {error}", field.name))?;
            }
        }
        clients.secrets.add(&settings.all_secrets()?);
        Ok(settings)
    }

    /// Of all that the output was made from.
    pub(crate) fn fingerprint(&self) -> u64 {
        self.read.borrow().finish()
    }

    fn field(&self, name: &str) -> Result<&'static Field, String> {
        let missing = || format!("{name} is no field of {}", self.service.name);
        self.service.field(name).ok_or_else(missing)
    }

    fn given(&self, name: &str) -> Result<Option<&Json>, String> {
        self.field(name)?;
        Ok(self.table.get(name))
    }

    fn resolved(&self, field: &Field) -> Result<Option<Secret>, String> {
        let Some(value) = self.table.get(field.name) else {
            return Ok(field.default.map(|text| Secret::new(text.to_owned())));
        };
        self.resolve(field.name, value).map(Some)
    }

    fn resolve(&self, key: &str, value: &Json) -> Result<Secret, String> {
        // what serde says of a wrong value may quote it
        let setting: SecretSetting =
            serde_json::from_value(value.clone()).map_err(|_| wrong(key, FieldKind::Text))?;
        let secret = self.context.secret(key, &setting)?;
        secret.expose().hash(&mut *self.read.borrow_mut());
        Ok(secret)
    }

    /// A secret that may be missing.
    pub(crate) fn optional_secret(&self, name: &str) -> Result<Option<Secret>, String> {
        self.resolved(self.field(name)?)
    }

    /// A secret.
    pub(crate) fn secret(&self, name: &str) -> Result<Secret, String> {
        self.optional_secret(name)?
            .ok_or_else(|| format!("missing field `{name}`"))
    }

    /// A text that may be missing.
    pub(crate) fn optional_text(&self, name: &str) -> Result<Option<String>, String> {
        Ok(self.optional_secret(name)?.map(|text| text.expose().to_owned()))
    }

    /// A text.
    pub(crate) fn text(&self, name: &str) -> Result<String, String> {
        Ok(self.secret(name)?.expose().to_owned())
    }

    /// A number that may be missing.
    pub(crate) fn optional_number(&self, name: &str) -> Result<Option<u64>, String> {
        let default = self.field(name)?.default.and_then(|text| text.parse().ok());
        Ok(match self.given(name)? {
            // credentials are texts
            Some(Json::String(text)) => Some(
                text.trim()
                    .parse()
                    .map_err(|_| format!("{name}: no whole number"))?,
            ),
            Some(value) => value.as_u64(),
            None => default,
        })
    }

    /// A number.
    pub(crate) fn number(&self, name: &str) -> Result<u64, String> {
        self.optional_number(name)?
            .ok_or_else(|| format!("missing field `{name}`"))
    }

    /// A flag; false where nothing is given and there is no default.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, String> {
        let default = self.field(name)?.default == Some("true");
        Ok(match self.given(name)? {
            Some(Json::String(text)) => text.eq_ignore_ascii_case("true"),
            Some(value) => value.as_bool().unwrap_or(default),
            None => default,
        })
    }

    /// Texts; none where nothing is given.
    pub(crate) fn list(&self, name: &str) -> Result<Vec<String>, String> {
        let Some(value) = self.given(name)? else {
            let default = self.field(name)?.default.unwrap_or_default();
            return Ok(split(default));
        };
        match value {
            Json::String(text) => Ok(split(text)),
            Json::Array(items) => items
                .iter()
                .map(|item| self.resolve(name, item).map(|text| text.expose().to_owned()))
                .collect(),
            _ => Err(wrong(name, FieldKind::List)),
        }
    }

    /// Names with secrets; none where nothing is given.
    pub(crate) fn secrets(&self, name: &str) -> Result<BTreeMap<String, Secret>, String> {
        let Some(Json::Object(entries)) = self.given(name)? else {
            return Ok(BTreeMap::new());
        };
        let secret = |(key, value): (&String, &Json)| {
            Ok((key.clone(), self.resolve(&format!("{name}.{key}"), value)?))
        };
        entries.iter().map(secret).collect()
    }

    /// Every secret that was given: what the redactor is to look for.
    fn all_secrets(&self) -> Result<Vec<Secret>, String> {
        let mut secrets = Vec::new();
        for field in self.service.fields.iter().filter(|field| field.is_secret) {
            match field.kind {
                FieldKind::Map => secrets.extend(self.secrets(field.name)?.into_values()),
                FieldKind::List => secrets.extend(self.list(field.name)?.into_iter().map(Secret::new)),
                _ => secrets.extend(self.optional_secret(field.name)?),
            }
        }
        Ok(secrets)
    }

    /// Keeps the secrets of this output out of texts, and those of all others.
    pub(crate) fn redactor(&self) -> Result<Redactor, String> {
        Ok(Redactor::new(&self.all_secrets()?).with_others(&self.clients.secrets))
    }

    /// Sends the http requests of this output.
    pub(crate) fn poster(&self) -> Result<Poster, String> {
        self.poster_with(&OwnTls::default())
    }

    /// Like [`Self::poster`], for services with [`http::CA_FILE`].
    pub(crate) fn poster_with_ca_file(&self) -> Result<Poster, String> {
        let ca_pem = self.file(http::CA_FILE.name)?;
        self.poster_with(&OwnTls {
            ca_pem,
            identity_pem: None,
        })
    }

    /// Like [`Self::poster`], with certificates of its own.
    pub(crate) fn poster_with(&self, tls: &OwnTls) -> Result<Poster, String> {
        let reach = if self.has_proxy() { Reach::Any } else { self.reach };
        let client = if tls.ca_pem.is_some() || tls.identity_pem.is_some() {
            http::client(reach, tls)?
        } else {
            let shared = match reach {
                Reach::Public => &self.clients.public,
                Reach::Any => &self.clients.any,
            };
            match shared.get() {
                Some(client) => client.clone(),
                None => {
                    let made = http::client(reach, tls)?;
                    shared.get_or_init(|| made).clone()
                }
            }
        };
        Ok(Poster {
            client,
            redactor: self.redactor()?,
            clock: Arc::clone(&self.context.clock) as Arc<dyn Clock>,
        })
    }

    /// Behind a proxy it is the proxy that looks names up, and its own name leads to an internal address.
    fn has_proxy(&self) -> bool {
        [
            "HTTPS_PROXY",
            "https_proxy",
            "HTTP_PROXY",
            "http_proxy",
            "ALL_PROXY",
            "all_proxy",
        ]
        .iter()
        .any(|name| (self.context.env)(name).is_some_and(|value| !value.is_empty()))
    }

    /// The bytes of the file that a field names, relative to the base directory.
    pub(crate) fn file(&self, name: &str) -> Result<Option<Vec<u8>>, String> {
        let Some(path) = self.optional_text(name)? else {
            return Ok(None);
        };
        let bytes = std::fs::read(self.context.base_dir.join(&path))
            .map_err(|error| format!("{name} {path} cannot be read: {error}"))?;
        bytes.hash(&mut *self.read.borrow_mut());
        Ok(Some(bytes))
    }
}

/// That the value of `field` is of another kind, without the value.
fn wrong(field: &str, kind: FieldKind) -> String {
    let expected = match kind {
        FieldKind::Text => "text, or where it is, such as { env = \"NAME\" }",
        FieldKind::Number => "a whole number",
        FieldKind::Flag => "true or false",
        FieldKind::Map => "a table of texts, such as { NAME = \"value\" }",
        FieldKind::List => "a list of texts",
    };
    format!("{field}: a setting has the wrong type, expected {expected}")
}

/// That a service has no such field, and which it has.
pub(crate) fn unknown_field(service: &Service, name: &str) -> String {
    let known: Vec<&str> = service.fields.iter().map(|field| field.name).collect();
    format!("unknown field `{name}`, expected one of {}", known.join(", "))
}

fn fits(kind: FieldKind, value: &Json) -> bool {
    match kind {
        FieldKind::Text => value.is_string() || value.is_object(),
        // credentials are texts
        FieldKind::Number => value.is_u64() || value.is_string(),
        FieldKind::Flag => value.is_boolean() || value.is_string(),
        FieldKind::Map => value.is_object(),
        FieldKind::List => value.is_array() || value.is_string(),
    }
}

fn split(text: &str) -> Vec<String> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(str::to_owned).collect()
}
