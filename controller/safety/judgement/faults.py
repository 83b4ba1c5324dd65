"""The one table of faults: what can go wrong, how it shows, what the guard does, by when, and its words.

Everything that shows an alarm reads it, and the tests walk it. F1 to F18 are the rig's; F19, F20, F22, F25
and F28 are the stimulator's own, F21 is the sensors' seat, F23 the supervisor's, F24 the controller's pace,
F26 the screen's that armed, F27 the controller's swings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Priority = Literal["high", "medium", "low"]
Reaction = Literal[
    "zero",  # off at once, latched trip
    "safe action",  # the therapy's safe action (off at once, or a short ramp), latched trip
    "drop",  # this frame is not applied; nothing else
    "limit",  # this frame is reduced or blocked; nothing else
    "none",  # nothing on stimulation; told and recorded
    "device",  # the guard itself is gone; the stimulator stops for want of commands
    "start tripped",  # the guard comes up tripped
    "no arming",  # nothing flows yet, and nothing will
]


@dataclass(frozen=True, slots=True)
class Fault:
    """One line of the table. ``deadline_ms`` is from condition to the reaction at the stimulator.

    ``None`` where nothing on stimulation is to happen. The three texts are the words for a person.
    """

    id: str
    condition: str
    detection: str
    reaction: Reaction
    deadline_ms: float | None
    priority: Priority
    happened: str
    done: str
    next: str

    @property
    def trips(self) -> bool:
        return self.reaction in ("zero", "safe action", "start tripped")

    def text(self, detail: str = "") -> str:
        """The alarm in three parts, ``detail`` after what happened."""
        happened = f"{self.happened} ({detail})" if detail else self.happened
        return f"{happened}. {self.done}. {self.next}."


ACKNOWLEDGE = "acknowledge the fault and arm again"

TABLE: tuple[Fault, ...] = (
    Fault(
        "F1",
        "newest valid sample of a required sensor is older than 150 ms",
        "stamps that the sensor tasks send to the guard, against the guard's own clock; one whose time is "
        "ahead of it or whose number jumps counts for nothing",
        "safe action",
        170.0,
        "high",
        "A sensor fell silent",
        "Stimulation was stopped",
        f"Check the sensor's battery, strap and distance, then {ACKNOWLEDGE}",
    ),
    Fault(
        "F2",
        "more than 3 sequence gaps in 100 ms, or 10 identical raw samples",
        "sequence numbers and checksums in the stamps; a sample that comes after a later one counts as lost",
        "none",  # the samples stop counting as valid, so F1's clock runs
        None,
        "medium",
        "A sensor delivers gaps or a frozen value",
        "Its samples no longer count; stimulation stops if this lasts",
        "Bring the sensor nearer to the receiver or restart it",
    ),
    Fault(
        "F3",
        "the controller process has ended",
        "end of file on its connection",
        "zero",
        10.0,
        "high",
        "The controller program ended",
        "Stimulation was stopped",
        f"Restart the session; if it happens again keep the recording for the developers, then {ACKNOWLEDGE}",
    ),
    Fault(
        "F4",
        "no fresh frame for 60 ms",
        "age of the newest frame, by the tick time it carries",
        "zero",
        60.0,
        "high",
        "The controller stopped answering",
        "Stimulation was stopped",
        f"Close other programs on this computer, then {ACKNOWLEDGE}",
    ),
    Fault(
        "F5",
        "the guard process has ended",
        "none needed: each pulse needs a command of its own",
        "device",
        0.0,
        "high",
        "The guard program ended",
        "The stimulator received no more commands and so gave no more pulses",
        "Take off the electrodes, restart the session and acknowledge the fault",
    ),
    Fault(
        "F6",
        "a frame is out of order, replayed, damaged or from another session",
        "sequence number, checksum, session id, tick time; 3 in 1 s trip",
        "zero",
        10.0,
        "medium",
        "The guard received commands out of order",
        "The commands were not carried out and stimulation was stopped",
        f"Restart the session, then {ACKNOWLEDGE}",
    ),
    Fault(
        "F7",
        "a field is not finite, negative or beyond what any stimulator can do, or a frame of an arm in which "
        "nothing may leave asks for a pulse",
        "range check of every field of every frame, and its purpose against its currents",
        "zero",
        10.0,
        "high",
        "The controller asked for an impossible pulse",
        "Nothing of it was carried out and stimulation was stopped",
        f"Check the last change of settings, keep the recording, then {ACKNOWLEDGE}",
    ),
    Fault(
        "F8",
        "the current or charge rises faster than 1 mA per frame, 1 mA in 5 ms or the limit per 250 ms",
        "what was let through in the last 250 ms, by the guard's clock; default 40 mA, reason in limits.py",
        "limit",
        0.0,
        "low",
        "The current was asked to rise faster than allowed",
        "It rose as fast as allowed",
        "Nothing; choose a longer rise if it happens at every step",
    ),
    Fault(
        "F9",
        "the dose, a train, the share of 10 s with current, or the session is at its end",
        "sums of what was sent, and of the time for which current was asked",
        "safe action",
        25.0,
        "medium",
        "A limit of dose, train or session length was reached",
        "Stimulation was stopped",
        f"Look at the skin under the electrodes and let the muscle rest, then {ACKNOWLEDGE}",
    ),
    Fault(
        "F10",
        "nobody is there to press STOP: console heartbeat lost for 500 ms, or no operator connected",
        "heartbeats where the session asks for them; end of file of the last operator",
        "safe action",
        520.0,
        "high",
        "The connection to the person in charge was lost",
        "Stimulation was stopped",
        f"Reopen the console, then {ACKNOWLEDGE}",
    ),
    Fault(
        "F11",
        "STOP was pressed",
        "operator message, signal or key, read before anything else",
        "zero",
        100.0,
        "high",
        "STOP was pressed",
        "Stimulation was stopped",
        f"When the reason is gone, {ACKNOWLEDGE}",
    ),
    Fault(
        "F12",
        "the recorder is gone or cannot write",
        "end of file, refused messages for 500 ms, or the recorder says so",
        "safe action",
        600.0,
        "medium",
        "The session is not being recorded",
        "Stimulation was stopped",
        f"Free space on the disk, restart the recorder, then {ACKNOWLEDGE}",
    ),
    Fault(
        "F13",
        "the MQTT broker is gone",
        "its connection in the recorder",
        "none",
        None,
        "low",
        "The live data broker cannot be reached",
        "Nothing changed for stimulation or the recording",
        "Check the network; the newest data is sent when the broker is back",
    ),
    Fault(
        "F14",
        "more than 3 control ticks in 1 s were late",
        "gaps between the tick times of successive frames",
        "zero",
        10.0,
        "medium",
        "The controller could not keep its pace",
        "Stimulation was stopped",
        f"Close other programs on this computer, then {ACKNOWLEDGE}",
    ),
    Fault(
        "F15",
        "the computer was suspended",
        "CLOCK_BOOTTIME ran more than 0.5 s ahead of CLOCK_MONOTONIC; wall-clock jumps decide nothing",
        "zero",
        10.0,
        "medium",
        "The computer went to sleep",
        "Stimulation was stopped",
        f"Switch off the computer's sleep mode, then {ACKNOWLEDGE}",
    ),
    Fault(
        "F16",
        "the guard before this one ended while armed",
        "a small file that an orderly end clears",
        "start tripped",
        0.0,
        "medium",
        "The guard program was restarted in the middle of a session",
        "It came back disarmed; the command that was in force is shown",
        f"Ask the person how they are, then {ACKNOWLEDGE}",
    ),
    Fault(
        "F17",
        "stimulation without response for several strides",
        "the foot's turn from rest to rest in stimulated strides, against that of strides without",
        "safe action",
        100.0,
        "medium",
        "Stimulation shows no effect",
        "Learning was frozen and stimulation was stopped",
        f"Check the electrodes and their cables, let the muscle rest, then {ACKNOWLEDGE}",
    ),
    Fault(
        "F18",
        "settings were changed",
        "the controller validates them whole and applies them at a stride; the guard's rise limits hold",
        "limit",
        0.0,
        "low",
        "Settings were changed",
        "They take effect from the next stride, larger currents by a ramp",
        "Nothing",
    ),
    Fault(
        "F19",
        "the stimulator's link failed or it stopped answering",
        "errors of the serial line, and commands the driver reports as unanswered",
        "zero",
        250.0,
        "high",
        "The stimulator cannot be reached",
        "No more pulses were sent; the stimulator gives none without commands",
        f"Check its cable and battery, then {ACKNOWLEDGE}",
    ),
    Fault(
        "F20",
        "the stimulator reports a fault, such as an electrode error",
        "its answer to a pulse",
        "zero",
        50.0,
        "high",
        "The stimulator reports a fault",
        "Stimulation was stopped",
        f"Check the electrodes and their cables, then {ACKNOWLEDGE}",
    ),
    Fault(
        "F21",
        "a sensor is loose, swapped, late, of a wrong scale, there under two names or senses no gravity",
        "gravity at rest and in walking against the first; over 5 s median acceleration, and of foot against "
        "shank rests, rates, lag and values",
        "safe action",
        100.0,
        "medium",
        "A sensor does not sit where it should, or does not measure what it should",
        "Stimulation was stopped",
        f"Check strap, place and address of every sensor, restart a late or wrong one, then {ACKNOWLEDGE}",
    ),
    Fault(
        "F22",
        "an electrode has no contact with the skin when arming is asked for",
        "the stimulator's answers to a short train too weak to feel, where it can tell",
        "no arming",
        50.0,
        "medium",
        "The test of the electrodes failed",
        "Nothing was armed; the test pulses ended",
        "Moisten and press down both pads, check their cable and plug, then arm again",
    ),
    Fault(
        "F23",
        "the supervisor, which hears the STOP key and Ctrl-C, has not answered for 1 s",
        "beats that it sends with each turn of its loop",
        "safe action",
        1020.0,
        "high",
        "The program that hears the keyboard's STOP stopped answering",
        "Stimulation was stopped",
        "End the session and start it anew; close other programs on this computer",
    ),
    Fault(
        "F24",
        "more than 3 frames in 1 s are closer than 1 ms to the one before; a single one is blocked",
        "tick times of successive frames",
        "zero",
        10.0,
        "medium",
        "The guard received commands too close to each other",
        "They were not carried out and stimulation was stopped",
        f"Restart the session; if it happens again keep the recording for the developers, then {ACKNOWLEDGE}",
    ),
    Fault(
        "F25",
        "the stimulator answers a command that the guard did not send, or one of its commands twice",
        "the packet number and channel of each answer, against the commands on their way",
        "zero",
        50.0,
        "high",
        "Another program sends commands to the stimulator",
        "Stimulation was stopped",
        "Take off the electrodes, close every other program that uses the stimulator's port, then "
        f"{ACKNOWLEDGE}",
    ),
    Fault(
        "F26",
        "the screen that armed has not been heard for 10 s",
        "beats that its page sends once a second through the console's door",
        "safe action",
        10_020.0,
        "high",
        "The screen from which stimulation was armed is gone",
        "Stimulation was stopped",
        f"Open the console again where STOP can be pressed, then {ACKNOWLEDGE}",
    ),
    Fault(
        "F27",
        "two swings in a row, or more than 2 % of the last fifty, were not lifted",
        "the controller at each contact: pulses through the last fifth of a second before it",
        "none",
        None,
        "medium",
        "The foot was not lifted in every swing",
        "Stimulation goes on; the person may trip",
        "Walk beside the person; check the sensor's place and strap, choose more readiness in [gait]",
    ),
    Fault(
        "F28",
        "a channel's load rises by half or jumps within a stride, or less than 80 % of its charge arrives",
        "what the stimulator measures of each pulse, twenty at a time, where the session asks for it",
        "none",
        None,
        "medium",
        "The electrodes do not conduct as they did",
        "Stimulation goes on; its force may sink, and the skin under a half-lifted pad gets more current",
        "Stand still, look at the skin, moisten or change the pads and press them down",
    ),
)

FAULTS: Mapping[str, Fault] = MappingProxyType({fault.id: fault for fault in TABLE})
