#!/usr/bin/env bash
# Makes a notification that is signed the old way (SHA-1), which the libraries of the tests cannot do, and the
# certificate that it is checked with: version1.json, certificate.pem. The key is thrown away.
set -euo pipefail
cd "$(dirname "$0")"
key=$(mktemp)
trap 'rm -f "$key"' EXIT
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$key" -out certificate.pem -days 36500 -sha256 \
    -subj "/CN=sns.amazonaws.com" 2>/dev/null
topic=arn:aws:sns:us-east-1:123456789012:topic
signature=$(printf 'Message\n%s\nMessageId\n%s\nSubject\n%s\nTimestamp\n%s\nTopicArn\n%s\nType\n%s\n' \
    '{"n": "é\n"}' id-1 'a subject' 2026-11-22T10:00:00.000Z "$topic" Notification |
    openssl dgst -sha1 -sign "$key" | base64 -w0)
cat >version1.json <<END
{
  "Type": "Notification",
  "MessageId": "id-1",
  "TopicArn": "$topic",
  "Subject": "a subject",
  "Message": "{\"n\": \"é\\\\n\"}",
  "Timestamp": "2026-11-22T10:00:00.000Z",
  "SignatureVersion": "1",
  "Signature": "$signature",
  "SigningCertURL": "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0.pem",
  "UnsubscribeURL": "https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe"
}
END
