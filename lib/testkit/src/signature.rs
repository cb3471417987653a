use aws_lc_rs::hmac;

/// Whether `header` is the signature of `body` with `secret`, after the published description only:
/// `t=SECONDS,v1=HEX`, HMAC-SHA256 over `SECONDS`, a dot, the body. Written apart from the sender's code, so
/// that a mistake there is not made here too. The time is not checked; tests have their own clocks.
pub(crate) fn check(secret: &str, header: Option<&str>, body: &[u8]) -> Result<(), String> {
    let header = header.ok_or("no signature")?;
    let mut time = None;
    let mut signature = None;
    for part in header.split(',') {
        match part.split_once('=') {
            Some(("t", value)) => time = Some(value),
            Some(("v1", value)) => signature = Some(value),
            _ => return Err(format!("unexpected part {part:?}")),
        }
    }
    let (time, signature) = (time.ok_or("no time")?, signature.ok_or("no v1 signature")?);
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let mut context = hmac::Context::with_key(&key);
    context.update(time.as_bytes());
    context.update(b".");
    context.update(body);
    let expected: String = context
        .sign()
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    if expected == signature {
        Ok(())
    } else {
        Err("signature does not match".to_owned())
    }
}
