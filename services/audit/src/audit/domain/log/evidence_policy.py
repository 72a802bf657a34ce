"""Policy in a file of evidence: the log's own keys, and the witnesses that its operator asks for."""

from collections.abc import Sequence

from audit.domain.log.keys import VerifierKey
from audit.domain.log.policies import NO_QUORUM, Policy


def evidence_policy(log_keys: Sequence[VerifierKey], policy: Policy | None) -> str:
    """Return a C2SP tlog-policy without addresses.

    Witnesses and groups are numbered: their names are any octets, and mean nothing outside of their policy.

    Args:
        log_keys: of the log; earlier ones count too.
        policy: of the operator; None asks for no witness.
    """
    lines = [f"log {key}" for key in dict.fromkeys(log_keys)]
    names = {NO_QUORUM: NO_QUORUM}
    for number, witness in enumerate(policy.witnesses if policy else (), start=1):
        names[witness.name] = f"witness-{number}"
        lines.append(f"witness {names[witness.name]} {witness.key}")
    for number, group in enumerate(policy.groups if policy else (), start=1):
        names[group.name] = f"group-{number}"
        members = " ".join(names[member] for member in group.members)
        lines.append(f"group {names[group.name]} {group.threshold} {members}")
    lines.append(f"quorum {names[policy.quorum] if policy else NO_QUORUM}")
    return "".join(f"{line}\n" for line in lines)
