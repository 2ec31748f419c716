"""What a video's page says when it is asked for by URL, at any moment and also after the video left the feeds.

Belongs here: the counts between and after the feeds, the items of such a reading, videos that are gone. Must not be
here: which videos are asked for.

Between two feeds the counts are those before plus the share of the gain until the next one that the video's expected
course has made by then; after the last feed they follow that course. Nothing new is drawn, so asking changes no feed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from simulator.export import item_lines
from simulator.feeds import Counts, count_over_time, rounded
from simulator.population import Array, epoch_second, expected_views
from simulator.simulation import Simulation

# Of a hundred videos so many are deleted or made private some day after they left the feeds.
GONE_PERCENT = 3
GONE_WORDS = ("Post not found or private", "This video was removed by its creator")


def counts_at(simulation: Simulation, moments: Sequence[datetime]) -> Iterator[Counts]:
    """Give the true counts of all of the simulation's videos, in its order, at each moment.

    Args:
        simulation: what ``simulate`` gave.
        moments: aware, rising, none before the first feed.

    Raises:
        ValueError: if a moment lies before the first feed.
    """
    config, latent = simulation.config, simulation.latent
    wanted = [moment.astimezone(UTC).timestamp() for moment in moments]
    if wanted and wanted[0] < latent.moments[0]:
        raise ValueError(f"{moments[0]} lies before the first feed: there is no count yet")
    drawn = count_over_time(config, latent.moments, latent.posts, latent.shown)
    before_second, before = next(drawn)
    after = next(drawn, None)
    for second in wanted:
        while after is not None and after[0] <= second:
            before_second, before = after
            after = next(drawn, None)
        if second == before_second:
            yield before
            continue
        hour = (second - epoch_second(config)) / 3600.0
        now = expected_views(latent.posts, latent.shown, hour)
        yield _between(simulation, before, after[1] if after is not None else None, now)


def _between(simulation: Simulation, before: Counts, after: Counts | None, now: Array) -> Counts:
    gain = np.maximum(now - before.expected_plays, 0.0)
    posts, shown = simulation.latent.posts, simulation.latent.shown
    ratios = (posts.like_ratio, posts.share_ratio, posts.comment_ratio, posts.save_ratio)
    starts = (before.plays, before.likes, before.shares, before.comments, before.saves)
    if after is None:
        gains = [gain, *(gain * ratio[shown] for ratio in ratios)]
    else:
        ends = (after.plays, after.likes, after.shares, after.comments, after.saves)
        whole = after.expected_plays - before.expected_plays
        share = np.clip(np.divide(gain, whole, out=np.zeros_like(gain), where=whole > 0), 0, 1)
        gains = [(end - start) * share for start, end in zip(starts, ends, strict=True)]
    plays, likes, shares, comments, saves = (
        start + part.astype(np.int64) for start, part in zip(starts, gains, strict=True)
    )
    return Counts(plays, likes, shares, comments, saves, np.maximum(now, before.expected_plays))


def read_again(simulation: Simulation, videos: Iterable[tuple[str, str]], moment: datetime) -> bytes:
    """Give what an actor that reads URLs would bring, as JSON lines: items, and error rows of videos that are gone.

    Args:
        simulation: what ``simulate`` gave.
        videos: id and address of each; one that the simulation doesn't know is answered as gone.
        moment: when they are read; aware.
    """
    asked = list(videos)
    (counts,) = counts_at(simulation, [moment])
    places = pc.index_in(pa.array([video for video, _ in asked]), simulation.videos.column("video_id"))
    known = places.is_valid().to_numpy(zero_copy_only=False)
    rows = places.fill_null(0).to_numpy()
    gone = ~known | _is_gone(simulation, moment)[rows]
    there = np.flatnonzero(~gone)
    true = (counts.plays, counts.likes, counts.shares, counts.comments, counts.saves)
    printed = {
        name: rounded(values[rows[there]])
        for name, values in zip(("plays", "likes", "shares", "comments", "saves"), true, strict=True)
    }
    provenance = [f',"submittedVideoUrl":"{asked[place][1]}","input":"{asked[place][1]}"}}' for place in there]
    lines = item_lines(simulation, rows[there], printed, provenance)
    lines += [
        f'{{"url":"{asked[place][1]}","input":"{asked[place][1]}","error":"{GONE_WORDS[place % len(GONE_WORDS)]}"}}'
        for place in np.flatnonzero(gone)
    ]
    return "".join(f"{line}\n" for line in lines).encode()


def _is_gone(simulation: Simulation, moment: datetime) -> Array:
    """Say of every video whether it is gone by then: only ones that no feed shows again, and with oddities alone."""
    if not simulation.config.oddities.items:
        return np.zeros(simulation.latent.shown.size, dtype=bool)
    draw = np.random.default_rng([simulation.config.seed, 10]).random(simulation.latent.shown.size)
    return (draw < GONE_PERCENT / 100) & (simulation.latent.last_shown < moment.astimezone(UTC).timestamp())
