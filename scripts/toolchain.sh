#!/usr/bin/env bash
# toolchain.sh [mps2|host|nano33ble]: checks the compilers and the emulator that a target needs;
# installs what is missing through apt-get when it may, else stops with the command to type.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/common.sh

have() { command -v "$1" >/dev/null; }
# compiles COMPILER LANGUAGE HEADER [FLAG...]: the compiler is there and finds its library.
compiles() {
    local compiler=$1 language=$2 header=$3
    shift 3
    have "$compiler" && echo "#include <$header>" | "$compiler" "$@" -x "$language" -fsyntax-only - 2>/dev/null
}

missing() {
    compiles cc c stdio.h || echo gcc libc6-dev
    have cmake || echo cmake
    have ninja || have make || echo ninja-build
    if [ "$1" = mps2 ]; then
        have arm-none-eabi-gcc || echo gcc-arm-none-eabi
        compiles arm-none-eabi-gcc c stdio.h -mcpu=cortex-m4 -mthumb || echo libnewlib-arm-none-eabi
        compiles arm-none-eabi-g++ c++ cstdint -mcpu=cortex-m4 -mthumb || echo libstdc++-arm-none-eabi-newlib
        [[ $(qemu-system-arm -M help 2>/dev/null) == *mps2-an386* ]] || echo qemu-system-arm
    fi
}

target=${1:-mps2}
case $target in
mps2 | host) ;;
nano33ble) exit 0 ;; # PlatformIO, which `make setup` installs, brings its own compiler
*)
    say "toolchain: no target '$target'; there are mps2, host and nano33ble"
    exit 2
    ;;
esac

mapfile -t packages < <(missing "$target")
[ ${#packages[@]} -gt 0 ] || exit 0
purpose="toolchain for TARGET=$target"
apt_install "$purpose" "${packages[@]}"
mapfile -t packages < <(missing "$target")
[ ${#packages[@]} = 0 ] || die "$purpose: installed, yet not to be found: ${packages[*]}. TARGET=host needs only cc and cmake."
say "toolchain: done"
