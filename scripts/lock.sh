#!/usr/bin/env bash
# Makes requirements.lock anew from requirements.in and requirements-dev.in (wheels only, hashed).
# `lock.sh --upgrade` takes newer versions of what is not pinned; without it they stay.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/common.sh

uv=${UV:-uv}
if ! command -v "$uv" >/dev/null; then
    say "lock: no uv here, installing one into build/lock"
    python3 -m venv build/lock
    build/lock/bin/python -m pip install --quiet uv
    uv=build/lock/bin/uv
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# tf-keras asks for plain tensorflow, which tensorflow-cpu stands in for; ai-edge-litert asks for a
# backport that Python 3.11 has built in and that does not install there.
cat >"$scratch/overrides" <<'END'
tensorflow; sys_platform == 'never'
backports-strenum; python_version < '3.11'
END
cp requirements.lock "$scratch/lock" 2>/dev/null || true

resolve() {
    UV_CUSTOM_COMPILE_COMMAND=scripts/lock.sh "$uv" pip compile --quiet "${@:2}" \
        --python-version "$1" --python-platform x86_64-unknown-linux-gnu --only-binary :all: \
        --generate-hashes --no-emit-index-url --override "$scratch/overrides" \
        --output-file "$scratch/lock" requirements.in requirements-dev.in >/dev/null
}
pins() { grep -E '^[a-z]' "$scratch/lock"; }

resolve 3.11 "$@"
oldest=$(pins)
cp "$scratch/lock" "$scratch/result"
resolve 3.12
# What only 3.11 needs (backports) is harmless on 3.12; the lock is the larger set.
stranger=$(comm -13 <(sort <<<"$oldest") <(pins | sort))
[ -z "$stranger" ] || die "lock: Python 3.12 needs what 3.11 does not: $stranger"
! grep -qE '^tensorflow==|://' "$scratch/result" || die "lock: plain tensorflow or an address got into the lock"
mv "$scratch/result" requirements.lock
say "lock: $(wc -l <<<"$oldest") packages"
