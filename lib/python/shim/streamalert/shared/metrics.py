"""Metrics are the host's; calls from user code do nothing."""


class MetricLogger:
    """Takes any metric and drops it."""

    FAILED_PARSES = 'FailedParses'
    S3_DOWNLOAD_TIME = 'S3DownloadTime'
    TOTAL_PROCESSED_SIZE = 'TotalProcessedSize'
    TOTAL_RECORDS = 'TotalRecords'
    TRIGGERED_ALERTS = 'TriggeredAlerts'

    @classmethod
    def log_metric(cls, lambda_function, metric_name, value):
        """Nothing."""
