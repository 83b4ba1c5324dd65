"""Session, patient and clinic files, from their text to the numbers that the control core starts with."""

from controller.config.core_params import core_params, normal_reference
from controller.config.limits import PulseOutput, broken_by, current_ceilings, first_output, second_output
from controller.config.loader import BOM, check_patient, place_of
from controller.config.schema import LIFT_PERCENT, EversionSection, LearningSection, SensorSection
from controller.config.session import Session, arm_plans, load_session, settings
from controller.config.tunables import tunable

__all__ = [
    "BOM",
    "LIFT_PERCENT",
    "EversionSection",
    "LearningSection",
    "PulseOutput",
    "SensorSection",
    "Session",
    "arm_plans",
    "broken_by",
    "check_patient",
    "core_params",
    "current_ceilings",
    "first_output",
    "load_session",
    "normal_reference",
    "place_of",
    "second_output",
    "settings",
    "tunable",
]
