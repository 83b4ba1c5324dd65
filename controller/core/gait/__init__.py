"""Gait from one sensor: events, phase and axes. Causal and repeatable; refuses nothing but samples out of
order.
"""

from controller.core.gait.checks import Finding
from controller.core.gait.detector import GaitDetector
from controller.core.gait.phase import GaitPhase

__all__ = ["Finding", "GaitDetector", "GaitPhase"]
