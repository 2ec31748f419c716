"""What the scorecard's line says: by the panel where it read enough, else with bounds, and what is not known."""

from __future__ import annotations

from typing import Any

import pytest

from exports.text.score_lines import forecast_line, headline_row, on_everybody, scorecard_lines

ROW: dict[str, Any] = {
    "as_of_date": "2026-03-15", "record": "replay", "kind": "forecast", "label": "gain of 24 h", "value": "all",
    "market": "ALL", "horizon_hours": 24, "days": 11, "made": 5000, "due": 4000, "scored": 2400, "share_scored": 0.6,
    "share_cold": 0.5, "is_enough": True, "is_greyed": False, "score": 0.60, "twin": "damped_gain", "twin_score": 0.80,
    "skill": 0.25, "skill_low": 0.20, "skill_high": 0.30, "bias": -0.2, "coverage_80": 0.83, "direction_accuracy": None,
    "slowed_share": None, "score_low": 0.49, "score_high": 0.825, "is_panel_enough": False, "panel_days": 12,
    "panel_due": 3900, "panel_read": 40, "panel_gone": 2, "panel_score": 0.55, "panel_twin": "persistence",
    "panel_twin_score": 1.0, "panel_skill": 0.45, "panel_skill_low": 0.40, "panel_skill_high": 0.50, "panel_bias": -0.1,
    "panel_coverage_80": 0.75,
}  # fmt: skip
POPULATION = "scored 2,400 of 4,000 due (60 %), 5,000 made, 50 % cold starts"
BY_PANEL = (
    "24 h, replay of 12 days to 2026-03-15: by panel: skill +45 % [+40, +50]; error 55 % of the gain, the best naive"
    " forecast (no gain) 100 %; 75 % within the 80 % range; "
)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {},
            "24 h, replay of 11 days to 2026-03-15: skill +25 % [+20, +30]; error 60 % of the gain, the best naive"
            " forecast (the usual share of the last gain) 80 %; 49 % to 82 % with those that left; 83 % within the 80 %"
            f" range; {POPULATION}",
        ),
        (
            {"is_panel_enough": True},
            f"{BY_PANEL}those still in a feed alone 60 %, 40 that left read again, 2 gone; {POPULATION}",
        ),
        (
            # Nobody stood in a feed for so long: the panel is all there is.
            {"is_panel_enough": True, "is_enough": False, "scored": 0, "share_scored": 0.0, "score": None,
             "panel_gone": 0},
            f"{BY_PANEL}40 that left read again; scored 0 of 4,000 due (0 %), 5,000 made, 50 % cold starts",
        ),
        (
            {"is_enough": False, "score_high": 20.0},
            f"24 h, replay of 11 days to 2026-03-15: not enough yet: {POPULATION}; so far error 60 % of the gain, the"
            " best naive forecast (the usual share of the last gain) 80 %; 49 % to far more with those that left",
        ),
    ],
)  # fmt: skip
def test_the_line_is_the_panels_where_that_is_enough(changes: dict[str, Any], said: str) -> None:
    row = {**ROW, **changes}
    assert forecast_line(row) == said
    told = headline_row([row])
    assert told is not None
    assert forecast_line(told) == said
    assert on_everybody(told) is told, "told by the panel once"
    # The first group of a scorecard is the headline in fewer words.
    assert f"Forecasts: {said}" in scorecard_lines([row], 32)


def test_a_panel_may_find_no_skill() -> None:
    row = {**ROW, "is_panel_enough": True, "is_greyed": True, "panel_skill": -0.1, "panel_skill_low": -0.3}
    assert ": not better than a guess: by panel: skill -10 %" in forecast_line(row)
