# Sourced by the other scripts: one clear line for each failure, and apt where it may be used.
# shellcheck shell=bash

say() { printf '%s\n' "$*" >&2; }

# Exit code 3: an external failure (see pipeline/core/errors.py).
die() {
    say "$*"
    exit 3
}

# The prefix that lets apt-get run without asking: nothing for root, sudo where it needs no
# password. Fails where there is neither.
privilege() {
    command -v apt-get >/dev/null || return 1
    if [ "$(id -u)" = 0 ]; then return 0; fi
    command -v sudo >/dev/null && sudo -n true 2>/dev/null && echo "sudo -n"
}

# apt_install PURPOSE PACKAGE...: installs, or stops with the exact command to type.
apt_install() {
    local purpose=$1 prefix quiet=()
    shift
    if ! prefix=$(privilege); then
        if command -v apt-get >/dev/null; then
            die "$purpose: missing. Type:  sudo apt-get update && sudo apt-get install -y --no-install-recommends $*"
        fi
        die "$purpose: missing, and there is no apt-get here. Install with your package manager what Debian calls: $*"
    fi
    [ -t 2 ] || quiet=(-q)
    say "$purpose: installing $*"
    # shellcheck disable=SC2086  # the prefix is zero or two words
    _apt() { $prefix env DEBIAN_FRONTEND=noninteractive apt-get "${quiet[@]}" \
        -o Acquire::Retries=5 -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@" </dev/null >&2; }
    # The package lists are asked for only when they are absent or too old to be of use.
    _apt install --simulate --no-install-recommends "$@" >/dev/null 2>&1 || _apt update
    _apt install -y --no-install-recommends "$@" ||
        { _apt update && _apt install -y --no-install-recommends "$@"; } ||
        die "$purpose: apt-get could not install it. Look at its message above, then try again."
}
