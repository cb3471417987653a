"""Code from the internet is run without being looked at."""
import re

from streamalert.shared.rule import rule

DOWNLOAD_INTO_SHELL = re.compile(r'\b(curl|wget)\b[^|;]*\|\s*(sudo\s+)?(ba|da|z)?sh\b')


@rule(
    logs=['osquery:differential'],
    req_subkeys={'columns': ['command']},
    outputs=['file:alerts'])
def host_download_into_shell(record):
    """
    author:       quickstart
    description:  A shell's history shows a download that was piped into a shell.
    """
    return record['action'] == 'added' and bool(DOWNLOAD_INTO_SHELL.search(record['columns']['command']))
