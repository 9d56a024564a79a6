//! Which IP addresses an outbound request may reach without being named: the public internet and nothing else.
//!
//! Source of the lists: the IANA special-purpose registries for IPv4 and IPv6 (RFC 6890 and its updates), plus the
//! addresses where clouds serve instance metadata. An address that embeds an IPv4 address is as public as that one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A set of addresses that a rule may mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addresses {
    /// Those of the public internet.
    Public,
    /// Those of one's own network or machine, and those of the public internet.
    Private,
    /// Those of this machine.
    Loopback,
}

impl Addresses {
    /// Whether the address is one of them.
    #[must_use]
    pub fn contain(self, ip: IpAddr) -> bool {
        match self {
            Self::Public => is_public(ip),
            Self::Private => is_public(ip) || is_private(ip),
            Self::Loopback => is_loopback(ip),
        }
    }
}

/// True for addresses of the public internet.
pub(super) fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => !within_v4(v4, SPECIAL_V4),
        IpAddr::V6(v6) => match embedded_v4(v6) {
            Some(v4) => !within_v4(v4, SPECIAL_V4),
            None => within_v6(v6, &[(0x2000 << 112, 3)]) && !within_v6(v6, SPECIAL_V6),
        },
    }
}

/// True for addresses of one's own network or machine. Link-local and metadata addresses are not among them.
pub(super) fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => within_v4(v4, PRIVATE_V4),
        IpAddr::V6(v6) => match embedded_v4(v6) {
            Some(v4) => within_v4(v4, PRIVATE_V4),
            None => v6.is_loopback() || (within_v6(v6, &[(0xfc00 << 112, 7)]) && !within_v6(v6, METADATA_V6)),
        },
    }
}

/// True for addresses of this machine.
pub(super) fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

/// The IPv4 address behind an IPv4-mapped address (RFC 4291) or the well-known NAT64 prefix (RFC 6052), which on an
/// IPv6-only network stands for every public IPv4 host.
fn embedded_v4(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let nat64 = within_v6(v6, &[(0x0064_ff9b << 96, 96)]);
    let low = u32::try_from(v6.to_bits() & u128::from(u32::MAX)).ok()?;
    v6.to_ipv4_mapped().or_else(|| nat64.then(|| Ipv4Addr::from_bits(low)))
}

/// Everything that is not the public internet: network and length of its prefix.
const SPECIAL_V4: &[(Ipv4Addr, u32)] = &[
    (Ipv4Addr::new(0, 0, 0, 0), 8),        // this network
    (Ipv4Addr::new(10, 0, 0, 0), 8),       // private
    (Ipv4Addr::new(100, 64, 0, 0), 10),    // carrier-grade NAT, Alibaba metadata
    (Ipv4Addr::new(127, 0, 0, 0), 8),      // loopback
    (Ipv4Addr::new(168, 63, 129, 16), 32), // Azure platform
    (Ipv4Addr::new(169, 254, 0, 0), 16),   // link-local, metadata of most clouds
    (Ipv4Addr::new(172, 16, 0, 0), 12),    // private
    (Ipv4Addr::new(192, 0, 0, 0), 24),     // protocol assignments, Oracle metadata
    (Ipv4Addr::new(192, 0, 2, 0), 24),     // documentation
    (Ipv4Addr::new(192, 88, 99, 0), 24),   // 6to4 relays
    (Ipv4Addr::new(192, 168, 0, 0), 16),   // private
    (Ipv4Addr::new(198, 18, 0, 0), 15),    // benchmarks
    (Ipv4Addr::new(198, 51, 100, 0), 24),  // documentation
    (Ipv4Addr::new(203, 0, 113, 0), 24),   // documentation
    (Ipv4Addr::new(224, 0, 0, 0), 4),      // multicast
    (Ipv4Addr::new(240, 0, 0, 0), 4),      // reserved, broadcast
];

const PRIVATE_V4: &[(Ipv4Addr, u32)] = &[
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
];

/// Parts of 2000::/3 that are not the public internet. Everything outside 2000::/3 isn't anyway.
const SPECIAL_V6: &[(u128, u32)] = &[
    (0x2001_0000 << 96, 23), // protocol assignments, Teredo among them
    (0x2001_0db8 << 96, 32), // documentation
    (0x2002_0000 << 96, 16), // 6to4, which embeds an IPv4 address
    (0x3fff_0000 << 96, 20), // documentation
];

/// AWS serves metadata inside the unique-local range.
const METADATA_V6: &[(u128, u32)] = &[(0xfd00_0ec2 << 96, 32)];

fn within_v4(ip: Ipv4Addr, networks: &[(Ipv4Addr, u32)]) -> bool {
    networks.iter().any(|(network, length)| (ip.to_bits() ^ network.to_bits()).leading_zeros() >= *length)
}

fn within_v6(ip: Ipv6Addr, networks: &[(u128, u32)]) -> bool {
    networks.iter().any(|(network, length)| (ip.to_bits() ^ network).leading_zeros() >= *length)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn addresses_are_classed() {
        let cases: &[(&str, bool, bool)] = &[
            // address, public, private
            ("93.184.216.34", true, false),
            ("1.1.1.1", true, false),
            ("127.0.0.1", false, true),
            ("127.255.255.254", false, true),
            ("10.1.2.3", false, true),
            ("172.15.255.255", true, false),
            ("172.16.0.1", false, true),
            ("172.31.255.255", false, true),
            ("172.32.0.0", true, false),
            ("192.168.1.1", false, true),
            ("100.64.0.1", false, true),
            ("100.128.0.1", true, false),
            ("169.254.169.254", false, false),
            ("168.63.129.16", false, false),
            ("0.0.0.0", false, false),
            ("192.0.0.192", false, false),
            ("224.0.0.1", false, false),
            ("255.255.255.255", false, false),
            ("::", false, false),
            ("::1", false, true),
            ("::127.0.0.1", false, false),
            ("::ffff:10.0.0.1", false, true),
            ("::ffff:169.254.169.254", false, false),
            ("::ffff:1.1.1.1", true, false),
            ("64:ff9b::1.1.1.1", true, false),
            ("64:ff9b::10.0.0.1", false, true),
            ("64:ff9b::169.254.169.254", false, false),
            ("64:ff9b:1::1.1.1.1", false, false),
            ("fe80::1", false, false),
            ("fec0::1", false, false),
            ("fd12::1", false, true),
            ("fd00:ec2::254", false, false),
            ("2606:4700::1111", true, false),
            ("2001:db8::1", false, false),
            ("2001::1", false, false),
            ("2002:7f00:1::", false, false),
            ("3fff::1", false, false),
            ("ff02::1", false, false),
        ];
        for (text, public, private) in cases {
            let ip: IpAddr = text.parse().unwrap();
            assert_eq!((is_public(ip), is_private(ip)), (*public, *private), "{text}");
        }
    }
}
