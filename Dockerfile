# syntax=docker/dockerfile:1
# The server in an image: docker build -t sluice .
# Refuses to listen beyond loopback while there are no keys: see compose.yaml and docs/DEPLOY.md.

FROM debian:13-slim AS build
WORKDIR /src
COPY script/bootstrap script/bootstrap
RUN script/bootstrap
COPY . .
RUN cmake --preset release \
 && cmake --build --preset release --target sluice \
 && strip -o /sluice build/release/sluice

FROM debian:13-slim
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        ca-certificates curl libcurl4t64 libglib2.0-0t64 libhiredis1.1.0 libjwt2 liblua5.4-0 liblz4-1 libpcre2-8-0 libpq5 libsqlite3-0 \
        libssl3t64 libuv1t64 libwebsockets-evlib-uv libwebsockets19t64 libyaml-0-2 tzdata zlib1g \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --shell /usr/sbin/nologin --home-dir /var/lib/sluice --create-home sluice
COPY --from=build /sluice /usr/local/bin/sluice
COPY examples /usr/share/sluice/examples
USER sluice
VOLUME /var/lib/sluice
ENV SLUICE_DATA=/var/lib/sluice SLUICE_LISTEN=127.0.0.1:8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD curl -fsS -o /dev/null "http://127.0.0.1:${SLUICE_LISTEN##*:}/readyz"
ENTRYPOINT ["sluice"]
CMD ["serve"]
