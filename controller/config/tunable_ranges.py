"""What can be changed while a session runs, and how far."""

from __future__ import annotations

from controller.config.limits import current_ceilings, first_output
from controller.config.loader import bounds_of, section_at
from controller.config.schema import SessionFile
from controller.config.session import Session
from controller.config.tunables import KNOBS, Allowed


def tunable(session: Session) -> dict[str, Allowed]:
    """The range of every setting that can be changed while the session runs.

    The file's own range; and for a current whatever limit binds first with this session's electrodes.
    """
    limits, set_by = session.effective.limits, session.effective.set_by
    ceilings = current_ceilings(limits, first_output(session))
    found: dict[str, Allowed] = {}
    for knob in KNOBS:
        section = section_at(SessionFile, (knob.group,))
        assert section is not None
        name = knob.key.partition(".")[2]
        bounds = bounds_of(section.model_fields[name])
        low, high, binding = bounds["ge"], bounds["le"], ""
        ends: tuple[tuple[float, str], ...] = ()
        if name in ("current_ma", "current_max_ma"):
            ends = ceilings
        elif knob.group == "limits":
            ends = ((getattr(limits, name), name),)
        for end, limit in ends:
            if end < high:
                high, binding = round(end, 3), f"{limit}, {set_by[limit]}"
        found[knob.key] = Allowed(low, high, binding)
    return found
