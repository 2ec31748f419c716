"""Found by dbt, which looks for modules that begin with `dbt_`: `dbt ... --target spark` gets the home's tables.

Belongs here: the home and the cluster of a command by hand, by the settings. It is a package of its own, as dbt looks
in the folders of packages only, where the project itself is a link. Must not be here: what is done
(`engine.on_spark.by_hand`).
"""

from dbt.flags import get_flags
from dbt.plugins.manager import dbtPlugin


class SparkByHand(dbtPlugin):
    """Called at the start of each command, once its flags are read."""

    def initialize(self) -> None:
        """Prepares a command of a person's that asks Spark something."""
        flags = get_flags()
        if flags.TARGET != "spark":
            return
        from engine.on_spark import by_hand
        from orchestration import settings
        from orchestration.engines import spark_config
        from warehouse.store import Store

        if by_hand.is_asked(flags.WHICH, flags.VARS):
            home = flags.VARS.get("trends_home")
            found = settings.load(**({"trends_home": home} if home else {}))
            by_hand.begin(Store(found.trends_home, found.lock_timeout_s), spark_config(found), flags.VARS)


plugins = [SparkByHand]
