//! Which machines a repository's address may lead to: public ones, unless the operator lists the host.
//!
//! A document could otherwise make the controller knock at anything that only the controller can reach.
//! The addresses that were checked are handed to git, so that a name can't mean another machine a moment later.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use super::git_url::{Protocol, RemoteUrl, show};

/// How long a name may take to resolve.
const RESOLVE_TIME_MAX: Duration = Duration::from_secs(10);
/// Addresses of one name that are looked at; large services answer with eight.
const ADDRESSES_MAX: usize = 64;

/// Checks where a document's URL leads. The answer is `host:port:address,…` for git to connect to, when there is one.
pub async fn check_address(url: &RemoteUrl, allow: &[String]) -> Result<Option<String>, String> {
    let Some((host, port)) = url.host() else { return Ok(None) };
    if url.is_allowed(allow) || allow.iter().any(|entry| entry.eq_ignore_ascii_case(&host)) {
        return Ok(None);
    }
    let lookup = tokio::time::timeout(RESOLVE_TIME_MAX, tokio::net::lookup_host((host.as_str(), port))).await;
    let addresses: Vec<IpAddr> = match lookup {
        Ok(Ok(addresses)) => addresses.map(|address| address.ip()).take(ADDRESSES_MAX).collect(),
        // An alias of ssh's own configuration, or a name that only the proxy knows: the operator made both.
        _ if url.protocol() == Protocol::Ssh || has_proxy() => return Ok(None),
        Ok(Err(err)) => return Err(format!("`{host}` can't be resolved: {err}")),
        Err(_) => return Err(format!("`{host}` can't be resolved within {} s", RESOLVE_TIME_MAX.as_secs())),
    };
    if let Some(private) = addresses.iter().find(|address| !is_public(**address)) {
        return Err(format!(
            "`{}` leads to {private}, which is not a public address: list `{host}` under `git.allow` to permit it",
            show(url.as_str())
        ));
    }
    let list: Vec<String> = addresses
        .iter()
        .map(|address| match address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        })
        .collect();
    let pinned = url.protocol() == Protocol::Https && !list.is_empty() && !has_proxy();
    Ok(pinned.then(|| format!("{host}:{port}:{}", list.join(","))))
}

fn has_proxy() -> bool {
    ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

/// Whether an address is one of the public internet's.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_multicast()
        || a == 0
        || a >= 240
        // Carrier-grade NAT, protocol assignments, benchmarks.
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (b == 18 || b == 19));
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let inner = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    // An IPv4 address in another dress counts as that address: mapped, NAT64, 6to4.
    if let Some(mapped) = address.to_ipv4_mapped() {
        return is_public_v4(mapped);
    }
    match segments {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => is_public_v4(inner(high, low)),
        [0x2001, 0xdb8, ..] => false,
        // Only 2000::/3 is handed out.
        [first, ..] => (0x2000..0x4000).contains(&first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_in_any_dress_is_known() {
        for address in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "255.255.255.255",
            "224.0.0.1",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2002:a00:1::",
            "2001:db8::1",
            "ff02::1",
            "::10.0.0.1",
        ] {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
        for address in ["140.82.121.4", "8.8.8.8", "2606:50c0:8000::153", "64:ff9b::808:808"] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[tokio::test]
    async fn documents_do_not_reach_private_addresses_unless_the_host_is_listed() {
        let parse = |url: &str| RemoteUrl::parse(url, &["http".to_owned()]).unwrap();
        for url in [
            "https://127.0.0.1/a",
            "https://localhost:8443/a",
            "https://[::1]/a",
            "ssh://git@10.0.0.1/a",
            "https://169.254.169.254/latest",
            "git@127.0.0.1:a",
        ] {
            let refused = check_address(&parse(url), &[]).await;
            assert!(refused.is_err_and(|why| why.contains("git.allow")), "{url}");
        }
        let allow = ["LOCALHOST".to_owned(), "https://127.0.0.1/".to_owned()];
        for url in ["https://localhost:8443/a", "https://127.0.0.1/a", "/srv/a"] {
            assert_eq!(check_address(&parse_own(url), &allow).await, Ok(None), "{url}");
        }
        let pinned = check_address(&parse("https://8.8.8.8/a"), &[]).await;
        if !has_proxy() {
            assert_eq!(pinned, Ok(Some("8.8.8.8:443:8.8.8.8".to_owned())));
        }
    }

    fn parse_own(url: &str) -> RemoteUrl {
        RemoteUrl::parse_own(url).unwrap()
    }
}
