#!/usr/bin/env bash
# Runs the committed table of seeds and digests on a 32-bit target: the same run must have the same digest there.
#
# Needs rustup, and a C compiler that links 32-bit programs (Debian and Ubuntu: apt-get install gcc-multilib).
# A job of the workflow; .ci/run runs it where these can be had.
set -euo pipefail
cd "$(dirname "$0")/.."

TARGET=i686-unknown-linux-gnu
if ! echo 'int main(void) { return 0; }' | cc -m32 -x c - -o /dev/null 2>/dev/null; then
    echo "cc -m32 links no program: install a 32-bit C library (apt-get install gcc-multilib)" >&2
    exit 2
fi
rustup target add "$TARGET"
cargo test --release --target "$TARGET" --test determinism -- --nocapture
cargo test --release --target "$TARGET" -p raft-core --lib
