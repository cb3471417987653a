use std::collections::BTreeSet;
use std::net::TcpStream;

use super::*;

#[tokio::test]
async fn every_emulator_answers_on_loopback_only_and_ends_when_dropped() {
    for kind in [
        EmulatorKind::Ministack,
        EmulatorKind::DynamoDbLocal,
        EmulatorKind::KinesisLocal,
    ] {
        let Some(emulator) = present(Emulator::start(kind).await) else {
            skipped(kind.name());
            continue;
        };
        let port = emulator.child.port();
        let addresses = listening(port);
        assert!(!addresses.is_empty(), "{kind:?} listens on {port}");
        for address in addresses {
            assert!(
                ["0100007F", "0000000000000000FFFF00000100007F"].contains(&&*address),
                "{kind:?} listens on {address}"
            );
        }
        drop(emulator);
        let refused = TcpStream::connect(("127.0.0.1", port));
        assert!(refused.is_err(), "{kind:?} still listens");
    }
}

/// Addresses, as the kernel writes them, on which somebody listens on `port`.
fn listening(port: u16) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let text = std::fs::read_to_string(table).unwrap_or_default();
        for line in text.lines().skip(1) {
            let columns: Vec<&str> = line.split_whitespace().collect();
            let (Some(local), Some(&"0A")) = (columns.get(1), columns.get(3)) else {
                continue;
            };
            if let Some((address, of)) = local.split_once(':')
                && of == format!("{port:04X}")
            {
                found.insert(address.to_owned());
            }
        }
    }
    found
}

#[tokio::test]
async fn microburst_stands_before_an_emulator_and_takes_rules() {
    let Some(ministack) = ministack().await else {
        return;
    };
    let Some(proxy) = Microburst::before(ministack).await else {
        return;
    };
    let port = proxy.child.port();
    proxy.add_rules(r#"[{"service": "*", "reset": true}]"#).await;
    assert_eq!(proxy.fired().await.trim(), "[]");
    let cut = http::call(port, "GET", "/_ministack/health", "").await;
    assert!(cut.is_err(), "{cut:?}");
    assert!(proxy.fired().await.contains("reset"));
    proxy.clear_rules().await;
    let through = http::call(port, "GET", "/_ministack/health", "").await.unwrap();
    assert!(through.starts_with("HTTP/1.1 200"), "{through}");
}

#[tokio::test]
async fn what_ends_at_once_is_told_with_its_output() {
    let plan = Plan::new("nobody", "/bin/sh".into()).args(["-c", "echo no such port; exit 3"]);
    let error = Child::start(&plan).await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("exit status: 3") && text.contains("no such port"),
        "{text}"
    );
}

#[test]
fn what_is_not_installed_names_the_file_and_the_script() {
    let error = plan(EmulatorKind::DynamoDbLocal, Path::new("/nowhere")).unwrap_err();
    let text = "DynamoDB Local is not installed: no /nowhere/dynamodb-local/DynamoDBLocal.jar \
                (run tests/emulators/install.sh)";
    assert_eq!(error.to_string(), text);
}

#[test]
fn accounts_have_twelve_digits_and_differ() {
    let (a, b) = (account(), account());
    assert!(a != b && a.len() == 12 && a.bytes().all(|digit| digit.is_ascii_digit()));
}
