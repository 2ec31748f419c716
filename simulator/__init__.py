"""A seeded market that makes Apify-shaped feeds: the bundled sample, the demo and the benchmarks run on it.

Belongs here: the package's public names. The parts: ``config`` (settings), ``population`` (latent market),
``feeds`` (what is shown), ``captions`` and ``vocabulary`` (words), ``truth`` (what really happened), ``panel`` (what a
page says at any moment), ``simulation`` (the steps in order) and ``export`` (files). Must not be here: anything that
reads real data or the environment.
"""

from simulator.config import NO_ODDITIES, Oddities, SimulatorConfig, bench_config, sample_config
from simulator.export import write_export_folder
from simulator.panel import counts_at, read_again
from simulator.simulation import Simulation, simulate

__all__ = [
    "NO_ODDITIES",
    "Oddities",
    "Simulation",
    "SimulatorConfig",
    "bench_config",
    "counts_at",
    "read_again",
    "sample_config",
    "simulate",
    "write_export_folder",
]
