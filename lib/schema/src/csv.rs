//! CSV as Python's `csv.reader` reads it (its state machine, non-strict), row by row, with the place of each row.

/// Longest field, in characters; Python's `csv.field_size_limit()`.
const FIELD_CHARS_MAX: usize = 131_072;

/// How values are set apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dialect {
    pub(crate) delimiter: char,
    pub(crate) quote: char,
    pub(crate) escape: Option<char>,
}

/// One row: its columns, and where its text is.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) columns: Vec<String>,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// Why reading stopped before the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CsvError {
    NulByte,
    CarriageReturn,
    FieldTooLong,
}

impl CsvError {
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::NulByte => "a nul character",
            Self::CarriageReturn => "a carriage return within a line outside quotes",
            Self::FieldTooLong => "a column over 131072 characters",
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    StartRow,
    StartField,
    Escaped,
    InField,
    Quoted,
    EscapedInQuotes,
    QuoteInQuotes,
    EatLineEnd,
    AfterEscapedLineEnd,
}

/// Reads all rows; rows before an error stand.
pub(crate) fn read_rows(text: &str, dialect: &Dialect) -> (Vec<Row>, Option<CsvError>) {
    let mut reader = Reader {
        dialect,
        state: State::StartRow,
        columns: Vec::new(),
        field: String::new(),
        chars: 0,
    };
    let mut rows = Vec::new();
    let mut start = 0;
    let mut end = 0;
    for line in text.split_inclusive('\n') {
        end += line.len();
        if let Err(error) = reader.line(line) {
            return (rows, Some(error));
        }
        if reader.state == State::StartRow {
            rows.push(Row {
                columns: std::mem::take(&mut reader.columns),
                start,
                end,
            });
            start = end;
        }
    }
    if reader.state != State::StartRow && (reader.chars > 0 || reader.state == State::Quoted) {
        reader.save();
        rows.push(Row {
            columns: reader.columns,
            start,
            end,
        });
    }
    (rows, None)
}

struct Reader<'a> {
    dialect: &'a Dialect,
    state: State,
    columns: Vec<String>,
    field: String,
    chars: usize,
}

impl Reader<'_> {
    fn line(&mut self, line: &str) -> Result<(), CsvError> {
        let mut rest = line;
        loop {
            rest = self.run(rest)?;
            let mut chars = rest.chars();
            match chars.next() {
                None => return self.step(None),
                Some('\0') => return Err(CsvError::NulByte),
                Some(character) => self.step(Some(character))?,
            }
            rest = chars.as_str();
        }
    }

    /// Takes the characters that mean nothing in the present state together; answers with what comes after them.
    fn run<'t>(&mut self, text: &'t str) -> Result<&'t str, CsvError> {
        let dialect = self.dialect;
        let end = match self.state {
            State::Quoted => text.find(|c| c == dialect.quote || c == '\0' || Some(c) == dialect.escape),
            State::InField => text.find(|c| {
                c == dialect.delimiter || matches!(c, '\n' | '\r' | '\0') || Some(c) == dialect.escape
            }),
            _ => return Ok(text),
        };
        let (plain, rest) = text.split_at(end.unwrap_or(text.len()));
        self.chars += plain.chars().count();
        if self.chars > FIELD_CHARS_MAX {
            return Err(CsvError::FieldTooLong);
        }
        self.field.push_str(plain);
        Ok(rest)
    }

    fn save(&mut self) {
        self.columns.push(std::mem::take(&mut self.field));
        self.chars = 0;
    }

    fn add(&mut self, character: char, next: State) -> Result<(), CsvError> {
        if self.chars >= FIELD_CHARS_MAX {
            return Err(CsvError::FieldTooLong);
        }
        self.chars += 1;
        self.field.push(character);
        self.state = next;
        Ok(())
    }

    fn end_field(&mut self, next: State) {
        self.save();
        self.state = next;
    }

    /// One character; `None` is the end of a line.
    fn step(&mut self, character: Option<char>) -> Result<(), CsvError> {
        let is_break = matches!(character, Some('\n' | '\r') | None);
        let after_break = if character.is_none() {
            State::StartRow
        } else {
            State::EatLineEnd
        };
        let dialect = self.dialect;
        let is_escape = character.is_some() && character == dialect.escape;
        match (self.state, character) {
            (State::StartRow, None) => {}
            (State::StartRow, Some('\n' | '\r')) => self.state = State::EatLineEnd,
            (State::StartRow | State::StartField, Some(other)) if !is_break => {
                if other == dialect.quote {
                    self.state = State::Quoted;
                } else if is_escape {
                    self.state = State::Escaped;
                } else if other == dialect.delimiter {
                    self.end_field(State::StartField);
                } else {
                    self.add(other, State::InField)?;
                }
            }
            (State::StartRow | State::StartField, _) => self.end_field(after_break),
            (State::Escaped, Some(line_end @ ('\n' | '\r'))) => {
                self.add(line_end, State::AfterEscapedLineEnd)?
            }
            (State::Escaped, other) => self.add(other.unwrap_or('\n'), State::InField)?,
            (State::AfterEscapedLineEnd, None) => {}
            (State::InField | State::AfterEscapedLineEnd, Some(other)) if !is_break => {
                if is_escape {
                    self.state = State::Escaped;
                } else if other == dialect.delimiter {
                    self.end_field(State::StartField);
                } else {
                    self.add(other, State::InField)?;
                }
            }
            (State::InField | State::AfterEscapedLineEnd, _) => self.end_field(after_break),
            (State::Quoted, None) => {}
            (State::Quoted, Some(other)) => {
                if is_escape {
                    self.state = State::EscapedInQuotes;
                } else if other == dialect.quote {
                    self.state = State::QuoteInQuotes;
                } else {
                    self.add(other, State::Quoted)?;
                }
            }
            (State::EscapedInQuotes, other) => self.add(other.unwrap_or('\n'), State::Quoted)?,
            (State::QuoteInQuotes, Some(other)) if !is_break => {
                if other == dialect.quote {
                    self.add(other, State::Quoted)?;
                } else if other == dialect.delimiter {
                    self.end_field(State::StartField);
                } else {
                    self.add(other, State::InField)?;
                }
            }
            (State::QuoteInQuotes, _) => self.end_field(after_break),
            (State::EatLineEnd, None) => self.state = State::StartRow,
            (State::EatLineEnd, Some('\n' | '\r')) => {}
            (State::EatLineEnd, Some(_)) => return Err(CsvError::CarriageReturn),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{CsvError, Dialect, FIELD_CHARS_MAX, read_rows};

    const PLAIN: Dialect = Dialect {
        delimiter: ',',
        quote: '"',
        escape: None,
    };

    fn rows(text: &str) -> Vec<Vec<String>> {
        read_rows(text, &PLAIN)
            .0
            .into_iter()
            .map(|row| row.columns)
            .collect()
    }

    #[test]
    fn rows_know_their_place_in_the_text() {
        let text = "a,b\n\"c\nd\",e\n\nf";
        let (rows, error) = read_rows(text, &PLAIN);
        assert_eq!(error, None);
        let places: Vec<&str> = rows.iter().map(|row| &text[row.start..row.end]).collect();
        assert_eq!(places, ["a,b\n", "\"c\nd\",e\n", "\n", "f"]);
        assert!(rows[2].columns.is_empty());
    }

    #[test]
    fn a_quote_that_is_never_closed_gives_its_row_all_the_same() {
        assert_eq!(rows("a,\"b\nc"), [["a", "b\nc"]]);
    }

    #[test]
    fn a_lone_carriage_return_ends_a_row_and_anything_after_it_is_an_error() {
        assert_eq!(rows("a,b\r\n"), [["a", "b"]]);
        assert_eq!(read_rows("a,b\rc,d\n", &PLAIN).1, Some(CsvError::CarriageReturn));
    }

    #[test]
    fn fields_are_limited_to_what_python_allows() {
        let longest = "x".repeat(FIELD_CHARS_MAX);
        assert_eq!(rows(&longest)[0][0].len(), FIELD_CHARS_MAX);
        assert_eq!(
            read_rows(&(longest + "x"), &PLAIN).1,
            Some(CsvError::FieldTooLong)
        );
        assert_eq!(read_rows("a\0b", &PLAIN).1, Some(CsvError::NulByte));
    }
}
