//! Requests through an instance's outbound HTTP to a real server on loopback.
