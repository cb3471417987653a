//! JUnit XML: a suite per file, a case per event, as CI systems read it.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use super::mismatch::Mismatch;
use super::tell::Heading;
use super::verdict::Verdict;

/// Collects results and writes them at the end.
#[derive(Debug, Default)]
pub(crate) struct Junit {
    suites: Vec<Suite>,
}

#[derive(Debug)]
struct Suite {
    file: PathBuf,
    cases: Vec<Case>,
}

#[derive(Debug)]
struct Case {
    name: String,
    line: usize,
    took: Duration,
    /// Heading of the first mismatch, and all of them in full.
    failure: Option<(String, String)>,
    notes: Vec<String>,
}

impl Junit {
    /// Adds a result; those of one file must follow one another.
    pub(crate) fn add(&mut self, heading: &Heading<'_>, verdict: &Verdict, took: Duration) {
        let name = match heading.number {
            0 => heading.description.to_owned(),
            number => format!("#{number} {}", heading.description),
        };
        let failure = verdict.mismatches.first().map(|first| {
            let message = first
                .lines()
                .into_iter()
                .map(|line| line.text)
                .take(2)
                .collect::<Vec<_>>()
                .join(": ");
            let all: Vec<String> = verdict.mismatches.iter().map(Mismatch::text).collect();
            (message, all.join("\n"))
        });
        let case = Case {
            name,
            line: heading.line,
            took,
            failure,
            notes: verdict.notes.clone(),
        };
        match self.suites.last_mut().filter(|suite| suite.file == heading.file) {
            Some(suite) => suite.cases.push(case),
            None => self.suites.push(Suite {
                file: heading.file.to_owned(),
                cases: vec![case],
            }),
        }
    }

    /// The whole document.
    pub(crate) fn to_xml(&self) -> String {
        let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        let totals = totals(self.suites.iter().flat_map(|suite| &suite.cases));
        let _ = writeln!(xml, "<testsuites name=\"streamalert test\"{totals}>");
        for suite in &self.suites {
            let file = escaped(&suite.file.display().to_string());
            let _ = writeln!(xml, "  <testsuite name=\"{file}\"{}>", totals_of(suite));
            for case in &suite.cases {
                case.write(&file, &mut xml);
            }
            xml.push_str("  </testsuite>\n");
        }
        xml.push_str("</testsuites>\n");
        xml
    }
}

impl Case {
    fn write(&self, file: &str, xml: &mut String) {
        let name = escaped(&self.name);
        let _ = write!(
            xml,
            "    <testcase name=\"{name}\" classname=\"{file}\" file=\"{file}\""
        );
        if self.line > 0 {
            let _ = write!(xml, " line=\"{}\"", self.line);
        }
        let _ = write!(xml, " time=\"{:.3}\"", self.took.as_secs_f64());
        if self.failure.is_none() && self.notes.is_empty() {
            xml.push_str("/>\n");
            return;
        }
        xml.push_str(">\n");
        if let Some((message, text)) = &self.failure {
            let _ = writeln!(
                xml,
                "      <failure message=\"{}\">{}</failure>",
                escaped(message),
                escaped_text(text)
            );
        }
        if !self.notes.is_empty() {
            let _ = writeln!(
                xml,
                "      <system-out>{}</system-out>",
                escaped_text(&self.notes.join("\n"))
            );
        }
        xml.push_str("    </testcase>\n");
    }
}

fn totals_of(suite: &Suite) -> String {
    totals(suite.cases.iter())
}

fn totals<'a>(cases: impl Iterator<Item = &'a Case> + Clone) -> String {
    let failures = cases.clone().filter(|case| case.failure.is_some()).count();
    let took: Duration = cases.clone().map(|case| case.took).sum();
    let tests = cases.count();
    format!(
        " tests=\"{tests}\" failures=\"{failures}\" errors=\"0\" time=\"{:.3}\"",
        took.as_secs_f64()
    )
}

/// For attributes, where line breaks would become blanks.
fn escaped(text: &str) -> String {
    escaped_text(text).replace('\n', "&#10;").replace('\t', "&#9;")
}

/// For text between tags. What XML 1.0 cannot hold at all becomes a replacement character.
fn escaped_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\r' => out.push_str("&#13;"),
            '\n' | '\t' => out.push(letter),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            _ => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_report_has_a_suite_per_file_and_a_case_per_event_and_escapes_everything() {
        let mut junit = Junit::default();
        let heading = |file: &'static str, number, description: &'static str| Heading {
            file: Path::new(file),
            line: number * 10,
            number,
            description,
        };
        let noted = Verdict {
            notes: vec!["a < b".to_owned()],
            ..Verdict::default()
        };
        let failed = Verdict::not_run(Mismatch::Source {
            wanted: "s3:\"x\"\u{1}".to_owned(),
            known: Vec::new(),
        });
        junit.add(
            &heading("rules/a.json", 1, "fine & well"),
            &Verdict::default(),
            Duration::from_millis(1_500),
        );
        junit.add(&heading("rules/a.json", 2, "noted"), &noted, Duration::ZERO);
        junit.add(&heading("rules/b.json", 1, "wrong"), &failed, Duration::ZERO);
        let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>
<testsuites name=\"streamalert test\" tests=\"3\" failures=\"1\" errors=\"0\" time=\"1.500\">
  <testsuite name=\"rules/a.json\" tests=\"2\" failures=\"0\" errors=\"0\" time=\"1.500\">
    <testcase name=\"#1 fine &amp; well\" classname=\"rules/a.json\" file=\"rules/a.json\" line=\"10\" time=\"1.500\"/>
    <testcase name=\"#2 noted\" classname=\"rules/a.json\" file=\"rules/a.json\" line=\"20\" time=\"0.000\">
      <system-out>a &lt; b</system-out>
    </testcase>
  </testsuite>
  <testsuite name=\"rules/b.json\" tests=\"1\" failures=\"1\" errors=\"0\" time=\"0.000\">
    <testcase name=\"#1 wrong\" classname=\"rules/b.json\" file=\"rules/b.json\" line=\"10\" time=\"0.000\">
      <failure message=\"no cluster file has the source s3:&quot;x&quot;\u{fffd}: known are: none\">no cluster file has the source s3:&quot;x&quot;\u{fffd}\n    known are: none</failure>
    </testcase>
  </testsuite>
</testsuites>
";
        assert_eq!(junit.to_xml(), expected);
    }
}
