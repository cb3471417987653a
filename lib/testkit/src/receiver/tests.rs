use super::*;

const LIMIT: Duration = Duration::from_secs(10);

async fn post(receiver: &WebhookReceiver, key: &str) -> Result<(u16, String), reqwest::Error> {
    let client = reqwest::Client::new();
    let request = client
        .post(receiver.url("/hook?x=1"))
        .header(KEY_HEADER, key)
        .body("payload");
    let response = request.timeout(Duration::from_millis(500)).send().await?;
    let status = response.status().as_u16();
    Ok((status, response.text().await?))
}

#[tokio::test]
async fn requests_are_remembered_as_they_came() {
    let receiver = WebhookReceiver::start(None).await;
    assert_eq!(post(&receiver, "k").await.unwrap(), (200, "ok".to_owned()));
    assert!(receiver.wait_for(1, LIMIT).await);
    let requests = receiver.requests();
    let request = &requests[0];
    assert_eq!(
        (request.method.as_str(), request.path.as_str()),
        ("POST", "/hook?x=1")
    );
    assert_eq!(request.header(KEY_HEADER), Some("k"));
    assert_eq!(&request.body[..], b"payload");
    assert!(request.signature.is_none() && request.was_accepted());
    assert!(!receiver.wait_for(2, Duration::from_millis(20)).await);
}

#[tokio::test]
async fn it_misbehaves_as_told_and_then_behaves() {
    let receiver = WebhookReceiver::start(None).await;
    receiver.then([
        Reply::too_many(7),
        Reply::Hang,
        Reply::Reset,
        Reply::ResetMidBody,
        Reply::Slow(Duration::from_millis(1)),
    ]);
    assert_eq!(post(&receiver, "a").await.unwrap().0, 429);
    assert!(post(&receiver, "a").await.unwrap_err().is_timeout());
    let reset = format!("{:?}", post(&receiver, "a").await.unwrap_err());
    assert!(reset.contains("ConnectionReset"), "{reset}");
    assert!(post(&receiver, "b").await.unwrap_err().is_decode());
    assert_eq!(post(&receiver, "a").await.unwrap().0, 200);
    receiver.behave(Reply::status(500, "no"));
    assert_eq!(post(&receiver, "a").await.unwrap(), (500, "no".to_owned()));
    assert_eq!(receiver.count(), 6);
    // the one whose body broke off had its status: that counts as accepted
    assert_eq!(
        receiver.keys(),
        BTreeMap::from([("a".to_owned(), 1), ("b".to_owned(), 1)])
    );
}

#[tokio::test]
async fn it_goes_down_and_comes_back_on_the_same_port() {
    let mut receiver = WebhookReceiver::start(None).await;
    post(&receiver, "a").await.unwrap();
    receiver.down().await;
    assert!(post(&receiver, "b").await.unwrap_err().is_connect());
    receiver.up().await;
    post(&receiver, "c").await.unwrap();
    assert_eq!(receiver.count(), 2);
}

#[tokio::test]
async fn signatures_are_checked_when_the_secret_is_known() {
    let receiver = WebhookReceiver::start(Some("topsecret")).await;
    // printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac topsecret
    let signature = "t=1700000000,v1=6a939b0c71853d606167625a15168ee9188c6a511c773ef4f42d307f3849e50f";
    let client = reqwest::Client::new();
    let send = async |body: &'static str| {
        let request = client
            .post(receiver.url("/"))
            .header(SIGNATURE_HEADER, signature)
            .body(body);
        request.send().await.unwrap();
        receiver.requests().pop().unwrap().signature.unwrap()
    };
    assert_eq!(send("{\"a\":1}").await, Ok(()));
    assert!(send("{\"a\":2}").await.is_err());
    post(&receiver, "unsigned").await.unwrap();
    assert!(receiver.requests()[2].signature.clone().unwrap().is_err());
}
