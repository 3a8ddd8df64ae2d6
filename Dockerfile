# The container that Azure AI Foundry runs: docker build --platform linux/amd64 -t aos-agent-server .
# `npm run prove-image` carries out these very lines where no Docker engine is at hand.

# What the running server needs. Built anew only when the lock file changes.
FROM --platform=linux/amd64 node:24-bookworm-slim AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev

# The compiler and its output. Nothing is run here but the compiler, so no package needs its install script.
FROM --platform=linux/amd64 node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
RUN npm run build

# The image. The program belongs to root and is only read; what the server writes is below its HOME.
FROM --platform=linux/amd64 node:24-bookworm-slim
ENV NODE_ENV=production \
    HOME=/home/session
WORKDIR /app
RUN install --directory --owner=node --group=node /home/session
COPY --from=packages /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY package.json openapi.json LICENSE ./
COPY agents ./agents
COPY policies ./policies
# "node" by number, so that a platform that forbids root can tell that this is not root.
USER 1000:1000
# The platform sets PORT only when it is not this one.
EXPOSE 8088
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s \
    CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT || 8088}/readiness`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
# Exec form: the server itself is process 1 and receives SIGTERM.
CMD ["node", "dist/src/main.js"]
