use bytes::Bytes;
use streamalert_types::{Alert, AlertId};
use streamalert_value::Value;

use super::RowError;
use super::wire::{Reader, Writer};

const VERSION: u8 = 1;
const ROW: &str = "alert";

/// Fields in declaration order, but the rule first, so that a listing can skip rows by it.
pub(crate) fn encode_alert(alert: &Alert) -> Vec<u8> {
    let mut row = Writer::new(VERSION, alert.weight_bytes());
    row.text(&alert.rule_name);
    row.id(alert.id.as_u128());
    row.text(&alert.rule_description);
    row.time(alert.created);
    row.option(alert.cluster.as_deref(), Writer::text);
    row.text(&alert.log_source);
    row.text(&alert.log_type);
    row.text(&alert.source_entity);
    row.text(&alert.source_service);
    row.list(alert.outputs.iter(), |row, output| row.text(output.as_str()));
    write_value(&mut row, &alert.publishers);
    write_value(&mut row, &alert.context);
    row.list(alert.merge_by_keys.iter(), |row, key| row.text(key));
    row.number(u64::from(alert.merge_window_mins));
    row.byte(u8::from(alert.staged));
    row.bytes(&alert.record);
    row.text(&alert.traceparent);
    row.text(&alert.rules_version);
    row.finish()
}

pub(crate) fn decode_alert(bytes: &[u8]) -> Result<Alert, RowError> {
    let mut row = Reader::new(ROW, VERSION, bytes)?;
    let rule_name = row.shared()?;
    let alert = Alert {
        id: AlertId::from_u128(row.id()?),
        rule_name,
        rule_description: row.shared()?,
        created: row.time()?,
        cluster: row.option(Reader::shared)?,
        log_source: row.shared()?,
        log_type: row.shared()?,
        source_entity: row.shared()?,
        source_service: row.shared()?,
        outputs: row.list(Reader::output)?,
        publishers: read_value(&mut row)?,
        context: read_value(&mut row)?,
        merge_by_keys: row.list::<_, Vec<_>>(|row| row.text().map(str::to_owned))?.into(),
        merge_window_mins: row.small()?,
        staged: row.flag()?,
        record: Bytes::copy_from_slice(row.bytes()?),
        traceparent: row.shared()?,
        rules_version: row.shared()?,
    };
    row.finish()?;
    Ok(alert)
}

/// The rule of an alert row, without reading the rest.
pub(crate) fn peek_rule(bytes: &[u8]) -> Result<&str, RowError> {
    Reader::new(ROW, VERSION, bytes)?.text()
}

/// Values are kept as JSON text, which holds everything that they can hold.
fn write_value(row: &mut Writer, value: &Value) {
    row.text(&value.to_json());
}

fn read_value(row: &mut Reader<'_>) -> Result<Value, RowError> {
    let text = row.bytes()?;
    Value::parse_json(text).map_err(|error| row.error(error.to_string()))
}
