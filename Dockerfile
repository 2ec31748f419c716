# The UI with its daemon, and the `trends` command. docs/running.md says how it is used.
FROM python:3.11-slim-bookworm

# LightGBM's trees need libgomp1; without it forecasts go on with the rules alone.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 trends \
    && install --directory --owner trends /app /data

USER trends
WORKDIR /app
# The packages first: they change less often than the code.
COPY --chown=trends requirements.lock ./
RUN python -m venv .venv && .venv/bin/pip install --no-cache-dir --require-hashes --requirement requirements.lock
COPY --chown=trends . .
RUN .venv/bin/pip install --no-cache-dir --no-deps --no-build-isolation --editable .

ENV PATH=/app/.venv/bin:$PATH TRENDS_HOME=/data
VOLUME /data
EXPOSE 3000
# Within a container all addresses are its own; compose.yaml lets only this machine in.
CMD ["trends", "ui", "--host", "0.0.0.0", "--port", "3000"]
