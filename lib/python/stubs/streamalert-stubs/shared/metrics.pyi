from typing import Any

class MetricLogger:
    FAILED_PARSES: str
    S3_DOWNLOAD_TIME: str
    TOTAL_PROCESSED_SIZE: str
    TOTAL_RECORDS: str
    TRIGGERED_ALERTS: str
    @classmethod
    def log_metric(cls, lambda_function: str, metric_name: str, value: float) -> None: ...
