class ThreatIntel:
    IOC_KEY: str
