//! What is the name of a host, and how DNS and certificates have it.

use std::borrow::Cow;
#[cfg(feature = "__tls")]
use std::net::Ipv6Addr;

/// The longest name that DNS knows, in bytes, without the dot at its end.
const HOST_MAX: usize = 253;

/// The longest part of one, between two dots.
const LABEL_MAX: usize = 63;

/// An IPv6 address is often written in brackets; it may have a zone, as in `[fe80::1%eth0]`.
pub(crate) fn without_brackets(host: &str) -> &str {
    host.strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .filter(|host| host.contains(':'))
        .unwrap_or(host)
}

/// The zone of an address says by which interface it is reached from here: no certificate has one.
#[cfg(feature = "__tls")]
pub(crate) fn without_zone(host: &str) -> &str {
    match host.split_once('%') {
        Some((address, _)) if address.parse::<Ipv6Addr>().is_ok() => address,
        Some(_) | None => host,
    }
}

/// The name as it is in DNS and in certificates: ASCII. What is an IPv6 address stays as it is.
///
/// # Errors
///
/// What is wrong with it, and what to do.
pub(crate) fn to_ascii(host: &str) -> Result<Cow<'_, str>, String> {
    if host.is_ascii() || host.contains(':') {
        return Ok(Cow::Borrowed(host));
    }
    encoded(host)
}

/// UTS 46, as in browsers; the same as the `idna` of asyncio for most names.
#[cfg(feature = "idna")]
fn encoded(host: &str) -> Result<Cow<'_, str>, String> {
    use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

    // `check` checks the length.
    let (ascii, hyphens, any_length) = (AsciiDenyList::URL, Hyphens::Allow, DnsLength::Ignore);
    match Uts46::new().to_ascii(host.as_bytes(), ascii, hyphens, any_length) {
        Ok(name) if !name.is_empty() => Ok(name),
        Ok(_) | Err(_) => Err(format!(
            "{host:?} has characters that a host name cannot have, or not in this place"
        )),
    }
}

#[cfg(not(feature = "idna"))]
fn encoded(host: &str) -> Result<Cow<'_, str>, String> {
    Err(format!(
        "{host:?} is not ASCII: give its form that begins with \"xn--\", or enable the feature `idna`"
    ))
}

/// Checks a name in ASCII, before it is looked up.
pub(crate) fn check(host: &str) -> Result<(), String> {
    if host.contains('\0') {
        return Err("it contains a NUL".to_owned());
    }
    let name = host.strip_suffix('.').unwrap_or(host);
    let len = name.len();
    if len > HOST_MAX {
        return Err(format!("it has {len} bytes, and the limit is {HOST_MAX}"));
    }
    let labels = || name.split('.').map(str::len);
    if !host.is_empty() && labels().any(|len| len == 0) {
        return Err("one of its labels is empty".to_owned());
    }
    match labels().find(|len| *len > LABEL_MAX) {
        Some(len) => Err(format!(
            "one of its labels has {len} bytes, and the limit is {LABEL_MAX}"
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(host: &str) -> Result<String, String> {
        let name = to_ascii(host)?.into_owned();
        check(&name).map(|()| name)
    }

    #[test]
    fn ascii_names_and_addresses_are_unchanged() {
        for host in [
            "example.org",
            "EXAMPLE.org.",
            "xn--bcher-kva.example",
            "xn--a",
            "_sip._tcp.example",
            "-",
            "a b",
            "127.0.0.1",
            "127.1",
            "::1",
            "fe80::1%eth0",
            "fe80::1%büro0",
            "",
        ] {
            assert_eq!(name(host).as_deref(), Ok(host));
        }
    }

    #[test]
    fn invalid_names_are_refused() {
        let long_label = "x".repeat(64);
        let long = "x.".repeat(126) + "xx";
        for (host, why) in [
            ("a\0b", "NUL"),
            ("a..b", "labels is empty"),
            (".", "labels is empty"),
            (".example", "labels is empty"),
            (&long_label, "64 bytes"),
            (&long, "254 bytes"),
        ] {
            let refused = name(host).unwrap_err();
            assert!(refused.contains(why), "{host}: {refused}");
        }
    }

    #[cfg(feature = "__tls")]
    #[test]
    fn only_an_address_has_a_zone() {
        for (host, without) in [
            ("fe80::1%eth0", "fe80::1"),
            ("fe80::1%2", "fe80::1"),
            ("fe80::1%", "fe80::1"),
            ("fe80::1", "fe80::1"),
            ("example.org%eth0", "example.org%eth0"),
            ("127.0.0.1%eth0", "127.0.0.1%eth0"),
        ] {
            assert_eq!(without_zone(host), without);
        }
    }

    #[cfg(not(feature = "idna"))]
    #[test]
    fn names_that_are_not_ascii_need_the_feature() {
        let refused = name("bücher\n.example").unwrap_err();
        assert_eq!(
            refused,
            "\"bücher\\n.example\" is not ASCII: give its form that begins with \"xn--\", \
             or enable the feature `idna`"
        );
    }

    /// The result of `"…".encode("idna")` in Python, which follows IDNA 2003.
    #[cfg(feature = "idna")]
    enum Python {
        Same,
        Other(&'static str),
        Refuses,
    }

    #[cfg(feature = "idna")]
    #[test]
    fn names_that_are_not_ascii_are_encoded() {
        use Python::{Other, Refuses, Same};
        for (host, expected, python) in [
            ("bücher.example", "xn--bcher-kva.example", Same),
            ("bu\u{308}cher.example", "xn--bcher-kva.example", Same),
            ("bücher.example.", "xn--bcher-kva.example.", Same),
            ("bücher。example", "xn--bcher-kva.example", Same),
            ("example。org", "example.org", Same),
            ("example．org｡", "example.org.", Same),
            ("xn--bcher-kva.bücher", "xn--bcher-kva.xn--bcher-kva", Same),
            ("パイ.example", "xn--eckve.example", Same),
            ("ｅｘａｍｐｌｅ.org", "example.org", Same),
            ("１２７.０.０.１", "127.0.0.1", Same),
            ("_bücher.example", "xn--_bcher-4ya.example", Same),
            ("☃.example", "xn--n3h.example", Same),
            ("ü-.example", "xn----dha.example", Same),
            ("a\u{ad}ü.example", "xn--a-eha.example", Same),
            // Names in ASCII keep their capitals there.
            (
                "BÜCHER.Example",
                "xn--bcher-kva.example",
                Other("xn--bcher-kva.Example"),
            ),
            // Since IDNA 2008 these are letters of their own.
            (
                "straße.example",
                "xn--strae-oqa.example",
                Other("strasse.example"),
            ),
            (
                "βόλος.example",
                "xn--nxasmm1c.example",
                Other("xn--nxasmq6b.example"),
            ),
        ] {
            assert_eq!(name(host).as_deref(), Ok(expected));
            assert!(!matches!(python, Other(other) if other == expected));
        }
        for (host, why, python) in [
            ("xn--a-ä.example", "characters", Refuses),
            ("xn--ä", "characters", Refuses),
            ("\u{ad}", "characters", Refuses),
            ("\u{10ffff}.example", "characters", Refuses),
            ("ü..example", "labels is empty", Refuses),
            (&"ü".repeat(58), "bytes", Refuses),
            // Characters with a meaning of their own in an address.
            ("a\u{ff0f}b.example", "characters", Other("a/b.example")),
            ("ü\0.example", "characters", Other("xn--\0-dha.example")),
            ("\u{200d}ü.example", "characters", Other("xn--tda.example")),
        ] {
            let refused = name(host).unwrap_err();
            assert!(refused.contains(why), "{host:?}: {refused}");
            assert!(!matches!(python, Same));
        }
    }
}
