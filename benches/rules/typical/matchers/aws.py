"""Conditions that rules about AWS share."""

SERVICES_THAT_ACT = ('.amazonaws.com', 'AWS Internal')


class CloudTrail:
    """Conditions on records of cloudtrail:events."""

    @classmethod
    def succeeded(cls, rec):
        """The call did what it was asked for."""
        return not rec.get('errorCode')

    @classmethod
    def is_write(cls, rec):
        """The call may have changed something."""
        return not rec.get('readOnly', False)

    @staticmethod
    def by_a_person(rec):
        """Neither AWS itself nor a service on somebody's behalf."""
        identity = rec.get('userIdentity') or {}
        if identity.get('type') == 'AWSService' or 'invokedBy' in identity:
            return False
        return not rec.get('sourceIPAddress', '').endswith(SERVICES_THAT_ACT)


class AwsEvents:
    """Conditions on CloudTrail events that come through EventBridge."""

    _API_CALL = 'AWS API Call via CloudTrail'

    @classmethod
    def api_call(cls, rec):
        """The envelope of an API call, not of a change of state."""
        return rec['detail-type'] == cls._API_CALL

    @classmethod
    def succeeded(cls, rec):
        """The call did what it was asked for."""
        return cls.api_call(rec) and rec['detail'].get('errorCode') is None
