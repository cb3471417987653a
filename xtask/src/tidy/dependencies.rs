use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, PackageId};

use super::Finding;
use super::files::GRAB_BAGS;

/// Where a crate stands: it may use crates of a lower layer only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Layer {
    /// `lib/value`
    Value,
    /// `lib/types`, and `lib/detect/regex`, which knows values only.
    Types,
    /// Logic without a runtime.
    Pure,
    /// `lib/detect/python`: rules of Python without a runtime, over the other pure ones.
    Native,
    /// `proto`
    Proto,
    /// `lib/aws`: how AWS is reached.
    Cloud,
    /// `lib/store`, what the other libraries keep their state in, and `lib/secrets`.
    Store,
    /// `lib/python`: rules of Python in processes.
    Workers,
    /// Libraries with a runtime.
    Runtime,
    Service,
    /// `cli`, which knows everything.
    Program,
    /// Tests and chores; nothing uses them.
    Outside,
}

const LAYERS: [(&str, Layer); 24] = [
    ("streamalert-value", Layer::Value),
    ("streamalert-types", Layer::Types),
    ("streamalert-regex", Layer::Types),
    ("streamalert-config", Layer::Pure),
    ("streamalert-schema", Layer::Pure),
    ("streamalert-detect", Layer::Pure),
    ("streamalert-lint", Layer::Pure),
    ("streamalert-native", Layer::Native),
    ("streamalert-proto", Layer::Proto),
    ("streamalert-aws", Layer::Cloud),
    ("streamalert-secrets", Layer::Store),
    ("streamalert-store", Layer::Store),
    ("streamalert-stream", Layer::Runtime),
    ("streamalert-python", Layer::Workers),
    ("streamalert-runtime", Layer::Runtime),
    ("streamalert-service", Layer::Runtime),
    ("streamalert-testkit", Layer::Runtime),
    ("streamalert-classifier", Layer::Service),
    ("streamalert-rules-node", Layer::Service),
    ("streamalert-merger", Layer::Service),
    ("streamalert-dispatcher", Layer::Service),
    ("streamalert-cli", Layer::Program),
    ("streamalert-difftest", Layer::Outside),
    ("xtask", Layer::Outside),
];

/// What a crate below the runtime must not pull in, however indirectly.
const RUNTIMES: [&str; 3] = ["tokio", "tonic", "aws"];

/// AWS SDKs, and the crates that may call them; all others belong to the dispatcher. The SDKs' generic code is compiled
/// into whoever calls it, so callers are few and thin.
const SDK_HOMES: [(&str, &[&str]); 6] = [
    ("aws-sdk-dynamodb", &["streamalert-store"]),
    ("aws-sdk-kinesis", &["streamalert-stream"]),
    (
        "aws-sdk-s3",
        &[
            "streamalert-store",
            "streamalert-stream",
            "streamalert-dispatcher",
        ],
    ),
    ("aws-sdk-secretsmanager", &["streamalert-secrets"]),
    ("aws-sdk-sqs", &["streamalert-stream", "streamalert-dispatcher"]),
    ("aws-sdk-ssm", &["streamalert-secrets"]),
];

/// A crate of the workspace and what it uses.
#[derive(Debug, Clone, Default)]
pub(super) struct Member {
    name: String,
    /// Its Cargo.toml, relative to the root, and that file's text.
    manifest: String,
    manifest_text: String,
    /// Direct dependencies, those of tests apart.
    direct: BTreeSet<String>,
    /// Direct dependencies of tests only.
    dev: BTreeSet<String>,
    /// Every crate that is compiled into it, and one crate through which it comes.
    reached: BTreeMap<String, String>,
}

impl Member {
    fn error(&self, dependency: &str, message: String) -> Finding {
        let line = self
            .manifest_text
            .lines()
            .position(|line| line.trim_start().starts_with(dependency));
        Finding::error(&self.manifest, line.map_or(1, |index| index + 1), message)
    }
}

fn layer_of(name: &str) -> Option<Layer> {
    LAYERS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, layer)| *layer)
}

/// The members of the workspace at `root`.
pub(super) fn read(root: &Path) -> Result<Vec<Member>, String> {
    let metadata = MetadataCommand::new()
        .manifest_path(root.join("Cargo.toml"))
        .exec()
        .map_err(|error| format!("cargo metadata: {error}"))?;
    let mut members = Vec::new();
    for package in metadata.workspace_packages() {
        let manifest = package.manifest_path.strip_prefix(&metadata.workspace_root);
        let manifest = manifest.unwrap_or(&package.manifest_path).to_string();
        let text = std::fs::read_to_string(&package.manifest_path).map_err(|e| format!("{manifest}: {e}"))?;
        let (mut direct, mut dev) = (BTreeSet::new(), BTreeSet::new());
        for dependency in &package.dependencies {
            let list = if dependency.kind == DependencyKind::Development {
                &mut dev
            } else {
                &mut direct
            };
            list.insert(dependency.name.to_string());
        }
        let reached = reach(&metadata, &package.id);
        let name = package.name.to_string();
        members.push(Member {
            name,
            manifest,
            manifest_text: text,
            direct,
            dev,
            reached,
        });
    }
    Ok(members)
}

/// Names of the crates compiled into `start`, each with the direct dependency that brings it.
fn reach(metadata: &Metadata, start: &PackageId) -> BTreeMap<String, String> {
    let Some(resolve) = &metadata.resolve else {
        return BTreeMap::new();
    };
    let nodes: BTreeMap<&PackageId, _> = resolve.nodes.iter().map(|node| (&node.id, node)).collect();
    let name_of = |id: &PackageId| {
        metadata
            .packages
            .iter()
            .find(|p| p.id == *id)
            .map(|p| p.name.to_string())
    };
    let mut reached = BTreeMap::new();
    let mut seen = BTreeSet::from([start]);
    let mut open: Vec<(&PackageId, Option<String>)> = vec![(start, None)];
    while let Some((id, via)) = open.pop() {
        for dependency in nodes.get(id).into_iter().flat_map(|node| &node.deps) {
            let is_normal = dependency
                .dep_kinds
                .iter()
                .any(|kind| kind.kind == DependencyKind::Normal);
            if !is_normal || !seen.insert(&dependency.pkg) {
                continue;
            }
            let name = name_of(&dependency.pkg).unwrap_or_default();
            let via = via.clone().unwrap_or_else(|| name.clone());
            reached.insert(name, via.clone());
            open.push((&dependency.pkg, Some(via)));
        }
    }
    reached
}

/// Who may depend on whom.
pub(super) fn check(members: &[Member], findings: &mut Vec<Finding>) {
    for member in members {
        let segments: Vec<&str> = member.name.split(['-', '_']).collect();
        if let Some(bag) = segments.iter().find(|segment| GRAB_BAGS.contains(segment)) {
            let message = format!(
                "a crate called {:?}; {bag:?} says nothing of what is inside",
                member.name
            );
            findings.push(member.error("name", message));
        }
        let Some(layer) = layer_of(&member.name) else {
            let message = format!(
                "{} has no layer; give it one in xtask/src/tidy/dependencies.rs",
                member.name
            );
            findings.push(member.error("name", message));
            continue;
        };
        check_direction(member, layer, findings);
        check_runtimes(member, layer, findings);
        check_sdks(member, findings);
    }
}

fn check_direction(member: &Member, layer: Layer, findings: &mut Vec<Finding>) {
    for dependency in &member.direct {
        let Some(below) = layer_of(dependency) else {
            continue;
        };
        let message = if dependency == "streamalert-testkit" && layer < Layer::Outside {
            format!(
                "{} uses streamalert-testkit, which is for tests: make it a dev-dependency",
                member.name
            )
        } else if layer == Layer::Service && below == Layer::Service {
            format!(
                "{} uses {dependency}: services know each other through streamalert-proto only",
                member.name
            )
        } else if layer == Layer::Proto && below > Layer::Types {
            format!("streamalert-proto uses {dependency}: it may use the nouns (value, types) only")
        } else if below >= layer {
            format!(
                "{} uses {dependency}, which stands above or beside it",
                member.name
            )
        } else {
            continue;
        };
        findings.push(member.error(dependency, message));
    }
    for dependency in member.dev.iter().filter(|_| layer == Layer::Service) {
        if layer_of(dependency) == Some(Layer::Service) {
            let message = format!(
                "{} tests with {dependency}: move that test to tests/",
                member.name
            );
            findings.push(member.error(dependency, message));
        }
    }
}

fn check_runtimes(member: &Member, layer: Layer, findings: &mut Vec<Finding>) {
    if layer > Layer::Native {
        return;
    }
    for (name, via) in &member.reached {
        if RUNTIMES
            .iter()
            .any(|runtime| name == runtime || name.starts_with(&format!("{runtime}-")))
        {
            let through = if via == name {
                String::new()
            } else {
                format!(" through {via}")
            };
            let message = format!(
                "{} pulls in {name}{through}, and must not know a runtime",
                member.name
            );
            findings.push(member.error(via, message));
        }
    }
}

fn check_sdks(member: &Member, findings: &mut Vec<Finding>) {
    for sdk in member.direct.iter().filter(|name| name.starts_with("aws-sdk-")) {
        let homes = SDK_HOMES
            .iter()
            .find(|(name, _)| name == sdk)
            .map_or(&["streamalert-dispatcher"][..], |(_, homes)| homes);
        if !homes.contains(&&*member.name) {
            findings.push(member.error(sdk, format!("{sdk} belongs to {} only", homes.join(", "))));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str, direct: &[&str]) -> Member {
        let direct: BTreeSet<String> = direct.iter().map(|name| (*name).to_owned()).collect();
        Member {
            name: name.to_owned(),
            manifest: format!("{name}/Cargo.toml"),
            manifest_text: direct
                .iter()
                .map(|name| format!("{name}.workspace = true\n"))
                .collect(),
            reached: direct.iter().map(|name| (name.clone(), name.clone())).collect(),
            direct,
            dev: BTreeSet::new(),
        }
    }

    fn found(member: Member) -> Vec<String> {
        let mut findings = Vec::new();
        check(&[member], &mut findings);
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_service_may_use_proto_and_libraries_but_no_service() {
        let good = [
            "serde",
            "streamalert-proto",
            "streamalert-store",
            "streamalert-types",
            "tokio",
        ];
        assert_eq!(found(member("streamalert-merger", &good)), [""; 0]);
        let bad = found(member("streamalert-merger", &["bytes", "streamalert-dispatcher"]));
        assert_eq!(bad.len(), 1);
        assert!(
            bad[0].starts_with(
                "streamalert-merger/Cargo.toml:2: streamalert-merger uses streamalert-dispatcher"
            )
        );
        let mut tests = member("streamalert-merger", &[]);
        tests.dev.insert("streamalert-dispatcher".into());
        assert_eq!(found(tests).len(), 1);
        assert_eq!(
            found(member("streamalert-merger", &["streamalert-testkit"])).len(),
            1
        );
    }

    #[test]
    fn proto_uses_types_only_and_nothing_uses_what_stands_above_it() {
        assert_eq!(
            found(member("streamalert-proto", &["streamalert-types", "tonic"])),
            [""; 0]
        );
        assert_eq!(
            found(member("streamalert-proto", &["streamalert-schema"])).len(),
            1
        );
        assert_eq!(
            found(member("streamalert-service", &["streamalert-proto"])),
            [""; 0]
        );
        assert_eq!(
            found(member("streamalert-types", &["streamalert-schema"])).len(),
            1
        );
        assert_eq!(
            found(member("streamalert-schema", &["streamalert-detect"])).len(),
            1
        );
        assert_eq!(found(member("streamalert-store", &["streamalert-cli"])).len(), 1);
    }

    #[test]
    fn pure_crates_pull_in_no_runtime_even_indirectly() {
        assert_eq!(
            found(member("streamalert-schema", &["serde", "tokenizers"])),
            [""; 0]
        );
        assert_eq!(found(member("streamalert-schema", &["tokio"])).len(), 1);
        let mut indirect = member("streamalert-detect", &["regex", "reqwest"]);
        indirect.reached.insert("tokio-util".into(), "reqwest".into());
        let bad = found(indirect);
        assert_eq!(bad.len(), 1);
        assert!(
            bad[0].contains(":2: streamalert-detect pulls in tokio-util through reqwest"),
            "{bad:?}"
        );
    }

    #[test]
    fn every_sdk_has_one_home() {
        assert_eq!(found(member("streamalert-store", &["aws-sdk-dynamodb"])), [""; 0]);
        assert_eq!(
            found(member("streamalert-stream", &["aws-sdk-kinesis", "aws-sdk-s3"])),
            [""; 0]
        );
        assert_eq!(found(member("streamalert-dispatcher", &["aws-sdk-ses"])), [""; 0]);
        assert_eq!(
            found(member("streamalert-stream", &["aws-sdk-dynamodb"])).len(),
            1
        );
        assert_eq!(found(member("streamalert-store", &["aws-sdk-ses"])).len(), 1);
    }

    #[test]
    fn crates_without_a_noun_or_a_layer_are_refused() {
        let bad = found(member("streamalert-common", &[]));
        assert!(bad[0].contains("says nothing of what is inside"), "{bad:?}");
        assert!(found(member("streamalert-new", &[]))[0].contains("has no layer"));
    }

    #[test]
    fn this_workspace_can_be_read() {
        let members = read(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))).unwrap();
        let merger = members
            .iter()
            .find(|member| member.name == "streamalert-merger")
            .unwrap();
        assert_eq!(merger.manifest, "merger/Cargo.toml");
        let config = members
            .iter()
            .find(|member| member.name == "streamalert-config")
            .unwrap();
        assert_eq!(config.reached["blake3"], "streamalert-types");
        assert!(config.dev.contains("tempfile") && !config.reached.contains_key("tempfile"));
    }
}
