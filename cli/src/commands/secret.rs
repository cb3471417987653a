use streamalert_config::Conf;
use streamalert_secrets::{SecretName, SecretStore};

use crate::args::{self, Global};
use crate::assembly;
use crate::failure::Failure;
use crate::project::load_settings;
use crate::prompt;

/// `secret put|list|remove`
pub(crate) async fn run(global: &Global, args: &args::Secret) -> Result<(), Failure> {
    let settings = load_settings(global)?;
    let conf = Conf::load(&settings.conf.dir)?;
    let secrets = assembly::secrets(&settings, &conf);
    let failed = |error: streamalert_secrets::SecretError| Failure::Other(error.to_string());
    let store: &dyn SecretStore = secrets.store().await.map_err(failed)?;
    match args {
        args::Secret::Put { name } => {
            let name: SecretName = name.parse().map_err(failed)?;
            let secret = prompt::secret(name.as_str())?;
            if let Some(output) = name.output()
                && serde_json::from_str::<assembly::Fields>(secret.expose()).is_err()
            {
                // a parser's error might quote the secret
                return Err(Failure::Other(format!(
                    "{name} is where all fields of {output} are kept, as a json object such as {{\"FIELD\": \"value\"}}: nothing is \
                     changed; `streamalert output add {output}` asks for them one by one"
                )));
            }
            store.put(&name, &secret).await.map_err(failed)?;
            anstream::eprintln!("{name} is kept in {}", store.place());
        }
        args::Secret::List => {
            for name in store.list().await.map_err(failed)? {
                println!("{name}");
            }
        }
        args::Secret::Remove { name } => {
            let name: SecretName = name.parse().map_err(failed)?;
            if !store.remove(&name).await.map_err(failed)? {
                return Err(Failure::Other(format!("{name} is not in {}", store.place())));
            }
        }
    }
    Ok(())
}
