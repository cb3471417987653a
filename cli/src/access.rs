//! The way of a command to the state: the store itself, or, when a running process holds it, that process.

use std::path::Path;
use std::sync::Arc;

use streamalert_config::{Settings, StoreType};
use streamalert_proto::{Admin, AdminRequest};
use streamalert_service::{AdminClient, ClientOptions, Tls, TlsFiles};
use streamalert_value::Value;

use crate::admin::ProcessAdmin;
use crate::assembly::{self, OpenStores};
use crate::failure::Failure;

/// File in the data directory in which a running process writes where it can be asked.
const ADDRESS_FILE: &str = "admin.addr";

/// The store's file in the data directory: looking must not create one.
const STORE_FILE: &str = "store.redb";

/// Writes where this process can be asked.
pub(crate) fn publish_address(data_dir: &Path, address: std::net::SocketAddr) -> std::io::Result<()> {
    // The embedded store makes this folder; with DynamoDB nobody has yet.
    std::fs::create_dir_all(data_dir)?;
    std::fs::write(data_dir.join(ADDRESS_FILE), address.to_string())
}

/// Whoever can answer about the data directory of these settings.
pub(crate) async fn admin(settings: &Settings) -> Result<Arc<dyn Admin>, Failure> {
    let dir = &settings.data.dir;
    let embedded = settings.store.r#type == StoreType::Embedded;
    if embedded && !dir.join(STORE_FILE).exists() {
        return Err(Failure::Other(format!(
            "there is no store in {}; say where it is with -C or --data-dir",
            std::path::absolute(dir)?.display()
        )));
    }
    match assembly::try_open_stores(settings).await? {
        OpenStores::Open(stores) => Ok(Arc::new(ProcessAdmin {
            stores: Some(stores),
            ..ProcessAdmin::default()
        })),
        OpenStores::Locked(reason) => running(settings)
            .await
            .map_err(|error| Failure::while_doing(&reason, error)),
    }
}

/// Where the process that runs on the data directory of these settings is asked; where it would be, if none does.
pub(crate) fn address(settings: &Settings) -> String {
    match std::fs::read_to_string(settings.data.dir.join(ADDRESS_FILE)) {
        Ok(address) => address.trim().to_owned(),
        Err(_) => settings.listen.admin.to_string(),
    }
}

/// The process that runs on the data directory of these settings.
pub(crate) async fn running(settings: &Settings) -> Result<Arc<dyn Admin>, Failure> {
    let mut options = ClientOptions::new(address(settings), 0);
    options.tls = tls(settings);
    let client = AdminClient::connect(&options)
        .await
        .map_err(|error| Failure::while_doing("cannot ask the running process, if there is one", error))?;
    Ok(Arc::new(client))
}

/// The TLS files of the settings.
pub(crate) fn tls(settings: &Settings) -> Option<Tls> {
    let tls = &settings.tls;
    tls.is_on().then(|| {
        Tls::from(TlsFiles {
            cert: tls.cert.clone(),
            key: tls.key.clone(),
            ca: tls.ca.clone(),
            server_name: Some(tls.server_name.clone()).filter(|name| !name.is_empty()),
        })
    })
}

/// Asks, and reads the answer.
pub(crate) async fn ask(admin: &dyn Admin, request: AdminRequest) -> Result<Value, Failure> {
    let answer = admin
        .ask(request)
        .await
        .map_err(|error| Failure::Other(error.to_string()))?;
    Value::parse_json(answer.as_bytes()).map_err(|error| Failure::while_doing("answer is not json", error))
}

/// The text of a member, or nothing.
pub(crate) fn member<'a>(row: &'a Value, key: &str) -> &'a str {
    row.get(key).and_then(Value::as_str).unwrap_or_default()
}
