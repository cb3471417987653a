use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use streamalert_config::{PythonLocations, TlsSettings};
use streamalert_value::{Map, Value};

use crate::args::Global;
use crate::explain::{object, text};
use crate::failure::Failure;
use crate::project::Project;

/// The output of our own rule.
const OWN_OUTPUT: (&str, &str) = ("webhook", "streamalert_bench");

/// The cluster of sources that no cluster file of the project has.
const OWN_CLUSTER: &str = "streamalert_bench";

/// A source that the processes read.
pub(in crate::bench) struct Reading {
    pub(in crate::bench) service: String,
    pub(in crate::bench) resource: String,
    /// Families of log types to expect, if no cluster file of the project names the source.
    pub(in crate::bench) families: Vec<String>,
    pub(in crate::bench) input: Input,
}

/// Where a source comes from.
pub(in crate::bench) enum Input {
    /// Files that appear in this folder of the run.
    Folder(String),
    /// Requests.
    Http(SocketAddr),
}

/// A project to measure: the user's rules and configuration with sources and outputs of our own, in a folder that is
/// removed afterwards.
pub(in crate::bench) struct Ground {
    dir: tempfile::TempDir,
    outputs: Vec<(String, String)>,
    python: PythonLocations,
    sets: Vec<String>,
    tls: Option<TlsSettings>,
}

impl Ground {
    /// The project's rules, its configuration but for outputs, and `own_rule` if there is one.
    pub(in crate::bench) fn of(
        global: &Global,
        project: &Project,
        readings: &[Reading],
        own_rule: Option<&str>,
    ) -> Result<Self, Failure> {
        let parent = global.data_dir.clone().unwrap_or_else(std::env::temp_dir);
        std::fs::create_dir_all(&parent)?;
        let dir = tempfile::Builder::new()
            .prefix("streamalert-bench-")
            .tempdir_in(parent)?;
        let conf = dir.path().join("conf");
        copy(&project.settings.conf.dir, &conf)?;
        std::fs::create_dir_all(conf.join("clusters"))?;
        let mut python = absolute(project.python_dirs())?;
        let mut outputs: Vec<(String, String)> = Vec::new();
        for (service, known) in &project.conf.outputs.services {
            outputs.extend(
                known
                    .descriptors
                    .keys()
                    .map(|name| (service.clone(), name.clone())),
            );
        }
        if let Some(rule) = own_rule {
            let rules = dir.path().join("own");
            std::fs::create_dir(&rules)?;
            std::fs::write(rules.join("streamalert_bench_own.py"), rule)?;
            python.rules.push(rules);
            outputs.push((OWN_OUTPUT.0.to_owned(), OWN_OUTPUT.1.to_owned()));
        }
        std::fs::write(
            conf.join("outputs.json"),
            outputs_json(project, own_rule.is_some()).to_json(),
        )?;
        if let Some(cluster) = own_cluster(project, readings) {
            let file = conf.join("clusters").join(format!("{OWN_CLUSTER}.json"));
            std::fs::write(file, cluster.to_json())?;
        }
        let tls = &project.settings.tls;
        Ok(Self {
            outputs,
            python,
            // Which shapes speak TLS is ours to say.
            sets: global
                .set
                .iter()
                .filter(|set| !set.starts_with("tls."))
                .cloned()
                .collect(),
            tls: tls.is_on().then(|| tls.clone()),
            dir,
        })
    }

    /// The folder of one run, made empty.
    pub(super) fn run_dir(&self, run: &str) -> Result<PathBuf, Failure> {
        let dir = self.dir.path().join(run);
        if dir.exists() {
            std::fs::remove_dir_all(&dir)?;
        }
        std::fs::create_dir(&dir)?;
        Ok(dir)
    }

    /// The certificates, if the user has given some.
    pub(in crate::bench) const fn tls(&self) -> Option<&TlsSettings> {
        self.tls.as_ref()
    }

    /// What every process is started with. The outputs that are files lie in `run`; those that are posted go to `sink`.
    pub(super) fn arguments(
        &self,
        run: &Path,
        readings: &[Reading],
        sink: Option<SocketAddr>,
    ) -> Result<Vec<String>, Failure> {
        let file = run.join("streamalert.toml");
        std::fs::write(&file, self.settings(run, readings, sink))?;
        for reading in readings {
            if let Input::Folder(name) = &reading.input {
                std::fs::create_dir(run.join(name))?;
            }
        }
        let conf = self.dir.path().join("conf");
        let mut arguments = vec!["--config".to_owned(), file.display().to_string()];
        arguments.extend(["--conf".to_owned(), conf.display().to_string()]);
        for set in &self.sets {
            arguments.extend(["--set".to_owned(), set.clone()]);
        }
        Ok(arguments)
    }

    fn settings(&self, run: &Path, readings: &[Reading], sink: Option<SocketAddr>) -> String {
        let mut toml = String::from("[conf]\n");
        let folders = [
            ("rules", &self.python.rules),
            ("matchers", &self.python.matchers),
            ("publishers", &self.python.publishers),
        ];
        for (name, dirs) in folders {
            let dirs: Vec<String> = dirs
                .iter()
                .map(|dir| quoted(&dir.display().to_string()))
                .collect();
            line(&mut toml, &format!("{name} = [{}]", dirs.join(", ")));
        }
        for (service, name) in &self.outputs {
            let value = match (service.as_str(), sink) {
                ("file", _) => ("path", run.join(format!("{name}.jsonl")).display().to_string()),
                ("webhook" | "slack", Some(sink)) => ("url", format!("http://{sink}/")),
                _ => continue,
            };
            line(
                &mut toml,
                &format!("[outputs.{}]", quoted(&format!("{service}:{name}"))),
            );
            line(&mut toml, &format!("{} = {}", value.0, quoted(&value.1)));
        }
        for reading in readings {
            line(&mut toml, "[[sources]]");
            line(&mut toml, &format!("service = {}", quoted(&reading.service)));
            line(&mut toml, &format!("resource = {}", quoted(&reading.resource)));
            line(
                &mut toml,
                &match &reading.input {
                    Input::Folder(name) => {
                        let path = quoted(&run.join(name).display().to_string());
                        format!("type = \"directory\"\npath = {path}")
                    }
                    Input::Http(address) => format!("type = \"http\"\naddress = \"{address}\""),
                },
            );
        }
        toml
    }
}

/// The outputs of the project and ours, as `outputs.json` has them.
fn outputs_json(project: &Project, with_own: bool) -> Value {
    let mut services = Map::new();
    for (service, known) in &project.conf.outputs.services {
        services.insert(service.clone(), Value::Map(known.descriptors.clone()));
    }
    if with_own {
        let own = services
            .entry(OWN_OUTPUT.0.to_owned())
            .or_insert_with(|| Value::Map(Map::new()));
        if let Value::Map(own) = own {
            own.insert(OWN_OUTPUT.1.to_owned(), Value::Null);
        }
    }
    for known in services.values_mut() {
        // Descriptors without anything to say of them are a list.
        if let Value::Map(descriptors) = known
            && descriptors.values().all(|value| matches!(value, Value::Null))
        {
            *known = Value::List(descriptors.keys().map(|name| text(name)).collect());
        }
    }
    Value::Map(services)
}

/// A cluster with the sources that the project does not have.
fn own_cluster(project: &Project, readings: &[Reading]) -> Option<Value> {
    let mut services = Map::new();
    for reading in readings {
        let source = streamalert_types::Source {
            service: reading.service.as_str().into(),
            resource: reading.resource.as_str().into(),
            cluster: None,
        };
        if project.conf.data_source(&source).is_some() {
            continue;
        }
        let families = reading.families.iter().map(|family| text(family)).collect();
        let resources = services
            .entry(reading.service.clone())
            .or_insert_with(|| Value::Map(Map::new()));
        if let Value::Map(resources) = resources {
            resources.insert(reading.resource.clone(), Value::List(families));
        }
    }
    (!services.is_empty())
        .then(|| object([("id", text(OWN_CLUSTER)), ("data_sources", Value::Map(services))]))
}

fn absolute(dirs: PythonLocations) -> Result<PythonLocations, Failure> {
    // Those that nobody named need not be there.
    let all = |dirs: Vec<PathBuf>| {
        let there = dirs.iter().filter(|dir| dir.exists());
        there.map(std::path::absolute).collect::<Result<_, _>>()
    };
    Ok(PythonLocations {
        rules: all(dirs.rules)?,
        matchers: all(dirs.matchers)?,
        publishers: all(dirs.publishers)?,
    })
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to)?;
        } else {
            std::fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}

fn line(to: &mut String, line: &str) {
    writeln!(to, "{line}").expect("writing to a string cannot fail");
}

/// A text of TOML.
fn quoted(text: &str) -> String {
    Value::Str(text.to_owned()).to_json()
}
