#!/bin/sh
# Installs what the tests use beside Python: PostgreSQL, Chromium, Node with npm, a Java runtime.
# Only as root with Debian's apt-get; elsewhere it says what is missing, and the tests of that part skip.
set -eu
cd "$(dirname "$0")/.."
have() { command -v "$1" > /dev/null 2>&1; }

wanted=""
ls /usr/lib/postgresql/*/bin/initdb > /dev/null 2>&1 || wanted="$wanted postgresql"
have chromium || wanted="$wanted chromium fonts-liberation"
have java || wanted="$wanted default-jre-headless"
have node || wanted="$wanted nodejs"
have npm || wanted="$wanted npm"

if [ -n "$wanted" ]; then
    if [ "$(id -u)" = 0 ] && have apt-get; then
        echo "Installing for the tests:$wanted"
        export DEBIAN_FRONTEND=noninteractive
        apt-get update -qq
        # a server that Debian starts by itself is not wanted: the tests start their own
        mkdir -p /etc/postgresql-common
        [ -e /etc/postgresql-common/createcluster.conf ] ||
            echo "create_main_cluster = false" > /etc/postgresql-common/createcluster.conf
        # shellcheck disable=SC2086
        apt-get install -y -qq --no-install-recommends $wanted > /dev/null
    else
        echo "Not installed, so that some tests will skip:$wanted"
    fi
fi

have npm || exit 0
for lock in tests/*/package-lock.json; do
    [ -e "$lock" ] || continue
    folder=$(dirname "$lock")
    if [ ! -e "$folder/node_modules" ] || [ "$lock" -nt "$folder/node_modules" ]; then
        echo "Installing $folder"
        npm ci --prefix "$folder" --no-audit --no-fund --ignore-scripts --silent
        touch "$folder/node_modules"
    fi
done
