//! Sources that the cluster files name, when `aws.data_sources` says that they are to be read.

use streamalert_value::Value;

use crate::problem::{Place, Problem};
use crate::settings::{KinesisInput, SourceAccess, SourceInput, SourceSettings, StreamStart};
use crate::{Conf, DataSource, Settings};

impl Conf {
    /// What is to be read: the `[[sources]]` of the settings, and, where `aws.data_sources` is set, what the cluster
    /// files name besides. Warnings tell what of them nobody reads.
    ///
    /// # Errors
    /// A bucket or topic whose queue is not known: guessing it could read somebody else's.
    pub fn sources_to_read(
        &self,
        settings: &Settings,
    ) -> Result<(Vec<SourceSettings>, Vec<Problem>), Vec<Problem>> {
        let mut sources = settings.sources.clone();
        let mut problems = Vec::new();
        if settings.aws.data_sources {
            for entry in self.data_sources() {
                if settings.sources.iter().any(|source| stands_for(source, entry)) {
                    continue;
                }
                match &*entry.source.service {
                    "kinesis" => sources.push(self.stream(entry, settings)),
                    "s3" | "sns" => problems.push(without_queue(entry)),
                    service => {
                        let message = format!("is read by nobody: {service} is no source of AWS");
                        let fix = "write a table in [[sources]] of streamalert.toml that says how it arrives";
                        problems.push(place(entry).warning(entry.key.as_str(), message, fix));
                    }
                }
            }
        }
        if problems.iter().any(Problem::is_error) {
            return Err(problems);
        }
        Ok((sources, problems))
    }

    /// A stream is named by its own name in cluster files.
    fn stream(&self, entry: &DataSource, settings: &Settings) -> SourceSettings {
        let region = settings.aws.region.clone().or_else(|| self.region_of(entry));
        SourceSettings {
            source: entry.source.clone(),
            input: SourceInput::Kinesis(KinesisInput {
                stream: entry.source.resource.to_string(),
                start: StreamStart::default(),
                consumer: None,
                lease_name: None,
                access: SourceAccess {
                    region,
                    ..SourceAccess::default()
                },
            }),
        }
    }

    /// The region of the cluster, or else of the account.
    fn region_of(&self, entry: &DataSource) -> Option<String> {
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        let cluster = self
            .clusters
            .iter()
            .find(|cluster| Some(&cluster.name) == entry.source.cluster.as_ref());
        text(cluster.and_then(|cluster| cluster.document.value().get("region"))).or_else(|| {
            text(
                self.global
                    .section("account")
                    .and_then(|account| account.get("region")),
            )
        })
    }
}

/// Whether a table of the settings says how this entry is read.
fn stands_for(source: &SourceSettings, entry: &DataSource) -> bool {
    source.source.service == entry.source.service
        && source.source.resource == entry.source.resource
        && (source.source.cluster.is_none() || source.source.cluster == entry.source.cluster)
}

fn place(entry: &DataSource) -> Place {
    entry.places.first().cloned().unwrap_or_default()
}

fn without_queue(entry: &DataSource) -> Problem {
    let (service, resource) = (&entry.source.service, &entry.source.resource);
    let (what, more) = match &**service {
        "s3" => ("the queue that the bucket's notifications go to", ""),
        _ => (
            "the queue that is subscribed to the topic",
            ", topic = \"ARN of the topic\"",
        ),
    };
    let fix = format!(
        "write [[sources]] in streamalert.toml with type = \"{service}\", resource = \"{resource}\"{more}, \
         queue = \"URL, ARN or name of {what}\"; or set aws.data_sources = false"
    );
    place(entry).error(entry.key.as_str(), "cannot be read: its queue is not known", fix)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conf(data_sources: &str, settings: &str) -> (Conf, Settings) {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        std::fs::create_dir_all(dir.path().join("clusters")).unwrap();
        let cluster = format!("{{\"id\": \"prod\", \"data_sources\": {data_sources}}}");
        write("clusters/prod.json", &cluster);
        write("global.json", r#"{"account": {"region": "eu-west-1"}}"#);
        write("streamalert.toml", settings);
        let conf = Conf::load(dir.path()).unwrap();
        let file = dir.path().join("streamalert.toml");
        (
            conf,
            Settings::load(Some(&file), std::iter::empty(), &[]).unwrap(),
        )
    }

    const STREAM: &str = r#"{"kinesis": {"logs": ["load"]}}"#;

    #[test]
    fn cluster_files_are_read_from_aws_only_when_the_settings_say_so() {
        let (conf, settings) = conf(STREAM, "");
        let (sources, warnings) = conf.sources_to_read(&settings).unwrap();
        assert!(sources.is_empty() && warnings.is_empty());
    }

    #[test]
    fn a_stream_of_a_cluster_file_is_read_in_the_region_of_the_account() {
        let (conf, settings) = conf(STREAM, "[aws]\ndata_sources = true\n");
        let (sources, _) = conf.sources_to_read(&settings).unwrap();
        assert_eq!(sources[0].source.to_string(), "kinesis:logs");
        let SourceInput::Kinesis(input) = &sources[0].input else {
            panic!("{sources:?}")
        };
        assert_eq!(input.stream, "logs");
        assert_eq!(input.access.region.as_deref(), Some("eu-west-1"));
    }

    #[test]
    fn a_table_of_the_settings_stands_for_its_entry() {
        let table = "[aws]\ndata_sources = true\nregion = \"us-east-2\"\n\
                     [[sources]]\ntype = \"kinesis\"\nresource = \"logs\"\nconsumer = \"c\"\n";
        let (conf, settings) = conf(STREAM, table);
        let (sources, _) = conf.sources_to_read(&settings).unwrap();
        assert_eq!(sources.len(), 1);
        assert!(matches!(&sources[0].input, SourceInput::Kinesis(input) if input.consumer.is_some()));
    }

    #[test]
    fn the_queue_of_a_bucket_is_never_guessed() {
        let (conf, settings) = conf(
            r#"{"s3": {"my.bucket": ["load"]}}"#,
            "[aws]\ndata_sources = true\n",
        );
        let problems = conf.sources_to_read(&settings).unwrap_err();
        let text = problems[0].to_string();
        assert!(text.contains("clusters/prod.json:1:"), "{text}");
        assert!(
            text.contains("type = \"s3\", resource = \"my.bucket\", queue = "),
            "{text}"
        );
    }

    #[test]
    fn an_app_that_nobody_reads_is_told_of() {
        let (conf, settings) = conf(
            r#"{"streamalert_app": {"duo": ["load"]}}"#,
            "[aws]\ndata_sources = true\n",
        );
        let (sources, warnings) = conf.sources_to_read(&settings).unwrap();
        assert!(sources.is_empty());
        assert!(
            warnings[0].to_string().contains("is read by nobody"),
            "{}",
            warnings[0]
        );
    }
}
