use std::fmt;

/// How bad a [`Problem`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The configuration cannot mean what its author thinks; nothing starts with it.
    Error,
    /// Suspicious, but it has one meaning and runs.
    Warning,
}

/// One complaint about the configuration. Prints as one line:
/// `conf/clusters/prod.json:12:5: data_sources.kinesis.x: unknown log family "clodtrail"; did you mean "cloudtrail"?`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Whether it stops the start.
    pub severity: Severity,
    /// The file as the user named it, `environment NAME` or `flag --set …`.
    pub file: String,
    /// Line, from 1; 0 when the complaint is about the whole file or not about a file.
    pub line: usize,
    /// Column in characters, from 1; 0 when `line` is 0.
    pub column: usize,
    /// The key's dotted path, or empty.
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it, or empty.
    pub fix: String,
}

impl Problem {
    /// Whether it stops the start.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        f.write_str(": ")?;
        if self.severity == Severity::Warning {
            f.write_str("warning: ")?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)?;
        if !self.fix.is_empty() {
            write!(f, "; {}", self.fix)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problem {}

/// Where in the configuration something stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Place {
    /// As [`Problem::file`].
    pub file: String,
    /// As [`Problem::line`].
    pub line: usize,
    /// As [`Problem::column`].
    pub column: usize,
}

impl Place {
    /// The whole of `file`.
    #[must_use]
    pub fn of_file(file: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            line: 0,
            column: 0,
        }
    }

    /// An error here.
    #[must_use]
    pub fn error(
        &self,
        key: impl Into<String>,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) -> Problem {
        Problem {
            severity: Severity::Error,
            file: self.file.clone(),
            line: self.line,
            column: self.column,
            key: key.into(),
            message: message.into(),
            fix: fix.into(),
        }
    }

    /// A warning here.
    #[must_use]
    pub fn warning(
        &self,
        key: impl Into<String>,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) -> Problem {
        Problem {
            severity: Severity::Warning,
            ..self.error(key, message, fix)
        }
    }
}

/// Those of one file together, in the order of its lines.
pub(crate) fn sort(problems: &mut [Problem]) {
    problems.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
}

/// Where lines begin, to turn byte offsets into lines and columns.
#[derive(Debug, Clone)]
pub(crate) struct Lines {
    starts: Vec<usize>,
}

impl Lines {
    pub(crate) fn of(text: &str) -> Self {
        let after_newlines = text.match_indices('\n').map(|(at, _)| at + 1);
        Self {
            starts: std::iter::once(0).chain(after_newlines).collect(),
        }
    }

    /// Line and column, both from 1, of byte `offset` of `text`, the text this was made from.
    pub(crate) fn place(&self, text: &str, offset: usize) -> (usize, usize) {
        let line = self.starts.partition_point(|start| *start <= offset).max(1);
        let start = self.starts[line - 1];
        let column = text
            .get(start..offset.min(text.len()))
            .map_or(0, |before| before.chars().count());
        (line, column + 1)
    }
}

/// A path of keys as people write it: `data_sources.s3."my.bucket"`.
pub(crate) fn dotted<'a>(path: impl IntoIterator<Item = &'a str>) -> String {
    let mut text = String::new();
    for segment in path {
        if !text.is_empty() {
            text.push('.');
        }
        let plain = !segment.is_empty()
            && segment
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ':' | '@'));
        if plain {
            text.push_str(segment);
        } else {
            text.push('"');
            text.push_str(&segment.replace('\\', "\\\\").replace('"', "\\\""));
            text.push('"');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_prints_as_one_line_with_place_key_and_fix() {
        let place = Place {
            file: "conf/clusters/prod.json".into(),
            line: 12,
            column: 5,
        };
        let problem = place.error(
            "data_sources.kinesis.x",
            "unknown log family \"a\"",
            "did you mean \"b\"?",
        );
        let line = "conf/clusters/prod.json:12:5: data_sources.kinesis.x: unknown log family \"a\"; did you mean \"b\"?";
        assert_eq!(problem.to_string(), line);
        let whole = Place::of_file("conf").warning("", "nothing here", "");
        assert_eq!(whole.to_string(), "conf: warning: nothing here");
    }

    #[test]
    fn lines_and_columns_count_from_one_and_in_characters() {
        let text = "ab\nöcd\n";
        let lines = Lines::of(text);
        assert_eq!(lines.place(text, 0), (1, 1));
        assert_eq!(lines.place(text, 3), (2, 1));
        assert_eq!(lines.place(text, 5), (2, 2));
        assert_eq!(lines.place(text, text.len()), (3, 1));
    }

    #[test]
    fn a_key_with_dots_is_quoted() {
        assert_eq!(dotted(["s3", "my.bucket", "a\"b"]), "s3.\"my.bucket\".\"a\\\"b\"");
        assert_eq!(dotted(["cloudtrail:events", "x"]), "cloudtrail:events.x");
    }
}
