"""Some systems are made for one purpose."""
from streamalert.shared.normalize import Normalizer
from streamalert.shared.rule import rule

_SYSTEMS = ('kali', 'parrot', 'pentoo', 'blackarch')


@rule(datatypes=['user_agent'], outputs=['file:security', 'file:oncall'])
def attackers_user_agent(rec):
    """
    author:       bench
    description:  A request by a system for penetration tests, in whatever log has a user agent.
    """
    agents = Normalizer.get_values_for_normalized_type(rec, 'user_agent')
    return any(system in str(agent).lower() for agent in agents or () for system in _SYSTEMS)
