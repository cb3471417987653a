//! TLS for outputs that speak neither http nor SMTP.

use std::sync::Arc;

use rustls_platform_verifier::BuilderVerifierExt;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::settings::OwnTls;

/// The configuration of a client that checks the server's certificate: against the authorities given, else against the
/// machine's.
///
/// # Errors
/// One line naming what is wrong with the files.
pub(crate) fn client_config(tls: &OwnTls) -> Result<Arc<ClientConfig>, String> {
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be set up: {error}"))?;
    let builder = match &tls.ca_pem {
        Some(pem) => builder.with_root_certificates(roots(pem)?),
        None => builder
            .with_platform_verifier()
            .map_err(|error| format!("TLS cannot be set up: {error}"))?,
    };
    let config = match &tls.identity_pem {
        None => builder.with_no_client_auth(),
        Some(pem) => {
            let unreadable = |_| "no certificate with a private key in the pem file".to_owned();
            let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
            let key = PrivateKeyDer::from_pem_slice(pem).map_err(unreadable)?;
            builder
                .with_client_auth_cert(certificates.map_err(unreadable)?, key)
                .map_err(|_| "the certificate and the private key do not belong together".to_owned())?
        }
    };
    Ok(Arc::new(config))
}

fn roots(pem: &[u8]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| format!("ca_file cannot be read: {error}"))?;
        roots
            .add(certificate)
            .map_err(|error| format!("ca_file has a certificate that is none: {error}"))?;
    }
    if roots.is_empty() {
        return Err("no certificate in the pem file".to_owned());
    }
    Ok(roots)
}
