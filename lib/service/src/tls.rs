use std::io;
use std::path::{Path, PathBuf};

use tonic::transport::{Certificate, ClientTlsConfig, Identity, ServerTlsConfig};

/// The PEM files of mutual TLS: who we are, and who may speak to us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// Our certificate, with intermediates if there are any.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Authorities that the certificate of the other side must come from.
    pub ca: PathBuf,
    /// The name that a server's certificate must carry; `None` = the host that was dialled.
    pub server_name: Option<String>,
}

/// Why the TLS files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("tls file {} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file has no PEM section of the kind that is needed.
    #[error("tls file {} holds no pem {expected}", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
        /// What should be in it.
        expected: &'static str,
    },
}

impl TlsFiles {
    /// Read at every connect, so that renewed files take effect without a restart.
    pub(crate) async fn client_config(&self) -> Result<ClientTlsConfig, TlsError> {
        let (identity, ca) = self.load().await?;
        let config = ClientTlsConfig::new().identity(identity).ca_certificate(ca);
        Ok(match &self.server_name {
            Some(name) => config.domain_name(name),
            None => config,
        })
    }

    /// Read once, when the server starts. Clients without a certificate of the authority are refused.
    pub(crate) async fn server_config(&self) -> Result<ServerTlsConfig, TlsError> {
        let (identity, ca) = self.load().await?;
        Ok(ServerTlsConfig::new().identity(identity).client_ca_root(ca))
    }

    async fn load(&self) -> Result<(Identity, Certificate), TlsError> {
        let cert = read_pem(&self.cert, "CERTIFICATE", "certificate").await?;
        let key = read_pem(&self.key, "PRIVATE KEY", "private key").await?;
        let ca = read_pem(&self.ca, "CERTIFICATE", "certificate").await?;
        Ok((Identity::from_pem(cert, key), Certificate::from_pem(ca)))
    }
}

async fn read_pem(path: &Path, section: &str, expected: &'static str) -> Result<String, TlsError> {
    let pem = tokio::fs::read_to_string(path)
        .await
        .map_err(|source| TlsError::Read {
            path: path.to_owned(),
            source,
        })?;
    let found = pem
        .lines()
        .any(|line| line.starts_with("-----BEGIN ") && line.contains(section));
    if found {
        Ok(pem)
    } else {
        Err(TlsError::Empty {
            path: path.to_owned(),
            expected,
        })
    }
}
