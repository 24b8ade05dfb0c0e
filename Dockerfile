# Sluice in one image: docs/operations.md, "In containers".
#
#   docker build -t sluice .
#   docker run -p 7878:7878 -v sluice:/data sluice
#
# Without SLUICE_DATABASE_URL it starts the PostgreSQL that comes with it, in /data. compose.yaml has one beside it.

FROM node:24.21.0-bookworm-slim AS installed
WORKDIR /sluice
# The lockfile is of the whole workspace: it is held against all manifests.
COPY package.json pnpm-lock.yaml pnpm-workspace.yaml ./
COPY test/package.json test/
COPY test/openapi-client/package.json test/openapi-client/
COPY packages packages
RUN npx -y pnpm@12.21.0 install --prod --frozen-lockfile --filter "@sluice/server..."
# Peers that nothing of the server loads, and the Node of the workspace: the image has its own.
RUN rm -rf node_modules/.pnpm/node-linux-* node_modules/.pnpm/@typescript+typescript-*
# What is compiled is kept: a container starts in half the time.
RUN node packages/server/src/main.ts openapi documents && rm -rf documents

FROM node:24.21.0-bookworm-slim
COPY --from=installed /sluice /sluice
COPY LICENSE /sluice/LICENSE
RUN mkdir /data && chown node:node /data
ENV SLUICE_HOST=0.0.0.0 SLUICE_PORT=7878 SLUICE_DATA_DIR=/data
USER node
WORKDIR /data
VOLUME ["/data"]
EXPOSE 7878
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.SLUICE_PORT}/ready`).then(({ status }) => process.exit(status === 200 ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "/sluice/packages/server/src/main.ts"]
CMD ["serve"]
