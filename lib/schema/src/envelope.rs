use streamalert_value::NodeRef;

use crate::convert::{describe, write};
use crate::field::FieldType;
use crate::pattern::{ENVELOPE_KEY, Pattern};
use crate::schema::Envelope;

impl Envelope {
    /// Appends the envelope as a member, without a comma. `None` when a required key is missing or a value does not
    /// convert.
    pub(crate) fn write(&self, root: NodeRef<'_>, out: &mut Vec<u8>) -> Option<()> {
        out.push(b'"');
        out.extend_from_slice(ENVELOPE_KEY.as_bytes());
        out.extend_from_slice(b"\":{");
        for (at, (field, optional)) in self.fields.iter().zip(&self.optional).enumerate() {
            if at > 0 {
                out.push(b',');
            }
            out.extend_from_slice(&field.json_key);
            match root.get_hashed(field.hash, &field.name) {
                Some(value) => _ = write(&field.kind, value, out).ok()?,
                None if *optional => out.extend_from_slice(field.kind.default_json().as_bytes()),
                None => return None,
            }
        }
        out.push(b'}');
        Some(())
    }

    /// Whether the envelope of `root` matches a pattern.
    pub(crate) fn matches(&self, pattern: &Pattern, root: NodeRef<'_>) -> bool {
        let Some(field) = pattern.path.first().and_then(|key| self.fields.position(key)) else {
            return false;
        };
        let field = self.fields.get(field);
        match root.get_hashed(field.hash, &field.name) {
            Some(value) => pattern.matches(value, &field.kind),
            None => matches!(field.kind, FieldType::Text) && pattern.matches_text(""),
        }
    }

    /// What is wrong with the envelope of `root`.
    pub(crate) fn problems(&self, root: NodeRef<'_>) -> Vec<String> {
        let mut found: Vec<String> = self.missing(root).map(|key| format!("{key}: missing")).collect();
        for field in self.fields.iter() {
            if let Some(value) = root.get_hashed(field.hash, &field.name) {
                describe(&field.kind, value, &field.name, &mut found);
            }
        }
        found
    }
}
