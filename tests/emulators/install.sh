#!/usr/bin/env bash
# Installs the emulators of AWS and other servers that the tests use into STREAMALERT_EMULATORS (default: the cache directory), at
# pinned versions. May be run again and again: what is there is left alone. Needs python3 (≥ 3.10), npm, node, java
# and cc. Prints the directory.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
dir=${STREAMALERT_EMULATORS:-${XDG_CACHE_HOME:-$HOME/.cache}/streamalert-emulators}
mkdir -p "$dir"
exec 9>"$dir/.lock"
flock 9

for tool in python3 npm node java cc; do
    command -v "$tool" >/dev/null || { echo "emulators: $tool is missing" >&2; exit 1; }
done

# once NAME VERSION FUNCTION: runs it unless the version stands in the stamp; an interrupted one leaves no stamp.
once() {
    local stamp="$dir/$1.version"
    [ "$(cat "$stamp" 2>/dev/null)" = "$2" ] && return
    echo "emulators: installing $1 $2" >&2
    rm -f "$stamp"
    "$3" "$2" >&2
    echo "$2" >"$stamp"
}

ministack() {
    [ -x "$dir/python/bin/python" ] || python3 -m venv "$dir/python"
    "$dir/python/bin/pip" install --quiet --disable-pip-version-check "ministack==$1"
}

microburst() {
    [ -x "$dir/python/bin/python" ] || python3 -m venv "$dir/python"
    "$dir/python/bin/pip" install --quiet --disable-pip-version-check "microburst==$1"
}

# Servers of other protocols: SMTP, and the brokers that librdkafka has for its own tests.
peers() {
    [ -x "$dir/python/bin/python" ] || python3 -m venv "$dir/python"
    "$dir/python/bin/pip" install --quiet --disable-pip-version-check $1
    # one name for every version of Python
    (cd "$dir/python/lib" && ln -sfn python3.*/ python3)
}

# AWS's own jar, which this package of npm carries.
dynamodb_local() {
    local work
    work=$(mktemp -d "$dir/.dynamodb.XXXXXX")
    (cd "$work" && npm pack --silent "amplify-dynamodb-simulator@$1" >/dev/null && tar -xzf ./*.tgz)
    rm -rf "$dir/dynamodb-local"
    mv "$work/package/emulator" "$dir/dynamodb-local"
    rm -rf "$work"
}

kinesis_local() {
    mkdir -p "$dir/kinesis"
    (cd "$dir/kinesis" && npm install --silent --no-audit --no-fund --prefix . "kinesis-local@$1")
}

shim() {
    cc -O2 -Wall -Wextra -shared -fPIC -o "$dir/.loopback.so" "$here/loopback.c" -ldl
    mv "$dir/.loopback.so" "$dir/loopback.so"
}

once ministack 1.5.33 ministack
once microburst 0.10.0 microburst
once peers "aiosmtpd==1.4.6 confluent-kafka==2.16.1" peers
once dynamodb-local 2.9.30 dynamodb_local
once kinesis-local 0.6.2 kinesis_local
once loopback "$(sha256sum <"$here/loopback.c" | cut -c1-16)" shim
echo "$dir"
