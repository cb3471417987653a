"""Fields out of a rule's docstring."""
import re


class RuleDescriptionParser:
    """Docstrings hold free text and `label: text` lines; a text may go on over further lines."""

    _FIELD = re.compile(r'^(?!https?:)(?P<label>[a-zA-Z\d\-_&\s]{0,20}):(?P<text>.*)$')
    _URL = re.compile(r'^(?:http(s)?://)?[\w.-]+(?:\.[\w\.-]+)[\w\-\._~:/?#[\]@!\$&\'\(\)\*\+,;=.]+$')

    @classmethod
    def parse(cls, rule_description):
        """Lower-case label -> list of lines. What comes before any label is `description`."""
        label = 'description'
        fields = {}
        for line in (rule_description or '').strip().split('\n'):
            line = line.strip()
            fields.setdefault(label, [])
            match = cls._FIELD.match(line)
            if match:
                label = match.group('label').strip().lower()
                line = match.group('text').strip()
            fields.setdefault(label, []).append(line)
        return fields

    @classmethod
    def present(cls, rule_description):
        """`author`, `description` and the other `fields`, each as one text."""
        parsed = cls.parse(rule_description)
        shown = {'author': '', 'description': '', 'fields': {}}
        for label, lines in parsed.items():
            text = cls._join(lines)
            if label in ('author', 'maintainer'):
                shown['author'] = text
            elif label == 'description':
                shown['description'] = text
            else:
                shown['fields'][label] = text
        return shown

    @classmethod
    def _join(cls, lines):
        """Lines flow together; empty lines between them stay; the rest of a long URL is glued on."""
        text = None
        gap = ''
        for line in lines:
            if not line:
                gap += '\n'
            elif text is None:
                text, gap = line, ''
            elif cls._URL.match(text + line):
                text += line
            else:
                text, gap = text + (gap or ' ') + line, ''
        return text or ''
