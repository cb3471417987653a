use std::collections::BTreeMap;
use std::io::Read;

use streamalert_dispatcher::{Field, FieldKind, Secret, Service};

use crate::args::AddOutput;
use crate::assembly::Fields;
use crate::failure::Failure;
use crate::{paint, prompt};

/// A field's value is a line or a small document.
const VALUE_BYTES_MAX: u64 = 64 << 10;

/// How often a value that cannot be right is asked for again.
const TRIES_MAX: usize = 5;

/// Values by field, or by `FIELD.NAME` for fields that are tables.
pub(super) struct Given {
    service: &'static Service,
    values: BTreeMap<String, Secret>,
}

impl Given {
    /// What the flags say. A secret among what others can see is told of.
    pub(super) fn from_flags(service: &'static Service, args: &AddOutput) -> Result<Self, Failure> {
        let mut given = Self {
            service,
            values: BTreeMap::new(),
        };
        for text in &args.field {
            let (name, value) = pair(text, "--field", "FIELD=VALUE")?;
            let field = given.put(name, Secret::new(value.to_owned()))?;
            if field.is_secret {
                anstream::eprintln!(
                    "{} {name} is a secret, and others can see the command lines of this machine: give it with --stdin, \
                     --env or --file",
                    paint::in_style(paint::ODD, "warning:")
                );
            }
        }
        for text in &args.env {
            let (name, variable) = pair(text, "--env", "FIELD=VARIABLE")?;
            let value = std::env::var(variable)
                .map_err(|_| Failure::Other(format!("{name}: environment variable {variable} is not set")))?;
            given.put(name, Secret::new(value))?;
        }
        for (name, path) in args.files() {
            pair(&format!("{name}={}", path.display()), "--file", "FIELD=PATH")?;
            let bad = |reason: &str| Failure::Other(format!("{name}: {} {reason}", path.display()));
            let mut text = String::new();
            let file =
                std::fs::File::open(&path).map_err(|error| bad(&format!("cannot be read: {error}")))?;
            let read = file.take(VALUE_BYTES_MAX + 1).read_to_string(&mut text);
            // what cannot be read as text is not quoted
            let read = read.map_err(|_| bad("is no text"))?;
            if read as u64 > VALUE_BYTES_MAX {
                return Err(bad("is longer than 64 KB"));
            }
            given.put(name, Secret::new(text.trim_end_matches(['\r', '\n']).to_owned()))?;
        }
        if let Some(name) = &args.stdin {
            given.known(name)?;
            given.put(name, prompt::secret(name)?)?;
        }
        Ok(given)
    }

    /// Asks for what is missing, and for the rest if that is wanted.
    pub(super) fn ask(&mut self) -> Result<(), Failure> {
        let missing = self.missing();
        for field in &missing {
            self.ask_for(field)?;
        }
        let fields = self.service.fields.iter();
        let rest: Vec<&'static Field> = fields
            .filter(|field| !field.is_required && field.kind != FieldKind::Map && !self.is_given(field))
            .collect();
        if missing.is_empty() || rest.is_empty() {
            return Ok(());
        }
        let names: Vec<&str> = rest.iter().map(|field| field.name).collect();
        if prompt::yes(&format!("Set more ({})?", names.join(", ")), false)? {
            for field in rest {
                self.ask_for(field)?;
            }
        }
        Ok(())
    }

    /// Fields that there must be and that nothing says.
    pub(super) fn missing(&self) -> Vec<&'static Field> {
        let required = self.service.fields.iter().filter(|field| field.is_required);
        required.filter(|field| !self.is_given(field)).collect()
    }

    fn is_given(&self, field: &Field) -> bool {
        let prefix = format!("{}.", field.name);
        self.values
            .keys()
            .any(|name| *name == field.name || name.starts_with(&prefix))
    }

    fn ask_for(&mut self, field: &'static Field) -> Result<(), Failure> {
        let example = match (field.default, field.example) {
            (Some(default), _) => format!(" (Enter: {default})"),
            (None, "") => String::new(),
            (None, example) => format!(" (such as {example})"),
        };
        let optional = if field.is_required || field.default.is_some() {
            ""
        } else {
            " (Enter: none)"
        };
        let question = format!("{}, {}{example}{optional}", field.name, field.about);
        for _ in 0..TRIES_MAX {
            let value = if field.is_secret {
                match prompt::secret(&question) {
                    Err(_) if !field.is_required => return Ok(()),
                    value => value?,
                }
            } else {
                Secret::new(prompt::line(&question)?)
            };
            if value.expose().is_empty() {
                if field.is_required && field.default.is_none() {
                    anstream::eprintln!("{} is needed", field.name);
                    continue;
                }
                return Ok(());
            }
            match self.put(field.name, value) {
                Ok(_) => return Ok(()),
                Err(error) => anstream::eprintln!("{error}"),
            }
        }
        Err(Failure::Other(format!(
            "{} is not given, nothing is changed",
            field.name
        )))
    }

    /// The field that `name` names.
    fn known(&self, name: &str) -> Result<&'static Field, Failure> {
        let (own, member) = match name.split_once('.') {
            Some((own, member)) => (own, Some(member)),
            None => (name, None),
        };
        let field = self.service.field(own).ok_or_else(|| {
            let names: Vec<&str> = self.service.fields.iter().map(|field| field.name).collect();
            Failure::Other(format!(
                "{} has no field {own:?}, it has {}",
                self.service.name,
                names.join(", ")
            ))
        })?;
        match (field.kind == FieldKind::Map, member) {
            (true, None | Some("")) => {
                Err(Failure::Other(format!("{own} is a table: give {own}.NAME=VALUE")))
            }
            (false, Some(_)) => Err(Failure::Other(format!("{own} is no table: give {own}=VALUE"))),
            _ => Ok(field),
        }
    }

    fn put(&mut self, name: &str, value: Secret) -> Result<&'static Field, Failure> {
        let field = self.known(name)?;
        let bad = |error: String| Failure::Other(format!("{name}: {error}"));
        if field.kind == FieldKind::Text && !value.expose().is_empty() {
            (field.check)(value.expose()).map_err(bad)?;
        }
        if field.kind == FieldKind::Number && value.expose().trim().parse::<u64>().is_err() {
            return Err(bad("no whole number".to_owned()));
        }
        if field.kind == FieldKind::Flag && !["true", "false"].contains(&value.expose()) {
            return Err(bad("must be true or false".to_owned()));
        }
        if self.values.insert(name.to_owned(), value).is_some() {
            return Err(bad("is given twice".to_owned()));
        }
        Ok(field)
    }

    /// The values as StreamAlert stores them: texts, and tables of texts.
    pub(super) fn fields(&self) -> Fields {
        let mut fields = Fields::new();
        for (name, value) in &self.values {
            let value = serde_json::Value::from(value.expose());
            match name.split_once('.') {
                None => {
                    fields.insert(name.clone(), value);
                }
                Some((table, member)) => {
                    let table = fields.entry(table).or_insert_with(|| Fields::new().into());
                    if let Some(table) = table.as_object_mut() {
                        table.insert(member.to_owned(), value);
                    }
                }
            }
        }
        fields
    }
}

fn pair<'a>(text: &'a str, flag: &str, form: &str) -> Result<(&'a str, &'a str), Failure> {
    // the text may be a secret, so it is not quoted
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => Ok((name, value)),
        _ => Err(Failure::Other(format!("{flag} takes {form}"))),
    }
}
