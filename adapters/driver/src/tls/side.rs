//! The settings that both sides of TLS have in common.

/// The settings that a connector and an acceptor share, as methods of `$side`, and what it is made
/// from: it has a `source` of a `$config`, whose settings have an `alpn`, and `terms`.
macro_rules! side_of_tls {
    ($side:ident, $config:ident) => {
        /// What both sides have.
        impl $side {
            /// The protocols above TLS that this side speaks, the best first (ALPN). What was agreed on
            /// is in [`TlsInfo::alpn`](crate::types::TlsInfo::alpn).
            ///
            /// # Panics
            ///
            /// If a whole configuration was given, which says this itself.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = concat!("# fn example(tls: millpond::", stringify!($side), ") {")]
            /// let tls = tls.alpn(["h2", "http/1.1"]);
            /// # }
            /// ```
            pub fn alpn<P: AsRef<[u8]>>(mut self, protocols: impl IntoIterator<Item = P>) -> Self {
                self.source.change("alpn").alpn = protocols
                    .into_iter()
                    .map(|name| name.as_ref().to_vec())
                    .collect();
                self
            }

            /// How long a handshake may take; 60 s by default, as in asyncio. It needs the clock of a
            /// runtime, and 0 is refused.
            ///
            /// ```
            /// # use std::time::Duration;
            #[doc = concat!("# fn example(tls: millpond::", stringify!($side), ") {")]
            /// let tls = tls.handshake_timeout(Duration::from_secs(10));
            /// # }
            /// ```
            #[doc(alias = "ssl_handshake_timeout")]
            pub fn handshake_timeout(mut self, timeout: std::time::Duration) -> Self {
                self.terms.handshake_timeout = timeout;
                self
            }

            /// Takes an end of the connection for the end of the stream, even if the peer did not say so
            /// (`close_notify`): for protocols that know the length of their messages, with peers that
            /// are sloppy. By default it is [`ReadError::Truncated`](crate::ReadError::Truncated).
            ///
            /// `Differs from asyncio:` there it is always taken for the end.
            ///
            /// ```
            #[doc = concat!("# fn example(tls: millpond::", stringify!($side), ") {")]
            /// let tls = tls.accept_truncation(true);
            /// # }
            /// ```
            pub fn accept_truncation(mut self, accept: bool) -> Self {
                self.terms.truncation = super::Truncation::accepted(accept);
                self
            }

            /// Lets one direction end and the other go on, with a peer that is known to do the same:
            /// under TLS 1.3, [`can_write_eof`](crate::StreamWriter::can_write_eof) is true then, and the
            /// peer's `close_notify` ends what it sends and nothing else. It is off by default, because
            /// most peers (asyncio, and whatever else stands on OpenSSL) take the end of one direction
            /// for that of both, and under TLS 1.2 it is. So the peer's end closes the stream, and what is
            /// written then is [`WriteError::PeerClosed`](crate::WriteError::PeerClosed).
            ///
            /// `As in asyncio:` there is no half close over TLS by default.
            ///
            /// ```
            #[doc = concat!("# fn example(tls: millpond::", stringify!($side), ") {")]
            /// let tls = tls.half_close(true);
            /// # }
            /// ```
            pub fn half_close(mut self, allow: bool) -> Self {
                self.terms.half_close = allow;
                self
            }
        }

        /// A whole configuration of rustls, which is used as it is. What else can be set then is the
        /// timeout, what a truncation is, and whether one direction ends alone.
        impl From<std::sync::Arc<$config>> for $side {
            fn from(config: std::sync::Arc<$config>) -> Self {
                Self {
                    source: super::config::Source::Whole(config),
                    terms: super::Terms::default(),
                }
            }
        }

        impl From<&Self> for $side {
            fn from(side: &Self) -> Self {
                side.clone()
            }
        }

        impl std::fmt::Debug for $side {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($side))
                    .field("terms", &self.terms)
                    .finish_non_exhaustive()
            }
        }
    };
}
pub(super) use side_of_tls;
