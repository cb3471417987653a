use bytes::Bytes;
use streamalert_types::{Alert, AlertId, Merging};
use streamalert_value::Value;

use super::RowError;
use super::wire::{Reader, Writer};

const VERSION: u8 = 1;
/// The same, and at its end when the alert goes out; written only where that is not the usual.
const VERSION_WITH_MERGING: u8 = 2;
const ROW: &str = "alert";

/// Fields in declaration order, but the rule first, so that a listing can skip rows by it.
pub(crate) fn encode_alert(alert: &Alert) -> Vec<u8> {
    let version = match alert.merging {
        Merging::Together => VERSION,
        Merging::FirstAtOnce | Merging::Follows(_) => VERSION_WITH_MERGING,
    };
    let mut row = Writer::new(version, alert.weight_bytes());
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
    if version == VERSION_WITH_MERGING {
        let first = match alert.merging {
            Merging::Follows(first) => Some(first),
            Merging::Together | Merging::FirstAtOnce => None,
        };
        row.option(first, |row, first| row.id(first.as_u128()));
    }
    row.finish()
}

pub(crate) fn decode_alert(bytes: &[u8]) -> Result<Alert, RowError> {
    let (mut row, version) = reader(bytes)?;
    let rule_name = row.shared()?;
    let mut alert = Alert {
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
        merging: Merging::Together,
    };
    if version == VERSION_WITH_MERGING {
        let first = row.option(Reader::id)?;
        alert.merging = first.map_or(Merging::FirstAtOnce, |id| {
            Merging::Follows(AlertId::from_u128(id))
        });
    }
    row.finish()?;
    Ok(alert)
}

fn reader(bytes: &[u8]) -> Result<(Reader<'_>, u8), RowError> {
    let version = match bytes.first() {
        Some(&VERSION_WITH_MERGING) => VERSION_WITH_MERGING,
        _ => VERSION,
    };
    Ok((Reader::new(ROW, version, bytes)?, version))
}

/// The rule of an alert row, without reading the rest.
pub(crate) fn peek_rule(bytes: &[u8]) -> Result<&str, RowError> {
    reader(bytes)?.0.text()
}

/// Values are kept as JSON text, which holds everything that they can hold.
fn write_value(row: &mut Writer, value: &Value) {
    row.text(&value.to_json());
}

fn read_value(row: &mut Reader<'_>) -> Result<Value, RowError> {
    let text = row.bytes()?;
    Value::parse_json(text).map_err(|error| row.error(error.to_string()))
}
