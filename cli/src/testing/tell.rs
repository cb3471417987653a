use std::fmt::Write as _;
use std::path::Path;

use super::mismatch::Mark;
use super::verdict::Verdict;
use crate::paint;

/// What a result is about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Heading<'a> {
    pub(crate) file: &'a Path,
    /// 0 when it is about the whole file.
    pub(crate) line: usize,
    /// Place in the file, from 1; 0 when it is about the whole file.
    pub(crate) number: usize,
    pub(crate) description: &'a str,
}

impl Heading<'_> {
    /// `file:line`, as editors and terminals understand it.
    pub(crate) fn place(&self) -> String {
        match self.line {
            0 => self.file.display().to_string(),
            line => format!("{}:{line}", self.file.display()),
        }
    }
}

/// One line for an event, and for one that failed or has notes what there is to say.
pub(crate) fn tell(heading: &Heading<'_>, verdict: &Verdict) -> String {
    let sign = if verdict.passed() {
        paint::in_style(paint::GOOD, "✔")
    } else {
        paint::in_style(paint::BAD, "✘")
    };
    let mut text = format!(
        "{sign} {} {}\n",
        paint::in_style(paint::DIM, heading.place()),
        heading.description
    );
    for line in verdict
        .mismatches
        .iter()
        .flat_map(super::mismatch::Mismatch::lines)
    {
        let whole = format!("{}{}", line.mark.prefix(), line.text);
        let painted = match line.mark {
            Mark::Heading => paint::in_style(paint::HEAD, whole),
            Mark::Detail => whole,
            Mark::Expected => paint::in_style(paint::GOOD, whole),
            Mark::Actual => paint::in_style(paint::BAD, whole),
        };
        let _ = writeln!(text, "    {painted}");
    }
    for note in &verdict.notes {
        let _ = writeln!(text, "    {} {note}", paint::in_style(paint::ODD, "note:"));
    }
    text
}
