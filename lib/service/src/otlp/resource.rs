/// Who telemetry is about: attributes by name, in the order they are sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resource {
    attributes: Vec<(String, String)>,
}

impl Resource {
    /// A service of this program, changed as `env` says: `OTEL_RESOURCE_ATTRIBUTES` (`name=value,…`, values
    /// percent-encoded) and, above all, `OTEL_SERVICE_NAME`. Pieces that are not of this form are passed over.
    #[must_use]
    pub fn new(service: &str, version: &str, instance: &str, env: impl Fn(&str) -> Option<String>) -> Self {
        let mut resource = Self::default();
        resource.set("service.name", service.to_owned());
        resource.set("service.namespace", "streamalert".to_owned());
        resource.set("service.version", version.to_owned());
        resource.set("service.instance.id", instance.to_owned());
        for (name, value) in pairs(&env("OTEL_RESOURCE_ATTRIBUTES").unwrap_or_default()) {
            resource.set(&name, value);
        }
        if let Some(name) = env("OTEL_SERVICE_NAME").filter(|name| !name.is_empty()) {
            resource.set("service.name", name);
        }
        resource
    }

    fn set(&mut self, name: &str, value: String) {
        match self.attributes.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => self.attributes.push((name.to_owned(), value)),
        }
    }

    pub(super) fn attributes(&self) -> &[(String, String)] {
        &self.attributes
    }
}

/// Names and values of a list as in W3C Baggage: `name=value,…`, values percent-encoded.
pub(super) fn pairs(list: &str) -> impl Iterator<Item = (String, String)> {
    list.split(',')
        .filter_map(|piece| piece.split_once('='))
        .map(|(name, value)| (name.trim().to_owned(), percent_decoded(value.trim())))
        .filter(|(name, _)| !name.is_empty())
}

/// `text` with `%XX` replaced by the byte it stands for. What is no such sequence stays.
fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let code = after.get(..2).filter(|_| *first == b'%');
        let byte = code
            .and_then(|code| std::str::from_utf8(code).ok())
            .filter(|code| code.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|code| u8::from_str_radix(code, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = byte.and_then(|_| after.get(2..)).unwrap_or(after);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(variables: &[(&str, &str)]) -> Vec<String> {
        let env = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let resource = Resource::new("streamalert-merger", "1.2", "a", env);
        let shown = resource.attributes().iter();
        shown.map(|(name, value)| format!("{name}={value}")).collect()
    }

    #[test]
    fn the_environment_adds_and_replaces() {
        assert_eq!(
            made(&[]),
            [
                "service.name=streamalert-merger",
                "service.namespace=streamalert",
                "service.version=1.2",
                "service.instance.id=a"
            ]
        );
        let attributes = "service.name=x, team = a%2Cb%zz%4,broken,=1,service.instance.id=b";
        let all = [
            ("OTEL_RESOURCE_ATTRIBUTES", attributes),
            ("OTEL_SERVICE_NAME", "mine"),
        ];
        assert_eq!(
            made(&all),
            [
                "service.name=mine",
                "service.namespace=streamalert",
                "service.version=1.2",
                "service.instance.id=b",
                "team=a,b%zz%4"
            ]
        );
        assert_eq!(made(&all[..1])[0], "service.name=x");
    }
}
