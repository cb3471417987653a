//! Mutual TLS between clients and servers, with certificates made for each test.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "support/mod.rs"]
mod support;

use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use streamalert_proto::Records;
use streamalert_service::{ClientOptions, LinkState, ServerOptions, Tls, TlsError, TlsFiles};
use support::{Fake, Node, batch, connect, options};

struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self {
            issuer: CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap(),
        }
    }

    /// Files of a certificate for `name`, and of the authority that `trusted` is.
    fn files(&self, dir: &Path, name: &str, trusted: &Self) -> TlsFiles {
        let key = KeyPair::generate().unwrap();
        let cert = CertificateParams::new(vec![name.to_owned()])
            .unwrap()
            .signed_by(&key, &self.issuer)
            .unwrap();
        let write = |file: &str, pem: String| {
            let path = dir.join(format!("{name}-{file}.pem"));
            std::fs::write(&path, pem).unwrap();
            path
        };
        TlsFiles {
            cert: write("cert", cert.pem()),
            key: write("key", key.serialize_pem()),
            ca: write("ca", trusted.issuer.pem()),
            server_name: None,
        }
    }
}

async fn serve(tls: TlsFiles) -> Node {
    let options = ServerOptions {
        tls: Some(tls.into()),
        ..ServerOptions::default()
    };
    Node::start(options, Arc::new(Fake::default())).await
}

fn with_tls(node: &Node, tls: Option<TlsFiles>) -> ClientOptions {
    ClientOptions {
        tls: tls.map(Tls::from),
        ..options(&node.address)
    }
}

/// Why a client does not get a stream.
async fn refusal(options: ClientOptions) -> String {
    let connected = connect(options);
    let mut state = connected.client.link_state();
    let state = state
        .wait_for(|state| !matches!(state, LinkState::Connecting))
        .await
        .unwrap();
    let LinkState::Down { reason } = &*state else {
        panic!("{state:?}")
    };
    reason.clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_sides_of_one_authority_speak_to_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let ours = Authority::new();
    let node = serve(ours.files(dir.path(), "127.0.0.1", &ours)).await;
    let tls = ours.files(dir.path(), "classifier", &ours);
    connect(with_tls(&node, Some(tls)))
        .client
        .evaluate(batch("a", 1))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_name_may_stand_in_for_the_host() {
    let dir = tempfile::tempdir().unwrap();
    let ours = Authority::new();
    let node = serve(ours.files(dir.path(), "rules-node.internal", &ours)).await;
    let tls = ours.files(dir.path(), "classifier", &ours);
    let reason = refusal(with_tls(&node, Some(tls.clone()))).await;
    assert!(reason.contains("certificate"), "{reason}");
    let named = TlsFiles {
        server_name: Some("rules-node.internal".into()),
        ..tls
    };
    connect(with_tls(&node, Some(named)))
        .client
        .evaluate(batch("a", 1))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_of_another_authority_gets_no_stream() {
    let dir = tempfile::tempdir().unwrap();
    let (ours, theirs) = (Authority::new(), Authority::new());
    let node = serve(ours.files(dir.path(), "127.0.0.1", &ours)).await;
    let tls = theirs.files(dir.path(), "classifier", &ours);
    refusal(with_tls(&node, Some(tls))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_of_another_authority_is_not_spoken_to() {
    let dir = tempfile::tempdir().unwrap();
    let (ours, theirs) = (Authority::new(), Authority::new());
    let node = serve(theirs.files(dir.path(), "127.0.0.1", &ours)).await;
    let tls = ours.files(dir.path(), "classifier", &ours);
    let reason = refusal(with_tls(&node, Some(tls))).await;
    assert!(reason.contains("certificate"), "{reason}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plain_text_is_refused_where_tls_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let ours = Authority::new();
    let node = serve(ours.files(dir.path(), "127.0.0.1", &ours)).await;
    refusal(with_tls(&node, None)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_missing_or_empty_is_named_and_read_again_when_it_has_come() {
    let dir = tempfile::tempdir().unwrap();
    let ours = Authority::new();
    let node = serve(ours.files(dir.path(), "127.0.0.1", &ours)).await;
    let tls = ours.files(dir.path(), "classifier", &ours);
    let key = std::fs::read_to_string(&tls.key).unwrap();
    std::fs::remove_file(&tls.key).unwrap();
    let connected = connect(with_tls(&node, Some(tls.clone())));
    let mut state = connected.client.link_state();
    let wanted = format!("tls file {} cannot be read", tls.key.display());
    state
        .wait_for(|state| format!("{state:?}").contains(&wanted))
        .await
        .unwrap();
    std::fs::write(&tls.key, "nothing").unwrap();
    state
        .wait_for(|state| format!("{state:?}").contains("holds no pem private key"))
        .await
        .unwrap();
    std::fs::write(&tls.key, key).unwrap();
    connected.client.evaluate(batch("a", 1)).await.unwrap();
}

/// A server whose files are looked at often.
async fn serve_polled(files: &TlsFiles) -> (Node, Tls) {
    let tls = Tls::polled(files.clone(), std::time::Duration::from_millis(10));
    let options = ServerOptions {
        tls: Some(tls.clone()),
        ..ServerOptions::default()
    };
    (Node::start(options, Arc::new(Fake::default())).await, tls)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_takes_over_renewed_files_for_new_connections_while_old_ones_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let (ours, theirs) = (Authority::new(), Authority::new());
    let (node, _) = serve_polled(&ours.files(dir.path(), "127.0.0.1", &ours)).await;
    let old = connect(with_tls(&node, Some(ours.files(dir.path(), "old", &ours))));
    old.client.evaluate(batch("a", 1)).await.unwrap();
    // The files of the same names, by another authority.
    theirs.files(dir.path(), "127.0.0.1", &theirs);
    let new = connect(with_tls(&node, Some(theirs.files(dir.path(), "new", &theirs))));
    new.client.evaluate(batch("b", 1)).await.unwrap();
    old.client.evaluate(batch("c", 1)).await.unwrap();
    refusal(with_tls(&node, Some(ours.files(dir.path(), "late", &ours)))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_files_that_cannot_be_used_leave_the_old_ones_in_force() {
    let dir = tempfile::tempdir().unwrap();
    let ours = Authority::new();
    let files = ours.files(dir.path(), "127.0.0.1", &ours);
    let (node, server) = serve_polled(&files).await;
    server.refresh().await.unwrap();
    let another = ours.files(dir.path(), "another", &ours);
    let good = std::fs::read_to_string(&files.key).unwrap();
    // A key that is not the certificate's, then no key, then one that is cut off.
    let cut = &good[..good.len() / 2];
    for broken in [&*std::fs::read_to_string(&another.key).unwrap(), "", cut] {
        let fresh = Tls::from(files.clone());
        fresh.refresh().await.unwrap();
        std::fs::write(&files.key, broken).unwrap();
        let error = fresh.refresh().await.unwrap_err();
        assert!(
            matches!(error, TlsError::Unusable { .. } | TlsError::Empty { .. }),
            "{error}"
        );
        assert!(!error.to_string().contains("PRIVATE"), "{error}");
        // Told once, and the server has seen it by now or sees it here.
        fresh.refresh().await.unwrap();
        let _ = server.refresh().await;
        let client = ClientOptions {
            tls: Some(ours.files(dir.path(), "client", &ours).into()),
            ..options(&node.address)
        };
        connect(client).client.evaluate(batch("a", 1)).await.unwrap();
        assert!(server.status().failing && fresh.status().failing);
        std::fs::write(&files.key, &good).unwrap();
        fresh.refresh().await.unwrap();
        assert_eq!((fresh.status().reloads, fresh.status().failing), (1, false));
    }
    server.refresh().await.unwrap();
    assert!(!server.status().failing);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_whose_new_files_cannot_be_used_connects_with_the_old_ones() {
    let dir = tempfile::tempdir().unwrap();
    let ours = Authority::new();
    let node = serve(ours.files(dir.path(), "127.0.0.1", &ours)).await;
    let files = ours.files(dir.path(), "classifier", &ours);
    let tls = Tls::from(files.clone());
    let client_options = || ClientOptions {
        tls: Some(tls.clone()),
        ..options(&node.address)
    };
    connect(client_options())
        .client
        .evaluate(batch("a", 1))
        .await
        .unwrap();
    std::fs::remove_file(&files.cert).unwrap();
    connect(client_options())
        .client
        .evaluate(batch("b", 1))
        .await
        .unwrap();
}
