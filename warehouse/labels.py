"""The labels that users know by sight, as the models write them and files, messages and checks read them.

Belongs here: each label once, by name. Must not be here: when a row gets it (models), what is done about it.

SQL can't import them, so models and their YAML spell them again; a test holds that each spelling there is one of these,
and that no Python module has a spelling of its own.
"""

from collections.abc import Mapping

SPIKING, RISING, COOLING, DYING = STATUSES = ("🚀 SPIKING", "📈 RISING", "📉 COOLING", "❄️ DYING")
NEW = "🆕 NEW"
"""Of a sound that nobody used the day before."""
EXPLOSIVE, STRONG, MODERATE, FLAT, DECLINING, CRASHING = TRAJECTORIES = (
    "🚀 EXPLOSIVE", "📈 STRONG", "↗️ MODERATE", "➡️ FLAT", "↘️ DECLINING", "📉 CRASHING",
)  # fmt: skip
ACT_NOW, SOON, LATER, MONITOR, CLOSING, PEAKED, TOO_LATE = ACTION_WINDOWS = (
    "🔴 ACT NOW", "🟠 6-12H", "🟡 12-24H", "🟢 MONITOR", "⚠️ WINDOW CLOSING", "⚠️ PEAKED", "❌ TOO LATE",
)  # fmt: skip
OPEN_WINDOWS = (ACT_NOW, SOON, LATER, MONITOR)
"""Windows in which a video can still be an opportunity."""

URGENT, HIGH, WATCH = URGENCIES = ("🔥 URGENT", "⚡ HIGH", "🟡 WATCH")
MAKE_NOW, MAKE_MAYBE = TUTORIAL_TRIGGERS = ("🔴 MAKE_NOW", "🟡 WATCH")
IMMEDIATELY, TODAY, NEXT = BUILD_PRIORITIES = ("🔴 BUILD_IMMEDIATELY", "🟠 BUILD_TODAY", "⚪ NEXT")
PRIME = "🟢 PRIME"
BOTH_MARKETS = "🌐 BOTH"

WRITTEN_BY_MODELS = frozenset(
    {
        *STATUSES, NEW, *TRAJECTORIES, *ACTION_WINDOWS, *URGENCIES, *TUTORIAL_TRIGGERS, *BUILD_PRIORITIES, PRIME,
        BOTH_MARKETS,
    }
)  # fmt: skip

# Not written by the models, which keep the plain word.
AT_CAP = "✅ CAP"
BREAKOUT = "💥"
STAGES: Mapping[str, str] = {"new": NEW, "emerging": "🌱 EMERGING", "rising": "🚀 RISING", "resurged": "🔁 BACK"}
TIERS: Mapping[str, str] = {"STRONG": "🔴 STRONG", "ALERT": "🟠 ALERT", "WATCH": "🟡 WATCH"}
