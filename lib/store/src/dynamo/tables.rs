//! The tables, their keys and indexes, and how they are made.

use std::time::Duration;

use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, LocalSecondaryIndex, Projection,
    ProjectionType, ProvisionedThroughput, ScalarAttributeType, TableDescription, TableStatus,
    TimeToLiveSpecification,
};
use tokio::time::Instant;

use super::Inner;
use crate::StoreError;

/// How long a new table may take until it can be used; AWS needs some ten seconds.
const MADE_WITHIN: Duration = Duration::from_secs(120);

/// Between two looks at a new table.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Names of the tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tables {
    pub(super) alerts: String,
    pub(super) leases: String,
    pub(super) letters: String,
    pub(super) checkpoints: String,
}

/// How a new table is paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capacity {
    /// By the request: for load that comes and goes, and for a beginning.
    OnDemand,
    /// By the hour, for each of the tables; cheaper under steady load, and throttled beyond.
    Provisioned {
        /// Read units per second.
        read_units: u32,
        /// Write units per second.
        write_units: u32,
    },
}

/// What became of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableMade {
    /// Its name.
    pub name: String,
    /// False when it was there already, as it must be.
    pub new: bool,
}

/// A table as it must be. All keys are texts.
#[derive(Debug, Clone, Copy)]
struct Definition<'a> {
    name: &'a str,
    partition: &'static str,
    sort: Option<&'static str>,
    /// Local indexes, which bear the name of their sort key, with what else of an item they hold. Local, because only
    /// those can be read strongly consistent.
    indexes: &'static [(&'static str, &'static [&'static str])],
    /// The attribute with the second in which DynamoDB may remove an item.
    ttl: Option<&'static str>,
}

impl Tables {
    pub(super) fn named(prefix: &str) -> Self {
        let name = |what: &str| format!("{prefix}-{what}");
        Self {
            alerts: name("alerts"),
            leases: name("leases"),
            letters: name("letters"),
            checkpoints: name("checkpoints"),
        }
    }

    fn definitions(&self) -> [Definition<'_>; 4] {
        [
            Definition {
                name: &self.alerts,
                partition: "shard",
                sort: Some("id"),
                indexes: &[
                    ("open", &["created", "rule", "pending", "waits"]),
                    ("closing", &[]),
                    ("listed", &["created", "rule"]),
                ],
                ttl: Some("ttl"),
            },
            Definition {
                name: &self.leases,
                partition: "leaseKey",
                sort: None,
                indexes: &[],
                ttl: None,
            },
            Definition {
                name: &self.letters,
                partition: "part",
                sort: Some("id"),
                indexes: &[("place", &["kind"])],
                ttl: None,
            },
            Definition {
                name: &self.checkpoints,
                partition: "source",
                sort: Some("partition"),
                indexes: &[],
                ttl: Some("ttl"),
            },
        ]
    }
}

impl Inner {
    pub(super) async fn plan_tables(&self) -> Result<Vec<TableMade>, StoreError> {
        let mut planned = Vec::new();
        for definition in &self.tables.definitions() {
            let table = self.describe(definition.name).await?;
            if let Some(table) = &table {
                check(definition, table)?;
            }
            planned.push(TableMade {
                name: definition.name.to_owned(),
                new: table.is_none(),
            });
        }
        Ok(planned)
    }

    pub(super) async fn create_tables(&self, capacity: Capacity) -> Result<Vec<TableMade>, StoreError> {
        let definitions = self.tables.definitions();
        let mut made = Vec::with_capacity(definitions.len());
        for definition in &definitions {
            let new = match self.describe(definition.name).await? {
                Some(table) => {
                    check(definition, &table)?;
                    false
                }
                None => {
                    self.create(definition, capacity).await?;
                    true
                }
            };
            made.push(TableMade {
                name: definition.name.to_owned(),
                new,
            });
        }
        for (definition, made) in definitions.iter().zip(&made) {
            self.wait_until_active(definition.name).await?;
            if let (Some(ttl), true) = (definition.ttl, made.new) {
                self.expire_by(definition.name, ttl).await?;
            }
        }
        Ok(made)
    }

    /// `None` when there is no such table.
    async fn describe(&self, name: &str) -> Result<Option<TableDescription>, StoreError> {
        let read = || self.client.describe_table().table_name(name).send();
        match self.caller.call("dynamodb:DescribeTable", read).await {
            Ok(answer) => Ok(answer.table),
            Err(failed) if failed.is_not_found() => Ok(None),
            Err(failed) => Err(failed.into()),
        }
    }

    async fn create(&self, definition: &Definition<'_>, capacity: Capacity) -> Result<(), StoreError> {
        let create = || {
            let request = self.client.create_table().table_name(definition.name);
            let request = request
                .set_attribute_definitions(Some(definition.attributes()))
                .set_key_schema(Some(definition.keys()))
                .set_local_secondary_indexes(definition.local_indexes());
            match capacity {
                Capacity::OnDemand => request.billing_mode(BillingMode::PayPerRequest),
                Capacity::Provisioned {
                    read_units,
                    write_units,
                } => {
                    let throughput = ProvisionedThroughput::builder()
                        .read_capacity_units(i64::from(read_units))
                        .write_capacity_units(i64::from(write_units))
                        .build()
                        .expect("both units are given");
                    request
                        .billing_mode(BillingMode::Provisioned)
                        .provisioned_throughput(throughput)
                }
            }
            .send()
        };
        match self.caller.call("dynamodb:CreateTable", create).await {
            Ok(_) => Ok(()),
            // A repetition after a lost reply, or another's init: it is checked like any that was there.
            Err(failed) if failed.fault.code == "ResourceInUseException" => {
                match self.describe(definition.name).await? {
                    Some(table) => check(definition, &table),
                    None => Err(failed.into()),
                }
            }
            Err(failed) => Err(failed.into()),
        }
    }

    async fn wait_until_active(&self, name: &str) -> Result<(), StoreError> {
        let deadline = Instant::now() + MADE_WITHIN;
        loop {
            let status = self.describe(name).await?.and_then(|table| table.table_status);
            match status {
                Some(TableStatus::Active | TableStatus::Updating) => return Ok(()),
                status if Instant::now() >= deadline => {
                    let status = status.map_or_else(|| "gone".to_owned(), |status| status.to_string());
                    return Err(StoreError::Unavailable {
                        reason: format!(
                            "table {name} is not active after {} s: {status}",
                            MADE_WITHIN.as_secs()
                        ),
                    });
                }
                _ => tokio::time::sleep(LOOK_EVERY).await,
            }
        }
    }

    async fn expire_by(&self, name: &str, attribute: &str) -> Result<(), StoreError> {
        let specification = TimeToLiveSpecification::builder()
            .enabled(true)
            .attribute_name(attribute)
            .build()
            .expect("both fields are given");
        let update = || {
            let request = self.client.update_time_to_live().table_name(name);
            request.time_to_live_specification(specification.clone()).send()
        };
        match self.caller.call("dynamodb:UpdateTimeToLive", update).await {
            Ok(_) => Ok(()),
            // A repetition after a lost reply.
            Err(failed) if failed.may_have_happened && failed.fault.reason.contains("already enabled") => {
                Ok(())
            }
            Err(failed) => Err(failed.into()),
        }
    }
}

impl Definition<'_> {
    fn attributes(&self) -> Vec<AttributeDefinition> {
        let names = [Some(self.partition), self.sort].into_iter().flatten();
        let names = names.chain(self.indexes.iter().map(|(name, _)| *name));
        let text = |name: &str| {
            let attribute = AttributeDefinition::builder().attribute_name(name);
            let attribute = attribute.attribute_type(ScalarAttributeType::S).build();
            attribute.expect("name and type are given")
        };
        names.map(text).collect()
    }

    fn keys(&self) -> Vec<KeySchemaElement> {
        key_schema(self.partition, self.sort)
    }

    fn local_indexes(&self) -> Option<Vec<LocalSecondaryIndex>> {
        let index = |(name, fields): &(&'static str, &'static [&'static str])| {
            let projection = if fields.is_empty() {
                Projection::builder().projection_type(ProjectionType::KeysOnly)
            } else {
                Projection::builder()
                    .projection_type(ProjectionType::Include)
                    .set_non_key_attributes(Some(fields.iter().map(|&field| field.to_owned()).collect()))
            };
            LocalSecondaryIndex::builder()
                .index_name(*name)
                .set_key_schema(Some(key_schema(self.partition, Some(name))))
                .projection(projection.build())
                .build()
                .expect("name, keys and projection are given")
        };
        // DynamoDB takes no empty list.
        (!self.indexes.is_empty()).then(|| self.indexes.iter().map(index).collect())
    }
}

fn key_schema(partition: &str, sort: Option<&str>) -> Vec<KeySchemaElement> {
    let element = |name: &str, kind| {
        let element = KeySchemaElement::builder().attribute_name(name).key_type(kind);
        element.build().expect("name and type are given")
    };
    let sort = sort.map(|name| element(name, KeyType::Range));
    [Some(element(partition, KeyType::Hash)), sort]
        .into_iter()
        .flatten()
        .collect()
}

/// Whether a table that is there can be ours: the same keys, and the indexes that we read.
fn check(definition: &Definition<'_>, table: &TableDescription) -> Result<(), StoreError> {
    let refused = |what: &str| StoreError::Refused {
        reason: format!(
            "table {} is there and is not ours: {what}; choose another prefix, or remove it",
            definition.name
        ),
    };
    if table.key_schema() != definition.keys() {
        return Err(refused("it has other keys"));
    }
    for wanted in definition.local_indexes().into_iter().flatten() {
        let same = table.local_secondary_indexes().iter().any(|index| {
            index.index_name() == Some(wanted.index_name()) && index.key_schema() == wanted.key_schema()
        });
        if !same {
            return Err(refused(&format!("it has no index {}", wanted.index_name())));
        }
    }
    Ok(())
}
