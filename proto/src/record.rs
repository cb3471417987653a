use std::collections::HashMap;
use std::sync::Arc;

use streamalert_types::{BatchId, DataType, Position, Record, RecordBatch, Sequence, Source};

use crate::malformed::require_object;
use crate::{MalformedMessage, v1};

impl v1::EvaluateRequest {
    /// The message that carries `batch`. Record bodies are shared, not copied.
    #[must_use]
    pub fn new(id: BatchId, batch: &RecordBatch) -> Self {
        let mut sources = Table::default();
        let mut partitions = Table::default();
        let mut log_types = Table::default();
        let records = batch
            .records
            .iter()
            .map(|record| v1::Record {
                source: sources.index(&*record.source),
                partition: partitions.index(&*record.position.partition),
                sequence: Some(match &record.position.sequence {
                    Sequence::Offset(offset) => v1::record::Sequence::Offset(*offset),
                    Sequence::Token(token) => v1::record::Sequence::Token(token.to_string()),
                }),
                sub: record.sub,
                log_type: log_types.index(&*record.log_type),
                data_type: data_type_to_wire(record.data_type).into(),
                json: record.json.clone(),
            })
            .collect();
        Self {
            batch_id: id.0,
            traceparent: batch.traceparent.clone(),
            batch: Some(v1::RecordBatch {
                sources: sources.entries.into_iter().map(source_to_wire).collect(),
                partitions: partitions.entries.into_iter().map(str::to_owned).collect(),
                log_types: log_types.entries.into_iter().map(str::to_owned).collect(),
                records,
            }),
        }
    }

    /// The batch that this message carries. Record bodies share the message's memory; sources, partitions and
    /// log types are shared between records.
    ///
    /// # Errors
    /// Says which field is wrong.
    pub fn into_batch(self) -> Result<RecordBatch, MalformedMessage> {
        let batch = self.batch.ok_or(MalformedMessage::Missing {
            field: "EvaluateRequest.batch",
        })?;
        let tables = Tables {
            sources: batch
                .sources
                .into_iter()
                .map(|source| Arc::new(source_from_wire(source)))
                .collect(),
            partitions: batch.partitions.into_iter().map(Arc::from).collect(),
            log_types: batch.log_types.into_iter().map(Arc::from).collect(),
        };
        let records = batch
            .records
            .into_iter()
            .map(|record| tables.record(record))
            .collect::<Result<_, _>>()?;
        Ok(RecordBatch {
            records,
            traceparent: self.traceparent,
        })
    }
}

/// What is written once per batch, in order of first appearance.
struct Table<'a, T: ?Sized> {
    entries: Vec<&'a T>,
    indexes: HashMap<&'a T, u32>,
    /// The index of the record before: records of one payload follow each other.
    last: u32,
}

impl<T: ?Sized> Default for Table<'_, T> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            indexes: HashMap::new(),
            last: 0,
        }
    }
}

impl<'a, T: Eq + std::hash::Hash + ?Sized> Table<'a, T> {
    fn index(&mut self, value: &'a T) -> u32 {
        if self
            .entries
            .get(self.last as usize)
            .is_some_and(|last| std::ptr::eq(*last, value))
        {
            return self.last;
        }
        self.last = *self.indexes.entry(value).or_insert_with(|| {
            let index = u32::try_from(self.entries.len()).expect("a batch has fewer than 2^32 records");
            self.entries.push(value);
            index
        });
        self.last
    }
}

struct Tables {
    sources: Vec<Arc<Source>>,
    partitions: Vec<Arc<str>>,
    log_types: Vec<Arc<str>>,
}

impl Tables {
    fn record(&self, record: v1::Record) -> Result<Record, MalformedMessage> {
        require_object("Record.json", &record.json)?;
        let sequence = match record.sequence {
            Some(v1::record::Sequence::Offset(offset)) => Sequence::Offset(offset),
            Some(v1::record::Sequence::Token(token)) => Sequence::Token(token.into()),
            None => {
                return Err(MalformedMessage::Missing {
                    field: "Record.sequence",
                });
            }
        };
        Ok(Record {
            source: look_up("Record.source", &self.sources, record.source)?,
            position: Position {
                partition: look_up("Record.partition", &self.partitions, record.partition)?,
                sequence,
            },
            sub: record.sub,
            log_type: look_up("Record.log_type", &self.log_types, record.log_type)?,
            data_type: data_type_from_wire(record.data_type)?,
            json: record.json,
        })
    }
}

fn look_up<T: ?Sized>(field: &'static str, table: &[Arc<T>], index: u32) -> Result<Arc<T>, MalformedMessage> {
    table
        .get(index as usize)
        .map(Arc::clone)
        .ok_or(MalformedMessage::Index {
            field,
            index,
            len: table.len(),
        })
}

fn source_to_wire(source: &Source) -> v1::Source {
    v1::Source {
        service: source.service.to_string(),
        resource: source.resource.to_string(),
        cluster: source.cluster.as_deref().map(str::to_owned),
    }
}

fn source_from_wire(source: v1::Source) -> Source {
    Source {
        service: source.service.into(),
        resource: source.resource.into(),
        cluster: source.cluster.map(Arc::from),
    }
}

const fn data_type_to_wire(data_type: DataType) -> v1::DataType {
    match data_type {
        DataType::Json => v1::DataType::Json,
        DataType::Csv => v1::DataType::Csv,
        DataType::Kv => v1::DataType::Kv,
        DataType::Syslog => v1::DataType::Syslog,
    }
}

fn data_type_from_wire(number: i32) -> Result<DataType, MalformedMessage> {
    match v1::DataType::try_from(number) {
        Ok(v1::DataType::Json) => Ok(DataType::Json),
        Ok(v1::DataType::Csv) => Ok(DataType::Csv),
        Ok(v1::DataType::Kv) => Ok(DataType::Kv),
        Ok(v1::DataType::Syslog) => Ok(DataType::Syslog),
        Ok(v1::DataType::Unspecified) => Err(MalformedMessage::Missing {
            field: "Record.data_type",
        }),
        Err(_) => Err(MalformedMessage::value(
            "Record.data_type",
            format!("unknown number {number}"),
        )),
    }
}
