"""Conditions that several CloudTrail rules share."""


class ApiCall:
    """Matchers for records of cloudtrail:events."""

    @classmethod
    def succeeded(cls, record):
        """The call did what it says: AWS sets no error code."""
        return not record.get('errorCode')

    @classmethod
    def by_a_person(cls, record):
        """The call was not made by an AWS service on somebody's behalf."""
        return 'invokedBy' not in (record.get('userIdentity') or {})
