"""What two sides answered, compared field by field. PURE."""

import dataclasses
import fnmatch

from side import Step


@dataclasses.dataclass(frozen=True)
class Meant:
    """A difference that is meant. Each pattern is a shell's: of backends, cases, `step.field`s, and what is answered directly."""

    reason: str
    field: str
    case: str = "*"
    backend: str = "*"
    direct: str = "*"

    def covers(self, backend: str, case: str, found: "Difference") -> bool:
        """Whether it is this one."""
        pairs = (
            (backend, self.backend),
            (case, self.case),
            (found.field, self.field),
            (str(found.direct), self.direct),
        )
        return all(fnmatch.fnmatchcase(value, pattern) for value, pattern in pairs)


@dataclasses.dataclass(frozen=True)
class Difference:
    """One field that is not the same; None: it is not there."""

    field: str
    direct: str | None
    proxied: str | None

    def __str__(self) -> str:
        return f"{self.field}: directly {self.direct}, through the proxy {self.proxied}"


def differences(direct: list[Step], proxied: list[Step]) -> list[Difference]:
    """Every field in which the two differ, in order. A case that went another way ends the comparison."""
    found = []
    for ours, theirs in zip(direct, proxied, strict=False):
        if ours.name != theirs.name:
            return [*found, Difference("way", ours.name, theirs.name)]
        verdicts = [_verdict(step.told) for step in (ours, theirs)]
        if verdicts[0] != verdicts[1]:
            # All other fields follow from it.
            found.append(Difference(f"{ours.name}.answer", *verdicts))
            continue
        for name in sorted(ours.told | theirs.told):
            left, right = ours.told.get(name), theirs.told.get(name)
            if left != right:
                found.append(Difference(f"{ours.name}.{name}", left, right))
    if len(direct) != len(proxied):
        found.append(Difference("steps", str(len(direct)), str(len(proxied))))
    return found


def _verdict(told: dict[str, str]) -> str:
    """Status and error code, in one word."""
    return " ".join(told[name] for name in ("status", "code", "broken") if told.get(name, "None") != "None") or "-"
