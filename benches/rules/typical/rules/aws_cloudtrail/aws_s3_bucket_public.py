"""A bucket that everybody can read."""
from rules.helpers.policy import for_everybody, statements
from streamalert.shared.rule import rule

_ACLS = ('public-read', 'public-read-write', 'authenticated-read')


@rule(
    logs=['cloudtrail:events'],
    outputs=['file:security', 'file:oncall'],
    merge_by_keys=['recipientAccountId', 'eventName'],
    merge_window_mins=5)
def aws_s3_bucket_public(rec):
    """
    author:       bench
    description:  The policy or the access list of a bucket was changed so that everybody has access.
    reference:    https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html
    """
    if rec['eventSource'] != 's3.amazonaws.com' or rec.get('errorCode'):
        return False
    name = rec['eventName']
    parameters = rec.get('requestParameters') or {}
    if name == 'PutBucketPolicy':
        try:
            return any(for_everybody(item) for item in statements(parameters.get('bucketPolicy', '{}')))
        except ValueError:
            return False
    if name == 'PutBucketAcl':
        acl = parameters.get('x-amz-acl')
        return acl in _ACLS or acl and any(known in acl for known in _ACLS)
    return name == 'DeleteBucketPublicAccessBlock'
