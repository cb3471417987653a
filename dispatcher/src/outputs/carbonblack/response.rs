use super::config::Config;
use super::request::{self, Ban};
use crate::outputs::http::{Answer, Step};
use crate::outputs::{Receipt, SendError};
use crate::{DeliveryOptions, Rate};

/// What comes next: is the file banned? Then what is missing is written.
pub(super) fn next(config: &Config, ban: &Ban, answers: &[Answer]) -> Result<Step, SendError> {
    let Some((known, rest)) = answers.split_first() else {
        return request::get(config, ban).map(Step::Ask);
    };
    let known = match known.status {
        404 => None,
        _ => Some(known.json()?),
    };
    let request = match &known {
        Some(known) if known["enabled"] == true => return Ok(done(ban)),
        Some(known) if known.is_object() => request::enable(config, ban, known)?,
        Some(_) => {
            return Err(SendError::unsure(
                "the server did not say whether the file is banned",
            ));
        }
        None => request::create(config, ban)?,
    };
    let Some(written) = rest.first() else {
        return Ok(Step::Ask(request));
    };
    // somebody was faster: what they wrote is read
    if written.status == 409 {
        return Err(written.retry());
    }
    written.judge()?;
    Ok(done(ban))
}

fn done(ban: &Ban) -> Step {
    Step::Done(Receipt {
        reference: Some(ban.md5.clone()),
    })
}

/// No limit is documented; bans are rare.
pub(super) fn delivery_options() -> DeliveryOptions {
    DeliveryOptions {
        concurrency: 1,
        rate: Some(Rate {
            per_sec: 5.0,
            burst: 10,
        }),
        timeout: std::time::Duration::from_secs(30),
        ..DeliveryOptions::default()
    }
}
