//! Guests built for the last release candidate of WASI 0.3; one case a file in `examples/`.
