"""Access to the normalized values that the classifier put into a record."""

CONST_FUNCTION = 'function'
CONST_PATH = 'path'
CONST_CONDITION = 'condition'
CONST_VALUES = 'values'


class Normalizer:
    """Reads `streamalert_normalization`; the classifier writes it."""

    NORMALIZATION_KEY = 'streamalert_normalization'
    RECORD_ID_KEY = 'streamalert_record_id'

    @classmethod
    def get_values_for_normalized_type(cls, record, datatype):
        """The set of values of a normalized type, or None when the record has none."""
        entries = record.get(cls.NORMALIZATION_KEY, {}).get(datatype)
        if not entries:
            return None
        return {value for entry in entries for value in entry.get(CONST_VALUES)}
