//! Mutual TLS against a real server, with certificates made for the test.

use std::net::SocketAddr;
use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use super::*;

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Certificate and key, PEM.
    fn signs(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let cert = params.signed_by(&key, &self.0).unwrap();
        (cert.pem(), key.serialize_pem())
    }
}

/// A server for `localhost` that talks only to those whom `trusted` signed, and answers 200.
async fn serve(own: &Authority, trusted: &Authority) -> SocketAddr {
    let provider = Arc::new(default_provider());
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(trusted.0.pem().as_bytes()).unwrap())
        .unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let (cert, key) = own.signs("localhost");
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(cert.as_bytes()).unwrap()],
            PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(connection).await else {
                continue;
            };
            let mut request = vec![0; 64 << 10];
            let read = stream.read(&mut request).await.unwrap_or_default();
            let method = String::from_utf8_lossy(&request[..read]);
            let status = if method.starts_with("PUT /") {
                "204 Done"
            } else {
                "405 No"
            };
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    address
}

async fn send(address: SocketAddr, dir: &Path, settings: Json) -> Result<(), SendError> {
    let url = format!("https://localhost:{}/hook", address.port());
    let mut all = json!({"url": url, "method": "PUT", "ca_file": "ca.pem"});
    all.as_object_mut()
        .unwrap()
        .extend(settings.as_object().unwrap().clone());
    let output = made_in(dir, all).unwrap();
    let publication = publication(alert(1), "webhook:a").await;
    output.send(&publication, "k", soon()).await.map(|_| ())
}

#[tokio::test]
async fn a_receiver_sees_the_certificate_that_it_asks_for() {
    let (ours, theirs, strangers) = (Authority::new(), Authority::new(), Authority::new());
    let address = serve(&theirs, &ours).await;
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    let (cert, key) = ours.signs("streamalert");
    write("ca.pem", &theirs.0.pem());
    write("both.pem", &format!("{cert}{key}"));
    write("cert.pem", &cert);
    write("key.pem", &key);
    let (cert, key) = strangers.signs("streamalert");
    write("stranger.pem", &format!("{cert}{key}"));
    write("other-ca.pem", &strangers.0.pem());

    for good in [
        json!({"client_file": "both.pem"}),
        json!({"client_file": "cert.pem", "client_key_file": "key.pem"}),
    ] {
        assert_eq!(send(address, dir.path(), good).await, Ok(()));
    }
    for bad in [
        json!({}),
        json!({"client_file": "stranger.pem"}),
        json!({"client_file": "both.pem", "ca_file": "other-ca.pem"}),
    ] {
        let error = send(address, dir.path(), bad.clone()).await.unwrap_err();
        assert!(error.is_retryable(), "{bad}: {error}");
    }
}
