"""Found by dbt, which looks for modules that begin with `dbt_`: `dbt ... --target spark` gets the home's tables.

Belongs here: nothing but the call. It is a package of its own, as dbt looks in the folders of packages only, where the
project itself is a link. Must not be here: what is done (`engine.on_spark.by_hand`).
"""

from dbt.flags import get_flags
from dbt.plugins.manager import dbtPlugin


class SparkByHand(dbtPlugin):
    """Called at the start of each command, once its flags are read."""

    def initialize(self) -> None:
        """Prepares a command of a person's that asks Spark something."""
        flags = get_flags()
        if flags.TARGET == "spark":
            from engine.on_spark import by_hand

            by_hand.begin(flags.WHICH, flags.VARS)


plugins = [SparkByHand]
