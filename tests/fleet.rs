//! The four services apart, with mutual TLS: by configuration alone, and nobody without a certificate gets in.

use std::path::Path;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use streamalert_testkit::{ServiceProcess, ServiceSpec, WebhookReceiver, free_port};

use crate::support::{PATIENCE, TestProject, binary};

const RULES: &str = "
from streamalert.shared.rule import rule

@rule(logs=['load:event'], outputs=['webhook:sink'])
def every(record):
    return True
";

/// An authority and one certificate of it, as PEM files in `dir`.
pub(crate) fn certificates(dir: &Path) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let service = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let service = service.signed_by(&key, &authority).unwrap();
    std::fs::write(dir.join("ca.pem"), authority.pem()).unwrap();
    std::fs::write(dir.join("cert.pem"), service.pem()).unwrap();
    std::fs::write(dir.join("key.pem"), key.serialize_pem()).unwrap();
}

fn spec(project: &TestProject, name: &str, sets: &[String]) -> ServiceSpec {
    let mut args = vec!["--data-dir".to_owned(), project.path(name).display().to_string()];
    for set in sets {
        args.extend(["--set".to_owned(), set.clone()]);
    }
    args.extend(["run".to_owned(), name.to_owned()]);
    ServiceSpec {
        binary: binary(),
        args,
        env: Vec::new(),
        dir: project.root().to_owned(),
        log_dir: project.root().to_owned(),
        name: name.to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alerts_cross_four_processes_with_mutual_tls_and_not_without_a_certificate() {
    let receiver = WebhookReceiver::start(None).await;
    let project = TestProject::new(RULES);
    certificates(project.root());
    project.write("conf/outputs.json", r#"{"webhook": ["sink"]}"#);
    project.write(
        "streamalert.toml",
        &format!(
            "[outputs.\"webhook:sink\"]\nurl = \"{}\"\n[python]\nworkers = 1\n\
             [[sources]]\ntype = \"directory\"\nservice = \"kinesis\"\nresource = \"stream\"\npath = \"logs\"\n",
            receiver.url("/hook")
        ),
    );
    let mut plain = vec!["listen.admin=127.0.0.1:0".to_owned()];
    for name in ["rules_node", "merger", "dispatcher"] {
        plain.push(format!("listen.{name}=127.0.0.1:{}", free_port()));
    }
    let mut sets = plain.clone();
    for (key, file) in [("cert", "cert.pem"), ("key", "key.pem"), ("ca", "ca.pem")] {
        sets.push(format!("tls.{key}={}", project.path(file).display()));
    }
    let mut processes = Vec::new();
    for name in ["dispatcher", "merger", "rules-node"] {
        processes.push(
            ServiceProcess::start(&spec(&project, name, &sets), Some("ready"), PATIENCE)
                .await
                .unwrap(),
        );
    }
    project.append_events("logs/events.jsonl", 0, 20, |_| "k");
    // Without a certificate the classifier gets nothing across.
    let mut stranger = ServiceProcess::start(&spec(&project, "classifier", &plain), Some("ready"), PATIENCE)
        .await
        .unwrap();
    assert!(
        !receiver.wait_for(1, Duration::from_secs(2)).await,
        "an alert came without a certificate"
    );
    stranger.kill().await.unwrap();
    let _classifier = ServiceProcess::start(&spec(&project, "classifier", &sets), Some("ready"), PATIENCE)
        .await
        .unwrap();
    assert!(
        receiver.wait_for(20, PATIENCE).await,
        "only {} alerts came",
        receiver.count()
    );
}
