//! The short form of `ports`: `[address:][host:]container[/protocol]`, with ranges.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::net::IpAddr;

/// One published port.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Port {
    /// The host's address, when it is given.
    pub host_ip: Option<String>,
    /// The port in the container.
    pub target: u16,
    /// The host's port or range; none when the engine chooses.
    pub published: Option<String>,
    /// `tcp`, `udp` or `sctp`.
    pub protocol: String,
}

/// Reads the short form, of at most `room` ports; the error is a fragment for people.
pub(super) fn parse(text: &str, room: usize) -> Result<Vec<Port>, String> {
    let (head, container) = text.rsplit_once(':').unwrap_or(("", text));
    let (address, host) = head.rsplit_once(':').unwrap_or(("", head));
    let (container, protocol) = match container.split_once('/') {
        Some((port, protocol)) => (port, protocol.split('/').next().unwrap_or("")),
        None => (container, ""),
    };
    let protocol = if protocol.is_empty() { "tcp".to_owned() } else { protocol.to_ascii_lowercase() };
    if !["tcp", "udp", "sctp"].contains(&protocol.as_str()) {
        return Err(format!("`{protocol}` is no protocol"));
    }
    let address = parse_address(address)?;
    let (first, last) = range(container, "the container's port")?;
    let host = if host.is_empty() { None } else { Some(range(host, "the host's port")?) };
    if let Some((host_first, host_last)) = host
        && last - first != host_last - host_first
        && first != last
    {
        return Err(format!("the ranges {host_first}-{host_last} and {first}-{last} differ in length"));
    }
    if usize::from(last - first) >= room {
        return Err("the stack publishes more ports than a host has use for".to_owned());
    }
    let mut ports: Vec<Port> = (first..=last)
        .map(|target| Port {
            host_ip: address.clone(),
            target,
            published: host.map(|(from, to)| match first == last && from != to {
                true => format!("{from}-{to}"),
                false => (from + (target - first)).to_string(),
            }),
            protocol: protocol.clone(),
        })
        .collect();
    // The order in which Compose lists them.
    ports.sort_by_cached_key(|port| format!("{}/{}", port.target, port.protocol));
    Ok(ports)
}

fn parse_address(text: &str) -> Result<Option<String>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    match bare.parse::<IpAddr>() {
        Ok(_) => Ok(Some(bare.to_owned())),
        Err(_) => Err(format!("`{text}` is no IP address")),
    }
}

fn range(text: &str, what: &str) -> Result<(u16, u16), String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let port = |text: &str| {
        let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u16>().ok().filter(|_| plain)
    };
    match (port(first), port(last)) {
        (Some(first), Some(last)) if first <= last => Ok((first, last)),
        (Some(first), Some(last)) => Err(format!("{what}: {first}-{last} is no range")),
        _ if text.is_empty() => Err(format!("{what} is missing")),
        _ => Err(format!("{what}: `{text}` is no port or range")),
    }
}

/// Whether text is an IP address.
pub(super) fn is_address(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok()
}

/// Whether text is a port or a range of ports.
pub(super) fn is_published(text: &str) -> bool {
    range(text, "").is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<String> {
        let show = |port: Port| {
            let ip = port.host_ip.unwrap_or_default();
            format!("{ip}:{}:{}/{}", port.published.unwrap_or_default(), port.target, port.protocol)
        };
        parse(text, 100).unwrap().into_iter().map(show).collect()
    }

    #[test]
    fn short_forms_are_expanded() {
        assert_eq!(shown("80"), ["::80/tcp"]);
        assert_eq!(shown("8080:80/UDP"), [":8080:80/udp"]);
        assert_eq!(shown("127.0.0.1::80"), ["127.0.0.1::80/tcp"]);
        assert_eq!(shown("[::1]:8080:80"), ["::1:8080:80/tcp"]);
        assert_eq!(shown("109-110:9-10"), [":110:10/tcp", ":109:9/tcp"]);
        assert_eq!(shown("9000-9001:80"), [":9000-9001:80/tcp"]);
    }

    #[test]
    fn bad_ports_are_refused() {
        for text in
            ["", "x", "1:", "70000", "2-1", "1-2:1-3", "a:1:1", "80/icmp", "1-101", "-1", "+80", "1:-"]
        {
            assert!(parse(text, 100).is_err(), "{text}");
        }
    }
}
