"""Muscle: pulses to force, fatigue, and the geometry that turns force into torque.

Promises each published model as its authors wrote it; refuses unphysical input by name.
"""

from models.muscle.ding import DING2003, DING2007, HMED2018, DingParams, MuscleTrace, simulate

__all__ = ["DING2003", "DING2007", "HMED2018", "DingParams", "MuscleTrace", "simulate"]
