use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use streamalert_detect::RuleRuntime;
use streamalert_python::LoadError;
use streamalert_runtime::Runtime;
use streamalert_types::Clock;
use tokio::time::Instant;

use crate::args::{Global, Test};
use crate::failure::Failure;
use crate::project::Project;
use crate::testing::{
    EventFile, Heading, Helpers, Junit, Mismatch, RuleBook, Runner, Targets, Touched, Verdict, row, tell,
};
use crate::{assembly, paint, python};

mod watch;

/// Runs test events and says how many passed.
pub(crate) async fn run(global: &Global, args: &Test) -> Result<(), Failure> {
    if args.watch {
        watch::watch(global, args).await
    } else {
        once(global, args, &Touched::Everything).await
    }
}

/// Runs those test events that were asked for and touched.
async fn once(global: &Global, args: &Test, touched: &Touched) -> Result<(), Failure> {
    let (with_rules, asked) = match args.what.split_first() {
        Some((mode, rest)) if mode == "classifier" => (false, rest),
        Some((mode, rest)) if mode == "rules" => (true, rest),
        Some((mode, _)) if mode == "live" => {
            let fix =
                "`streamalert ingest` sends alerts of real logs, `streamalert test rules` only makes them";
            return Err(Failure::Other(format!(
                "test events are never sent to outputs; {fix}"
            )));
        }
        _ => (true, args.what.as_slice()),
    };
    let project = Project::load(global)?;
    let mut targets = Targets::of(asked, &folders(&project)).map_err(Failure::Other)?;
    targets.everything &= *touched == Touched::Everything;
    let clock = assembly::clock();
    let rules = if with_rules {
        Some(rules(&project, clock.clone()).await?)
    } else {
        None
    };
    let runtime = rules.as_ref().map(|(runtime, _)| runtime.clone());
    let answer = match Session::new(&project, rules, args, &clock) {
        Ok(session) => session.run(targets, touched, &clock).await,
        Err(failure) => Err(failure),
    };
    if let Some(runtime) = runtime {
        runtime.shutdown().await;
    }
    answer
}

/// Where test events are when nothing else is asked for: beside the rules, and where StreamAlert had them before.
pub(crate) fn folders(project: &Project) -> Vec<PathBuf> {
    let root = project.conf.dir.parent().unwrap_or(Path::new(""));
    let mut folders = project.python_dirs().rules;
    folders.push(root.join("tests/integration"));
    folders
}

async fn rules(project: &Project, clock: Arc<dyn Clock>) -> Result<(Runtime, RuleBook), Failure> {
    let (runtime, report) = python::start(project, Some(1), clock).await?;
    let rules = runtime.rules();
    Ok((
        runtime,
        RuleBook {
            rules,
            load_errors: report.errors,
        },
    ))
}

/// Whether a file of test events has to run after a change.
fn is_touched(file: &EventFile, touched: &Touched) -> bool {
    let Touched::Only { files, rules } = touched else {
        return true;
    };
    let mut contents = file.events.iter().flatten().flat_map(|event| &event.content);
    files.contains(&file.path) || contents.any(|content| !content.trigger_rules.is_disjoint(rules))
}

/// One run over all files, and what is counted.
struct Session<'a> {
    runner: Runner<'a>,
    args: &'a Test,
    junit: Junit,
    passed: usize,
    failed: usize,
}

impl<'a> Session<'a> {
    fn new(
        project: &'a Project,
        rules: Option<(Runtime, RuleBook)>,
        args: &'a Test,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, Failure> {
        let runner = Runner::new(project, rules, clock)?;
        Ok(Self {
            runner,
            args,
            junit: Junit::default(),
            passed: 0,
            failed: 0,
        })
    }

    async fn run(
        mut self,
        targets: Targets,
        touched: &Touched,
        clock: &Arc<dyn Clock>,
    ) -> Result<(), Failure> {
        let helpers = Helpers::at(clock.now().as_micros().div_euclid(1_000_000));
        let files: Vec<EventFile> = targets
            .files
            .iter()
            .map(|path| EventFile::read(path.clone(), &helpers))
            .collect();
        let unused = self.unused_rules(&targets, &files)?;
        self.load_errors(targets.everything);
        for file in files.into_iter().filter(|file| is_touched(file, touched)) {
            match file.events {
                Ok(events) => {
                    for event in events {
                        if self.runner.is_about(&event, &targets.rules) {
                            self.event(&file.path, event).await?;
                        }
                    }
                }
                Err(problem) => {
                    let heading = Heading {
                        file: &file.path,
                        line: problem.line,
                        number: 0,
                        description: "not a file of test events",
                    };
                    let verdict = Verdict::not_run(Mismatch::File(problem.clone()));
                    self.count(&heading, None, &verdict, Duration::ZERO);
                }
            }
        }
        self.end(&unused)
    }

    async fn event(&mut self, file: &Path, event: crate::testing::TestEvent) -> Result<(), Failure> {
        let (line, number, description) = (event.line, event.number, event.description.clone());
        let started = Instant::now();
        let (content, verdict) = self.runner.run(file, event).await?;
        let heading = Heading {
            file,
            line,
            number,
            description: &description,
        };
        self.count(
            &heading,
            content.as_ref().map(|content| content.log.as_str()),
            &verdict,
            started.elapsed(),
        );
        Ok(())
    }

    fn count(&mut self, heading: &Heading<'_>, log: Option<&str>, verdict: &Verdict, took: Duration) {
        if verdict.passed() {
            self.passed += 1;
        } else {
            self.failed += 1;
        }
        self.junit.add(heading, verdict, took);
        if self.args.json {
            println!("{}", row(heading, log, verdict).to_json());
        } else {
            anstream::print!("{}", tell(heading, verdict));
        }
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
    fn unused_rules(&self, targets: &Targets, files: &[EventFile]) -> Result<Vec<String>, Failure> {
        let contents = files
            .iter()
            .flat_map(|file| file.events.iter().flatten())
            .flat_map(|event| &event.content);
        let tested: std::collections::BTreeSet<&String> = contents
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
        let asked = |name: &String| targets.everything || targets.rules.contains(name);
        Ok(enabled
            .filter(asked)
            .filter(|name| !tested.contains(name))
            .collect())
    }

    fn end(self, unused: &[String]) -> Result<(), Failure> {
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
