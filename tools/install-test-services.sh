#!/usr/bin/env bash
# Installs what the tests start for themselves: the PostgreSQL server, PostGIS, Redis, and the GDAL
# programs, the browser and the upload client that prove that others can use what we make. Nothing happens when all
# of it is present.
set -euo pipefail

missing() {
  local found=()
  compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || command -v initdb >/dev/null ||
    found+=(postgresql)
  compgen -G '/usr/share/postgresql/*/extension/postgis.control' >/dev/null ||
    { command -v pg_config >/dev/null &&
      [ -e "$(pg_config --sharedir)/extension/postgis.control" ]; } ||
    found+=(postgis)
  command -v redis-server >/dev/null || found+=(redis-server)
  command -v ogrinfo >/dev/null || found+=(gdal-bin)
  command -v chromium >/dev/null || command -v chromium-browser >/dev/null ||
    command -v google-chrome >/dev/null || found+=(chromium)
  command -v node >/dev/null || found+=(nodejs)
  command -v npm >/dev/null || found+=(npm)
  echo "${found[@]:-}"
}

# The foreign upload client of tests/media: pinned with hashes, and nowhere but in its folder.
upload_client() {
  local folder
  folder="$(dirname "${BASH_SOURCE[0]}")/../tests/media/foreign"
  [ -d "$folder/node_modules/tus-js-client" ] ||
    npm ci --prefix "$folder" --no-audit --no-fund --ignore-scripts --loglevel=error
}

needed="$(missing)"
if [ -z "$needed" ]; then
  upload_client
  exit 0
fi

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  echo "The tests need these, which are not installed: $needed" >&2
  echo "On Debian or Ubuntu: sudo bash tools/install-test-services.sh" >&2
  echo "Elsewhere install PostgreSQL 15+ with PostGIS 3.3+, Redis 7, GDAL, Chromium and Node.js with npm." >&2
  exit 1
fi

# A package's start-up script must not start the machine's own server: the tests never use it.
export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
  trap 'rm -f "$policy"' EXIT
fi
apt-get update -qq
version="$(apt-cache depends postgresql | sed -n 's/.*Depends: postgresql-\([0-9][0-9]*\)$/\1/p')"
apt-get install -y -qq --no-install-recommends \
  "postgresql-$version" "postgresql-$version-postgis-3" redis-server gdal-bin chromium \
  nodejs npm

left="$(missing)"
[ -z "$left" ] || { echo "Still missing after the installation: $left" >&2; exit 1; }
upload_client
