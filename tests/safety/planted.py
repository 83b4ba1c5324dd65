"""Faults planted on purpose, each in a copy of the guard, and the named test that has to catch it.

``python -m tests.safety.planted [WORDS ...]`` plants them all, or those with these words, and prints which
test caught which; it ends with 1 where one was not caught. A test suite that cannot fail is decoration.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("controller", "drivers", "models", "tests", "pyproject.toml")
SAFETY = "controller/safety"


@dataclass(frozen=True, slots=True)
class Plant:
    """``old`` occurs once in ``file`` and is replaced by ``new``; ``caught_by`` then fails."""

    what: str
    file: str
    old: str
    new: str
    caught_by: str


PLANTS = (
    Plant(
        "a wrong scale of a gyroscope is not looked for",
        "judgement/plausibility.py",
        "self.scaled = 0 if low <= ratio <= high else self.scaled + 1",
        "self.scaled = 0",
        "test_walks.py::test_a_gyroscope_at_half_or_double_scale_is_found_within_half_a_minute",
    ),
    Plant(
        "a late sensor is not looked for",
        "judgement/plausibility.py",
        "if len(self.lags_ms) < LAG_WINDOWS or low_ms <= lag_ms <= high_ms:",
        "if len(self.lags_ms) < LAG_WINDOWS or low_ms <= high_ms:",
        "test_walks.py::test_a_sensor_whose_samples_come_100_ms_late_is_found",
    ),
    Plant(
        "one device may be two sensors",
        "judgement/plausibility.py",
        "        found += self._same()\n",
        "",
        "test_walks.py::test_one_device_under_two_names_is_found_in_a_walk",
    ),
    Plant(
        "a shank's sensor may turn over",
        "judgement/plausibility.py",
        "            found += self._upright(shank.acc_vector)\n",
        "",
        "test_walks.py::test_a_shank_sensor_that_turns_over_on_its_strap_is_found",
    ),
    Plant(
        "two sensors may sit on one segment",
        "settings.py",
        "if len(set(seats)) != len(seats):",
        "if len(set(seats)) > len(seats):",
        "test_settings.py::test_anything_else_is_refused_with_file_key_value_and_what_is_allowed",
    ),
    Plant(
        "the rise window is gone",
        "judgement/frame_check.py",
        "limits.rise_max_ma_per_250ms, low_ma, low_uc)",
        "limits.rise_max_ma_per_250ms, before.current_ma, before.charge_uc)",
        "test_frame_check.py::test_from_off_the_current_rises_by_the_frame_limit_then_by_the_window_limit",
    ),
    Plant(
        "a wider pulse is no rise",
        "judgement/frame_check.py",
        "    allowed_ma, name = min(candidates)",
        "    allowed_ma, name = min(candidates[::2])",
        "test_frame_check.py::test_a_wider_pulse_is_a_rise_too",
    ),
    Plant(
        "a burst counts as one pulse in the dose that is asked for",
        "judgement/frame_check.py",
        "dose = dose_uc(track, now_ns) + cycles * charge",
        "dose = dose_uc(track, now_ns) + charge",
        "test_frame_check.py::test_a_limit_counts_all_cycles_of_a_burst",
    ),
    Plant(
        "a burst counts as one pulse in the dose that was given",
        "judgement/guard_step.py",
        "burst_uc(pulse.current_ma, pulse.width_us, pulse.cycles)",
        "burst_uc(pulse.current_ma, pulse.width_us, 1)",
        "test_exercise.py::test_the_dose_of_a_minute_ends_it_bursts_with_all_their_cycles",
    ),
    Plant(
        "a burst counts as one pulse in energy",
        "judgement/limits.py",
        "return 2.0 * current_ma**2 * LOAD_OHM * width_us * cycles * 1e-9",
        "return 2.0 * current_ma**2 * LOAD_OHM * width_us * 1e-9",
        "test_limits.py::test_a_burst_counts_with_all_its_cycles",
    ),
    Plant(
        "a burst counts as one pulse in density",
        "judgement/limits.py",
        "math.sqrt(2.0 * width_us * 1e-6 * rate_hz * cycles)",
        "math.sqrt(2.0 * width_us * 1e-6 * rate_hz)",
        "test_exercise.py::test_the_density_of_the_electrode_binds_one_step_further",
    ),
    Plant(
        "more cycles are no rise",
        "judgement/frame_check.py",
        "/ burst_uc(1.0, channel.width_us, channel.cycles), name))",
        "/ burst_uc(1.0, channel.width_us, 1), name))",
        "test_frame_check.py::test_more_cycles_at_the_same_current_are_a_rise_and_fewer_are_none",
    ),
    Plant(
        "the stimulator gets one pulse of a burst",
        "stimulator_line.py",
        "pulse.current_ma, pulse.width_us, pulse.cycles)",
        "pulse.current_ma, pulse.width_us)",
        "test_pulse_told.py::test_an_exercise_without_sensors_gives_bursts_and_tells_them",
    ),
    Plant(
        "an exercise's caps hold in a walk",
        "judgement/guard_types.py",
        "*config.layers), source, config.caps)",
        '*config.layers), source, "exercise")',
        "test_exercise.py::test_a_walk_gets_no_exercises_caps_and_an_exercise_its_own",
    ),
    Plant(
        "a walk may do without sensors",
        "settings.py",
        'top.parts("sensors", 1 if caps == "gait" else 0, 16)',
        'top.parts("sensors", 0, 16)',
        "test_exercise.py::test_a_walk_without_a_sensor_is_refused_and_with_a_silent_one_not_armed",
    ),
    Plant(
        "an exercise is unlocked without contractions",
        "judgement/staged_unlock.py",
        "    if unlock.answered < STRIDES:\n",
        '    if unlock.answered < STRIDES and caps == "gait":\n',
        "test_contractions.py::test_three_whole_contractions_let_a_person_unlock_and_nobody_else",
    ),
    Plant(
        "a twitch is a contraction",
        "judgement/contractions.py",
        "    if lasted_ns < WHOLE_NS:\n",
        "    if lasted_ns < 0:\n",
        "test_contractions.py::test_a_contraction_counts_from_half_a_second_on",
    ),
    Plant(
        "the controller is told nothing of the pulses",
        "guard.py",
        "        self._peers.tell_controller(encode_pulse(told))\n",
        "",
        "test_pulse_told.py::test_every_pulse_is_told_with_the_time_of_its_writing",
    ),
    Plant(
        "units swapped: charge in millicoulomb",
        "judgement/limits.py",
        "return current_ma * width_us / 1e3",
        "return current_ma * width_us * 1e-6",
        "test_limits.py::test_the_published_figures_come_out",
    ),
    Plant(
        "the whole electrode counts",
        "judgement/limits.py",
        "HALF_LIFTED = 0.5",
        "HALF_LIFTED = 1.0",
        "test_frame_check.py::test_density_counts_half_the_electrode",
    ),
    Plant(
        "a session may loosen a limit",
        "judgement/limits.py",
        "elif layer.who in PEOPLE and value != values[name]:",
        "elif layer.who == 'nobody':",
        "test_limits.py::test_a_looser_layer_is_refused_and_the_message_names_all_there_is_to_know",
    ),
    Plant(
        "NaN passes the range check",
        "judgement/frame_fields.py",
        "if not 0.0 <= value <= top:",
        "if value < 0.0 or value > top:",
        "test_frame_check.py::test_a_field_that_is_no_number_or_negative_trips",
    ),
    Plant(
        "the current limit is not looked at",
        "judgement/frame_check.py",
        '("current_max_ma", channel.current_ma > limits.current_max_ma,',
        '("current_max_ma", False,',
        "test_frame_check.py::test_a_limit_lets_its_own_value_through_and_blocks_one_step_beyond",
    ),
    Plant(
        "a damaged frame is taken for a good one",
        "judgement/wire.py",
        "if crc != zlib.crc32(message[: -_CRC.size]):",
        "if crc < 0:",
        "test_wire.py::test_one_flipped_bit_makes_a_bad_frame",
    ),
    Plant(
        "a frame of another session is obeyed",
        "judgement/frame_check.py",
        "if frame.session != rules.session:",
        "if frame.session < 0:",
        "test_frame_check.py::test_frames_out_of_order_are_dropped_and_the_third_within_a_second_trips",
    ),
    Plant(
        "a repeated sample keeps the sensor alive",
        "judgement/liveness.py",
        "if stamp.seq <= track.seq and (",
        "if stamp.seq < 0 and (",
        "test_guard_step.py::test_repeating_an_old_sample_with_a_new_time_keeps_nothing_alive",
    ),
    Plant(
        "a stamp from the far future is taken",
        "judgement/liveness.py",
        "if ahead_ns > FUTURE_NS:",
        "if ahead_ns > 10**30:",
        "test_stamps.py::test_a_time_later_than_the_guards_clock_or_far_behind_is_no_samples",
    ),
    Plant(
        "a number far ahead is believed at once",
        "judgement/liveness.py",
        "return 0 <= track.seq < stamp.seq - JUMP_MAX",
        "return False",
        "test_any_stamp.py::test_no_single_stamp_changes_what_the_watch_finds_later",
    ),
    Plant(
        "the monitor hears stamps that do not fit",
        "judgement/guard_step.py",
        "    if not fits:",
        "    if not stamp.sensor:",
        "test_guard.py::test_strides_without_response_are_warned_of_and_trip",
    ),
    Plant(
        "an invalid sample keeps the sensor alive",
        "judgement/liveness.py",
        "if stamp.valid and not ill:",
        "if not ill:",
        "test_guard_step.py::test_an_invalid_sample_keeps_nothing_alive",
    ),
    Plant(
        "the keep-alive is fed by a timer",
        "judgement/liveness.py",
        "    ramping = known.state.stage is Stage.RAMP\n    if ramping and",
        "    known = known._replace(frame_ns=now_ns)\n"
        "    ramping = known.state.stage is Stage.RAMP\n    if ramping and",
        "test_guard_step.py::test_the_controller_is_hung_after_60_ms_and_not_before",
    ),
    Plant(
        "a hung supervisor is not noticed",
        "judgement/liveness.py",
        "if setup.config.overseen and now_ns",
        "if setup.config.supervised and now_ns",
        "test_machine.py::TestOverseenWalk",
    ),
    Plant(
        "a beat of the supervisor ends a trip",
        "judgement/requests.py",
        "return NOTHING, known._replace(beat_ns=now_ns)",
        "return NOTHING, known._replace(beat_ns=now_ns, state=transition(known.state, Event.ACKNOWLEDGE))",
        "test_machine.py::TestOverseenWalk",
    ),
    Plant(
        "a frame that says off may carry a pulse",
        "judgement/frame_fields.py",
        'if frame.purpose == "off" and any(',
        'if frame.purpose == "off" and not any(',
        "test_purpose.py::test_a_frame_that_says_off_and_asks_for_a_pulse_is_a_broken_controller",
    ),
    Plant(
        "the electrodes are tested in an arm that is off",
        "judgement/requests.py",
        "    if known.frame_off:\n",
        "    if known.frame_off and not known.frame_zero:\n",
        "test_purpose.py::test_in_an_arm_that_is_off_not_even_the_electrodes_are_tested",
    ),
    Plant(
        "after an arm that is off pulses leave on electrodes that nobody tested",
        "judgement/guard_step.py",
        'if known.untested_by is None or frame.purpose == "off" or',
        'if known.untested_by is not None or frame.purpose == "off" or',
        "test_purpose.py::test_when_the_next_arm_begins_the_electrodes_are_tested_first",
    ),
    Plant(
        "armed for tests, walking in open loop is let out",
        "judgement/guard_step.py",
        'if known.scope == "tests" and frame.purpose != "test_train":',
        'if known.scope == "tests" and frame.purpose == "feedback":',
        "test_purpose.py::test_armed_for_tests_all_but_a_test_train_is_blocked_and_no_fault",
    ),
    Plant(
        "a lowered largest current ends with the arming",
        "judgement/fault_reaction.py",
        "unlock=LOCKED, untested_by=None,",
        "unlock=LOCKED, tightened=None, untested_by=None,",
        "test_tighten.py::test_it_holds_over_stop_and_a_new_arming",
    ),
    Plant(
        "a running session's largest current may rise",
        "judgement/limits.py",
        "    if lower > holds:\n",
        "    if lower > 2.0 * holds:\n",
        "test_tighten.py::test_it_never_rises_again",
    ),
    Plant(
        "an expired frame feeds the watchdog",
        "judgement/frame_check.py",
        'return Judgement("blocked", reason, off, fresh=False), _rest(now_ns, memory)',
        'return Judgement("blocked", reason, off), _rest(now_ns, memory)',
        "test_guard_step.py::test_expired_frames_do_not_feed_the_watchdog",
    ),
    Plant(
        "missed pulses are caught up",
        "judgement/pulse_schedule.py",
        "slot_ns = due_ns if now_ns - due_ns < period_ns else now_ns",
        "slot_ns = due_ns",
        "test_pulse_schedule.py::test_missed_pulses_are_not_caught_up",
    ),
    Plant(
        "a trip does not latch",
        "judgement/states.py",
        "case Stage.TRIPPED, Event.ACKNOWLEDGE:",
        "case Stage.TRIPPED, _:",
        "test_states.py::test_only_an_acknowledgement_leaves_a_trip",
    ),
    Plant(
        "a later fault hides the first cause",
        "judgement/states.py",
        "if state.fault is not None:",
        "if state.fault == fault:",
        "test_guard_step.py::test_a_trip_keeps_its_first_cause_and_only_a_person_clears_it",
    ),
    Plant(
        "arming without the checklist",
        "judgement/requests.py",
        "why = list(objections(answers, setup.config.muscles, setup.config.caps))",
        "why: list[str] = []",
        "test_guard_step.py::test_an_unanswered_checklist_forbids_arming",
    ),
    Plant(
        "a new arming forgets the dose",
        "judgement/requests.py",
        "tracks=rested(known.memory.tracks)",
        "tracks=tuple(type(track)() for track in known.memory.tracks)",
        "test_guard_step.py::test_the_dose_outlives_a_trip_and_a_new_arming",
    ),
    Plant(
        "blocking a train ends it",
        "judgement/frame_check.py",
        "if channel is None or channel.current_ma == 0.0:",
        "if channel is None or channel.current_ma == 0.0 or _train_s(track) >= 2.0:",
        "test_frame_check.py::test_blocking_a_train_does_not_end_it",
    ),
    Plant(
        "feedback before the staged unlock",
        "judgement/guard_step.py",
        'frame.purpose == "feedback" and not known.unlock.full:',
        'frame.purpose == "feedback" and known.unlock.full:',
        "test_staged_unlock.py::test_before_the_unlock_current_is_reduced_to_the_ceiling_and_feedback_blocked",
    ),
    Plant(
        "a stimulator that does not answer has contact",
        "judgement/electrode_test.py",
        "and probe.answered >= probe.sent for",
        "for",
        "test_arming.py::test_an_answer_that_is_late_or_strange_does_not_count",
    ),
    Plant(
        "any rest begins a new bout",
        "judgement/on_time.py",
        "span, effective) > 0.0 else 0, on_ns=now_ns)",
        "span, effective) > 1e9 else 0, on_ns=now_ns)",
        "test_on_time.py::test_a_rest_that_is_too_short_ends_nothing",
    ),
    Plant(
        "STOP waits behind the controller's queue",
        "operator_link.py",
        'for role in ("operator", "", "controller"):',
        'for role in ("controller", "operator", ""):',
        "test_guard.py::test_stop_is_read_before_a_controllers_queue",
    ),
    Plant(
        "a stalled line takes pulse after pulse",
        "../../drivers/stimulators/pulse_line.py",
        "if why := self._wait_for(channel):",
        'if why := "16 are not answered" if len(self._asked) >= 16 else "":',
        "test_stalled_line.py::test_a_stall_releases_one_pulse_and_the_walk_goes_on",
    ),
    Plant(
        "after a late pulse the next keeps no distance",
        "../../drivers/stimulators/pulse_line.py",
        "self._rest_until_ns[asked.channel] = now_ns + closest_ns",
        "self._rest_until_ns[asked.channel] = now_ns",
        "test_stalled_line.py::test_a_stall_releases_one_pulse_and_the_walk_goes_on",
    ),
    Plant(
        "a second answer is a late one",
        "../../drivers/stimulators/pulse_line.py",
        "        self._given_up.pop(number, None)\n\n",
        "        self._given_up[number] = asked\n\n",
        "../drivers/stimulators/test_p24.py::test_broken_and_short_and_repeated_answers_are_told_and_never_raise",
    ),
    Plant(
        "an answer nobody asked for is a lost one",
        "judgement/guard_step.py",
        "if happening.code == FOREIGN_ANSWER:",
        "if happening.code == 0:",
        "test_line.py::test_an_answer_to_a_command_nobody_sent_trips_at_once",
    ),
    Plant(
        "a test pulse that never left is waited for",
        "judgement/electrode_test.py",
        "sent=probes[channel].sent - 1",
        "sent=probes[channel].sent",
        "test_line.py::test_a_test_pulse_that_did_not_leave_is_not_waited_for_and_its_pair_is_tested_anew",
    ),
    Plant(
        "the computer's sleep is not seen",
        "guard.py",
        "if slept_ns <= SUSPEND_NS or",
        "if slept_ns >= 0 or",
        "test_guard.py::test_a_computer_that_slept_trips_and_one_that_did_not_does_not",
    ),
    Plant(
        "the current rises by frames and not by time",
        "judgement/frame_check.py",
        "limits.rise_max_ma_per_frame * min(1.0, (now_ns - _risen_ns(now_ns, track)) / TICK_NS)",
        "limits.rise_max_ma_per_frame",
        "test_frame_check.py::test_sixty_frames_in_one_turn_of_the_guard_rise_no_more_than_two",
    ),
    Plant(
        "a wider pulse uses no time",
        "judgement/frame_check.py",
        "ticks = max(0.0, rise_ma / frame_ma, rise_uc /",
        "ticks = max(0.0, rise_ma / frame_ma, 0.0 * rise_uc /",
        "test_frame_check.py::test_a_wider_pulse_uses_the_time_of_its_charge",
    ),
    Plant(
        "frames may come as close as they like",
        "judgement/frame_check.py",
        "if gap_ns < FRAME_GAP_MIN_NS:",
        "if gap_ns < 0:",
        "test_frame_check.py::test_a_frame_nearer_than_a_millisecond_to_the_one_before_is_blocked_and_feeds_nothing",
    ),
    Plant(
        "a phase that flickers may go on",
        "judgement/frame_check.py",
        '("on_share_max", share > limits.on_share_max, share',
        '("on_share_max", False, share',
        "test_frame_check.py::test_a_phase_that_flickers_is_blocked_and_trips_before_ten_seconds_are_over",
    ),
    Plant(
        "a new arming forgets the last ten seconds",
        "judgement/frame_check.py",
        "Track(trains=track.trains, doses=track.doses)",
        "Track(doses=track.doses)",
        "test_frame_check.py::test_a_fresh_memory_keeps_nothing_but_the_trains_and_the_dose",
    ),
    Plant(
        "a frame judged before a sleep is carried out",
        "stimulator_line.py",
        "            if guard.notice_sleep():\n",
        "            if False:\n",
        "test_stalled_guard.py::test_a_sleep_after_judging_lets_nothing_of_it_out",
    ),
    Plant(
        "a stall between two clocks is sleep",
        "guard.py",
        "+= max(0, slept_ns)",
        "+= slept_ns",
        "test_stalled_guard.py::test_a_guard_held_up_between_its_two_clocks_takes_that_for_no_sleep",
    ),
    Plant(
        "the next pulse keeps its distance from the judgement, not from the writing",
        "judgement/pulse_schedule.py",
        "_replace(fired_ns=t_ns)",
        "_replace()",
        "test_pulse_schedule.py::test_a_pulse_written_late_keeps_the_next_of_its_channel_at_a_distance_and_no_other",
    ),
    Plant(
        "nobody looks at the distance before the writing",
        "stimulator_line.py",
        "if since_ns < closest_ns(limits.rate_max_hz):",
        "if since_ns < 0:",
        "test_stalled_guard.py::test_the_distance_is_looked_at_once_more_before_the_writing",
    ),
    Plant(
        "a beat of any screen stands for the one that armed",
        "judgement/arming_screen.py",
        "if screen is not None and screen.name == name else screen",
        "if screen is not None else screen",
        "test_arming_screen.py::test_the_beat_of_another_screen_keeps_nothing_alive",
    ),
    Plant(
        "a screen that is gone is only warned of",
        "judgement/liveness.py",
        "if missed := arming_screen.gone(now_ns, known.screen):",
        "if missed := arming_screen.gone(now_ns, None):",
        "test_arming_screen.py::test_pulses_end_ten_seconds_after_the_last_beat_and_not_a_nanosecond_before",
    ),
    Plant(
        "a crash is forgotten as soon as it is told",
        "kept_state.py",
        'if self._left or state.fault == "F16":',
        "if self._left:",
        "test_guard.py::test_what_was_in_force_before_a_crash_is_shown_and_needs_a_person",
    ),
    Plant(
        "a rig lost amid pulses ends as if in order",
        "kept_state.py",
        "self._left = state.may_pulse or just",
        "self._left = False",
        "test_guard.py::test_a_guard_that_loses_its_rig_amid_pulses_leaves_its_trip_to_the_next_one",
    ),
    Plant(
        "an empty file of on-times has rested",
        "kept_state.py",
        "if self.rest.damaged:",
        "if False:",
        "test_on_time.py::test_a_damaged_file_of_on_times_is_refused_before_anything_starts",
    ),
    Plant(
        "two rigs keep the on-times of one person",
        "kept_file.py",
        "            locked(self._fd)\n",
        "",
        "test_kept_file.py::test_one_process_at_a_time_and_a_killed_one_lets_go",
    ),
    Plant(
        "what is on the disk is overwritten by what is not yet",
        "kept_file.py",
        "at = 1 - self._safe",
        "at = self._safe",
        "test_kept_file.py::test_what_is_not_synced_never_takes_the_place_of_what_is",
    ),
    Plant(
        "the guard waits for its disk amid pulses",
        "kept_file.py",
        "            self._writer.start()\n",
        "            self._writer.run()\n",
        "test_kept_file.py::test_a_disk_that_does_not_answer_delays_no_pulse_and_no_stop",
    ),
    Plant(
        "the checklist's answers go into the guard's words",
        "judgement/requests.py",
        'f"Checklist answered at {given.utc}.", by',
        'f"Checklist answered at {given.utc}: {dict(answers)}.", by',
        "test_arming.py::test_todays_answers_are_recorded_with_who_and_when_and_hold_over_the_files",
    ),
)


def misplaced(plant: Plant) -> str:
    """Why a plant no longer fits the code; empty where it does."""
    count = (ROOT / SAFETY / plant.file).read_text().count(plant.old)
    test_file, name = plant.caught_by.split("::")
    if count != 1:
        return f"{plant.what}: its place occurs {count} times in {plant.file}"
    source = (ROOT / "tests/safety" / test_file).read_text()
    if f"def {name}(" not in source and f"\n{name} = " not in source:
        return f"{plant.what}: there is no test {plant.caught_by}"
    return ""


def missed(plant: Plant, copy: Path) -> str:
    """Plant it in ``copy``, run its test there, take it out again; empty where the test failed."""
    path = copy / SAFETY / plant.file
    sound = path.read_text()
    path.write_text(sound.replace(plant.old, plant.new))
    command = [sys.executable, "-B", "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, f"tests/safety/{plant.caught_by}"], cwd=copy, capture_output=True, check=False
    )
    path.write_text(sound)
    match done.returncode:
        case 1:
            return ""
        case 0:
            return "NOT CAUGHT"
        case status:
            return f"NO ANSWER, pytest ended with {status}"


def main() -> int:
    plants = [plant for plant in PLANTS if all(word in plant.what for word in sys.argv[1:])]
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name)
        for part in COPIED:
            source = ROOT / part
            if source.is_dir():
                shutil.copytree(source, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, copy / part)
        uncaught = 0
        for plant in plants:
            problem = misplaced(plant) or missed(plant, copy)
            uncaught += bool(problem)
            print(f"{problem or 'caught':8} {plant.what:42} {plant.caught_by.split('::')[1]}", flush=True)
    print(f"{len(plants) - uncaught} of {len(plants)} planted faults caught")
    return 1 if uncaught or not plants else 0


if __name__ == "__main__":
    sys.exit(main())
