"""An alert as publishers see it."""
import json
import uuid
from datetime import datetime, timedelta

from streamalert.shared import resources


class AlertCreationError(Exception):
    """An alert cannot be made of this."""


class Alert:
    """A rule that fired on a record, and where that is to go."""

    DATETIME_FORMAT = '%Y-%m-%dT%H:%M:%S.%fZ'

    _OPTIONS = frozenset((
        'alert_id', 'attempts', 'cluster', 'context', 'created', 'dispatched', 'log_source', 'log_type',
        'merge_by_keys', 'merge_window', 'outputs_sent', 'publishers', 'rule_description',
        'source_entity', 'source_service', 'staged'))

    def __init__(self, rule_name, record, outputs, **kwargs):
        unknown = sorted(set(kwargs) - self._OPTIONS)
        if unknown:
            raise AlertCreationError('no such alert fields: {}'.format(', '.join(unknown)))
        option = kwargs.get
        self.rule_name = rule_name
        self.record = record
        self.outputs = outputs
        self.alert_id = option('alert_id') or str(uuid.uuid4())
        self.created = option('created') or datetime.utcnow()
        self.attempts = int(option('attempts') or 0)
        self.cluster = option('cluster') or None
        self.context = option('context') or {}
        self.publishers = option('publishers') or {}
        self.dispatched = option('dispatched') or datetime(1970, 1, 1)
        self.log_source = option('log_source') or None
        self.log_type = option('log_type') or None
        self.merge_by_keys = option('merge_by_keys') or []
        self.merge_window = option('merge_window') or timedelta(0)
        self.outputs_sent = option('outputs_sent') or set()
        self.rule_description = option('rule_description') or None
        self.source_entity = option('source_entity') or None
        self.source_service = option('source_service') or None
        self.staged = option('staged') or False

    def __lt__(self, other):
        return self.created < other.created

    def __repr__(self):
        return json.dumps(self.dynamo_record(), default=list, indent=2, sort_keys=True)

    def __str__(self):
        return '<Alert {} triggered from {}>'.format(self.alert_id, self.rule_name)

    @property
    def dynamo_key(self):
        """Key of the alert in the alerts table."""
        return {'RuleName': self.rule_name, 'AlertID': self.alert_id}

    @property
    def merge_enabled(self):
        """Truthy when the alert waits to be merged."""
        return self.merge_by_keys and self.merge_window

    @property
    def remaining_outputs(self):
        """Outputs still to be sent to; only the required ones while waiting to be merged."""
        now = self.outputs & resources.get_required_outputs() if self.merge_enabled else self.outputs
        return now - self.outputs_sent

    def dynamo_record(self):
        """The alert as the alerts table holds it."""
        return {
            'RuleName': self.rule_name,
            'AlertID': self.alert_id,
            'Attempts': self.attempts,
            'Cluster': self.cluster,
            'Context': self.context,
            'Created': self.created.strftime(self.DATETIME_FORMAT),
            'Dispatched': self.dispatched.strftime(self.DATETIME_FORMAT),
            'LogSource': self.log_source,
            'LogType': self.log_type,
            'MergeByKeys': self.merge_by_keys,
            'MergeWindowMins': int(self.merge_window.total_seconds() / 60),
            'Outputs': self.outputs,
            'OutputsSent': self.outputs_sent or None,
            'Publishers': self.publishers or None,
            'Record': json.dumps(self.record, separators=(',', ':'), default=list),
            'RuleDescription': self.rule_description,
            'SourceEntity': self.source_entity,
            'SourceService': self.source_service,
            'Staged': self.staged,
        }

    @classmethod
    def create_from_dynamo_record(cls, record):
        """The alert that such an item describes."""
        moment = lambda text: datetime.strptime(text, cls.DATETIME_FORMAT)
        try:
            return cls(
                record['RuleName'],
                json.loads(record['Record']),
                set(record['Outputs']),
                alert_id=record['AlertID'],
                attempts=record.get('Attempts'),
                cluster=record.get('Cluster'),
                context=record.get('Context'),
                created=moment(record['Created']),
                dispatched=moment(record['Dispatched']) if record.get('Dispatched') else None,
                log_source=record.get('LogSource'),
                log_type=record.get('LogType'),
                merge_by_keys=record.get('MergeByKeys'),
                merge_window=timedelta(minutes=int(record.get('MergeWindowMins') or 0)),
                outputs_sent=set(record.get('OutputsSent') or ()),
                publishers=record.get('Publishers'),
                rule_description=record.get('RuleDescription'),
                source_entity=record.get('SourceEntity'),
                source_service=record.get('SourceService'),
                staged=record.get('Staged'))
        except (KeyError, TypeError, ValueError) as error:
            raise AlertCreationError(error) from error

    def output_dict(self):
        """The alert as outputs get it: no nulls at the top, outputs sorted."""
        return {
            'cluster': self.cluster or '',
            'context': self.context or {},
            'created': self.created.strftime(self.DATETIME_FORMAT),
            'id': self.alert_id,
            'log_source': self.log_source or '',
            'log_type': self.log_type or '',
            'outputs': sorted(self.outputs),
            'publishers': self.publishers or {},
            'record': self.record,
            'rule_description': self.rule_description or '',
            'rule_name': self.rule_name or '',
            'source_entity': self.source_entity or '',
            'source_service': self.source_service or '',
            'staged': self.staged,
        }
