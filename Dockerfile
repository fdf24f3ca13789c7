# The proxy in a small image: no compiler, no package manager's leftovers, not root.
#
#   docker build -t strongroom .
#   docker run -p 9000:9000 -v ./config:/etc/strongroom:ro -v strongroom-state:/var/lib/strongroom strongroom
#
# The configuration has to listen on 0.0.0.0:9000 (with [tls]) and keep its state in /var/lib/strongroom.

FROM rust:1.95-bookworm AS build
# The image's own compiler; rust-toolchain.toml would fetch another one.
ENV RUSTUP_TOOLCHAIN=1.95.0
WORKDIR /source
COPY Cargo.toml Cargo.lock ./
COPY config ./config
COPY crates ./crates
COPY src ./src
COPY benches ./benches
# Names of functions stay, for backtraces; line tables would make the binary four times as large (130 MB).
ENV CARGO_PROFILE_RELEASE_DEBUG=false CARGO_PROFILE_RELEASE_STRIP=debuginfo
RUN cargo build --release --locked --ignore-rust-version --bin strongroom

FROM debian:bookworm-slim
RUN groupadd --gid 10001 strongroom \
    && useradd --uid 10001 --gid strongroom --no-create-home --shell /usr/sbin/nologin strongroom \
    && install -d -o strongroom -g strongroom -m 0700 /var/lib/strongroom
COPY --from=build /source/target/release/strongroom /usr/local/bin/strongroom
USER strongroom
WORKDIR /var/lib/strongroom
VOLUME /var/lib/strongroom
EXPOSE 9000 9001
STOPSIGNAL SIGTERM
# bash's own sockets: no curl in the image for one line of HTTP.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/9001 && printf 'GET /healthz HTTP/1.0\\r\\n\\r\\n' >&3 && read -r line <&3 && [[ $line == *' 200 '* ]]"]
ENTRYPOINT ["strongroom"]
CMD ["serve", "--config", "/etc/strongroom/strongroom.toml"]
