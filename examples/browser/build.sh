#!/usr/bin/env bash
# Builds the page into target/browser: compiles the crate to WebAssembly, makes the JavaScript around it (glue/), and puts
# the files of this folder beside that. Needs cargo, and rustup unless the target is there; nothing else.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
cd "$here/../.."

target="${CARGO_TARGET_DIR:-$PWD/target}"
wasm=wasm32-unknown-unknown
site="$target/browser"

fail() {
    echo "examples/browser/build.sh: $1" >&2
    exit 1
}

command -v cargo >/dev/null || fail "there is no cargo: install Rust, https://rustup.rs"
if [ ! -d "$(rustc --print target-libdir --target "$wasm")" ]; then
    command -v rustup >/dev/null || fail "this Rust has no standard library for $wasm, and there is no rustup to add it: \
install it the way Rust was installed (Debian: libstd-rust-dev-wasm32)"
    rustup target add "$wasm" || fail "rustup cannot add the target $wasm: is there a network?"
fi

cargo build --release --locked --target "$wasm" --target-dir "$target" -p raft-browser
cargo build --locked --manifest-path "$here/glue/Cargo.toml" --target-dir "$target/browser-glue"
rm -rf "$site"
mkdir -p "$site"
"$target/browser-glue/debug/raft-browser-glue" "$target/$wasm/release/raft_browser.wasm" "$site" \
    || fail "when the versions differ: give glue/Cargo.toml the version of wasm-bindgen in Cargo.lock"
cp "$here"/{index.html,page.js,worker.js} "$site"
echo "Built. python3 -m http.server --bind 127.0.0.1 --directory $site 8000, then open http://127.0.0.1:8000"
