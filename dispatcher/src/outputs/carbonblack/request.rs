use serde_json::{Value as Json, json};

use super::config::Config;
use crate::Publication;
use crate::outputs::SendError;
use crate::outputs::http::{Method, Request, url_with};
use crate::outputs::json::{cut, one_line};

const TEXT_CHARS_MAX: usize = 500;

/// What a rule wants.
pub(super) struct Ban {
    /// 32 hexadecimal digits, in capitals as the server writes them.
    pub(super) md5: String,
    pub(super) text: String,
}

impl Ban {
    /// # Errors
    /// The rule wants nothing that can be done.
    pub(super) fn of(publication: &Publication) -> Result<Self, SendError> {
        let alert = &publication.alert;
        let of = |name: &str| alert.context.get("carbonblack")?.get(name)?.as_str();
        match of("action") {
            Some("ban") => {}
            Some(other) => {
                let message = format!("carbonblack cannot {:?}, only \"ban\"", cut(other, 50));
                return Err(SendError::permanent(message));
            }
            None => {
                let message = "the rule's context does not say what carbonblack is to do: \
                               {\"carbonblack\": {\"action\": \"ban\", \"value\": MD5}}";
                return Err(SendError::permanent(message));
            }
        }
        let md5 = of("value").unwrap_or_default().trim();
        if md5.len() != 32 || !md5.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(SendError::permanent("the value to ban is no MD5"));
        }
        let rule = cut(&one_line(&alert.rule_name), 300);
        let text = format!("Banned by StreamAlert: {rule}, alert {}", alert.id);
        Ok(Self {
            md5: md5.to_ascii_uppercase(),
            text: cut(&text, TEXT_CHARS_MAX),
        })
    }
}

/// Reads the ban of a file.
pub(super) fn get(config: &Config, ban: &Ban) -> Result<Request, SendError> {
    signed(config, Request::get(&url(config, Some(ban))?))
}

/// Bans a file that never was.
pub(super) fn create(config: &Config, ban: &Ban) -> Result<Request, SendError> {
    let body = json!({"md5hash": ban.md5, "text": ban.text, "enabled": true});
    signed(config, Request::post_json(&url(config, None)?, &body))
}

/// Switches on a ban that is there.
pub(super) fn enable(config: &Config, ban: &Ban, known: &Json) -> Result<Request, SendError> {
    let mut body = known.clone();
    body["enabled"] = json!(true);
    signed(
        config,
        Request::json(Method::PUT, &url(config, Some(ban))?, &body),
    )
}

fn url(config: &Config, ban: Option<&Ban>) -> Result<crate::Secret, SendError> {
    let path = ["api", "v1", "banning", "blacklist"].into_iter();
    let path: Vec<&str> = path.chain(ban.map(|ban| ban.md5.as_str())).collect();
    url_with(&config.url, &path, &[])
}

fn signed(config: &Config, request: Request) -> Result<Request, SendError> {
    request.secret_header("x-auth-token", config.token.expose())
}
