use streamalert_types::Alert;

/// Bytes of each name in a key, so that with a prefix of 200 it stays within the 1,024 that a key may have.
const NAME_BYTES_MAX: usize = 240;

/// The key of the object about `alert`: `alerts/dt=2026-01-31-07/kinesis_stream_rule_ID.json`. The same for every attempt.
pub(super) fn object_key(prefix: &str, alert: &Alert) -> String {
    let micros = alert.created.as_micros();
    let hour = jiff::Timestamp::from_microsecond(micros).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let names = [&alert.source_service, &alert.source_entity, &alert.rule_name].map(|text| name(text));
    let slash = if prefix.is_empty() { "" } else { "/" };
    format!(
        "{prefix}{slash}dt={}/{}_{}.json",
        hour.strftime("%Y-%m-%d-%H"),
        names.join("_"),
        alert.id
    )
}

/// `text` as part of a key.
fn name(text: &str) -> String {
    let mut name = String::new();
    for c in text.chars() {
        let c = if c.is_control() { '_' } else { c };
        if name.len() + c.len_utf8() > NAME_BYTES_MAX {
            break;
        }
        name.push(c);
    }
    name
}
