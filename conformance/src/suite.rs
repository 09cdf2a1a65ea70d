//! The macro, and a test for each scenario.

/// Makes a test of each scenario.
///
/// `suite!(MyHarness)` is all of them, `suite!(MyHarness: tcp, memory)` those of some groups; the
/// [crate docs](crate) say what the groups are. It goes where items go, once in a module.
///
/// # Examples
///
/// See the [crate docs](crate).
#[macro_export]
macro_rules! suite {
    ($harness:ty) => {
        $crate::suite!(
            $harness:
            tcp, unix, sock, memory, narrow, futures_io, drip, hesitant,
            tls, tls12, start_tls, tls_memory,
            tcp_server, unix_server, tls_server, runtime, tls_runtime, system
        );
    };
    ($harness:ty: $($group:ident),+ $(,)?) => {
        type SuiteHarness = $harness;
        $( $crate::__group!($group); )+
    };
}

/// A group of the suite: those scenarios that there are for its kind, at its place.
#[doc(hidden)]
#[macro_export]
macro_rules! __group {
    (tcp) => {
        $crate::__streams!($crate::__tests, [tcp, Tcp, all()]);
    };
    (unix) => {
        $crate::__streams!($crate::__tests, [unix, Unix, unix]);
    };
    (sock) => {
        $crate::__streams!($crate::__tests, [sock, Sock, all()]);
    };
    (memory) => {
        $crate::__streams!($crate::__tests, [memory, Memory, all()]);
    };
    (narrow) => {
        $crate::__streams!($crate::__tests, [narrow, Narrow, all()]);
    };
    (futures_io) => {
        $crate::__streams!($crate::__tests, [futures_io, FuturesIo, all()]);
    };
    (drip) => {
        $crate::__streams!($crate::__tests, [drip, Drip, all()]);
    };
    (hesitant) => {
        $crate::__streams!($crate::__tests, [hesitant, Hesitant, all()]);
    };
    (tls) => {
        $crate::__streams!($crate::__tests, [tls, Tls, all()]);
    };
    (tls12) => {
        $crate::__streams!($crate::__tests, [tls12, Tls12, all()]);
    };
    (start_tls) => {
        $crate::__streams!($crate::__tests, [start_tls, StartTls, all()]);
    };
    (tls_memory) => {
        $crate::__streams!($crate::__tests, [tls_memory, TlsMemory, all()]);
    };
    (tcp_server) => {
        $crate::__servers!($crate::__tests, [tcp_server, Tcp, all()]);
    };
    (unix_server) => {
        $crate::__servers!($crate::__tests, [unix_server, Unix, unix]);
    };
    (tls_server) => {
        $crate::__servers!($crate::__tests, [tls_server, Tls, all()]);
    };
    (runtime) => {
        $crate::__runtime!($crate::__tests, [runtime, Tcp, all()]);
    };
    (tls_runtime) => {
        $crate::__tls!($crate::__tests, [tls_runtime, Tcp, all()]);
    };
    (system) => {
        $crate::__system!($crate::__tests, [system, Tcp, all()]);
    };
}

/// A module of tests: a place and a list of scenarios.
#[doc(hidden)]
#[macro_export]
macro_rules! __tests {
    (
        [$group:ident, $place:ident, $condition:meta]
        $( $topic:ident { $( $(#[$attribute:meta])* $scenario:ident, )* } )*
    ) => {
        #[cfg($condition)]
        mod $group {
            $(
                mod $topic {
                    $(
                        #[test]
                        $(#[$attribute])*
                        fn $scenario() {
                            $crate::__private::check::<super::super::SuiteHarness>(
                                concat!(
                                    stringify!($group), "::",
                                    stringify!($topic), "::",
                                    stringify!($scenario)
                                ),
                                $crate::__private::Place::$place,
                                $crate::__private::boxed::$topic::$scenario,
                            );
                        }
                    )*
                }
            )*
        }
    };
}

// The lists of scenarios, which the build makes of their modules: `__streams`, `__servers`, `__runtime`,
// `__system` and `__tls`.
include!(concat!(env!("OUT_DIR"), "/scenarios.rs"));

/// Each scenario as a function that gives a boxed future.
#[doc(hidden)]
pub mod boxed {
    use millpond::adapter::BoxFuture;

    use crate::setup::Setup;

    macro_rules! boxed {
        ([] $( $topic:ident { $( $(#[$attribute:meta])* $scenario:ident, )* } )*) => {
            $(
                pub mod $topic {
                    #[allow(unused_imports, reason = "a topic may have nothing on some systems")]
                    use super::*;

                    $(
                        $(#[$attribute])*
                        pub fn $scenario(setup: Setup) -> BoxFuture<'static, ()> {
                            Box::pin(crate::scenarios::$topic::$scenario(setup))
                        }
                    )*
                }
            )*
        };
    }

    __streams!(boxed, []);
    __servers!(boxed, []);
    __runtime!(boxed, []);
    __system!(boxed, []);
    __tls!(boxed, []);
}
