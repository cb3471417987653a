use streamalert_config::{SecretSource, SecretsType};
use streamalert_value::Value;

use super::Statements;
use crate::args::PolicyFor;
use crate::assembly;
use crate::explain::{object, text};
use crate::project::Project;

/// ARNs of secrets, by the service that keeps them.
#[derive(Default)]
struct Places {
    parameters: Vec<String>,
    secrets: Vec<String>,
}

impl Statements<'_> {
    /// Secrets that the outputs need, or that an operator puts into the store.
    pub(super) fn secrets(&mut self, project: &Project, service: PolicyFor) {
        let region = self
            .settings
            .secrets
            .region
            .as_ref()
            .or(self.settings.aws.region.as_ref());
        let region = region.map_or("*", String::as_str).to_owned();
        let stored = stored(project, &region);
        match service {
            PolicyFor::Secrets => {
                let parameters = [
                    "GetParameter",
                    "GetParametersByPath",
                    "PutParameter",
                    "DeleteParameter",
                ];
                self.allow("ssm", &parameters, stored.parameters.clone());
                let secrets = ["GetSecretValue", "PutSecretValue", "CreateSecret", "DeleteSecret"];
                self.allow("secretsmanager", &secrets, stored.secrets.clone());
                if !stored.secrets.is_empty() {
                    self.allow("secretsmanager", &["ListSecrets"], vec!["*".to_owned()]);
                }
                self.key(&stored, &region, &["Decrypt", "Encrypt", "GenerateDataKey"]);
            }
            PolicyFor::All | PolicyFor::Dispatcher => {
                let mut places = stored;
                named(project, &region, &mut places);
                self.allow("ssm", &["GetParameter"], places.parameters.clone());
                self.allow("secretsmanager", &["GetSecretValue"], places.secrets.clone());
                self.key(&places, &region, &["Decrypt"]);
            }
            _ => {}
        }
    }

    /// The key that they are encrypted with, for those two services alone: an alias names no resource of a policy.
    fn key(&mut self, places: &Places, region: &str, actions: &[&str]) {
        let services = [("ssm", &places.parameters), ("secretsmanager", &places.secrets)];
        let via: Vec<Value> = (services.iter().filter(|(_, arns)| !arns.is_empty()))
            .map(|(service, _)| text(&format!("{service}.{region}.amazonaws.com")))
            .collect();
        if via.is_empty() {
            return;
        }
        let key = match self.settings.secrets.kms_key.as_deref() {
            Some(arn) if arn.starts_with("arn:") && arn.contains(":key/") => arn.to_owned(),
            Some(id) if !id.contains(['/', ':']) => format!("arn:aws:kms:{region}:*:key/{id}"),
            _ => format!("arn:aws:kms:{region}:*:key/*"),
        };
        let condition = object([("StringLike", object([("kms:ViaService", Value::List(via))]))]);
        self.allow_if("kms", actions, vec![key], Some(condition));
    }
}

/// What the store of the settings keeps.
fn stored(project: &Project, region: &str) -> Places {
    let prefix = assembly::secrets_prefix(&project.settings, &project.conf);
    let mut places = Places::default();
    match project.settings.secrets.r#type {
        SecretsType::File => {}
        SecretsType::Ssm => places
            .parameters
            .push(format!("arn:aws:ssm:{region}:*:parameter/{prefix}/*")),
        SecretsType::SecretsManager => {
            places
                .secrets
                .push(format!("arn:aws:secretsmanager:{region}:*:secret:{prefix}/*"));
        }
    }
    places
}

/// What settings of outputs name.
fn named(project: &Project, region: &str, places: &mut Places) {
    for secret in project
        .settings
        .outputs
        .values()
        .flat_map(|target| target.secrets())
    {
        let SecretSource::Place(place) = secret.source() else {
            continue;
        };
        match place.kind() {
            ("ssm" | "secretsmanager", arn) if arn.starts_with("arn:") => {
                let list = if arn.starts_with("arn:aws:ssm") {
                    &mut places.parameters
                } else {
                    &mut places.secrets
                };
                list.push(arn.to_owned());
            }
            ("ssm", name) => {
                let name = name.trim_start_matches('/');
                places
                    .parameters
                    .push(format!("arn:aws:ssm:{region}:*:parameter/{name}"));
            }
            // Six random characters follow the name.
            ("secretsmanager", name) => {
                places
                    .secrets
                    .push(format!("arn:aws:secretsmanager:{region}:*:secret:{name}-??????"));
            }
            _ => {}
        }
    }
    for list in [&mut places.parameters, &mut places.secrets] {
        list.sort();
        list.dedup();
    }
}
