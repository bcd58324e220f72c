//! Addresses: which are fetched from, what their file is called, where a redirect may lead.

use std::net::IpAddr;

use ureq::http::Uri;

use crate::error::shown;

/// Whether it is `https`, or `http` of this machine itself (tests, tunnels).
pub(crate) fn is_safe(url: &str) -> bool {
    let Some((scheme, host)) = parts(url) else { return false };
    scheme == "https" || (scheme == "http" && is_loopback_host(&host))
}

/// Whether it leads to this machine itself, past every proxy.
pub(crate) fn is_loopback(url: &str) -> bool {
    parts(url).is_some_and(|(_, host)| is_loopback_host(&host))
}

/// Host and port, as they are remembered once they cannot be reached.
pub(crate) fn server(url: &str) -> String {
    let uri = url.parse::<Uri>().ok();
    uri.and_then(|uri| uri.authority().map(|all| without_user(all.as_str()).to_owned())).unwrap_or_default()
}

/// Whether two addresses lead to one server in one way: what may be told to the one may be told to the other.
pub(crate) fn same_server(one: &str, other: &str) -> bool {
    let scheme = |url: &str| parts(url).map(|(scheme, _)| scheme);
    scheme(one).is_some() && scheme(one) == scheme(other) && server(one).eq_ignore_ascii_case(&server(other))
}

/// The last part of its path: the name of the file.
pub(crate) fn file_name(url: &str) -> &str {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let path = path.split_once("://").map_or(path, |(_, rest)| rest);
    path.split_once('/').map_or("", |(_, path)| path.rsplit('/').next().unwrap_or_default())
}

/// The address for a message: without user, password and query, which may be secret.
pub(crate) fn public(url: &str) -> String {
    let plain = url.split(['?', '#']).next().unwrap_or_default();
    match plain.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            shown(&format!("{scheme}://{}{path}", without_user(authority)))
        }
        None => shown(plain),
    }
}

/// Where a redirect leads: to `https`, or to the server that was asked, or from this machine to this machine.
///
/// # Errors
/// Why it is not followed.
pub(crate) fn redirected(from: &str, location: &str) -> Result<String, String> {
    let refused = |why: &str| Err(format!("it redirects to `{}`, which is not followed: {why}", public(location)));
    let Some((scheme, host)) = parts(from) else { return refused("the address itself cannot be read") };
    let origin = &from[..from.find("://").map_or(0, |at| at + 3)];
    let authority = from[origin.len()..].split(['/', '?', '#']).next().unwrap_or_default();
    let before_path = location.split(['/', '?', '#']).next().unwrap_or_default();
    let to = if before_path.ends_with(':') && location[before_path.len()..].starts_with("//") {
        location.to_owned()
    } else if let Some(rest) = location.strip_prefix("//") {
        format!("{scheme}://{rest}")
    } else if location.starts_with('/') {
        format!("{origin}{authority}{location}")
    } else if location.is_empty() {
        return refused("it names no address");
    } else {
        let path = from.split(['?', '#']).next().unwrap_or_default();
        let folder = path.rfind('/').filter(|at| *at >= origin.len()).map_or(path, |at| &path[..at]);
        format!("{folder}/{location}")
    };
    let Some((to_scheme, to_host)) = parts(&to) else { return refused("it is no address") };
    let same_server = scheme == to_scheme && server(from) == server(&to);
    let on_this_machine = to_scheme == "http" && is_loopback_host(&host) && is_loopback_host(&to_host);
    if to_scheme == "https" || same_server || on_this_machine {
        return Ok(to);
    }
    refused("only https is, and the same server")
}

/// Scheme and host, both in lower case.
fn parts(url: &str) -> Option<(String, String)> {
    let uri = url.parse::<Uri>().ok()?;
    let host = uri.host().filter(|host| !host.is_empty())?;
    Some((uri.scheme_str()?.to_lowercase(), host.to_lowercase()))
}

fn is_loopback_host(host: &str) -> bool {
    let plain = host.trim_start_matches('[').trim_end_matches(']');
    plain == "localhost" || plain.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn without_user(authority: &str) -> &str {
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn https_and_this_machine_are_safe() {
        for safe in ["https://a.org/x", "http://127.0.0.1:8000/x", "http://localhost/x", "http://[::1]:80/x", "HTTPS://A.org/x"] {
            assert!(is_safe(safe), "{safe}");
        }
        for unsafe_one in
            ["http://a.org/x", "http://127.evil.org/x", "ftp://a.org/x", "file:///etc/passwd", "a.csv", "", "https:///x"]
        {
            assert!(!is_safe(unsafe_one), "{unsafe_one}");
        }
    }

    #[test]
    fn names_come_from_the_path_alone() {
        assert_eq!(file_name("https://a.org/d/BBBP.csv?version=1/2#x/y"), "BBBP.csv");
        assert_eq!((file_name("https://a.org"), file_name("https://a.org/"), file_name("https://a.org/d/..")), ("", "", ".."));
        assert_eq!(public("https://user:word@a.org:8/d/x.csv?token=1"), "https://a.org:8/d/x.csv");
        assert_eq!(server("https://user:word@a.org:8/d"), "a.org:8");
        assert!(same_server("https://a.org/x", "https://u@A.org/y"));
        for other in ["https://a.org:8/x", "http://a.org/x", "https://a.org.evil.org/x", "https://b.org/a.org", "a.org"] {
            assert!(!same_server("https://a.org/x", other), "{other}");
        }
    }

    #[test]
    fn redirects_lead_up_never_down() {
        let follow = |from, to| redirected(from, to).unwrap_or_else(|why| format!("refused: {why}"));
        assert_eq!(follow("http://m.org/a/b.csv", "https://c.org/b"), "https://c.org/b");
        assert_eq!(follow("http://m.org/a/b.csv", "/c.csv"), "http://m.org/c.csv");
        assert_eq!(follow("http://m.org/a/b.csv?x=/y", "c.csv"), "http://m.org/a/c.csv");
        assert_eq!(follow("https://m.org/a/b", "c?from=https://x.org/y"), "https://m.org/a/c?from=https://x.org/y");
        assert_eq!(follow("https://m.org/a/b", "/c?from=http://x.org"), "https://m.org/c?from=http://x.org");
        assert_eq!(follow("https://m.org/a", "//c.org/d"), "https://c.org/d");
        assert_eq!(follow("http://127.0.0.1:1/a", "http://127.0.0.1:2/b"), "http://127.0.0.1:2/b");
        for (from, to) in [
            ("https://m.org/a", "http://m.org/a"),
            ("https://m.org/a", "http://127.0.0.1/a"),
            ("http://m.org/a", "http://c.org/a"),
            ("https://m.org/a", "file:///etc/passwd"),
            ("https://m.org/a", ""),
            ("https://m.org/a", "http://"),
        ] {
            assert!(follow(from, to).starts_with("refused: it redirects to"), "{from} {to}: {}", follow(from, to));
        }
    }
}
