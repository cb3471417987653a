"""A database on the internet."""
from streamalert.shared.rule import rule

_CALLS = {'CreateDBInstance', 'ModifyDBInstance', 'RestoreDBInstanceFromDBSnapshot', 'CreateDBInstanceReadReplica'}


@rule(logs=['cloudwatch:events'], outputs=['file:security'])
def aws_rds_public(rec):
    """
    author:       bench
    description:  A database can be reached from everywhere, or lost its protection against deletion.
    """
    detail = rec['detail']
    if detail.get('eventSource') == 'rds.amazonaws.com' and detail['eventName'] in _CALLS:
        parameters = detail.get('requestParameters') or {}
        return (parameters.get('publiclyAccessible') is True
                or parameters.get('deletionProtection') is False and 'prod' in parameters.get('dBInstanceIdentifier', ''))
    return False
