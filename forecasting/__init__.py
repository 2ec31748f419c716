"""Models that are fitted by a library: examples in, the fitted model out as rows, which SQL scores.

Belongs here: calling the library. Must not be here: what the examples are and how a forecast is made of the rows
(models/intermediate/int_forecast_*), files, the environment.
"""
