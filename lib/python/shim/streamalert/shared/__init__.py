"""Names of StreamAlert's functions, for code that mentions them."""
ALERT_MERGER_NAME = 'alert_merger'
ALERT_PROCESSOR_NAME = 'alert_processor'
ARTIFACT_EXTRACTOR_NAME = 'artifact_extractor'
ATHENA_PARTITIONER_NAME = 'athena_partitioner'
CLASSIFIER_FUNCTION_NAME = 'classifier'
RULES_ENGINE_FUNCTION_NAME = 'rules_engine'
RULE_PROMOTION_NAME = 'rule_promotion'
SCHEDULED_QUERIES_FUNCTION_NAME = 'scheduled_queries'
THREAT_INTEL_DOWNLOADER_NAME = 'threat_intel_downloader'

CLUSTERED_FUNCTIONS = {CLASSIFIER_FUNCTION_NAME}
