"""What a table of a TOML file is made of: strict, frozen, its keys' descriptions the docs' own."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from drivers.catalogue import STIMULATORS

# The core plans in the finest steps of any stimulator; the guard cuts what it gives to the device's own.
CURRENT_STEP_MA = min(device.capability.current_step_ma for device in STIMULATORS.values())
NAME = r"^[A-Za-z0-9_.-]{1,40}$"  # goes into file names: ASCII, no slash
TOPIC_LEVEL = r"^[a-z0-9][a-z0-9_-]{0,39}$"  # goes into MQTT topics, which dashboards want in lower case
HOST = r"^[A-Za-z0-9_.-]+$|^[0-9a-fA-F:.]*:[0-9a-fA-F:.]*:[0-9a-fA-F:.%a-z0-9]*$"  # a name, IPv4 or IPv6
RULES = {  # patterns in words
    NAME: "1 to 40 letters, digits, dots, hyphens and underscores, without blanks or accents",
    TOPIC_LEVEL: "1 to 40 lower-case letters, digits, hyphens and underscores, a letter or digit first",
    HOST: "a name or an address alone, without mqtt:// and without the port, which has a key of its own",
}


class Section(BaseModel):
    """A strict, frozen table of a TOML file. The text below a key is its description in the docs."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)
