#!/usr/bin/env bash
# What the tests of other systems' fleets need, and the benchmark `deploy`: Redis and RabbitMQ from the system's packages (programs
# only: the tests start servers of their own), Celery in bench/.venv, BullMQ in bench/node_modules.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../bench"

if ! { command -v redis-server && [[ -x /usr/lib/rabbitmq/bin/rabbitmq-server ]] && python3 -c 'import ensurepip'; } > /dev/null 2>&1; then
  sudo=()
  ((EUID == 0)) || sudo=(sudo)
  # No service of the machine's own is started by these packages.
  policy=/usr/sbin/policy-rc.d
  if ! [[ -e $policy ]]; then
    printf '#!/bin/sh\nexit 101\n' | "${sudo[@]}" tee "$policy" > /dev/null
    "${sudo[@]}" chmod +x "$policy"
    trap '"${sudo[@]}" rm -f "$policy"' EXIT
  fi
  "${sudo[@]}" apt-get update
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
    -o Dpkg::Options::=--force-confold redis-server rabbitmq-server python3-venv
fi

if ! cmp --silent requirements.txt .venv/installed.txt; then
  rm -rf .venv
  python3 -m venv .venv
  .venv/bin/pip install --quiet --disable-pip-version-check --requirement requirements.txt
  cp requirements.txt .venv/installed.txt
fi

npm ci --ignore-scripts --loglevel=error --no-audit --no-fund
