use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use streamalert_detect::RuleInfo;
use streamalert_python::LoadError;
use streamalert_types::Clock;
use tokio::time::Instant;

use super::now_secs;
use crate::args::Test;
use crate::failure::Failure;
use crate::paint;
use crate::testing::{
    Heading, Junit, Kept, KeptFile, Mismatch, Runner, Targets, Touched, Verdict, row, tell,
};

/// One run over files of test events, and what is counted.
pub(super) struct Session<'a> {
    runner: &'a mut Runner,
    args: &'a Test,
    clock: &'a Arc<dyn Clock>,
    junit: Junit,
    passed: usize,
    failed: usize,
    /// What is told at the end, and not at all when the verdicts are not to be trusted.
    held: Option<String>,
}

impl<'a> Session<'a> {
    pub(super) fn new(runner: &'a mut Runner, args: &'a Test, clock: &'a Arc<dyn Clock>) -> Self {
        Self {
            runner,
            args,
            clock,
            junit: Junit::default(),
            passed: 0,
            failed: 0,
            held: None,
        }
    }

    /// Tells nothing before the end.
    pub(super) fn held(mut self) -> Self {
        self.held = Some(String::new());
        self
    }

    /// Events that were run.
    pub(super) const fn count_run(&self) -> usize {
        self.passed + self.failed
    }

    /// Runs the events that were asked for and are touched; those that were read before are in `kept`.
    pub(super) async fn run(
        &mut self,
        targets: &Targets,
        touched: &Touched,
        kept: &mut Kept,
    ) -> Result<(), Failure> {
        kept.read(&targets.files, now_secs(self.clock));
        let everything = targets.everything && *touched == Touched::Everything;
        let unused = self.unused_rules(targets, everything, kept)?;
        if everything {
            self.load_errors(true);
        }
        for path in &targets.files {
            let Some(file) = kept.get_mut(path) else { continue };
            if let Touched::Only { rules, .. } = touched
                && !is_touched(file, touched)
            {
                self.others(path, file, targets, rules).await?;
                continue;
            }
            if let Err(problem) = &file.file.events {
                let heading = Heading {
                    file: path,
                    line: problem.line,
                    number: 0,
                    description: "not a file of test events",
                };
                let verdict = Verdict::not_run(Mismatch::File(problem.clone()));
                self.count(&heading, None, &verdict, Duration::ZERO);
            }
            self.events(path, file, targets).await?;
        }
        if self.held.is_some() && self.runner.unfit().is_some() {
            return Ok(());
        }
        if !everything {
            self.load_errors(false);
        }
        self.end(&unused)
    }

    async fn events(
        &mut self,
        path: &PathBuf,
        file: &mut KeptFile,
        targets: &Targets,
    ) -> Result<(), Failure> {
        for (event, prepared) in file.events() {
            if !self.runner.is_about(event, &targets.rules) {
                continue;
            }
            let started = Instant::now();
            let verdict = self.runner.run(path, event, prepared).await?;
            let heading = Heading {
                file: path,
                line: event.line,
                number: event.number,
                description: &event.description,
            };
            let log = event.content.as_ref().ok().map(|content| content.log.as_str());
            self.count(&heading, log, &verdict, started.elapsed());
        }
        Ok(())
    }

    /// Runs events that name none of the changed rules and could be met by one nevertheless; only those are told on
    /// which one fires.
    async fn others(
        &mut self,
        path: &PathBuf,
        file: &mut KeptFile,
        targets: &Targets,
        changed: &BTreeSet<String>,
    ) -> Result<(), Failure> {
        let Some(book) = self.runner.book() else {
            return Ok(());
        };
        let changed_rules: Vec<Arc<RuleInfo>> = changed
            .iter()
            .filter_map(|name| Some(book.rules.find(name)?.1.clone()))
            .collect();
        for (event, prepared) in file.events() {
            let Ok(content) = &event.content else { continue };
            let may_meet = changed_rules.iter().any(|rule| rule.applies_to(&content.log));
            if !may_meet || !self.runner.is_about(event, &targets.rules) {
                continue;
            }
            let started = Instant::now();
            let verdict = self.runner.run(path, event, prepared).await?;
            if verdict.is_fired_by(changed) {
                let heading = Heading {
                    file: path,
                    line: event.line,
                    number: event.number,
                    description: &event.description,
                };
                self.count(&heading, Some(&content.log), &verdict, started.elapsed());
            }
        }
        Ok(())
    }

    fn print(&mut self, text: &str) {
        match &mut self.held {
            Some(held) => held.push_str(text),
            None => anstream::print!("{text}"),
        }
    }

    fn count(&mut self, heading: &Heading<'_>, log: Option<&str>, verdict: &Verdict, took: Duration) {
        if verdict.passed() {
            self.passed += 1;
        } else {
            self.failed += 1;
        }
        self.junit.add(heading, verdict, took);
        let told = if self.args.json {
            row(heading, log, verdict).to_json() + "\n"
        } else {
            tell(heading, verdict)
        };
        self.print(&told);
    }

    /// A file that does not load fails when everything is tested; otherwise it is mentioned.
    fn load_errors(&mut self, everything: bool) {
        let errors: Vec<LoadError> = self
            .runner
            .book()
            .map(|book| book.load_errors.clone())
            .unwrap_or_default();
        for error in errors {
            if !everything {
                anstream::eprintln!("{} {error}", paint::in_style(paint::ODD, "not loaded:"));
                continue;
            }
            let verdict = Verdict::not_run(Mismatch::NotLoaded(error.clone()));
            let heading = Heading {
                file: &error.file,
                line: error.line as usize,
                number: 0,
                description: "does not load",
            };
            self.count(&heading, None, &verdict, Duration::ZERO);
        }
    }

    /// Rules that no test event is about: all of them when everything is tested, otherwise those asked for.
    ///
    /// # Errors
    /// A rule was asked for that does not exist.
    fn unused_rules(&self, targets: &Targets, everything: bool, kept: &Kept) -> Result<Vec<String>, Failure> {
        let files = targets.files.iter().filter_map(|path| kept.get(path));
        let contents = files
            .flat_map(|file| file.file.events.iter().flatten())
            .flat_map(|event| &event.content);
        let tested: BTreeSet<&String> = contents
            .filter(|content| !content.classify_only)
            .flat_map(|content| &content.trigger_rules)
            .collect();
        let Some(book) = self.runner.book() else {
            return Ok(targets
                .rules
                .iter()
                .filter(|name| !tested.contains(name))
                .cloned()
                .collect());
        };
        for name in targets.rules.iter().filter(|name| !tested.contains(name)) {
            if book.rules.find(name).is_none() {
                let hint = book.hint(name);
                let hint = if hint.is_empty() {
                    hint
                } else {
                    format!("; {hint}")
                };
                return Err(Failure::Other(format!(
                    "neither a file, nor a folder, nor a rule: {name:?}{hint}"
                )));
            }
        }
        let enabled = book
            .rules
            .rules()
            .iter()
            .filter(|rule| !rule.disabled)
            .map(|rule| rule.name.to_string());
        let asked = |name: &String| everything || targets.rules.contains(name);
        Ok(enabled
            .filter(asked)
            .filter(|name| !tested.contains(name))
            .collect())
    }

    fn end(&mut self, unused: &[String]) -> Result<(), Failure> {
        if let Some(held) = self.held.take() {
            anstream::print!("{held}");
        }
        if let Some(path) = &self.args.junit {
            std::fs::write(path, self.junit.to_xml())
                .map_err(|error| Failure::while_doing(&format!("cannot write {}", path.display()), error))?;
        }
        if !self.args.json {
            if !unused.is_empty() {
                let word = paint::in_style(paint::ODD, "no test event for:");
                anstream::println!("{word} {}", unused.join(", "));
            }
            if self.passed + self.failed == 0 {
                anstream::println!("no test events found");
            }
            println!("{} passed, {} failed", self.passed, self.failed);
        }
        if self.failed > 0 {
            Err(Failure::Told)
        } else {
            Ok(())
        }
    }
}

/// Whether all of a file of test events has to run after a change.
fn is_touched(kept: &KeptFile, touched: &Touched) -> bool {
    let Touched::Only { files, rules } = touched else {
        return true;
    };
    let mut contents = kept.file.events.iter().flatten().flat_map(|event| &event.content);
    files.contains(&kept.place) || contents.any(|content| !content.trigger_rules.is_disjoint(rules))
}
