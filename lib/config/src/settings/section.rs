use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::fields::FieldSetting;
use super::secrets::SecretValue;

/// What a key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Integer,
    Number,
    Boolean,
    Text,
    Path,
    Texts,
    Address,
    Choice(&'static [&'static str]),
    /// A secret: text, or a table that says where it is. Its value is never shown.
    Secret,
    /// A table of secrets: any key.
    SecretTable,
    /// One field of an output. Its value may be a secret, and is never shown.
    Field,
    /// A table of fields: any key.
    FieldTable,
    /// A section of its own.
    Nested,
}

impl Kind {
    /// As in "expected …".
    pub(crate) fn expected(self) -> String {
        match self {
            Self::Integer => "a whole number".to_owned(),
            Self::Number => "a number".to_owned(),
            Self::Boolean => "true or false".to_owned(),
            Self::Text => "text".to_owned(),
            Self::Path => "a path".to_owned(),
            Self::Texts => "a list of texts".to_owned(),
            Self::Address => "an address such as \"127.0.0.1:7411\"".to_owned(),
            Self::Choice(words) => words.join(" or "),
            Self::Secret => "a secret".to_owned(),
            Self::SecretTable => "a table of secrets".to_owned(),
            Self::Field => {
                "text, where it is, a whole number, true or false, a list of texts or a table of texts"
                    .to_owned()
            }
            Self::FieldTable => "a table of fields".to_owned(),
            Self::Nested => "a table".to_owned(),
        }
    }

    /// Whether an environment variable or flag gives the value as it is, without TOML's quotes.
    pub(crate) fn is_bare_text(self) -> bool {
        matches!(self, Self::Text | Self::Path | Self::Address | Self::Choice(_))
    }

    /// Whether a complaint must not quote the value.
    pub(crate) fn is_secret(self) -> bool {
        matches!(
            self,
            Self::Secret | Self::SecretTable | Self::Field | Self::FieldTable
        )
    }
}

/// The [`Kind`] of a Rust type.
pub(crate) trait HasKind {
    const KIND: Kind;
}

macro_rules! kinds {
    ($($kind:expr => $($ty:ty),+;)+) => { $($(impl HasKind for $ty { const KIND: Kind = $kind; })+)+ };
}

kinds! {
    Kind::Integer => u64, u32, usize;
    Kind::Number => f64;
    Kind::Boolean => bool;
    Kind::Text => String;
    Kind::Path => PathBuf;
    Kind::Texts => Vec<PathBuf>, Vec<String>;
    Kind::Address => SocketAddr;
    Kind::Secret => SecretValue;
    Kind::SecretTable => BTreeMap<String, SecretValue>;
    Kind::FieldTable => BTreeMap<String, FieldSetting>;
}

impl<T: HasKind> HasKind for Option<T> {
    const KIND: Kind = T::KIND;
}

/// One key of a section.
#[derive(Debug)]
pub(crate) struct Key {
    raw_name: &'static str,
    /// Its documentation, line by line.
    pub(crate) docs: &'static [&'static str],
    pub(crate) kind: Kind,
    /// Smallest and largest whole number allowed.
    pub(crate) range: Option<(u64, u64)>,
    /// Whether a value has the key's type.
    pub(crate) fits: fn(toml::Value) -> bool,
}

impl Key {
    pub(crate) const fn new(
        raw_name: &'static str,
        docs: &'static [&'static str],
        kind: Kind,
        range: Option<(u64, u64)>,
        fits: fn(toml::Value) -> bool,
    ) -> Self {
        Self {
            raw_name,
            docs,
            kind,
            range,
            fits,
        }
    }

    pub(crate) fn name(&self) -> &'static str {
        self.raw_name.trim_start_matches("r#")
    }
}

/// A table of settings that knows its keys.
pub(crate) trait Section {
    const ABOUT: &'static [&'static str];
    const KEYS: &'static [Key];
}

/// Declares a section once: the struct, its defaults, its keys for checking and its documentation.
macro_rules! section {
    (
        $(#[doc = $about:literal])+
        $vis:vis struct $name:ident {
            $( $(#[doc = $doc:literal])+ $field:ident: $ty:ty = $default:expr $(; in $min:literal..=$max:literal)? , )*
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(default, deny_unknown_fields)]
        $vis struct $name {
            $( $(#[doc = $doc])+ $vis $field: $ty, )*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $( $field: $default, )* }
            }
        }

        impl $crate::settings::section::Section for $name {
            const ABOUT: &'static [&'static str] = &[$($about),+];
            const KEYS: &'static [$crate::settings::section::Key] = &[
                $( $crate::settings::section::Key::new(
                    stringify!($field),
                    &[$($doc),+],
                    <$ty as $crate::settings::section::HasKind>::KIND,
                    section!(@range $($min $max)?),
                    |value| <$ty as serde::Deserialize>::deserialize(value).is_ok(),
                ), )*
            ];
        }
    };
    (@range) => { None };
    (@range $min:literal $max:literal) => { Some(($min, $max)) };
}

pub(crate) use section;
