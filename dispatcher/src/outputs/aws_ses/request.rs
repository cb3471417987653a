use super::config::Config;
use crate::Publication;
use crate::outputs::SendError;
use crate::outputs::mail::{Attach, Heading, content, message};

/// What a mail may have with its attachments, in Base64: 10 MB.
pub(super) const MAIL_BYTES_MAX: usize = 10_000_000;

/// The mail about `publication`, as it goes over the wire.
pub(super) fn mail(publication: &Publication, config: &Config) -> Result<Vec<u8>, SendError> {
    let heading = Heading {
        from: config.from.clone(),
        reply_to: None,
        to: config.to.clone(),
    };
    let formatted = |attach| {
        let content = content(publication, "aws-ses", attach);
        message(publication, &content, &heading).map(|mail| mail.formatted())
    };
    let whole = formatted(Attach::Record)?;
    if whole.len() <= MAIL_BYTES_MAX {
        return Ok(whole);
    }
    formatted(Attach::LeftOut(whole.len()))
}
