use crate::literals;
use crate::rng::Rng;

/// What a field of the records of one program holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Word,
    Text,
    Ip,
    Cidr,
    Url,
    Json,
    Base64,
    Time,
    Digits,
    Path,
    Int,
    Big,
    Float,
    Bool,
    Words,
    Ints,
    /// A list of objects with the fields below.
    Dicts,
    /// An object with the fields below.
    Dict,
    /// An object of counts by word.
    Counts,
    Anything,
}

const LEAVES: [(Kind, usize); 18] = [
    (Kind::Word, 30),
    (Kind::Text, 12),
    (Kind::Ip, 8),
    (Kind::Cidr, 2),
    (Kind::Url, 4),
    (Kind::Json, 3),
    (Kind::Base64, 2),
    (Kind::Time, 4),
    (Kind::Digits, 4),
    (Kind::Path, 5),
    (Kind::Int, 14),
    (Kind::Big, 3),
    (Kind::Float, 6),
    (Kind::Bool, 5),
    (Kind::Words, 9),
    (Kind::Ints, 6),
    (Kind::Counts, 4),
    (Kind::Anything, 3),
];

impl Kind {
    /// The types of the grammar that a value of this kind has, the narrowest first.
    pub(crate) const fn types(self) -> &'static [&'static str] {
        match self {
            Self::Word => &["S"],
            Self::Text => &["TXT", "S"],
            Self::Ip => &["IP", "S"],
            Self::Cidr => &["NET", "S"],
            Self::Url => &["URL", "S"],
            Self::Json => &["JS", "S"],
            Self::Base64 => &["B64", "S"],
            Self::Time => &["TIME", "S"],
            Self::Digits => &["NUM", "S"],
            Self::Path => &["PATH", "S"],
            Self::Int | Self::Big => &["I", "N"],
            Self::Float => &["F", "N"],
            Self::Bool => &["B", "N"],
            Self::Words => &["LS", "L"],
            Self::Ints => &["LI", "L"],
            Self::Dicts => &["LD", "L"],
            Self::Dict => &["D"],
            Self::Counts => &["DI", "D"],
            Self::Anything => &["O"],
        }
    }
}

/// A field of the records of one program.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    pub(crate) key: String,
    pub(crate) kind: Kind,
    /// Values that the program mentions, as JSON texts: what records should hit and just miss.
    pub(crate) pool: Vec<String>,
    pub(crate) below: Vec<Field>,
}

const KEYS: [&str; 44] = [
    "eventName",
    "eventSource",
    "user",
    "userIdentity",
    "sourceIPAddress",
    "src",
    "dst",
    "action",
    "path",
    "name",
    "host",
    "type",
    "id",
    "count",
    "size",
    "port",
    "tags",
    "items",
    "request",
    "response",
    "errorCode",
    "message",
    "detail",
    "time",
    "severity",
    "status",
    "columns",
    "command",
    "args",
    "flags",
    "score",
    "region",
    "x",
    "y",
    "a.b",
    "with space",
    "größe",
    "naïve",
    "Accept-Encoding",
    "0",
    "",
    "n\\n",
    "Ключ",
    "data",
];

/// The fields of one program's records.
pub(crate) fn schema(rng: &mut Rng) -> Vec<Field> {
    let count = rng.between(6, 12);
    level(rng, count, 0)
}

fn level(rng: &mut Rng, count: usize, depth: usize) -> Vec<Field> {
    let mut fields: Vec<Field> = Vec::new();
    for _ in 0..count {
        // The strange keys at the end are rare.
        let ordinary = if rng.percent(88) { 34 } else { KEYS.len() };
        let key = KEYS.get(rng.below(ordinary)).copied().unwrap_or("a");
        if fields.iter().all(|field| field.key != key) {
            fields.push(field(rng, key, depth));
        }
    }
    fields
}

fn field(rng: &mut Rng, key: &str, depth: usize) -> Field {
    let nested = depth < 2 && rng.percent(if depth == 0 { 28 } else { 12 });
    let (kind, below) = if nested {
        let kind = if rng.percent(65) { Kind::Dict } else { Kind::Dicts };
        let count = rng.between(2, 5);
        (kind, level(rng, count, depth + 1))
    } else {
        (leaf(rng), Vec::new())
    };
    let pool = (0..rng.between(2, 5))
        .map(|_| literals::json(rng, kind))
        .collect();
    Field {
        key: key.to_owned(),
        kind,
        pool,
        below,
    }
}

fn leaf(rng: &mut Rng) -> Kind {
    let total = LEAVES.iter().map(|(_, weight)| weight).sum();
    let mut left = rng.below(total);
    for (kind, weight) in LEAVES {
        if left < weight {
            return kind;
        }
        left -= weight;
    }
    Kind::Word
}

/// All fields with the way to them, those inside of lists left out.
pub(crate) fn paths(fields: &[Field]) -> Vec<(Vec<String>, &Field)> {
    let mut found = Vec::new();
    for field in fields {
        found.push((vec![field.key.clone()], field));
        if field.kind == Kind::Dict {
            for (path, inner) in paths(&field.below) {
                let whole = std::iter::once(field.key.clone()).chain(path).collect();
                found.push((whole, inner));
            }
        }
    }
    found
}

/// All fields, those inside of lists as well.
pub(crate) fn all(fields: &[Field]) -> Vec<&Field> {
    let mut found = Vec::new();
    for field in fields {
        found.push(field);
        found.extend(all(&field.below));
    }
    found
}
