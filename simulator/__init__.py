"""A seeded market that makes Apify-shaped feeds: the bundled sample, the demo and the benchmarks run on it.

Belongs here: the package's public names. The parts: ``config`` (settings), ``population`` (latent market),
``feeds`` (what is shown), ``captions`` and ``vocabulary`` (words), ``truth`` (what really happened), ``simulation``
(the steps in order) and ``export`` (files). Must not be here: anything that reads real data or the environment.
"""

from simulator.config import NO_ODDITIES, Oddities, SimulatorConfig, bench_config, sample_config
from simulator.export import write_export_folder
from simulator.simulation import Simulation, simulate

__all__ = [
    "NO_ODDITIES",
    "Oddities",
    "Simulation",
    "SimulatorConfig",
    "bench_config",
    "sample_config",
    "simulate",
    "write_export_folder",
]
